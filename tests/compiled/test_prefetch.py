"""Memory asked for ahead: the instruction is there, and no value changes."""

import re

import numba
import numpy as np
import pytest
from cases import lollipop, small_problem
from simulation.test_player import atomic_log

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compiled.prefetch import LINE, MOST, prefetch
from dadao_sim.engine import play as engine
from dadao_sim.simulation.replay import make_player


@numba.njit
def fetched(array, rows):
    for row in rows:
        prefetch(array, row)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 0), (5, 2, 3), (0, 2, 3), (3, 2, MOST)])
def test_no_value_changes_and_no_row_is_wrong(shape):
    array = np.arange(np.prod(shape), dtype=float).reshape(shape)
    before = array.copy()
    fetched(array, np.array([0, 4, -1, 5, 10**9, -(10**9)]))  # a hint may be of any address
    prefetch(array, 10**9)
    np.testing.assert_array_equal(array, before)


def test_the_processor_is_asked():
    fetched(np.zeros((2, 2)), np.array([0]))
    [code] = [fetched.inspect_asm(s) for s in fetched.signatures if s[0].ndim == 2]
    assert re.search(r"\bprefetch|\bprfm\b", code)
    assert MOST % LINE == 0


@pytest.mark.parametrize("name", ["dadao", "dadao_counters", "ad_psgd"])
def test_a_large_state_has_the_bytes_of_a_small_one(name, monkeypatch):
    """Compiled again, with every state taken for large."""
    problem, network = small_problem(7), lollipop()
    log, method, ends = atomic_log(name, network, problem), METHODS[name], []
    for cached in (engine.CACHED, 0):
        monkeypatch.setattr(engine, "CACHED", cached)
        loop = numba.njit(error_model="numpy")(engine.play)
        player = make_player(
            *(method, problem, method.tune(problem, network, {}), np.ones((7, 3)), {})
        )
        player._play = loop
        player.play(log, 0, len(log))
        assert all("llvm.prefetch" in loop.inspect_llvm(s) for s in loop.signatures)
        ends.append(player.arrays)
    for left, right in zip(*ends, strict=True):
        np.testing.assert_array_equal(left, right)
