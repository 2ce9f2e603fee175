r"""ESDACD: edge synchronous dual accelerated coordinate descent.

Problem
    minimise (1/n) sum_i f_i(x); node i can compute grad f_i*(y) = argmax_x <x, y> - f_i(x).
State
    per node x, v (start at 0), y = (x + rho v)/(1 + rho); the estimate of x* is grad f_i*(y_i).
Step: edge e = (i, j) with probability p_e, and all nodes count it
    everywhere  v+ = (1 - rho) v + rho y,  x+ = y, that is (v, x)+ = (v + rho x, x + rho v)/(1+rho);
    q = grad f_i*(y_i) - grad f_j*(y_j);
    v_i+ -= s_e q,  x_i+ -= (rho s_e R_e/p_e) q  (opposite signs at j)
    A node need not act on the steps of others before its own next one: their mean stays, and the
    gap of x and v falls by (1 - rho)/(1 + rho) in each.
Constants
    With lambda_2 and R_e of the Laplacian with unit weights: sigma = lambda_2/L,
    rho = min_e p_e sqrt(mu sigma/(2 R_e)), s_e = rho/(p_e sigma). The relative rates of the
    network's edges are the p_e. There are ``total_rate`` n/2 steps per unit of time, so that a node
    computes once in it on average.
Guarantee
    The mean square distance of the estimates to x* falls by the factor 1 - rho each step. The sums
    of x and v are conserved.
Reference
    H. Hendrikx, F. Bach, L. Massoulie, "Accelerated Decentralized Optimization with Local Updates
    for Smooth and Strongly Convex Objectives", AISTATS 2019.

Continuized is its form in continuous time, whose nodes need not know how many steps were made.
"""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles
from dadao_sim.events.asked import PoissonRates

X, V = range(2)
BLOCKS = ("x", "v")
NEARLY = 1e-3  # of a step, by which the time of one may miss its number


class Params(NamedTuple):
    """The constants of the module's docstring; ``step_v`` and ``step_x`` (|E|,), and ``decay`` =
    log((1 + rho)/(1 - rho)).
    """

    rho: float
    total_rate: float
    decay: float
    step_v: np.ndarray
    step_x: np.ndarray


def constants(c, problem, network):
    """``rate_factor`` multiplies the number of steps per unit of time."""
    p, R = network.rates / network.rates.sum(), network.resistances()
    c.sigma = c.lambda_2 / c.L
    c.rho = (p * np.sqrt(c.mu * c.sigma / (2 * R))).min()
    c.decay = 2 * math.atanh(c.rho)
    step_v = c.rho / (p * c.sigma)
    c.of_edges(step_v=step_v, step_x=c.rho * step_v * R / p)
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2


def clock(c, problem, network):
    """``total_rate`` steps per unit of time, at equal distances."""
    p = network.rates / network.rates.sum()
    return PoissonRates(nodes=np.zeros(problem.nodes), edges=c.total_rate * p, pace="steps")


@register_jitable
def left_after(time, step_rate, decay):
    """The part of the gap of x and v that the steps of so long a time leave; 1 without one."""
    return math.exp(-decay * math.floor(time * step_rate + NEARLY))


def flow(state, p, i, t):
    """The mean of x and v stays, their gap falls by (1 - rho)/(1 + rho) in each step."""
    decay = left_after(t - state.last[i], p.total_rate, p.decay)
    if decay == 1.0:
        return
    s = state.values[i]
    for k in range(s.shape[1]):
        mean = (s[X, k] + s[V, k]) / 2
        gap = decay * (s[V, k] - s[X, k]) / 2
        s[X, k] = mean - gap
        s[V, k] = mean + gap


def message(state, p, objective, i, out):
    """grad f_i*(x_i): the flow has put y there."""
    oracles.conjugate_gradient(objective, i, state.values[i, X], out)


def apply_message(state, p, e, i, m):
    """v -= s_e q,  x -= (rho s_e R_e/p_e) q."""
    s = state.values[i]
    for k in range(m.shape[0]):
        s[V, k] -= p.step_v[e] * m[k]
        s[X, k] -= p.step_x[e] * m[k]


def observe(state, p, objective, i, t, work, out):
    """grad f_i*(y), y = (x + rho v)/(1 + rho) after all steps until t."""
    s = state.values[i]
    decay = left_after(t - state.last[i], p.total_rate, p.decay)
    for k in range(out.shape[0]):
        gap = decay * (s[V, k] - s[X, k]) / 2
        work[k] = (s[X, k] + s[V, k]) / 2 - gap * (1 - p.rho) / (1 + p.rho)
    oracles.conjugate_gradient(objective, i, work, out)


def fixed_point(x, g, mean, p):
    """x_i = v_i = grad f_i(x*)."""
    return {"x": g, "v": g}


def guarantee(c, start, star, P):
    """D - D* + (m/2) ||Lambda - Lambda*||^2 falls by 1 - rho each step, m = sigma = lambda_2/L the
    convexity of the dual.
    """
    x, v = start.x - star.x, start.v - star.v
    V = square(x) / (2 * c.mu) + c.sigma / 2 * square(v) / c.lambda_2
    first = 2 * c.lambda_max / (c.mu**2 * c.sigma) * V
    decay = -math.log1p(-c.rho) * c.total_rate
    return Guarantee("Hendrikx et al. 2019, Theorem 1", decay, first)


METHOD = AsynchronousMethod(
    name="esdacd",
    title="ESDACD",
    family="accelerated",
    look="orange dotted s",
    blocks=BLOCKS,
    start_block=None,
    estimate=None,
    invariant=BLOCKS,
    needs_conjugate=True,
    no_composite="its rate rests on smooth f_i + r; use dual_proximal_gradient",
    params=Params,
    constants=constants,
    tunes=("L", "mu"),
    clock=clock,
    guarantee=guarantee,
    fixed_point=fixed_point,
    flow=flow,
    message=message,
    apply_message=apply_message,
    observe=observe,
    reference="hendrikx2019accelerated",
)
