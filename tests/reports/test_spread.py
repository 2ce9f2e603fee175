"""A run watched node by node is the run that `simulate` makes: its errors, edges and values."""

import numpy as np
import pytest

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.reports.spread import spread
from dadao_sim.simulation.study import Study

SCENARIO = {
    "name": "watched",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2,
                "samples_per_node": 1}},
    "network": {"graph": "path", "nodes": 6},
    "algorithms": ["randomised_gossip", "synchronous_gossip"],
    "stop": {"time": 40},
    "repeats": 2,
    "record": {"points": 20, "spacing": "linear"},
}  # fmt: skip


@pytest.fixture(scope="module")
def ran():
    return simulate(SCENARIO)


@pytest.mark.parametrize("algorithm", ["randomised_gossip", "synchronous_gossip"])
@pytest.mark.parametrize("repeat", [0, 1])
def test_the_errors_of_the_nodes_are_those_of_the_run(ran, algorithm, repeat):
    """Their mean is the accuracy of the curves, at the same times."""
    seen = spread(Study(SCENARIO), algorithm, repeat=repeat, frames=21)
    curve = ran.curves.query("algorithm == @algorithm and repeat == @repeat")
    np.testing.assert_allclose(seen.times, np.arange(0, 41, 2))
    np.testing.assert_allclose(curve["time"], seen.times)
    np.testing.assert_allclose(seen.values.mean(axis=1), curve["accuracy"], rtol=1e-12)


def test_every_exchange_is_on_its_edge_in_its_frame(ran):
    seen = spread(Study(SCENARIO), "randomised_gossip", frames=21)
    curve = ran.curves.query("algorithm == 'randomised_gossip' and repeat == 0")
    assert seen.uses.shape == (21, 5)
    np.testing.assert_array_equal(
        seen.uses.sum(axis=1), np.diff(curve["communications"], prepend=0)
    )
    assert spread(Study(SCENARIO), "synchronous_gossip", frames=3).uses is None


def test_values_are_averaged_and_their_mean_stays():
    seen = spread(
        Study(SCENARIO), "Randomised gossip", shows="value", coordinate=1, frames=9, end=8
    )
    assert seen.times.tolist() == list(range(9))
    np.testing.assert_allclose(seen.values.mean(axis=1), seen.values[0].mean())
    assert (np.diff(np.ptp(seen.values, axis=1)) <= 1e-15).all(), "no value leaves their range"
    # A node whose edges were not used has the value it had.
    for k in range(1, 9):
        used = {n for e in np.flatnonzero(seen.uses[k]) for n in seen.layout.edges[e].tolist()}
        for node in set(range(6)) - used:
            assert seen.values[k, node] == seen.values[k - 1, node]


def test_a_run_that_ends_is_watched_until_then():
    stops = {**SCENARIO, "stop": {"time": 1000, "accuracy": 1e-3}, "record": {"points": 5}}
    end = simulate(stops).runs.query("algorithm == 'synchronous_gossip'")["time"].iloc[0]
    seen = spread(Study(stops), "synchronous_gossip", frames=10)
    assert seen.times[-1] <= end < 1000
    assert seen.values[-1].mean() <= 1e-3 < seen.values[-2].mean()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"algorithm": "dadao"}, "^algorithm: there is no 'dadao'"),
        ({"repeat": 2}, "^repeat: 2 given; 0 to 1 are there"),
        ({"frames": 1}, "^frames: 1 given; 2 to 500 are possible"),
        ({"end": 0.0}, "^end: 0 given; it must be positive and finite"),
        ({"shows": "colour"}, "^shows: 'colour' given; use error or value"),
        ({"coordinate": 2}, "^coordinate: 2 given; 0 to 1 are there"),
    ],
)
def test_what_cannot_be_watched_is_one_line(keys, message):
    keys = {"algorithm": "randomised_gossip", **keys}
    with pytest.raises(InputError, match=message):
        spread(Study(SCENARIO), keys.pop("algorithm"), **keys)


def test_a_run_that_waits_for_a_metric_is_the_one_that_is_watched():
    scenario = {
        **SCENARIO,
        "record": {"points": 20, "spacing": "linear", "metrics": ["objective"]},
        "stop": {"time": 40, "until": {"objective": 1e3}},
    }
    result = simulate(scenario)
    assert set(result.runs["reason"]) == {"until objective 1000"}
    seen = spread(Study(scenario), "randomised_gossip", frames=21)
    end = result.runs.query("algorithm == 'randomised_gossip' and repeat == 0").iloc[0]
    assert seen.times[-1] == end["time"]


PHASES = {
    "name": "phases",
    "problem": {
        "kind": "phase_retrieval",
        "data": {"kind": "magnitudes", "dim": 3, "samples_per_node": 12},
    },
    "network": {"graph": "cycle", "nodes": 5},
    "algorithms": ["gradient_tracking"],
    "start": {"kind": "normal", "shared": True},
    "stop": {"time": 60},
    "record": {"points": 5},
}


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_of_several_solutions_it_is_the_one_that_the_network_comes_to(seed):
    study = Study(PHASES | {"seed": seed})
    problem, x0 = study.parts(0).problem, study.parts(0).x0
    end = simulate(study).states["gradient_tracking", 0]["x"]
    nearest = min(problem.solutions, key=lambda x: ((end - x) ** 2).sum())
    seen = spread(Study(study.scenario), "gradient_tracking", frames=4)
    wanted = ((end - nearest) ** 2).sum(axis=1) / ((x0 - nearest) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(seen.values[-1], wanted, rtol=1e-9)


def test_where_no_solution_is_known_there_are_no_errors():
    asked = PHASES | {
        "problem": {
            "kind": "mlp",
            "hidden": [3],
            "data": {"kind": "moons", "size": 40},
        },
        "algorithms": [{"name": "gradient_tracking", "parameters": {"step": 0.1}}],
    }
    with pytest.raises(InputError, match="shows: no solution of kind mlp is known; use value"):
        spread(Study(asked), "gradient_tracking", frames=4)
    assert spread(Study(asked), "gradient_tracking", frames=4, shows="value").values.shape == (4, 5)
