"""Dual proximal gradient against a dense transcription and the exact optimum."""

import numpy as np
import pytest
from cases import lollipop, small_problem
from numpy.testing import assert_allclose

from dadao_sim import replay
from dadao_sim.algorithms.dual_proximal_gradient import METHOD
from dadao_sim.events.log import GOSSIP, GRADIENT
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.local_steps.terms import make


def a_log(problem, network, windows=1, seed=0):
    rates = METHOD.tune(problem, network, {}).clock
    clock = PoissonClock(rates.nodes, rates.edges, network.edges, np.random.SeedSequence(seed))
    return [clock.window() for _ in range(windows)]


def test_every_event_is_a_block_step_on_the_dual():
    """With a multiplier per edge and per node, in NumPy, from the dual problem itself."""
    network = lollipop()
    smooth = small_problem(7)
    problem = smooth.with_local_step(make("l1", 3, strength=0.4))
    events = a_log(problem, network)[0][:500]
    n, edges = problem.nodes, network.edges
    incidence = np.zeros((n, len(edges)))
    incidence[edges[:, 0], np.arange(len(edges))] = 1
    incidence[edges[:, 1], np.arange(len(edges))] = -1
    lam, xi = np.zeros((len(edges), 3)), np.zeros((n, 3))

    def primal():
        return problem.conjugate_gradients(-xi - incidence @ lam)

    mu = problem.mu
    for kind, i, edge in zip(events.kind, events.i, events.edge, strict=True):
        x = primal()
        if kind == GOSSIP:
            lam[edge] += mu / 2 * (incidence[:, edge] @ x)
        elif kind == GRADIENT:
            # prox of r* is the projection on the box |xi| <= 0.4.
            xi[i] = np.clip(xi[i] + mu * x[i], -0.4, 0.4)
    after = replay(METHOD, problem, network, events)
    assert_allclose(after["xi"], xi, atol=1e-12)
    assert_allclose(after["y"], -xi - incidence @ lam, atol=1e-11)


@pytest.mark.parametrize("strength", [None, 0.4, 1.5])
def test_it_finds_the_optimum(strength):
    network, problem = lollipop(), small_problem(7)
    if strength is not None:
        problem = problem.with_local_step(make("l1", 3, strength=strength))
    state = {}
    for events in a_log(problem, network, windows=12):
        # Each window of the clock starts where the last one ended; the method has no flow.
        state = replay(METHOD, problem, network, events, **state)
    x = problem.conjugate_gradients(state["y"])
    assert_allclose(x, np.tile(problem.x_star, (7, 1)), atol=1e-9)
    assert strength is None or np.abs(state["xi"]).max() <= strength * (1 + 1e-14)
    assert strength is not None or not state["xi"].any()


def test_the_dual_objective_never_rises():
    """Steps of one over the block's Lipschitz constant: descent at every event; quadratics."""
    network = lollipop()
    smooth = small_problem(7)
    problem = smooth.with_local_step(make("l1", 3, strength=0.4))
    events = a_log(problem, network)[0][:300]

    def dual(y):
        x = problem.conjugate_gradients(y)
        return sum(y[i] @ x[i] - problem.value(i, x[i]) for i in range(7))

    state, values = {}, []
    for row in range(len(events)):
        state = replay(METHOD, problem, network, events[row : row + 1], **state)
        values.append(dual(state["y"]))
    assert max(np.diff(values)) <= 1e-12 * abs(values[0])
    assert values[-1] < values[0] - 1e-3
