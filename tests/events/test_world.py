"""The ideal world of SimPy: against the Poisson sampler, and a simulator in thirty lines;
the unit of time; what cannot be."""

import hashlib
import heapq
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import lollipop, small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from world_cases import COMPUTES, LEVEL, equal, physics, rates, world_log

from dadao_sim import Events, replay
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import (
    ARRIVE_I,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    SEND,
    TYPES,
    concatenate,
)
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.draws import Streams

# ---- the ideal world -----------------------------------------------------------------------------


def test_the_ideal_world_has_the_law_of_the_poisson_clocks():
    network = lollipop()
    ours = world_log(network, windows=4)
    asked = rates(network)
    clock = PoissonClock(asked.nodes, asked.edges, network.edges, np.random.SeedSequence(2))
    theirs = concatenate([clock.window() for _ in range(4)])
    assert set(ours.kind) == {GRADIENT, GOSSIP}

    def whose(log):
        return np.where(log.kind == GRADIENT, log.i, 7 + log.edge)

    counts = [np.bincount(whose(log), minlength=16) for log in (ours, theirs)]
    assert stats.chi2_contingency(counts).pvalue > LEVEL
    gaps = [np.diff(log.time, prepend=0.0) for log in (ours, theirs)]
    assert stats.ks_2samp(*gaps).pvalue > LEVEL
    for k in (0, 6, 7, 12):
        gaps = [np.diff(log.time[whose(log) == k]) for log in (ours, theirs)]
        assert stats.ks_2samp(*gaps).pvalue > LEVEL, k
    assert stats.ks_2samp(ours.mark / 2.0**64, theirs.mark / 2.0**64).pvalue > LEVEL
    assert len(np.unique(ours.mark)) == len(ours)
    # Who follows whom: nothing is remembered.
    table = np.zeros((16, 16))
    np.add.at(table, (whose(ours)[:-1], whose(ours)[1:]), 1)
    assert stats.chi2_contingency(table).pvalue > LEVEL


def test_another_law_would_be_noticed():
    pause = {"kind": "lognormal", "sigma": 0.8}
    ours = world_log(windows=4, nodes={"pause": pause})
    gaps = np.diff(ours.time[(ours.kind == GRADIENT) & (ours.i == 0)])
    assert stats.kstest(gaps, "expon").pvalue < LEVEL


def reference_log(network, asked, seed, count):
    """The ideal world once more, on a heap: the same numbers in the same order."""
    rng = Streams(np.random.SeedSequence(seed))
    key = rng["marks"].integers(0, 2**64, dtype=np.uint64)
    pauses = iter(rng["pauses"].standard_exponential(4 * 4096).tolist())
    exchanges = iter(rng["exchanges"].standard_exponential(4 * 4096).tolist())
    heap = []
    number = 0
    for i in range(network.nodes):
        heap.append((next(pauses) / asked.nodes[i], number := number + 1, GRADIENT, i))
    for e in range(len(network.edges)):
        heap.append((next(exchanges) * (1 / asked.edges[e]), number := number + 1, GOSSIP, e))
    heapq.heapify(heap)
    rows = []
    while len(rows) < count:
        time, _, kind, k = heapq.heappop(heap)
        i, j = (k, -1) if kind == GRADIENT else network.edges[k]
        rows.append((time, kind, i, j))
        if kind == GRADIENT:
            again = time + next(pauses) / asked.nodes[k]
        else:
            again = time + next(exchanges) * (1 / asked.edges[k])
        heapq.heappush(heap, (again, number := number + 1, kind, k))
    time, kind, i, j = zip(*rows, strict=True)
    with np.errstate(over="ignore"):
        mark = [splitmix64(key + np.uint64(row)) for row in range(count)]
    return Events.from_arrays(time, kind, i, j, network, mark=mark)


def test_a_scripted_log_and_the_worlds_give_the_same_bytes():
    network, problem = lollipop(), small_problem(7)
    asked = rates(network)
    ours = world_log(network, seed=5)[:3000]
    scripted = reference_log(network, asked, 5, 3000)
    equal(ours, scripted)
    one, other = (replay("dadao", problem, network, log, np.ones(3)) for log in (ours, scripted))
    for block in one:
        assert_array_equal(one[block], other[block])


def test_same_seed_same_log_and_windows_follow_each_other():
    spec = {"preset": "edge_devices"}
    equal(world_log(windows=2, **spec), world_log(windows=2, **spec))
    assert (world_log(**spec).time != world_log(seed=2, **spec).time).any()
    log = world_log(windows=3, **spec)
    assert (np.diff(log.time) >= 0).all()
    log.check(7)


DIGEST_PROGRAM = """
import hashlib, sys
sys.path[:0] = [{tests!r}, {conftest!r}]
from test_world import digest_of_a_log
print(digest_of_a_log())
"""


def digest_of_a_log():
    log = world_log(preset="edge_devices")
    return hashlib.sha256(b"".join(getattr(log, name).tobytes() for name in TYPES)).hexdigest()


def test_another_process_makes_the_same_log():
    tests = str(Path(__file__).parent)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "NUMBA_DISABLE_JIT": "1"}
    program = DIGEST_PROGRAM.format(tests=tests, conftest=str(Path(__file__).parents[1]))
    other = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert other.stdout.strip() == digest_of_a_log()


def test_ties_are_broken_by_the_order_of_scheduling():
    """Nodes that all take exactly one unit: always in the order of their numbers."""
    nodes = {"gradient": {"kind": "constant", "mean": 0}, "pause": {"kind": "constant", "mean": 1}}
    log = world_log(per_edge=0.0, nodes=nodes)
    assert_array_equal(log.time[:21], np.repeat([1.0, 2.0, 3.0], 7))
    assert_array_equal(log.i[:21], np.tile(np.arange(7), 3))


# ---- the unit of time ----------------------------------------------------------------------------


def test_the_unit_is_stretched_until_latency_times_exchanges_is_a_tenth():
    network = lollipop()
    asked = rates(network)
    made = physics(network, time_unit="auto", links={"latency": 0.2})
    busiest = 0.7 * 4 * 0.2  # node 3 has four edges
    assert made.stretch(asked, 8.0) == pytest.approx(busiest / 0.1)
    clock = WorldClock(made, asked, 8.0, np.random.SeedSequence(0))
    log = clock.window()
    sends = (log.kind == SEND).sum() / log.time[-1]
    assert sends == pytest.approx(9 * 0.7, rel=0.03), "per unit, as the method asks"
    ends = log.kind == ARRIVE_I
    assert_allclose((log.time[ends] - log.time[log.start[ends]]) * clock.stretch, 0.2, rtol=1e-6)


def test_the_unit_is_stretched_by_slow_periods_on_average():
    nodes = {**COMPUTES, "slow_periods": {"factor": 9.0, "every": 30.0, "length": 10.0}}
    made = physics(time_unit="auto", nodes=nodes)
    assert made.stretch(rates(lollipop()), 8.0) == pytest.approx(0.75 * 1 + 0.25 * 9)


def test_the_unit_is_stretched_to_the_slowest_node_and_all_are_paced():
    nodes = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}
    spec = {"time_unit": "auto", "nodes": {**nodes, "slowness": [30.0, *[1.0] * 6]}}
    assert physics(**spec).stretch(rates(lollipop()), 8.0) == pytest.approx(30.0)
    log = world_log(windows=2, **spec)
    counts = np.bincount(log.i[log.kind == GRADIENT_END], minlength=7) / log.time[-1]
    assert_allclose(counts, 1.0, rtol=0.15)


# ---- what cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"nodes": {"late": [{"node": 2, "at": 100.0}]}}, "node 2 would never compute"),
        ({"nodes": {"late": [{"node": 7, "at": 1.0}]}}, "node 7 is not one of the 7 nodes"),
        ({"nodes": {"slowness": [1.0] * 6 + [1e6]}}, "node 6 would hardly ever compute"),
        ({"nodes": {"slowness": [1.0] * 6}}, "6 given for 7 nodes"),
        ({"changes": [{"at": 5.0, "down": [[3, 4]]}]}, "in 2 parts for ever"),
        ({"changes": [{"at": 5.0, "down": [[0, 6]]}]}, "no edge between nodes 0 and 6"),
        ({"changes": [{"at": 5.0, "up": [[3, 4]]}]}, "edge 3-4 is not down at 5"),
    ],
)
def test_impossible_worlds_are_refused_in_one_line(spec, message):
    with pytest.raises(InputError, match=message) as caught:
        physics(accuracy=True, end=100.0, **spec)
    assert "\n" not in str(caught.value)
    assert caught.value.where.split(".")[0] in spec, "the key, as far as this room knows it"


def test_a_run_that_might_never_end_is_refused():
    network = lollipop()
    edges = [[int(i), int(j)] for i, j in network.edges]
    with pytest.raises(InputError, match="they cut every link for ever"):
        physics(network, end=np.inf, changes=[{"at": 5.0, "down": edges}])


def test_a_world_in_which_nothing_happens_ends():
    network = lollipop()
    edges = [[int(i), int(j)] for i, j in network.edges]
    made = physics(network, changes=[{"at": 5.0, "down": edges}])
    asked = PoissonRates(np.zeros(7), np.ones(9))
    clock = WorldClock(made, asked, 8.0, np.random.SeedSequence(0))
    with pytest.raises(InputError, match=r"^nothing happens any more after time"):
        clock.window()
