"""Limits, crashes, outages, cuts; and logs that are whole, whatever the world."""

import numpy as np
import pytest
from cases import lollipop, small_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from world_cases import COMPUTES, physics, rates, world_log

from dadao_sim import replay
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    SEND,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.draws import Streams
from dadao_sim.networks.graphs import build

# ---- limits, crashes, outages, changes -----------------------------------------------------------


def exchanges_of(log, network):
    """When each exchange began and was over, and its two ends."""
    over = np.full(len(log), np.nan)
    for row in np.flatnonzero(np.isin(log.kind, (ARRIVE_I, ARRIVE_J, LOST)) & (log.edge >= 0)):
        over[log.start[row]] = log.time[row]
    sends = np.flatnonzero(log.kind == SEND)
    return log.time[sends], over[sends], network.edges[log.edge[sends]]


@pytest.mark.parametrize("when_busy", ["wait", "give_up"])
def test_no_node_has_more_exchanges_than_it_can(when_busy):
    network = lollipop()
    nodes = {"exchanges_at_once": 2, "when_busy": when_busy}
    log = world_log(network, nodes=nodes, links={"latency": 0.8, "jitter": 0.5})
    begun, over, ends = exchanges_of(log, network)
    most = 0
    for node in range(7):
        mine = (ends == node).any(axis=1)
        steps = np.concatenate([begun[mine], over[mine][~np.isnan(over[mine])]])
        change = np.concatenate([np.ones(mine.sum()), -np.ones(len(steps) - mine.sum())])
        order = np.lexsort((change, steps))
        under_way = np.cumsum(change[order])
        assert under_way.max() <= 2
        most = max(most, under_way.max())
    assert most == 2
    free = world_log(network, links={"latency": 0.8, "jitter": 0.5})
    assert (log.kind == SEND).sum() / log.time[-1] < 0.9 * (free.kind == SEND).sum() / free.time[-1]


def test_a_busy_hub_serves_its_leaves_alike():
    network = build("star", 8, None)
    nodes = {"exchanges_at_once": 1}
    log = world_log(network, windows=4, per_edge=5.0, nodes=nodes, links={"latency": 0.3})
    counts = np.bincount(log.edge[log.kind == SEND])
    assert counts.sum() * 0.3 > 0.95 * log.time[-1], "the hub is never idle"
    # First come, first served: the leaves take turns, more evenly than independent choices would.
    assert counts.std() < 0.5 * np.sqrt(counts.mean())


def test_first_come_is_first_served():
    """Rebuilt from the log on a star: which edges wait, since when, from the clocks' own draws."""
    network = build("star", 5, None)
    nodes = {"exchanges_at_once": 1}
    made = physics(network, nodes=nodes, links={"latency": 0.4})
    clock = WorldClock(made, rates(network, 1.0), 8.0, np.random.SeedSequence(3))
    log = clock.window()
    draws = iter(Streams(np.random.SeedSequence(3))["exchanges"].standard_exponential(4096))
    due = [(float(next(draws)), e) for e in range(4)]
    free_at, expected = 0.0, []
    while len(expected) < 500:
        due.sort()  # the clock that ticked first has waited longest, or begins at its tick
        tick, e = due.pop(0)
        begun = max(tick, free_at)
        expected.append((begun, e))
        free_at = begun + 0.4
        due.append((begun + float(next(draws)), e))
    sends = np.flatnonzero(log.kind == SEND)[:500]
    assert_array_equal(log.edge[sends], [e for _, e in expected])
    assert_allclose(log.time[sends], [time for time, _ in expected], rtol=1e-12)


def test_waiting_keeps_more_exchanges_than_giving_up():
    found = {}
    for when_busy in ("wait", "give_up"):
        nodes = {"exchanges_at_once": 1, "when_busy": when_busy}
        log = world_log(nodes=nodes, links={"latency": 0.5})
        found[when_busy] = (log.kind == SEND).sum() / log.time[-1]
    assert found["wait"] > 1.1 * found["give_up"]


def test_a_crashed_node_is_gone_and_loses_its_state():
    network = lollipop()
    crashes = {"every": 20.0, "length": 5.0, "state": "lost"}
    log = world_log(network, nodes={**COMPUTES, "crashes": crashes}, links={"latency": 0.1})
    for node in range(7):
        resets = log.time[(log.kind == RESET) & (log.i == node)]
        assert len(resets) == pytest.approx(log.time[-1] / 25, rel=0.35)
    share = (log.kind == GRADIENT_END).sum() / (7 * log.time[-1])
    # While it is there it ends one gradient per unit, less the one that the crash takes.
    assert share == pytest.approx(20 / 25, rel=0.1)
    # An exchange needs both ends.
    exchanges = (log.kind == SEND).sum() / (9 * 0.7 * log.time[-1])
    assert exchanges == pytest.approx((20 / 25) ** 2, rel=0.1)
    lost = log.kind == LOST
    assert (lost & (log.edge < 0)).sum() > 20, "gradients are lost"
    assert (lost & (log.edge >= 0)).sum() > 2, "and what was sent to the node"
    replayed = replay("ad_psgd", small_problem(7), network, log[:3000], np.ones(3))
    assert np.isfinite(replayed["x"]).all()


def test_a_late_node_does_nothing_before_it_joins():
    log = world_log(nodes={**COMPUTES, "late": [{"node": 3, "at": 40.0}]})
    touched = (log.i == 3) | (log.j == 3)
    assert 40 <= log.time[touched][0] < 45


def test_links_are_cut_and_restored_as_scheduled():
    changes = [{"at": 50.0, "down": [[3, 4]]}, {"at": 120.0, "up": [[4, 3]]}]
    log = world_log(changes=changes)
    times = log.time[(log.kind == GOSSIP) & (log.i == 3) & (log.j == 4)]
    assert ((times < 50) | (times > 120)).all()
    assert (times < 50).sum() > 10
    assert (times > 120).sum() > 10


def test_outages_take_their_share():
    outages = {"every": 6.0, "length": 4.0}
    log = world_log(windows=3, links={"outages": outages})
    share = (log.kind == GOSSIP).sum() / (9 * 0.7 * log.time[-1])
    assert share == pytest.approx(0.6, abs=0.03)


def test_slow_periods_slow_nodes_down():
    slow = {"factor": 9.0, "every": 30.0, "length": 10.0}
    nodes = {
        "gradient": {"kind": "constant", "mean": 1.0},
        "pause": {"kind": "constant", "mean": 0},
    }
    log = world_log(nodes={**nodes, "slow_periods": slow}, per_edge=0.0)
    ends = log.kind == GRADIENT_END
    took = log.time[ends] - log.time[log.start[ends]]
    assert set(np.round(took, 9)) == {1.0, 9.0}
    assert (log.kind == GRADIENT_START).sum() / (7 * log.time[-1]) < 0.9


LAWS = st.sampled_from(
    [
        {"kind": "constant", "mean": 0.0},
        {"kind": "constant", "mean": 0.5},
        {"kind": "exponential", "mean": 1.0},
        {"kind": "pareto", "mean": 1.0, "shape": 1.5},
    ]
)
ANY_WORLD = st.fixed_dictionaries(
    {
        "time_unit": st.sampled_from(["given", "auto"]),
        "nodes": st.fixed_dictionaries(
            {
                "gradient": LAWS,
                "pause": st.just({"kind": "exponential", "mean": 0.3}),
                "slowness_spread": st.sampled_from([0.0, 1.0]),
                "exchanges_at_once": st.sampled_from([None, 1, 3]),
                "when_busy": st.sampled_from(["wait", "give_up"]),
                "crashes": st.sampled_from(
                    [None, *({"every": 5.0, "length": 2.0, "state": s} for s in ("kept", "lost"))]
                ),
                "late": st.sampled_from([[], [{"node": 3, "at": 7.0}]]),
            }
        ),
        "links": st.fixed_dictionaries(
            {
                "latency": st.sampled_from([0.0, 0.2, 3.0]),
                "jitter": st.sampled_from([0.0, 1.0]),
                "loss": st.sampled_from(
                    [None, *({"probability": 0.3, "noticed": n} for n in ("both", "one"))]
                ),
                "outages": st.sampled_from([None, {"every": 3.0, "length": 1.0}]),
            }
        ),
    }
)


@pytest.mark.slow
@given(ANY_WORLD, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_whatever_the_world_the_log_is_whole(spec, seed):
    """Every delayed thing is begun once and over at most once; the engine plays all of it."""
    network, problem = lollipop(), small_problem(7)
    log = world_log(network, seed=seed, **spec)
    log.check(7)
    assert (np.diff(log.time) >= 0).all()
    for kinds, begins in (
        ((GRADIENT_END,), GRADIENT_START),
        ((ARRIVE_I,), SEND),
        ((ARRIVE_J,), SEND),
    ):
        ends = log.start[np.isin(log.kind, kinds)]
        assert (log.kind[ends] == begins).all()
        assert len(np.unique(ends)) == len(ends)
        assert_array_equal(log.edge[ends], log.edge[np.isin(log.kind, kinds)])
    # Of one node one gradient at a time.
    for node in range(7):
        mine = (log.i == node) & ((log.edge < 0) & (log.kind != GRADIENT) & (log.kind != RESET))
        assert (np.diff((log.kind[mine] == GRADIENT_START).astype(int)) != 0).all()
    x = replay("ad_psgd", problem, network, log, np.ones(3), {"step": 0.0, "alpha": 1e-3})["x"]
    assert np.isfinite(x).all()
