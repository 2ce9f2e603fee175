"""Bandwidth shared at the nodes: closed forms, water-filling by hand, and figures of SimGrid."""

import numpy as np
import pytest
import simpy
from cases import lollipop
from numpy.testing import assert_allclose
from pydantic import ValidationError
from world_cases import COMPUTES, physics, world_log

from dadao_sim import Network
from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, ARRIVE_ONE, SEND
from dadao_sim.events.world.agenda import Agenda
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.events.world.sending import Arcs
from dadao_sim.events.world.sharing import Sharing
from dadao_sim.events.world.situation import Tick


def arrivals(messages, capacity=1.0, nodes=10, latency=0.0):
    """When each message is there: of (begin, sender, receiver, bytes)."""
    env, there = simpy.Environment(), {}
    sharing = Sharing(env, nodes, capacity)

    def begin(number, sender, receiver, size):
        message = Tick(env, number)
        message.callbacks = [lambda tick: there.__setitem__(tick.k, env.now)]
        sharing.send(sender, receiver, size, message, latency)

    for number, (at, *what) in enumerate(messages):
        tick = Tick(env, 0)
        tick.callbacks = [lambda _, number=number, what=what: begin(number, *what)]
        env.schedule(tick, delay=at)
    env.run()
    assert not any(sharing.on)
    return [there[number] for number in range(len(messages))]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_messages_from_one_sender_take_as_many_times_as_long(k):
    out = [(0.0, 0, 1 + i, 6.0) for i in range(k)]
    assert_allclose(arrivals(out, capacity=2.0, latency=0.5), [3.0 * k + 0.5] * k, rtol=1e-12)
    into = [(0.0, receiver, sender, size) for _, sender, receiver, size in out]
    assert_allclose(arrivals(into, capacity=2.0, latency=0.5), [3.0 * k + 0.5] * k, rtol=1e-12)


def test_the_two_directions_and_other_nodes_do_not_share():
    apart = [(0.0, 0, 1, 4.0), (0.0, 1, 0, 4.0), (0.0, 2, 3, 4.0)]
    assert_allclose(arrivals(apart), [4.0] * 3, rtol=1e-12)


def test_one_that_comes_later_shares_what_is_left():
    """Of 4 bytes each, at 0 and 1: the first has 3 left at 1, gets a half until 7; the other has
    sent 3 by then, and its last byte alone."""
    assert_allclose(arrivals([(0.0, 0, 1, 4.0), (1.0, 0, 2, 4.0)]), [7.0, 8.0], rtol=1e-12)


def test_what_a_bottleneck_leaves_the_others_have():
    """Three get into node 1 at 1/3 each. That to node 4 has the other 2/3 of the way out of 0,
    until 4.5; the three are not faster for that."""
    messages = [(0.0, 0, 1, 3.0), (0.0, 2, 1, 3.0), (0.0, 3, 1, 3.0), (0.0, 0, 4, 3.0)]
    assert_allclose(arrivals(messages), [9.0, 9.0, 9.0, 4.5], rtol=1e-12)


# A link of one byte per unit of time out of each host and one into it, in SimGrid 3.32 with
# network/model:CM02, crosstraffic:0, TCP-gamma:0, weight-S:0, bandwidth-factor:1, latency-factor:1.
# Begin, sender, receiver and bytes of each message; and when it is there.
SIMGRID = {
    (3.1, 3, 4, 8): 29.649167,
    (3.49, 1, 3, 4): 8.823333,
    (3.19, 0, 3, 7): 22.8,
    (1.11, 0, 2, 4): 15.91,
    (2.02, 2, 1, 5): 10.261111,
    (3.17, 2, 4, 8): 29.666667,
    (0.86, 3, 2, 8): 26.710833,
    (0.18, 3, 0, 6): 20.593333,
    (1.86, 0, 1, 5): 19.581111,
    (2.06, 3, 4, 6): 24.955833,
    (0.05, 2, 1, 3): 5.038889,
    (0.8, 0, 4, 6): 22.683333,
}


def test_messages_are_there_when_simgrid_says():
    assert_allclose(arrivals(list(SIMGRID)), list(SIMGRID.values()), atol=1e-6)


def test_rates_are_max_min_fair():
    """Of random messages: none exceeds a way, and each has a full way on which none is faster."""
    rng = np.random.default_rng(0)
    env = simpy.Environment()
    sharing = Sharing(env, 12, 2.0)
    for _ in range(60):
        sender, receiver = rng.choice(12, 2, replace=False).tolist()
        sharing.send(sender, receiver, 1.0, Tick(env, 0), 0.0)
    flows = {flow for way in sharing.on for flow in way}
    assert len(flows) == 60
    loads = [sum(flow.rate for flow in way) for way in sharing.on]
    assert max(loads) <= 2.0 * (1 + 1e-12)
    for flow in flows:
        assert any(
            loads[way] > 2.0 * (1 - 1e-12)
            and flow.rate >= max(other.rate for other in sharing.on[way]) * (1 - 1e-12)
            for way in flow.ways
        )


# ---- in a world ----------------------------------------------------------------------------------

SHARED = {"latency": 0.25, "bandwidth": 64.0, "bandwidth_shared": True}


def test_messages_that_are_alone_take_what_they_took():
    pair = Network(2, np.array([[0, 1]]))
    log = world_log(pair, per_edge=1e-3, links=SHARED, gradient_seconds=0.5, size=16.0)
    ends = np.isin(log.kind, (ARRIVE_I, ARRIVE_J))
    took = log.time[ends] - log.time[log.start[ends]]
    assert ends.sum() > 10
    assert_allclose(np.median(took), (0.25 + 16.0 / 64.0) / 0.5, rtol=1e-9)


def test_messages_of_a_busy_world_wait_for_each_other():
    links = {**SHARED, "jitter": 0.3, "loss": {"probability": 0.1, "noticed": "one"}}
    log = world_log(nodes=COMPUTES, links=links, size=16.0)
    log.check(7)
    alone = world_log(nodes=COMPUTES, links={**links, "bandwidth_shared": False}, size=16.0)
    took = [
        np.mean(one.time[ends] - one.time[one.start[ends]])
        for one in (log, alone)
        for ends in [one.kind == ARRIVE_I]
    ]
    assert took[0] > 1.2 * took[1]
    assert (log.kind == SEND).sum() > 1000


def test_messages_one_way_share_too():
    """Three of 16 bytes that a node sends at once, of 64 a unit, are there after 3/4."""
    star = Network(4, np.array([[0, 1], [0, 2], [0, 3]]))
    made = physics(star, links={**SHARED, "latency": 0.0})
    arcs = np.array([[1e-3, 0.0]] * 3)
    asked = PoissonRates(np.zeros(4), np.zeros(3), arcs=arcs)
    clock = WorldClock(made, asked, 16.0, np.random.SeedSequence(0))
    arcs = Arcs(clock.links, [np.inf] * 6, lambda: 1.0, in_order=False)
    for arc in (0, 2, 4):
        arcs._send(arc)
    sharing = clock.links.sharing
    assert [flow.rate for flow in sharing.on[0]] == [64.0 / 3] * 3
    log = clock.window()
    ends = np.flatnonzero(log.kind == ARRIVE_ONE)[:3]
    assert_allclose(log.time[ends], 0.75, rtol=1e-12)


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ValidationError, match="give one number"):
        physics(links={"bandwidth": None, "bandwidth_shared": True})
    with pytest.raises(ValidationError, match="cannot act beside bandwidth_shared"):
        physics(links={**SHARED, "in_order": True})
    with pytest.raises(ValidationError, match="no effect without bandwidth"):
        physics(links={"bandwidth_shared": True})
    made = physics(lollipop(), links=SHARED)
    with pytest.raises(InputError, match=r"^links.bandwidth_shared: .*not for rounds"):
        RoundWorld(made, 1, 8.0, np.random.SeedSequence(0))


# ---- the order of events -------------------------------------------------------------------------


def test_days_keep_the_order_of_simpy():
    """5 000 clocks, some with ties and some that are late, on both environments."""

    def order_of(env):
        rng, seen = np.random.default_rng(1), []

        def again(tick):
            seen.append((tick.k, env.now))
            tick.callbacks = [again]
            env.schedule(tick, delay=(0.0, 1.0, 1e3, rng.exponential())[tick.k % 7 % 4])

        for k in range(5000):
            if k % 7 % 4:  # those of no delay would go on for ever
                tick = Tick(env, k)
                tick.callbacks = [again]
                env.schedule(tick, delay=(0.0, 1.0, 1e3, rng.exponential())[k % 7 % 4])
        return seen

    days, plain = Agenda(), simpy.Environment()
    seen, expected = order_of(days), order_of(plain)
    days.spread()
    assert days.days
    days.steps(20_000)
    for _ in range(10):
        days.step()
    for _ in range(20_010):
        plain.step()
    assert seen == expected


def test_processes_interrupts_and_ends_are_those_of_simpy():
    """What is urgent goes first, also of what comes at the same time and was scheduled before."""

    def order_of(env):
        seen = []

        def sleeper(k):
            for n in range(20):
                try:
                    yield env.timeout((0.0, 0.5, 1.0)[(k + n) % 3])
                    seen.append((k, env.now))
                except simpy.Interrupt as caught:
                    seen.append((k, env.now, caught.cause))

        sleepers = [env.process(sleeper(k)) for k in range(9)]

        def waker():
            for k in range(4):
                yield env.timeout(1.0)
                sleepers[k].interrupt(k)
                env.process(sleeper(9 + k))

        env.process(waker())
        for until in (2.0, 2.25, sleepers[4], None):
            env.run(until)
            seen.append((env.now, env.peek()))
        return seen

    assert order_of(Agenda()) == order_of(simpy.Environment())
