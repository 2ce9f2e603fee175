"""What takes more than seconds is told from the numbers; `validate` leaves it to the run."""

import json

import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation import study
from dadao_sim.simulation.effort import takes_long
from dadao_sim.simulation.study import Study

BASE = {
    "name": "large",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "algorithms": ["dadao"],
    "stop": {"time": 1},
}
SMALL = {"graph": "cycle", "nodes": 99}
EXACT = {"name": "dadao", "rates": {"method": "exact"}}


def scenario(network, algorithm="dadao"):
    return scenario_from_mapping({**BASE, "network": network, "algorithms": [algorithm]})


@pytest.mark.parametrize(
    ("network", "algorithm", "words"),
    [
        ({"graph": "cycle", "nodes": 100_000}, None, "100,000 nodes and 100,000 edges"),
        ({"graph": "cycle", "nodes": 99_999}, None, ""),
        ({"graph": "complete", "nodes": 700}, None, "700 nodes and 244,650 edges"),
        ({"graph": "hypercube", "nodes": 2**20}, None, "1,048,576 nodes and 10,485,760 edges"),
        (
            {"sequence": {**SMALL, "length": 2000}},
            None,
            "2,000 graphs of 99 nodes and 99 edges",
        ),
        ({"sequence": {**SMALL, "length": 1000}}, None, ""),
        (
            {"graph": "cycle", "nodes": 2000, "rates": "optimal"},
            None,
            "the rates of 2,000 nodes and 2,000 edges",
        ),
        (
            {"graph": "cycle", "nodes": 2000},
            EXACT,
            "the rates of 2,000 nodes and 2,000 edges",
        ),
        ({"graph": "cycle", "nodes": 1999, "rates": "optimal"}, EXACT, ""),
    ],
)
def test_what_takes_long(network, algorithm, words):
    assert takes_long(scenario(network, algorithm or "dadao")) == words


def test_validate_says_what_it_leaves_to_the_run(dadao_sim, tmp_path, monkeypatch):
    """And builds nothing: its graph could not be drawn in this test's time."""
    monkeypatch.setattr(study, "build_parts", None)
    network = {"graph": "random_regular", "degree": 3, "nodes": 300_000}
    (tmp_path / "s.yaml").write_text(json.dumps({**BASE, "network": network}))
    code, out, err = dadao_sim("validate", tmp_path / "s.yaml")
    assert (code, err) == (0, "")
    first, last = out.splitlines()
    assert "300,000 nodes and 450,000 edges" in first
    assert "left to the run" in first
    assert "valid" in last


def test_what_the_numbers_forbid_is_refused_all_the_same():
    odd = scenario({"graph": "random_regular", "degree": 3, "nodes": 300_001})
    with pytest.raises(InputError, match="nodes"):
        Study(odd).check_by_numbers()


def test_a_network_that_is_there_is_no_matter_of_numbers():
    large = scenario({"graph": "cycle", "nodes": 100_000})
    there = Network(3, np.array([[0, 1], [1, 2]]))
    assert Study(large).check_by_numbers()
    assert not Study(large, network=there).check_by_numbers()
