"""Delays and losses in the world: closed forms, laws, and what they conserve."""

import numpy as np
import pytest
from cases import lollipop, small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from world_cases import COMPUTES, LEVEL, physics, world_log

from dadao_sim import Events, replay
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    LOST,
    SEND,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.simulation.replay import make_player

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
    with pytest.raises(InputError, match=r"^links\.latency_per_km: .* no length_km"):
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
    # It names the end that did not hear: the other one did.
    heard = {
        (int(log.start[row]), int(log.i[row] if log.kind[row] == ARRIVE_I else log.j[row]))
        for row in np.flatnonzero(np.isin(log.kind, (ARRIVE_I, ARRIVE_J)))
    }
    for row in np.flatnonzero(alone):
        begun, end = int(log.start[row]), int(log.i[row])
        other = int(log.i[begun] + log.j[begun] - end)
        assert (begun, end) not in heard
        assert (begun, other) in heard
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
