"""The section `sweep`: which cells it has, and what is wrong with it, where it stands."""

import json
from itertools import product

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import load_file, load_scenario, schema, sweep_from_mapping
from dadao_sim.scenario.sweep import MOST_CELLS, Sweep, settings_of

BASE = {
    "name": "swept",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 3, "condition_number": 9},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", {"name": "msda"}],
    "stop": {"time": 4.0},
}


def swept(**sweep):
    return sweep_from_mapping(BASE | {"sweep": sweep})


@given(
    st.lists(st.integers(3, 99), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(1.5, 9), min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 9)), min_size=1, max_size=3),
)
def test_cells_are_every_value_with_every_other(nodes, kappas, together):
    seeds = list(dict(together).items())
    zipped = {"seed": [s for s, _ in seeds], "record.points": {str(s): p + 1 for s, p in seeds}}
    found = swept(
        **{
            "network.nodes": nodes,
            "zip": zipped,
            "problem.data.condition_number": kappas,
        }
    )
    got = [
        (
            cell.scenario.network.nodes,
            (cell.scenario.seed, cell.scenario.record.points - 1),
            cell.scenario.problem.data.condition_number,
        )
        for cell in found.cells
    ]
    assert got == list(product(nodes, seeds, kappas))
    assert found.keys == ("network.nodes", "seed", "record.points", "problem.data.condition_number")
    for cell in found.cells:
        assert list(cell.values) == list(found.keys)
        assert cell.values["network.nodes"] == cell.scenario.network.nodes
        assert cell.values["record.points"] == str(cell.scenario.seed)  # by its name


def test_sections_come_before_their_keys():
    """Whichever is written first."""
    graphs = {"path": {"graph": "path"}, "few": {"graph": "star", "nodes": 3}}
    for order in (("network.nodes", "network"), ("network", "network.nodes")):
        values = {"network": graphs, "network.nodes": [5, 6]}
        cells = swept(**{key: values[key] for key in order}).cells
        assert {(c.scenario.network.graph, c.scenario.network.nodes) for c in cells} == {
            ("path", 5),
            ("path", 6),
            ("star", 5),
            ("star", 6),
        }


def test_an_entry_of_a_list_is_swept():
    cells = swept(**{"algorithms.0.rate_factor": [0.5, 2.0]}).cells
    assert [cell.scenario.algorithms[0].rate_factor for cell in cells] == [0.5, 2.0]
    assert {cell.scenario.algorithms[1].rate_factor for cell in cells} == {1.0}


def test_several_zips():
    zips = [{"seed": [1, 2], "stop.time": [1, 2]}, {"network.nodes": [3, 4], "repeats": [1, 1]}]
    with pytest.raises(InputError, match=r"sweep.zip.1.repeats: is one for all"):
        swept(zip=zips)
    del zips[1]["repeats"]
    assert [tuple(c.values.values()) for c in swept(zip=zips).cells] == [
        (1, 1, 3),
        (1, 1, 4),
        (2, 2, 3),
        (2, 2, 4),
    ]


WRONG = {
    "no mapping": ("[1]", "t.yaml:8: sweep: must be a mapping of keys to their values"),
    "empty": ("{}", "t.yaml:8: sweep: must be a mapping of keys to their values"),
    "nothing": ("", "t.yaml:8: sweep: is empty; give keys and their values, or leave it out"),
    "an unknown key": (
        "{netwrk.nodes: [3]}",
        "t.yaml:8: sweep.netwrk.nodes: unknown key; did you mean 'network'?",
    ),
    "an unknown key below": (
        "{network.node: [3]}",
        "t.yaml:8: network.node: unknown key; did you mean 'nodes'?",
    ),
    "no list": ("{network.nodes: 3}", "t.yaml:8: sweep.network.nodes: must be a list of values"),
    "no values": ("{network.nodes: []}", "t.yaml:8: sweep.network.nodes: must be a list of"),
    "a wrong value": (
        "\n  network.nodes:\n    - 3\n    - 1\n    - 0",
        "t.yaml:11: network.nodes: must be at least 2, got 1",
    ),
    "twice": ("{seed: [1, 2, 1]}", "t.yaml:8: sweep.seed.2: 1 is given twice"),
    "two keys": ("{seed: [1], zip: {seed: [2]}}", "t.yaml:8: sweep.seed: is swept twice"),
    "uneven": (
        "{zip: {seed: [1], stop.time: [1, 2]}}",
        "keys that move together need as many values each; seed has 1, stop.time has 2",
    ),
    "nameless": (
        "{network: [{graph: star, nodes: 4}]}",
        "t.yaml:8: sweep.network.0: a section needs a name",
    ),
    "a name": ("{name: [a, b]}", "t.yaml:8: sweep.name: is one for all scenarios of a sweep"),
    "too many": (
        "{seed: [%s], stop.time: [%s]}" % ((", ".join(map(str, range(1, 200))),) * 2),
        f"has 39,601 cells; at most {MOST_CELLS:,} are played",
    ),
    "no place": ("{algorithms.5.name: [dadao]}", "algorithms has no entry '5', only 0 to 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_where_it_stands(tmp_path, what, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section, message = WRONG[what]
    lines = [f"{key}: {json.dumps(value)}" for key, value in BASE.items()]
    text = "\n".join([lines[0], "", *lines[1:], "", f"sweep: {section}"])
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        load_file("t.yaml")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_command_that_takes_one_scenario_says_how_to_choose(tmp_path):
    file = tmp_path / "t.json"
    file.write_text(json.dumps(BASE | {"sweep": {"network.nodes": [3, 4]}}))
    with pytest.raises(InputError, match=r"sweep: 2 scenarios, .* --set sweep=null"):
        load_scenario(file)
    assert load_scenario(file, ["sweep=null"]).network.nodes == 4
    with pytest.raises(InputError, match=r"--set network.nodes=9: network.nodes is swept"):
        load_file(file, ["network.nodes=9"])
    with pytest.raises(InputError, match=r"--set network.graph=star: network is swept"):
        load_file(file, ["sweep={network: {a: {graph: path, nodes: 3}}}", "network.graph=star"])
    again = load_file(file, ["sweep={seed: [1, 2, 3]}", "network.nodes=9"])
    assert isinstance(again, Sweep)
    assert [cell.scenario.seed for cell in again.cells] == [1, 2, 3]


@pytest.mark.parametrize("key", ["swep", "sweeps", "sweap", "seweep"])
def test_misspelt_it_is_suggested(key):
    with pytest.raises(InputError, match=f"^{key}: unknown key; did you mean 'sweep'"):
        sweep_from_mapping(BASE | {key: {"seed": [1]}})


def test_editors_know_it():
    good = {"network.nodes": [3, 4], "zip": [{"seed": [1]}], "network": {"a": {"graph": "path"}}}
    jsonschema.validate(BASE | {"sweep": good}, schema())
    for bad in ({}, {"network.nodes": 3}, {"zip": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(BASE | {"sweep": bad}, schema())


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"seed": [1, "1"]}, "sweep.seed.1: '1' is given twice, as 1 before"),
        ({"start.scale": [1, 2.5, 1.0]}, "sweep.start.scale.2: 1.0 is given twice, as 1 before"),
        ({"network": {1: {"graph": "path"}, "1": {"graph": "star"}}}, "'1' is given twice"),
        ({"network": {None: {"graph": "path"}}}, "sweep.network.None: a name must be text or a"),
        ({"network": {"": {"graph": "path"}}}, "a name must be text or a number, got ''"),
        ({"seed": [{1, 2}]}, "seed: must be an integer, got '{1, 2}'"),
        ({3: [1]}, "sweep.3: unknown key"),
        ({"zip": []}, "sweep.zip: must be a mapping of keys to their values, got an empty list"),
        ({"zip": {}}, "sweep.zip: must be a mapping of keys to their values, got an empty mapping"),
        ({"seed": [3], "seed.x": [1]}, "sweep.seed.x.0: seed is 3, which has no 'x' in it"),
    ],
)
def test_names_that_no_table_can_hold_are_refused(sweep, message):
    with pytest.raises(InputError) as caught:
        sweep_from_mapping(BASE | {"sweep": sweep})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("where", ["seed", "zip"])
def test_more_cells_than_are_played_are_counted_before_they_are_looked_at(where):
    values = [1, 1, *range(MOST_CELLS)]  # the first two are the same: not what is said
    sweep = {"seed": values} if where == "seed" else {"zip": {"seed": values}}
    with pytest.raises(InputError, match=rf"^sweep: has {len(values):,} cells; at most "):
        settings_of(sweep)


def test_the_same_value_twice_is_looked_for_in_one_pass():
    compared = []

    class Counted(int):
        def __eq__(self, other):
            compared.append(other)
            return int(self) == other

        __hash__ = int.__hash__

    values = [Counted(k) for k in range(2000)]
    assert len(settings_of({"seed": values})) == len(values)
    assert len(compared) < 5 * len(values)
