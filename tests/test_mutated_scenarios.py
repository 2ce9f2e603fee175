"""Scenarios mutated by chance: one line and exit code 2, or played rightly.

The cases and who judges them are in ``mutations.py``; its command line counts them.
"""

import pytest
from mutations import bases, played

from dadao_sim.scenario.reading import scenario_from_mapping


def test_what_is_mutated_is_right():
    """A negative control: each base is a scenario."""
    for name, data in bases().items():
        if "file" not in data["network"]:
            assert scenario_from_mapping(data).name, name


@pytest.mark.slow
def test_some_mutations():
    """And not all of them are refused."""
    tally = played(100, seed=1)
    assert tally.wrong == []
    assert tally.refused > 30
    assert tally.played > 15


@pytest.mark.torture
@pytest.mark.parametrize("first", range(0, 5000, 500))
def test_many_mutations(first):
    assert played(500, seed=0, first=first).wrong == []
