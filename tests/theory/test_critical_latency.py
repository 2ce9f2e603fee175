"""The latency at which the second moment begins to grow: a closed form, a dense transcription in
the time domain, the theory without latency, and the set of constants that is made for it.
"""

import math

import numpy as np
import pytest
from second_moments import alike, network, unlike

from dadao_sim import Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.theory import critical_latency
from dadao_sim.theory.latency import Delayed
from dadao_sim.theory.rate import energies_along
from dadao_sim.theory.setting import Setting


def test_two_nodes_that_gossip():
    """s = x_1 - x_2 loses half of what it was, twice over, at rate 1: a = 1 and the radius is
    cos(tau)/(2 (1 - sin(tau))), from int Phi^2 = cos(a tau)/(2 a (1 - sin(a tau))) (Kuechler and
    Mensch 1992): 1 where sin(tau) = 3/5.
    """
    two = Network(2, np.array([[0, 1]]))
    found = critical_latency("randomised_gossip", Problem.averaging(np.eye(2)[:, :1]), two)
    assert found == pytest.approx(math.asin(0.6), rel=3e-4)


@pytest.mark.parametrize("graph", ["path", "star", "cycle"])
def test_without_latency_it_is_the_radius_that_is_known(graph):
    setting = Setting.of("dadao", alike(8, [1.0, 30.0]), network(graph, 8))
    for c in setting.coordinates:
        h = float(setting.quadratics.curvatures[0, c])
        found = Delayed(setting, h, late_gradients=False).radius(0.0)
        assert found == pytest.approx(energies_along(setting, c).radius(0.0), rel=1e-5)


@pytest.mark.parametrize("late", [False, True])
def test_a_dense_transcription(late):
    """Of the equation of the mean, by Heun's steps: no modes, no frequencies."""
    net, h, latency, steps = network("path", 4), 3.0, 0.1, 10
    setting = Setting.of("dadao", alike(4, [1.0, h]), net, {}, Options(constants="frugal"))
    p, edges = setting.played.tuning.params, setting.played.edge_rates
    flow = np.zeros((7, 7))  # x, x~, y, y~, z, z~, and what was read when the gradient began
    flow[0, :2], flow[1, :2] = (-p.eta, p.eta), (p.eta_tilde, -p.eta_tilde)
    flow[2, 2:4] = -p.alpha, p.alpha
    flow[3, 1], flow[3, 2], flow[3, 4] = -p.theta * p.nu, -p.theta, -p.theta
    flow[4, 4:6], flow[5, 4:6] = (-p.alpha, p.alpha), (p.alpha_tilde, -p.alpha_tilde)
    g = np.array([h - p.nu, 0, 0, -1, 0, 0, 0])
    w = np.array([-p.gamma, -p.gamma_tilde, 0, p.delta + p.delta_tilde, 0, 0, 0])
    u, q = np.zeros(7), np.zeros(7)
    u[4:6], q[[2, 4]] = (-p.beta, -p.beta_tilde), 1.0
    a = np.eye(7)[6]
    pairs = [(w + (g @ w - 1) * a, a), (a, g)] if late else [(w, g)]
    at = np.eye(4)
    events = [[(np.kron(at[i] - at[j], u), np.kron(at[i] - at[j], q))] for i, j in net.edges]
    events += [[(np.kron(e, jump), np.kron(e, row)) for jump, row in pairs] for e in at]
    rates = [*edges, *np.ones(4)]
    A = np.kron(at, flow)
    for e in range(4):
        A = A + sum(np.outer(jump, row) for jump, row in events[3 + e])
    B = sum(rates[e] * np.outer(*events[e][0]) for e in range(3))
    jumps = np.stack([jump for event in events for jump, _ in event], axis=1)
    rows = np.stack([row for event in events for _, row in event])
    dt, past = latency / steps, [np.zeros_like(jumps)] * steps + [jumps]
    for _ in range(8_000):
        before, then = B @ past[-steps - 1], B @ past[-steps]
        slope = A @ past[-1] + before
        past.append(past[-1] + dt / 2 * (slope + A @ (past[-1] + dt * slope) + then))
    heard = [rows @ each for each in past[steps:]]
    assert np.abs(heard[-1]).max() < 1e-3 * np.abs(heard[0]).max()
    heard = np.stack(heard)
    owner = np.repeat(np.arange(7), [len(event) for event in events])
    both = [(i, j) for i in range(len(owner)) for j in range(len(owner)) if owner[i] == owner[j]]
    first, second = np.array(both).T
    weights = np.full(len(heard), dt)
    weights[0] /= 2
    answers = np.einsum("t,tij,tkl->ikjl", weights, heard, heard, optimize=True)
    map_ = answers[first[:, None], second[:, None], first, second] * np.array(rates)[owner[first]]
    dense = np.abs(np.linalg.eigvals(map_)).max()
    found = Delayed(setting, h, late_gradients=late).radius(latency)
    assert found == pytest.approx(dense, rel=5e-3)


def test_the_mean_of_a_long_cycle_grows_at_a_latency_of_1_with_patient():
    """docs/constant-sets.md: runs on a cycle of 64 diverge at 1 and none at 0.3."""
    options = Options(constants="patient")
    setting = Setting.of("dadao", alike(64, [10.0]), network("cycle", 64), {}, options)
    assert 0.3 < Delayed(setting, 10.0, late_gradients=True).margin < 1


@pytest.mark.parametrize("graph", ["path", "star", "cycle", "complete"])
def test_the_set_latency_bears_the_load_that_it_is_made_for(graph):
    """With a tenth to spare, at loads of the search and between them, where messages take at most
    four gradients; the paper's constants do not bear a load of 1.
    """
    net = network(graph, 16)
    rates = METHODS["dadao"].tune(alike(16, [1.0, 2.0]), net).clock.edges
    largest = np.linalg.eigvalsh(net.laplacian(rates).toarray())[-1]

    def bears(load, kappa, options):
        setting = Setting.of("dadao", alike(16, [1.0, kappa]), net, {}, options)
        both = [Delayed(setting, h, late_gradients=True) for h in (1.0, kappa)]
        return all(one.is_stable(load / largest) for one in both)

    loads = ((0.3, 10.0), (2.0, 1000.0), (5.5, 10.0), (17.0, 100.0), (30.0, 10.0))
    for load, kappa in (each for each in loads if each[0] <= 4 * largest):
        assert bears(1.1 * load, kappa, Options(constants="latency", load=load)), (load, kappa)
    assert not bears(1.0, 10.0, Options())


def test_what_is_refused():
    net = network("path", 4)
    with pytest.raises(InputError, match="not all alike"):
        critical_latency("dadao", unlike(4), net)
    with pytest.raises(InputError, match="without latency, too"):
        critical_latency("dadao", [1.0, 10.0], net, {"rate_factor": 0.5})
    with pytest.raises(InputError, match="precision: 0 given"):
        critical_latency("dadao", [1.0], net, precision=0.0)
