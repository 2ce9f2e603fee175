"""Numbers of nodes by their names: the same run as with one number per node in a list."""

import pytest

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import scenario_from_mapping

SCENARIO = {
    "name": "names",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "network": {"graph": "cycle", "nodes": 4, "ids": ["Basel", "Bern", "7", "Chur"]},
    "algorithms": ["dadao"],
    "stop": {"time": 30},
}


def curves(**sections):
    return simulate(scenario_from_mapping({**SCENARIO, **sections})).curves


SECTIONS = {
    "slowness": lambda numbers: {"world": {"preset": "datacenter", "nodes": {"slowness": numbers}}},
    "node_rates": lambda numbers: {"clock": {"node_rates": numbers}},
}


@pytest.mark.parametrize("key", SECTIONS)
def test_names_and_places_are_the_same_run(key):
    section = SECTIONS[key]
    by_name = curves(**section({"Bern": 3, 7: 1.5}))
    assert by_name.equals(curves(**section([1, 3, 1.5, 1])))
    assert not by_name.equals(curves(**section([1, 1.5, 3, 1])))
    assert curves(**section({"Bern": 1})).equals(curves(**section(None)))


@pytest.mark.parametrize("key", SECTIONS)
@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"Brn": 2}, "the graph has no node with the id 'Brn'; did you mean 'Bern'"),
        ({1: 2}, "the graph has no node with the id '1'"),
        ([1, 2, 3], "3 given for 4 nodes; give one per node"),
        ({"Bern": 0}, "Bern: must be above 0"),
        ({"Bern": "2"}, "Bern: must be a number"),
        ({}, "must not be empty"),
        ([], "must not be empty"),
        ("Bern", "must be a list"),
        ({"": 2}, "must be the id of a node"),
    ],
)
def test_numbers_that_cannot_be(key, numbers, said):
    with pytest.raises(InputError) as caught:
        curves(**SECTIONS[key](numbers))
    assert said in str(caught.value)
    assert key in str(caught.value)
