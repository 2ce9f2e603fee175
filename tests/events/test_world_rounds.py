"""Rounds in the world: against processes of SimPy, closed forms, and laws of loss."""

import numpy as np
import pytest
import simpy
from cases import lollipop
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim.errors import InputError
from dadao_sim.events.log import RESENT, RESET, ROUND, TYPES, concatenate
from dadao_sim.events.world.draws import Streams
from dadao_sim.events.world.durations import LogNormal
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.rounds import ROUNDS, RoundWorld
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks.graphs import build

UNIT = {"gradient": {"kind": "constant", "mean": 1.0}}


def world(network=None, exchanges=1, size=8.0, seed=1, preparation=0.0, gradients=1.0, **spec):
    made = WorldSpec.model_validate(spec)
    rng = np.random.default_rng(0)
    physics = make_physics(made, network or lollipop(), rng, accuracy=False, end=1e9)
    return RoundWorld(
        physics, exchanges, size, np.random.SeedSequence(seed), preparation, gradients
    )


def round_times(clock, windows=1):
    log = concatenate([clock.window() for _ in range(windows)])
    assert (np.diff(log.time) >= 0).all()
    return log.time[log.kind == ROUND]


def test_without_physics_a_round_takes_one_unit():
    assert_array_equal(round_times(world()), np.arange(1, ROUNDS + 1))


@pytest.mark.parametrize("barrier", ["global", "neighbourhood"])
def test_a_round_is_the_slowest_node_and_the_messages_in_turn(barrier):
    nodes = {**UNIT, "slowness": [1.0, 1.0, 2.5, 1.0, 1.0, 1.0, 1.0]}
    links = {"latency": 0.25, "bandwidth": 32.0}
    clock = world(exchanges=3, nodes=nodes, links=links, barrier=barrier)
    assert_allclose(np.diff(round_times(clock))[20:], 2.5 + 3 * 0.5, rtol=1e-9)


def simpy_rounds(network, durations, latency, rounds):
    """Neighbourhood barriers as processes that send each other messages; when each round was
    over."""
    env = simpy.Environment()
    edges = network.edges.tolist()
    neighbours = [[] for _ in range(network.nodes)]
    for e, (i, j) in enumerate(edges):
        neighbours[i].append((j, e))
        neighbours[j].append((i, e))
    heard = {
        (k, i, j): env.event()
        for k in range(rounds)
        for i in range(network.nodes)
        for j, _ in neighbours[i]
    }
    over = np.zeros((rounds, network.nodes))

    def carry(k, sender, receiver, e):
        yield env.timeout(latency[e])
        heard[k, receiver, sender].succeed()

    def node(i):
        for k in range(rounds):
            yield env.timeout(durations[k, i])
            for j, e in neighbours[i]:
                env.process(carry(k, i, j, e))
            yield env.all_of([heard[k, i, j] for j, _ in neighbours[i]])
            over[k, i] = env.now

    for i in range(network.nodes):
        env.process(node(i))
    env.run()
    return over.max(axis=1)


def test_neighbourhood_barriers_are_those_of_processes():
    from dadao_sim import Network

    base = lollipop()
    network = Network(7, base.edges, lengths_km=np.arange(1.0, 10.0))
    law = {"kind": "lognormal", "sigma": 0.6}
    clock = world(
        network,
        seed=9,
        nodes={"gradient": law},
        links={"latency_per_km": 0.1},
        barrier="neighbourhood",
    )
    rng = Streams(np.random.SeedSequence(9))["durations"]
    durations = np.array([LogNormal(**law).unit_block(rng, 7) for _ in range(60)])
    expected = simpy_rounds(network, durations, 0.1 * network.lengths_km, 60)
    assert_allclose(round_times(clock)[:60], expected, rtol=1e-12)


def test_a_global_barrier_is_no_faster():
    nodes = {"gradient": {"kind": "exponential"}}
    slow = round_times(world(nodes=nodes, links={"latency": 0.1}))
    fast = round_times(world(nodes=nodes, links={"latency": 0.1}, barrier="neighbourhood"))
    assert (fast <= slow + 1e-9).all()
    assert fast[-1] < 0.9 * slow[-1]
    # The mean of the longest of seven exponential times is the seventh harmonic number.
    assert slow[-1] / ROUNDS == pytest.approx(sum(1 / k for k in range(1, 8)) + 0.1, rel=0.08)


@pytest.mark.parametrize("noticed", ["both", "one"])
def test_what_is_lost_is_resent(noticed):
    links = {"latency": 0.1, "loss": {"probability": 0.25, "noticed": noticed}}
    clock = world(nodes=UNIT, links=links)
    log = concatenate([clock.window() for _ in range(4)])
    resent = (log.kind == RESENT).sum() / (9 * (log.kind == ROUND).sum())
    assert resent == pytest.approx(0.25 / 0.75, rel=0.06)
    steps = np.diff(log.time[log.kind == ROUND], prepend=0.0)
    worst = np.zeros(len(steps))
    for row in np.flatnonzero(log.kind == RESENT):
        number = (log.kind[:row] == ROUND).sum()
        same = (log.kind == RESENT) & (log.edge == log.edge[row]) & (log.time == log.time[row])
        worst[number] = max(worst[number], same.sum())
    assert_allclose(steps, 1 + 0.1 * (1 + 2 * worst), rtol=1e-9)


def test_a_hub_with_one_exchange_at_once_serves_its_leaves_in_turn():
    clock = world(
        build("star", 6, None), nodes={**UNIT, "exchanges_at_once": 1}, links={"latency": 0.2}
    )
    assert_allclose(np.diff(round_times(clock)), 1 + 5 * 0.2, rtol=1e-9)


def test_a_round_waits_for_the_crashed_and_the_late():
    crashes = {"every": 50.0, "length": 10.0, "state": "lost"}
    clock = world(nodes={**UNIT, "crashes": crashes, "late": [{"node": 5, "at": 30.0}]})
    log = concatenate([clock.window() for _ in range(8)])
    times = log.time[log.kind == ROUND]
    assert times[0] >= 31
    resets = np.bincount(log.i[log.kind == RESET], minlength=7)
    # A node lives through one cycle of mean 60 after another, whatever the others do.
    assert_allclose(resets, times[-1] / 60, rtol=0.35)
    assert times[-1] > 1.5 * len(times)
    assert_allclose(clock.computing + clock.waiting + [0, 0, 0, 0, 0, 30, 0], times[-1], rtol=1e-9)


def test_a_cut_link_stops_the_rounds_until_it_is_back():
    changes = [{"at": 10.5, "down": [[3, 4]]}, {"at": 40.0, "up": [[3, 4]]}]
    times = round_times(world(nodes=UNIT, changes=changes))
    assert_allclose(times[9:12], [10.0, 40.0, 41.0])
    with pytest.raises(InputError, match="cut for ever stops a synchronous method"):
        world(nodes=UNIT, changes=changes[:1])


def test_a_slow_period_of_one_node_slows_the_round():
    slow = {"factor": 9.0, "every": 200.0, "length": 10.0}
    steps = np.diff(round_times(world(nodes={**UNIT, "slow_periods": slow}), windows=4))
    assert set(np.round(steps, 9)) == {1.0, 9.0}


def test_outages_put_messages_off():
    outages = {"every": 20.0, "length": 5.0}
    found = round_times(world(nodes=UNIT, links={"outages": outages}))
    assert found[-1] > 1.3 * ROUNDS


def test_a_node_that_never_gets_done_is_reported():
    crashes = {"every": 0.01, "length": 0.01}
    with pytest.raises(InputError, match="never gets a gradient done between two crashes"):
        world(nodes={**UNIT, "crashes": crashes}).window()


def test_a_message_that_never_arrives_is_reported():
    loss = {"probability": 0.0, "burst_probability": 1.0, "burst_start": 0.5, "burst_end": 1e-12}
    with pytest.raises(InputError, match="lost 10000 times in a row"):
        world(nodes=UNIT, links={"latency": 0.1, "loss": loss}).window()


def test_same_seed_same_rounds():
    one, same = (world(preset="edge_devices").window() for _ in range(2))
    for name in TYPES:
        assert_array_equal(getattr(one, name), getattr(same, name))


@pytest.mark.parametrize("preparation", [1.0, 2.5])
@pytest.mark.parametrize("law", [{"kind": "lognormal", "mean": 2.0, "sigma": 0.6}, None])
def test_gradients_before_round_0_make_the_first_computing_longer(preparation, law):
    """By hand: gradients of the same law one after the other, of the last only its share."""
    slowness = np.array([1.0, 1.0, 2.5, 1.0, 1.0, 1.0, 1.0])
    nodes = {"slowness": slowness.tolist(), **({"gradient": law} if law else {})}
    links = {"latency": 0.25}
    without, prepared = (
        round_times(world(seed=9, nodes=nodes, links=links, **given))
        for given in ({}, {"preparation": preparation})
    )
    streams = Streams(np.random.SeedSequence(9))
    shares = [1.0] * int(preparation) + [preparation % 1]

    def gradient(stream):
        if law is None:  # a round lasts the pause of mean 1, and gradients take no time
            return slowness if stream == "durations" else 0 * slowness
        normal = streams[stream].standard_normal(7)
        return 2.0 * slowness * np.exp(0.6 * normal - 0.18)

    first = gradient("durations")
    further = sum(share * gradient("preparation") for share in shares)
    assert without[0] == pytest.approx(first.max() + 0.25)
    assert prepared[0] == pytest.approx((first + further).max() + 0.25)
    assert_allclose(np.diff(prepared), np.diff(without), rtol=1e-9)


@pytest.mark.parametrize("gradients", [1.0, 2.0, 0.5])
def test_a_round_lasts_as_many_gradients_as_are_computed_in_it(gradients):
    law = {"kind": "constant", "mean": 2.0}
    nodes = {"gradient": law, "slowness": [1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0]}
    times = round_times(world(nodes=nodes, links={"latency": 0.25}, gradients=gradients))
    assert_allclose(np.diff(times), gradients * 2.0 * 3.0 + 0.25)


def test_a_preparation_is_begun_anew_after_a_crash():
    crashes = {"every": 400.0, "length": 1.0}
    clock = world(seed=2, nodes={**UNIT, "crashes": crashes}, preparation=999.0)
    first = round_times(clock)[0]
    assert first > 1000.0
    assert (clock.computing >= 1000.0).all()
    with pytest.raises(InputError, match="preparation: -1"):
        world(preparation=-1.0)
