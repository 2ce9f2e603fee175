"""A run ends where a metric has come to its value."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dadao_sim import InputError, Metric, Problem, build, load_result, simulate
from dadao_sim.metrics import METRICS
from dadao_sim.tuning.tune import tune

RNG = np.random.default_rng(3)
PROBLEM = Problem.from_arrays(
    RNG.standard_normal((6, 12, 3)), RNG.standard_normal((6, 12)), "least_squares"
)
RING = build("cycle", 6, None)
SCENARIO = {
    "name": "small",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 6},
    "algorithms": ["extra"],
    "stop": {"time": 300, "until": {"suboptimality": 1e-3}},
}


def farthest_is_near(problem, X):
    return -np.abs(X - problem.x_star).max()


@pytest.fixture
def near(monkeypatch):
    assert "near" not in METRICS
    monkeypatch.setattr(METRICS, "_things", METRICS._things.copy())
    return Metric("near", "Nearness", farthest_is_near, log=False, rises=True)


@pytest.mark.parametrize("algorithm", ["dadao", "extra"])
def test_it_ends_at_the_first_sample_that_is_small_enough(algorithm):
    whole = simulate(PROBLEM, RING, algorithm, time=400)
    until = simulate(PROBLEM, RING, algorithm, time=400, until={"suboptimality": 1e-4})
    first = int((whole.curves["suboptimality"] <= 1e-4).to_numpy().argmax())
    assert 5 < first < len(whole.curves) - 1
    assert until.curves.equals(whole.curves.iloc[: first + 1])
    run = until.runs.iloc[0]
    assert (run["status"], run["reason"]) == ("converged", "until suboptimality 0.0001")
    assert len(until.trajectory(algorithm, nodes=[0])) == first + 1


def test_what_rises_is_waited_for(near):
    result = simulate(PROBLEM, RING, "extra", time=400, metrics=[near], until={"near": -0.01})
    values = result.curves["near"].to_numpy()
    assert values[-1] >= -0.01 > values[:-1].max()


def test_whichever_comes_first(near):
    asked = {"time": 400, "metrics": [near], "accuracy": 1e-8}
    first = simulate(PROBLEM, RING, "extra", until={"near": -1e-3, "suboptimality": 1e-20}, **asked)
    assert first.runs["reason"].tolist() == ["until near -0.001"]
    late = simulate(PROBLEM, RING, "extra", until={"near": -1e-12}, **asked)
    assert late.runs["reason"].tolist() == ["accuracy 1e-08"]


def test_what_it_did_not_wait_for_was_not_tried(tmp_path):
    made = simulate(
        SCENARIO | {"stop": {**SCENARIO["stop"], "accuracy": 1e-9}}, out=tmp_path / "out"
    )
    result = load_result(tmp_path / "out")
    end = result.curves["accuracy"].iloc[-1]
    assert 1e-6 < end < 0.1
    costs = result.summary.set_index("accuracy")["communications_median"]
    assert all(math.isnan(costs[x]) == (x < end) for x in costs.index)
    assert_array_equal(result.curves, made.curves)


REFUSED = {
    "not measured": ({"near": 1.0}, "stop.until.near: is not measured; name it in record.metrics"),
    "of its own": ({"accuracy": 0.1}, "stop.until.accuracy: has a key of its own: stop.accuracy"),
    "a word": ({"suboptimality": "small"}, "stop.until.suboptimality: "),
}


@pytest.mark.parametrize(("until", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_waited_for(until, message):
    with pytest.raises(InputError) as error:
        simulate(PROBLEM, RING, "extra", time=3, until=until)
    assert message in str(error.value)


def test_a_run_that_may_wait_for_ever_is_refused():
    with pytest.raises(InputError, match="a run might never end"):
        simulate(PROBLEM, RING, "extra", until={"suboptimality": 1e-3})


def test_a_search_looks_at_accuracies():
    with pytest.raises(InputError, match=r"stop\.until: a search looks at accuracies only"):
        tune(SCENARIO, budget=1, repeats=1, accuracy=0.1)
