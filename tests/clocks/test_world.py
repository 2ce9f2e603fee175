"""The SimPy world of asynchronous methods: against the Poisson sampler, a simulator of its own
written in thirty lines, and conservation laws."""

import hashlib
import heapq
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import lollipop, small_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from dadao_sim import Events, replay
from dadao_sim.algorithms.contract import PoissonRates
from dadao_sim.algorithms.registry import METHODS
from dadao_sim.clocks.poisson import PoissonClock
from dadao_sim.clocks.world.clock import WorldClock
from dadao_sim.clocks.world.draws import generators
from dadao_sim.clocks.world.physics import make_physics
from dadao_sim.errors import InputError
from dadao_sim.events import (
    ARRIVE_I,
    ARRIVE_J,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    SEND,
    TYPES,
    concatenate,
)
from dadao_sim.networks import build
from dadao_sim.player import make_player
from dadao_sim.randomness import splitmix64
from dadao_sim.scenario_world import WorldSpec

LEVEL = 1e-3
COMPUTES = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}


def physics(network=None, accuracy=False, end=1e9, **spec):
    world = WorldSpec.model_validate(spec)
    rng = np.random.default_rng(0)
    return make_physics(world, network or lollipop(), rng, accuracy=accuracy, end=end)


def rates(network, per_edge=0.7):
    return PoissonRates(np.ones(network.nodes), np.full(len(network.edges), per_edge))


def world_log(network=None, windows=1, seed=1, per_edge=0.7, size=8.0, **spec):
    network = network or lollipop()
    clock = WorldClock(
        physics(network, **spec), rates(network, per_edge), size, np.random.SeedSequence(seed)
    )
    return concatenate([clock.window() for _ in range(windows)])


def equal(one, other):
    for name in TYPES:
        assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


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
    rng = generators(np.random.SeedSequence(seed))
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
sys.path.insert(0, {tests!r})
from clocks.test_world import digest_of_a_log
print(digest_of_a_log())
"""


def digest_of_a_log():
    log = world_log(preset="edge_devices")
    return hashlib.sha256(b"".join(getattr(log, name).tobytes() for name in TYPES)).hexdigest()


def test_another_process_makes_the_same_log():
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": "7", "NUMBA_DISABLE_JIT": "1"}
    program = DIGEST_PROGRAM.format(tests=tests)
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


# ---- delays and losses ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dadao", "a2cid2", "ad_psgd"])
def test_no_delay_and_no_loss_are_the_atomic_engine(name):
    """Jitter on a latency of 0 and a loss of probability 0 take the way of delayed exchanges."""
    network, problem = lollipop(), small_problem(7)
    atomic = world_log(network)[:1500]
    links = {"latency": 0.0, "jitter": 0.5, "loss": {"probability": 0.0}}
    delayed = world_log(network, links=links)
    assert {SEND, ARRIVE_I, ARRIVE_J} <= set(delayed.kind)
    last = np.searchsorted(delayed.time, atomic.time[-1], side="right")
    assert_array_equal(
        delayed.time[np.isin(delayed.kind, (SEND, GRADIENT))][: len(atomic)], atomic.time
    )
    # Minibatches would differ by their marks, which go by rows; full gradients do not ask.
    one = replay(name, problem, network, atomic, np.ones(3))
    other = replay(name, problem, network, delayed[:last], np.ones(3))
    for block in one:
        assert_array_equal(one[block], other[block])


def test_delays_are_what_the_links_say():
    network = lollipop()
    links = {"latency": 0.25, "bandwidth": 64.0}
    log = world_log(network, links=links, gradient_seconds=0.5, size=16.0)
    ends = np.isin(log.kind, (ARRIVE_I, ARRIVE_J))
    took = log.time[ends] - log.time[log.start[ends]]
    assert_allclose(took, (0.25 + 16.0 / 64.0) / 0.5, rtol=1e-9)


def test_latency_grows_with_the_length():
    from dadao_sim import Network

    base = lollipop()
    lengths = np.arange(1.0, 10.0) * 100
    network = Network(7, base.edges, lengths_km=lengths)
    log = world_log(network, links={"latency_per_km": 4.9e-6}, gradient_seconds=1e-3)
    ends = log.kind == ARRIVE_I
    took = log.time[ends] - log.time[log.start[ends]]
    assert_allclose(took, 4.9e-3 * lengths[log.edge[ends]], rtol=1e-6)
    with pytest.raises(InputError, match=r"world\.links\.latency_per_km: .* no length_km"):
        physics(base, links={"latency_per_km": 4.9e-6})


@pytest.mark.parametrize(
    ("law", "cdf"),
    [
        ({"kind": "exponential", "mean": 2.0}, stats.expon(scale=2.0).cdf),
        ({"kind": "lognormal", "mean": 2.0, "sigma": 0.5}, None),
        ({"kind": "pareto", "mean": 2.0, "shape": 3.0}, stats.pareto(3.0, scale=4 / 3).cdf),
    ],
)
def test_gradients_take_what_their_law_says(law, cdf):
    nodes = {"gradient": law, "pause": {"kind": "constant", "mean": 0.0}, "slowness": [3.0] * 7}
    log = world_log(nodes=nodes)
    ends = log.kind == GRADIENT_END
    took = (log.time[ends] - log.time[log.start[ends]]) / 3
    cdf = cdf or stats.lognorm(0.5, scale=2 * np.exp(-0.125)).cdf
    assert stats.kstest(took, cdf).pvalue > LEVEL


def test_empirical_durations_are_of_the_list():
    values = [0.5, 1.0, 3.0]
    nodes = {**COMPUTES, "gradient": {"kind": "empirical", "values": values}}
    log = world_log(nodes=nodes, per_edge=0.0)
    ends = log.kind == GRADIENT_END
    took = log.time[ends] - log.time[log.start[ends]]
    found, counts = np.unique(np.round(took, 9), return_counts=True)
    assert_array_equal(found, values)
    assert stats.chisquare(counts).pvalue > LEVEL


def loss_rate(log):
    return (log.kind == LOST).sum() / (log.kind == SEND).sum()


def test_losses_come_as_often_as_asked():
    both = world_log(windows=3, links={"latency": 0.1, "loss": {"probability": 0.2}})
    assert loss_rate(both) == pytest.approx(0.2, abs=0.015)
    assert (both.j[both.kind == LOST] >= 0).all()
    one = {"probability": 0.2, "noticed": "one"}
    log = world_log(windows=3, links={"latency": 0.1, "jitter": 0.5, "loss": one})
    assert loss_rate(log) == pytest.approx(0.36, abs=0.015)  # of two messages at least one
    alone = (log.kind == LOST) & (log.j < 0)
    assert alone.sum() / (log.kind == SEND).sum() == pytest.approx(0.32, abs=0.015)


def test_bursts_are_those_of_gilbert_and_elliott():
    loss = {"probability": 0.0, "burst_probability": 1.0, "burst_start": 0.05, "burst_end": 0.25}
    log = world_log(windows=4, links={"latency": 1e-6, "loss": loss})
    assert loss_rate(log) == pytest.approx(0.05 / 0.30, abs=0.02)
    lost = np.zeros(len(log), dtype=bool)
    lost[log.start[log.kind == LOST]] = True
    sends = lost[(log.kind == SEND) & (log.edge == 3)]
    after_loss = sends[1:][sends[:-1]].mean()
    assert after_loss == pytest.approx(0.75, abs=0.08), "lost ones follow each other"


def sums_and_lost_mass(name, log, network, problem, start):
    """How far each conserved sum moves in a replay of ``log``, and the mass of what the log says
    was sent and has acted on one end only."""
    method = METHODS[name]
    after = replay(name, problem, network, log, **start)
    drift = {b: after[b].sum(axis=0) - start[b].sum(axis=0) for b in method.invariant}
    acted = dict.fromkeys(np.flatnonzero(log.kind == SEND).tolist(), 0)
    for kind, sign in ((ARRIVE_I, 1), (ARRIVE_J, -1)):
        for row in log.start[log.kind == kind].tolist():
            acted[row] += sign
    mass = {b: np.zeros(3) for b in method.invariant}
    for row, sign in acted.items():
        if sign:
            before = replay(name, problem, network, log[:row], **start)
            i, j = log.i[row], log.j[row]
            both = Events.from_arrays([log.time[row]], [GOSSIP], [i], [j], network)
            then = replay(name, problem, network, both, **before)
            for b in method.invariant:
                mass[b] += sign * (then[b][i] - before[b][i])
    return drift, mass


@pytest.mark.parametrize("loss", ["none", "both", "one"])
@pytest.mark.parametrize("name", ["ad_psgd", "a2cid2"])
def test_conservation_under_delay_and_loss(name, loss):
    """Exchanges only. AD-PSGD has no flow, and A2CiD2's keeps x + x~, so the sum over both."""
    network, problem = lollipop(), small_problem(7)
    links = {"latency": 0.3, "jitter": 0.5}
    if loss != "none":
        links["loss"] = {"probability": 0.3, "noticed": loss}
    log = world_log(network, links=links)
    keep = np.flatnonzero(log.kind != GRADIENT)[:400]
    renumbered = np.full(len(log), -1)
    renumbered[keep] = np.arange(len(keep))
    begun = np.where(log.start[keep] >= 0, renumbered[log.start[keep]], -1)
    columns = (log.time[keep], log.kind[keep], log.i[keep], log.j[keep])
    if name == "a2cid2":
        columns = (np.zeros(len(keep)), *columns[1:])
    log = Events.from_arrays(*columns, edge=log.edge[keep], start=begun)
    rng = np.random.default_rng(3)
    start = {b: rng.standard_normal((7, 3)) for b in METHODS[name].blocks}
    drift, mass = sums_and_lost_mass(name, log, network, problem, start)
    for block in METHODS[name].invariant:
        assert_allclose(drift[block], mass[block], atol=1e-12, err_msg=block)
    if loss == "one":
        assert max(np.abs(d).max() for d in drift.values()) > 1e-2
    lost = (log.kind == LOST).sum()
    assert lost == 0 if loss == "none" else lost > 20


@pytest.mark.parametrize("loss", ["none", "both", "one"])
def test_dadao_conserves_its_dual_sum_in_a_world_as_it_runs(loss):
    """Gradients, flow, delays and losses together: the flow of a node keeps alpha~ z + alpha z~,
    gradients do not touch it, and so its sum moves by one-sided exchanges alone."""
    network, problem = lollipop(), small_problem(7)
    asked = METHODS["dadao"].tune(problem, network, {})
    p = asked.params
    links = {"latency": 0.01, "jitter": 0.5}
    if loss != "none":
        links["loss"] = {"probability": 0.3, "noticed": loss}
    made = physics(network, nodes=COMPUTES, links=links)
    log = WorldClock(made, asked.clock, 24.0, np.random.SeedSequence(2)).window()[:500]
    start = {"x": np.ones((7, 3))}

    def dual(state):
        return p.alpha_tilde * state["z"] + p.alpha * state["z_tilde"]

    after = replay("dadao", problem, network, log, **start)
    expected = np.zeros(3)
    acted = dict.fromkeys(np.flatnonzero(log.kind == SEND), 0)
    for kind, sign in ((ARRIVE_I, 1), (ARRIVE_J, -1)):
        for row in log.start[log.kind == kind]:
            acted[row] += sign
    for row, sign in acted.items():
        if sign:  # what the end that heard has added, from the values at sending
            player = make_player(METHODS["dadao"], problem, asked, start["x"], {})
            player.play(log[: row + 1], 0, row + 1)  # SEND brings both ends to its time
            now = player.blocks(METHODS["dadao"].blocks)
            m = (now["y"] + now["z"])[log.i[row]] - (now["y"] + now["z"])[log.j[row]]
            expected -= sign * (p.alpha_tilde * p.beta + p.alpha * p.beta_tilde) * m
    scale = np.abs(dual(after)).max()
    assert_allclose(dual(after).sum(axis=0), expected, atol=1e-12 * max(1.0, scale))
    if loss == "one":
        assert np.abs(expected).max() > 1e-3


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
    assert str(caught.value).startswith("world.")


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
    with pytest.raises(InputError, match="world: nothing happens any more after time"):
        clock.window()
