"""A result grows: what was run is not run again, and the bytes are those of one that ran whole."""

import json

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.identity import ground_of
from dadao_sim.simulation.study import Study

DADAO, TRACKING = "dadao", "gradient_tracking"
NETWORK = {"graph": "erdos_renyi", "nodes": 6, "probability": 0.6, "rates": {"method": "optimal"}}
BASE = {
    "name": "grown",
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4, "condition_number": 10},
    },
    "network": NETWORK,
    "algorithms": [DADAO],
    "stop": {"time": 4.0},
    "record": {"points": 5},
    "report": {"accuracies": [0.1]},
}


def with_(**sections):
    return BASE | sections


def files(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "timing.json"
    }


GROWN = {
    "repeats": with_(repeats=3),
    "algorithms": with_(algorithms=[TRACKING, DADAO]),
    "both": with_(repeats=4, algorithms=[DADAO, TRACKING]),
    "what is reported": with_(report={"accuracies": [0.5, 0.1]}, name="other"),
}


@pytest.mark.parametrize(("what", "jobs"), [*((what, 1) for what in GROWN), ("both", 2)])
def test_only_what_is_new_is_run(tmp_path, what, jobs):
    simulate(BASE, out=tmp_path / "r")
    ran = set()
    simulate(
        GROWN[what], out=tmp_path / "r", resume=True, jobs=jobs, tick=lambda key, *_: ran.add(key)
    )
    assert ran == set(Study(GROWN[what]).keys) - {(DADAO, 0), (DADAO, 1)} or (
        what == "what is reported" and not ran
    )
    simulate(GROWN[what], out=tmp_path / "whole")
    assert files(tmp_path / "r") == files(tmp_path / "whole")


REFUSED = {
    "a repeat less": (with_(repeats=1), "a run of 'dadao', repeat 1, which the scenario has not"),
    "another method": (
        with_(algorithms=[TRACKING]),
        "a run of 'dadao', repeat 0, which the scenario has not",
    ),
    "other constants": (
        with_(repeats=3, algorithms=[{"name": DADAO, "rate_factor": 2.0}]),
        "a run of 'dadao', repeat 0, with other constants",
    ),
    "a longer run": (with_(repeats=3, stop={"time": 5.0}), "the result of another scenario"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_is_lost(tmp_path, what):
    """What the folder has and the scenario has not is not dropped, nor mixed with it."""
    simulate(BASE, out=tmp_path / "r")
    before = files(tmp_path / "r")
    scenario, message = REFUSED[what]
    with pytest.raises(InputError, match=message):
        simulate(scenario, out=tmp_path / "r", resume=True)
    assert files(tmp_path / "r") == before


def test_broken_off_while_it_grows_it_goes_on(tmp_path):
    simulate(BASE, out=tmp_path / "r")
    ran = []

    def break_off(key, share, _):
        if share == 1.0:
            ran.append(key)
            if len(ran) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(GROWN["both"], out=tmp_path / "r", resume=True, tick=break_off)
    assert json.loads((tmp_path / "r/manifest.json").read_text())["scenario"]["repeats"] == 2
    again = set()
    simulate(GROWN["both"], out=tmp_path / "r", resume=True, tick=lambda key, *_: again.add(key))
    assert again.isdisjoint(ran)
    simulate(GROWN["both"], out=tmp_path / "whole")
    assert files(tmp_path / "r") == files(tmp_path / "whole")


CHANGES = [
    {"seed": 1},
    {"stop": {"time": 4.5}},
    {"network": NETWORK | {"nodes": 7}},
    {"record": {"points": 6}},
    {"start": {"kind": "normal"}},
]


@given(st.lists(st.sampled_from(CHANGES), max_size=3), st.integers(1, 9))
def test_the_ground_is_what_a_run_depends_on(changes, repeats):
    changed = with_(repeats=repeats, name="n", algorithms=[DADAO, TRACKING])
    for change in changes:
        changed |= change
    same = ground_of(scenario_from_mapping(changed)) == ground_of(scenario_from_mapping(BASE))
    assert same == (not changes)


def test_files_count_by_what_is_in_them(tmp_path):
    """Neither by their names nor by where they lie."""
    grounds = {}
    for name, nodes in {"a": 4, "b": 4, "c": 5}.items():
        networkx.write_graphml(networkx.cycle_graph(nodes), tmp_path / f"{name}.graphml")
        network = {"file": str(tmp_path / f"{name}.graphml")}
        grounds[name] = ground_of(scenario_from_mapping(with_(network=network)))
    assert grounds["a"] == grounds["b"] != grounds["c"]
