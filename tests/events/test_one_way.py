"""Messages that go one way: their clocks, their world, what they cost, and what they conserve."""

import numpy as np
import pytest
from cases import lollipop, problem_of
from numpy.testing import assert_allclose, assert_array_equal
from one_way import PUSH_SUM, SUMS
from scipy import stats
from world_cases import LEVEL, equal, physics

from dadao_sim import Events, load_events
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.engine.play import play
from dadao_sim.errors import InputError
from dadao_sim.events.arrivals import Arrivals
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.files import save_events
from dadao_sim.events.log import (
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    LOST,
    SEND,
    SEND_ONE,
    TYPES,
    concatenate,
)
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player, playable

NETWORK = lollipop()
ARCS = np.arange(18.0).reshape(9, 2) / 9  # arc 0 of edge 0 never rings


def seeded(seed=1):
    return np.random.SeedSequence(seed)


def paper_log(delay=0.0, windows=2, edge_rate=0.5):
    source = PoissonClock(
        *(np.ones(7), np.full(9, edge_rate), NETWORK.edges, seeded()), arc_rates=ARCS
    )
    source = Arrivals(source, delay)
    return concatenate([source.window() for _ in range(windows)])


def arc_of(log, rows):
    """Edge and direction of the messages of these rows of SEND_ONE."""
    return 2 * log.edge[rows] + (log.i[rows] > log.j[rows])


# ---- the clocks ----------------------------------------------------------------------------------


def test_each_arc_is_a_poisson_process_of_its_rate():
    log = paper_log(windows=4)
    sent = np.flatnonzero(log.kind == SEND_ONE)
    arcs = arc_of(log, sent)
    rates = ARCS.ravel()
    for arc, rate in enumerate(rates):
        gaps = np.diff(log.time[sent[arcs == arc]], prepend=0.0)
        if rate == 0:
            assert len(gaps) == 0
        else:
            assert stats.kstest(gaps, "expon", args=(0, 1 / rate)).pvalue > LEVEL
    nodes = np.bincount(log.i[log.kind == GRADIENT], minlength=7)
    assert stats.chisquare(nodes).pvalue > LEVEL


@pytest.mark.parametrize("delay", [0.0, 0.3, 200.0])
def test_what_is_sent_arrives_after_the_delay(delay):
    log = paper_log(delay, windows=3)
    log.check(7)
    assert_array_equal(log.on(NETWORK).edge, log.edge)
    arrived = np.flatnonzero(log.kind == ARRIVE_ONE)
    begun = log.start[arrived]
    assert_array_equal(log.kind[begun], SEND_ONE)
    assert_array_equal(log.time[arrived], log.time[begun] + delay)
    assert_array_equal(log.edge[arrived], log.edge[begun])
    late = log.time[log.kind == SEND_ONE] + delay > log.time[-1]
    assert len(arrived) == (~late).sum()
    if delay == 0:
        assert_array_equal(begun, arrived - 1)
    else:  # exchanges take as long, and each of them arrives twice
        sends = log.kind == SEND
        ends = (log.kind > SEND) & (log.kind < LOST)
        assert ends.sum() == 2 * (log.time[sends] + delay <= log.time[-1]).sum()


def test_a_delay_changes_no_other_number():
    """What happens at nodes, and what is sent, is the same whatever is under way."""
    at_once, later = paper_log(0.0), paper_log(0.7)
    for name in ("time", "i", "j", "edge", "mark"):
        one, other = (getattr(log, name)[log.kind == SEND_ONE] for log in (at_once, later))
        assert_array_equal(one, other)


def test_a_log_of_messages_is_saved_relabelled_and_counted(tmp_path):
    log = paper_log(0.3, windows=1)[:500]
    save_events(tmp_path / "log.npz", log)
    equal(load_events(tmp_path / "log.npz"), log)
    order = np.random.default_rng(0).permutation(7)
    other = log.relabelled(order, NETWORK.relabelled(order))
    assert_array_equal(order[other.i], log.i)
    assert log.communications.sum() == (log.kind == SEND).sum() + (log.kind == SEND_ONE).sum() / 2


@pytest.mark.parametrize(
    ("method", "kind", "said"),
    [
        ("dadao", SEND_ONE, "send_one; dadao takes exchanges only"),
        ("dadao_counters", SEND_ONE, "send_one; dadao_counters takes exchanges only"),
        ("osgp", SEND, "send; osgp takes messages only that go one way"),
        ("asy_dgd", GOSSIP, "gossip; asy_dgd takes messages only that go one way"),
    ],
)
def test_no_method_lets_messages_of_a_log_pass_unheard(method, kind, said):
    """They would be counted, and change nothing."""
    log = Events.from_arrays([0.5], [kind], [0], [int(NETWORK.edges[0, 1])], network=NETWORK)
    with pytest.raises(InputError, match=rf"^events\.kind: row 0 is {said}$"):
        playable(log, METHODS[method], NETWORK)


# ---- the engine ----------------------------------------------------------------------------------


def play_log(method, log, x0, *, plain=False, cut=()):
    problem = problem_of(method)
    tuning = method.tune(problem, NETWORK)
    player = make_player(method, problem, tuning, x0, {"x": x0})
    if plain:
        player._play = play
    for first, last in zip([0, *cut], [*cut, len(log)], strict=True):
        window = log[first:last]
        player.play(window, 0, len(window))
    return player


def own_log(method, windows=1, **constants):
    tuning = method.tune(problem_of(method), NETWORK, constants)
    source = clock_of_the_paper(tuning, NETWORK, seeded(3))
    return concatenate([source.window() for _ in range(windows)])


def by_hand(log, x0):
    """Push-sum as messages in a dictionary: what nodes have, and what is on its way."""
    x = np.concatenate([x0, np.ones_like(x0)], axis=1)
    way = {}
    for row, (kind, i, start) in enumerate(zip(log.kind, log.i, log.start, strict=True)):
        if kind == SEND_ONE:
            x[i] /= 2
            way[row] = x[i].copy()
        elif kind == ARRIVE_ONE:
            x[i] += way.pop(start)
        elif kind == LOST:
            way.pop(start)
    return x, way


@pytest.mark.parametrize("delay", [0.0, 0.8])
def test_push_sum_is_that_of_a_dictionary(delay):
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    log = own_log(PUSH_SUM, delay=delay)[:400]
    player = play_log(PUSH_SUM, log, x0, cut=(1, 130))
    expected, way = by_hand(log, x0)
    found = player.blocks(("x", "w"))
    assert_allclose(np.hstack([found["x"], found["w"]]), expected, rtol=1e-13, atol=1e-15)
    assert bool(way) == (delay > 0)
    total = expected.sum(axis=0) + sum(way.values())
    assert_allclose(total, [*x0.sum(axis=0), 7, 7, 7], rtol=1e-13)


@pytest.mark.parametrize("method", [PUSH_SUM, SUMS], ids=lambda m: m.name)
def test_plain_python_gives_the_same_bits(method):
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    log = own_log(method, delay=0.4)[:300]
    one, other = (play_log(method, log, x0, plain=plain) for plain in (False, True))
    for block in method.blocks:
        assert_array_equal(one.blocks((block,))[block], other.blocks((block,))[block])
    assert_array_equal(one.state.ends, other.state.ends)


def test_a_message_is_half_a_communication():
    log = own_log(PUSH_SUM)[:301]
    tally = play_log(PUSH_SUM, log, np.ones((7, 3))).tally
    sent = int((log.kind == SEND_ONE).sum())
    assert (tally.communications, tally.messages) == (sent / 2, sent)
    assert (tally.floats_sent, tally.bytes_sent) == (6 * sent, 48 * sent)
    tuning = PUSH_SUM.tune(problem_of(PUSH_SUM), NETWORK)
    assert tuning.communications == 9.0


@pytest.mark.parametrize(
    ("kind", "start"),
    [([SEND_ONE, SEND], [-1, 0]), ([SEND_ONE, ARRIVE_ONE, ARRIVE_ONE], [-1, 0, 0])],
)
def test_what_ends_nothing_is_refused(kind, start):
    kind = [*kind, ARRIVE_ONE]
    start = [*start, 1]
    ends = [(1, 0) if k == ARRIVE_ONE else (0, 1) for k in kind]
    i, j = zip(*ends, strict=True)
    with pytest.raises(InputError, match="nothing of its kind is under way"):
        Events.from_arrays(np.zeros(len(kind)), kind, i, j, start=start)


def test_old_news_is_passed_over_by_who_says_so():
    """Two messages over one arc, the second there first; of sums the first adds nothing."""
    kind, i, j = [SEND_ONE, SEND_ONE, ARRIVE_ONE, ARRIVE_ONE], [0, 0, 1, 1], [1, 1, 0, 0]
    events = Events.from_arrays([0.0] * 4, kind, i, j, NETWORK, start=[-1, -1, 1, 0])
    x0 = np.eye(7, 3)
    for method in (PUSH_SUM, SUMS):
        for cut in ((), (3,)):
            player = play_log(method, events, x0, cut=cut)
            x = player.blocks(("x",))["x"]
            assert_allclose(x[:2], [[0.25, 0, 0], [0.75, 1, 0]])


# ---- the world -----------------------------------------------------------------------------------


def world_clock(seed=1, **spec):
    rates = PoissonRates(np.ones(7), np.zeros(9), arcs=np.full((9, 2), 0.7))
    return WorldClock(physics(NETWORK, **spec), rates, 8.0, seeded(seed))


def world_log(windows=1, seed=1, **spec):
    source = world_clock(seed, **spec)
    log = concatenate([source.window() for _ in range(windows)])
    log.check(7)
    return log


def test_arcs_of_a_world_ring_at_their_rates_and_links_say_how_long():
    log = world_log(links={"latency": 0.25, "bandwidth": 32.0}, gradient_seconds=0.5)
    sent, arrived = (np.flatnonzero(log.kind == kind) for kind in (SEND_ONE, ARRIVE_ONE))
    counts = np.bincount(arc_of(log, sent), minlength=18)
    assert stats.chisquare(counts).pvalue > LEVEL
    assert len(sent) / log.time[-1] == pytest.approx(18 * 0.7, rel=0.05)
    took = log.time[arrived] - log.time[log.start[arrived]]
    assert_allclose(took, (0.25 + 8.0 / 32.0) / 0.5, rtol=1e-9)
    for one, other in ((log.i, log.j), (log.j, log.i)):
        assert_array_equal(one[arrived], other[log.start[arrived]])


@pytest.mark.parametrize("in_order", [False, True])
def test_messages_overtake_unless_they_go_in_order(in_order):
    log = world_log(links={"latency": 1.0, "jitter": 1.0, "in_order": in_order})
    arrived = np.flatnonzero(log.kind == ARRIVE_ONE)
    arcs = arc_of(log, log.start[arrived])
    overtaken = sum((np.diff(log.start[arrived[arcs == arc]]) < 0).sum() for arc in range(18))
    assert (overtaken == 0) == in_order
    took = log.time[arrived] - log.time[log.start[arrived]]
    assert (took.mean() > 1.2) == in_order  # who waits for another comes later


@pytest.mark.parametrize("noticed", ["one", "both"])
def test_the_share_that_is_asked_for_is_lost(noticed):
    log = world_log(links={"latency": 0.1, "loss": {"probability": 0.2, "noticed": noticed}})
    lost, sent = ((log.kind == kind).sum() for kind in (LOST, SEND_ONE))
    assert lost / sent == pytest.approx(0.2, abs=0.02)
    rows = np.flatnonzero(log.kind == LOST)
    assert_array_equal(log.i[rows], log.j[log.start[rows]])
    assert (log.j[rows] == -1).all()


def test_a_node_that_is_gone_neither_sends_nor_hears():
    crashes = {"every": 10.0, "length": 3.0}
    log = world_log(nodes={"crashes": crashes}, links={"latency": 0.5})
    gone = physics(NETWORK, nodes={"crashes": crashes}).gone(seeded(), log.time[-1])
    assert len(gone) > 20
    for node, begin, end in gone:
        inside = (log.time > begin) & (log.time < end) & (log.i == node)
        assert not (inside & np.isin(log.kind, (SEND_ONE, ARRIVE_ONE))).any()
    assert (log.kind == LOST).any()


def test_exchanges_at_once_do_not_limit_messages():
    with pytest.raises(InputError, match=r"nodes\.exchanges_at_once: limits exchanges"):
        world_clock(nodes={"exchanges_at_once": 2})


def test_a_world_of_messages_is_the_same_for_the_same_seed():
    links = {"latency": 0.2, "jitter": 0.5, "loss": {"probability": 0.1}}
    equal(world_log(links=links), world_log(links=links))
    one, other = (world_log(seed=seed, links=links) for seed in (1, 2))
    assert any(not np.array_equal(getattr(one, n), getattr(other, n)) for n in TYPES)


# ---- what is conserved ---------------------------------------------------------------------------


def lossy(probability=0.1):
    loss = {"probability": probability, "noticed": "one"}
    return world_log(windows=2, links={"latency": 0.3, "jitter": 0.7, "loss": loss})


def test_push_sum_under_loss_is_biased_and_running_sums_are_not():
    """A tenth of all messages is lost: push-sum finds another mean, running sums the mean."""
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    log, mean = lossy(), x0.mean(axis=0)
    estimates = {}
    for method in (PUSH_SUM, SUMS):
        player = play_log(method, log, x0)
        estimates[method.name] = np.empty((7, 3))
        player.observe(0.0, estimates[method.name])
        spread = np.ptp(estimates[method.name], axis=0).max()
        assert spread < 1e-9, "the nodes agree"
    assert np.abs(estimates["push"] - mean).max() > 1e-2
    assert_allclose(estimates["push_sums"] - mean, 0, atol=1e-11)


def test_sums_are_conserved_with_what_is_on_its_way_and_what_was_lost():
    """x of all nodes and what was given away and not taken: to 1e-12, at any time."""
    x0 = np.random.default_rng(0).standard_normal((7, 3))
    log = lossy(0.3)
    for rows in (50, 999, 20_000):
        player = play_log(SUMS, log[:rows], x0)
        found = np.hstack([player.blocks((b,))[b] for b in ("x", "w")])
        gave, took = np.split(player.state.ends, 2, axis=2)
        under_way = gave.sum(axis=(0, 1)) - took.sum(axis=(0, 1))
        assert np.abs(under_way).max() > 1e-2
        expected = np.array([*x0.sum(axis=0), 7, 7, 7])
        assert_allclose(found.sum(axis=0) + under_way, expected, rtol=0, atol=1e-12)
