"""Sizes that a scenario asks for: held against the memory there is before anything is built."""

import copy
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim import memory
from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_file, scenario_from_mapping
from dadao_sim.scenario.sweep import Sweep
from dadao_sim.simulation import study
from dadao_sim.simulation.sampling import GEOMETRIC, LINEAR, sample_times
from dadao_sim.simulation.simulate import simulate
from dadao_sim.simulation.study import Study

DATA = {"kind": "synthetic", "dim": 3, "samples_per_node": 5}
BASE = {
    "name": "s",
    "problem": {"kind": "ridge", "mu": 0.1, "data": DATA},
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": [{"name": "nids"}],
    "stop": {"time": 5},
    "record": {"points": 3},
}


def with_value(key, value, **sections):
    """BASE with ``sections``, and a value at the path ``key``."""
    data = copy.deepcopy({**BASE, **sections})
    *above, last = key.split(".")
    part = data
    for name in above:
        part = part.setdefault(name, {}) if isinstance(part, dict) else part[int(name)]
    part[last] = value
    return data


SPARSE = {"kind": "sparse_signal", "dim": 8, "samples_per_node": 5, "nonzeros": 2}
SECTIONS = {
    "network.nodes": {},
    "problem.data.dim": {},
    "problem.data.samples_per_node": {},
    "record.points": {},
    "repeats": {},
    "network.sequence.length": {
        "network": {"sequence": {"graph": "cycle", "nodes": 4}},
        "algorithms": ["dadao"],
    },
    "network.sequence.nodes": {
        "network": {"sequence": {"graph": "star", "length": 2}},
        "algorithms": ["dadao"],
    },
}
OTHERS = {
    "averaging": {"problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}}},
    "conjugates": {"algorithms": ["msda"]},
    "logistic": {"problem": {"kind": "logistic_l2", "mu": 1, "data": DATA}},
    "authors": {"problem": {"kind": "ridge", "mu": 1, "data": {**DATA, "kind": "authors"}}},
    "sparse": {"problem": {"kind": "ridge", "mu": 1, "data": SPARSE}},
    "conditioned": {"problem": {"kind": "ridge", "data": {**DATA, "condition_number": 9}}},
}
CASES = [*SECTIONS.items()]
CASES += [("problem.data.dim", sections) for sections in OTHERS.values()]
CASES += [("network.nodes", sections) for sections in OTHERS.values()]


@pytest.fixture
def nothing_is_built(monkeypatch):
    def build(*_):
        raise AssertionError("something was built")

    monkeypatch.setattr(study, "build_parts", build)


@pytest.mark.parametrize(("key", "sections"), CASES)
@pytest.mark.parametrize("value", [10**12, 2**62, 2**63 - 1])
def test_sizes_beyond_all_memory(key, sections, value, nothing_is_built):
    with pytest.raises(InputError) as caught:
        Study(with_value(key, value, **sections)).check()
    said = str(caught.value)
    assert said.startswith(f"{key}: ")
    assert f"{value:,}" in said
    assert len(said) < 200


@pytest.mark.parametrize("sections", [{}, *OTHERS.values()])
def test_what_is_small_has_room(sections, monkeypatch):
    """A negative control, in a hundred megabytes."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e8)
    Study({**BASE, **sections}).check()


def test_the_shipped_scenarios_have_room_in_a_gigabyte(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**30)
    for path in shipped.scenarios().values():
        loaded = load_file(path)
        for one in [c.scenario for c in loaded.cells] if isinstance(loaded, Sweep) else [loaded]:
            Study(one).require_room()


def test_the_sum_counts(monkeypatch):
    """Each alone would fit."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e9)
    nodes, points = ("network.nodes", 1_000_000), ("record.points", 300_000)
    Study(with_value(*nodes)).require_room()
    Study(with_value(*points)).require_room()
    both = with_value(*points, network={"graph": "cycle", "nodes": 1_000_000})
    with pytest.raises(InputError, match=r"^network\.nodes: "):
        Study(both).require_room()


def test_what_is_kept_of_samples_counts(monkeypatch):
    """The data fit, and so does a method that draws samples and keeps nothing of them."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e9)
    samples = ("problem.data.samples_per_node", 3_000_000)
    Study(with_value(*samples, algorithms=["gt_svrg"])).require_room()
    for name in ("gt_saga", "adfs"):
        with pytest.raises(InputError, match=r"samples_per_node: .* would take"):
            Study(with_value(*samples, algorithms=[name])).require_room()


def test_processes_count(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e9)
    many = {**BASE, "repeats": 100}
    Study(many).require_room(4)
    with pytest.raises(InputError, match=r"^jobs: 1,000,000 processes would take"):
        simulate(many, jobs=10**6)
    simulate(BASE, jobs=10**6)  # of which there is no use for more than one


@pytest.mark.parametrize(
    "problem",
    [
        {"kind": "least_squares", "data": {**DATA, "dim": 20, "samples_per_node": 60}},
        {"kind": "ridge", "mu": 1, "data": {**DATA, "dim": 60, "samples_per_node": 20}},
        {"kind": "ridge", "data": {**DATA, "dim": 20, "condition_number": 9}},
        {"kind": "logistic_l2", "mu": 1, "data": {**DATA, "dim": 20, "samples_per_node": 60}},
        {"kind": "ridge", "mu": 1, "data": {**SPARSE, "dim": 40, "samples_per_node": 20}},
        {"kind": "averaging", "data": {"kind": "synthetic", "dim": 50}},
        {
            "kind": "ridge",
            "mu": 1,
            "data": {"kind": "image", "task": "deblurring", "size": 60, "blur": 3},
        },
    ],
    ids=lambda problem: f"{problem['kind']} {problem['data']['kind']}",
)
def test_the_bytes_of_a_problem_are_about_what_it_takes(problem):
    """Between half and five times the peak."""
    nodes = 60 if problem["data"]["kind"] == "image" else 1500
    spec = scenario_from_mapping({**BASE, "problem": problem}).problem

    def built():
        made = build_problem(spec, nodes, np.random.default_rng(0))
        return made.mu, made.L, made.objective, made.x_star

    built()  # what is compiled and imported counts for nobody
    tracemalloc.start()
    try:
        built()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak / 2 <= sum(need.bytes for need in spec.needs(nodes)) <= 5 * peak


# --- limits that are far from anything that happens ----------------------------------------------


def taken_up_to(end, *arguments, most=10**6, **options):
    times = sample_times(*arguments, **options)
    return list(itertools.islice(itertools.takewhile(lambda time: time < end, times), most))


@given(
    horizon=st.floats(1e-100, 1e-3),
    points=st.integers(2, 300),
    spacing=st.sampled_from([LINEAR, GEOMETRIC]),
    whole=st.booleans(),
)
@settings(max_examples=50)
def test_a_horizon_far_too_short_does_not_make_samples_for_ever(horizon, points, spacing, whole):
    """Some for each doubling, whatever is between."""
    times = taken_up_to(10.0, horizon, points, spacing, whole=whole)
    assert len(times) <= 10 * points + 600 * points
    assert times == sorted(set(times))


@given(horizon=st.integers(1, 10**6), points=st.integers(2, 100))
def test_linear_samples_up_to_ten_horizons_are_where_they_were(horizon, points):
    times = taken_up_to(2.0 * horizon, float(horizon), points, LINEAR, whole=False)
    assert times == [horizon * (k / points) for k in range(1, 2 * points)]


@pytest.mark.parametrize("spacing", [LINEAR, GEOMETRIC])
@pytest.mark.parametrize("name", ["dadao", "nids"])
@pytest.mark.parametrize("limit", ["communications", "gradients_per_node"])
@pytest.mark.parametrize("value", [1e-9, 1e-100])
def test_a_fraction_of_an_event_is_one(spacing, name, limit, value):
    """The first event that costs something ends the run."""
    record = {"points": 5, "spacing": spacing}
    stop = {"time": 50, limit: value}
    made = simulate({**BASE, "algorithms": [name], "stop": stop, "record": record})
    (run,) = made.runs.itertuples()
    kind = limit.partition("_")[0]
    assert run.reason == f"limit of {kind}"
    assert getattr(run, kind) > 0
    assert len(made.curves) < 2000


@pytest.mark.parametrize("name", ["dadao", "nids", "ad_psgd"])
@pytest.mark.parametrize("limit", ["time", "communications", "gradients_per_node"])
def test_more_events_than_can_be_counted(name, limit):
    with pytest.raises(InputError, match=r"^stop: .* would have \S+ events, of which 9e\+15 can"):
        Study({**BASE, "algorithms": [name], "stop": {limit: 1e18}}).check()
    Study({**BASE, "algorithms": [name], "stop": {limit: 1e12}}).check()


@pytest.mark.parametrize("size", [6, 10**6, 2**62])
def test_batches_beyond_the_data(size):
    own = [{"name": "dadao", "label": "own", "batch_size": size}]
    with pytest.raises(InputError, match=f"own.batch_size: {size} given; no node has more than 5"):
        Study({**BASE, "algorithms": own}).check()
    own[0]["batch_size"] = 5
    Study({**BASE, "algorithms": own}).check()
