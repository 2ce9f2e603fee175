"""What is no path, no name and no text, given from Python where one is wanted: one line."""

from pathlib import Path

import numpy as np
import pytest

import dadao_sim
from dadao_sim.errors import InputError
from dadao_sim.events.files import save_events
from dadao_sim.events.log import TYPES, Events
from dadao_sim.local_steps.learned import load_weights, save_weights
from dadao_sim.networks import read_graphml, write_graphml
from dadao_sim.reports.world import world_report
from dadao_sim.results.names import label_called
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study

SCENARIO = {
    "name": "s",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "network": {"graph": "star", "nodes": 4},
    "algorithms": ["dadao"],
    "stop": {"time": 1.0},
}
NO_PATHS = [None, 3, b"a", ["a"], {}, np.ones(2), object()]
NO_EVENTS = Events(**{name: np.zeros(0, kind) for name, kind in TYPES.items()})
STAR = dadao_sim.build("star", 4, np.random.default_rng(0))

TAKE_A_PATH = {
    "load_events": dadao_sim.load_events,
    "load_result": dadao_sim.load_result,
    "load_scenario": dadao_sim.load_scenario,
    "load_weights": load_weights,
    "read_graphml": read_graphml,
    "save_events": lambda path: save_events(path, NO_EVENTS),
    "scenario_from_mapping": lambda path: scenario_from_mapping(SCENARIO, folder=path),
    "save_weights": lambda path: save_weights(path, load_weights("laplacian")[0], {}),
    "simulate": lambda path: dadao_sim.simulate(SCENARIO, out=path),
    "write_graphml": lambda path: write_graphml(STAR, path),
}


@pytest.mark.parametrize("wrong", NO_PATHS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", TAKE_A_PATH)
def test_what_is_no_path(name, wrong):
    if name in ("simulate", "scenario_from_mapping") and wrong is None:
        return  # then there is none
    with pytest.raises(InputError, match="the path of a file or folder is needed, not "):
        TAKE_A_PATH[name](wrong)


@pytest.mark.parametrize(
    "wrong", [None, 3, {}, np.ones(2), STAR], ids=lambda value: type(value).__name__
)
def test_what_is_no_log_is_not_saved(wrong, tmp_path):
    with pytest.raises(InputError, match="events: Events are needed, not "):
        save_events(tmp_path / "log.npz", wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", ["1", [1], np.ones(2), np.ones(1), {}, 1j, True], ids=str)
@pytest.mark.parametrize("name", ["time_limit", "tolerance"])
def test_what_is_no_number(name, wrong):
    with pytest.raises(InputError, match=f"^{name}: "):
        dadao_sim.optimal_rates(STAR, **{name: wrong})


@pytest.mark.parametrize("path", ["x" * 5_000, Path("x" * 300 + ".yaml"), "a/" * 3_000, "a\0b"])
def test_a_path_that_no_file_can_have(path):
    with pytest.raises(InputError) as caught:
        dadao_sim.load_scenario(path)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("wrong", [None, "seed=1", [1], 3, np.ones(2), {"seed": 1}], ids=str)
def test_overrides_are_a_list_of_text(wrong):
    with pytest.raises(InputError, match="overrides: a list of text is needed"):
        dadao_sim.load_scenario("quickstart", wrong)
    assert dadao_sim.load_scenario("quickstart", ("seed=3",)).seed == 3


@pytest.mark.parametrize("wrong", [None, 3, ["dadao"], {}, np.ones(2)], ids=str)
def test_a_label_and_a_method_are_text(wrong):
    with pytest.raises(InputError, match="algorithm: a label is needed, not "):
        world_report(Study(SCENARIO), wrong)
    with pytest.raises(InputError, match="a label is needed"):
        label_called(wrong, {"dadao": "dadao"}, {"dadao": "DADAO"})
    with pytest.raises(InputError, match=r"method: .* is unknown.* \(known: uniform, "):
        dadao_sim.optimal_rates(STAR, wrong)


@pytest.mark.parametrize("wrong", ["9", [9.0], np.ones(2), 1j, np.nan, -1], ids=str)
def test_the_end_of_a_world_is_a_number(wrong):
    with pytest.raises(InputError, match=r"^end: .* given; it must be finite and above 0"):
        world_report(Study(SCENARIO | {"world": {"preset": "edge_devices"}}), "dadao", end=wrong)


@pytest.mark.parametrize("name", ["ids", "labels"])
def test_names_of_nodes_are_as_many_as_these(name):
    edges = [[0, 1], [1, 2]]
    for wrong in (3, object(), np.array(1), ["a"], ["a"] * 4, {}):
        with pytest.raises(InputError, match=f"^{name}: "):
            dadao_sim.Network(3, edges, **{name: wrong})
    assert getattr(dadao_sim.Network(3, edges, **{name: ("a", "b", "c")}), name) == ("a", "b", "c")


@pytest.mark.parametrize(
    "wrong", [None, 1, {}, [0, 1], [0, 1, 1, 2], [None] * 4, "0123", [3.0, 2.0, 1.0, 0.0]], ids=str
)
def test_an_order_is_a_permutation(wrong):
    with pytest.raises(InputError, match=r"^order: "):
        STAR.relabelled(wrong)


def test_a_log_that_does_not_fit_is_refused_by_its_size():
    scenario = SCENARIO | {"world": {"preset": "edge_devices"}, "stop": {"time": 50.0}}
    with pytest.raises(InputError, match=r"^end: a log of .* events would take .* are free"):
        world_report(Study(scenario), "dadao", end=1e12)
