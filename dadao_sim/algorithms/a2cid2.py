r"""A2CiD2: accelerated asynchronous communication in decentralised deep learning.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth, held by node i of a connected graph.
State
    per node x and x~, its continuous momentum; both start at x0.
Flow (between the events of a node)
    x' = eta (x~ - x)          x~' = eta (x - x~)
Gradient event at i (Poisson, rate 1 per node)
    g = grad f_i(x_i);  x_i -= s g,  x~_i -= s g
Gossip event at e = (i, j)
    m = x_i - x_j;  x_i -= alpha m,  x~_i -= alpha~ m  (opposite signs at j)
Constants
    eta = 1/(2 sqrt(chi1 chi2)), alpha = 1/2, alpha~ = (1/2) sqrt(chi1/chi2), with chi1 and chi2 of
    the Laplacian of the actual rates. Their total is n/2, as in the authors' experiments: a node
    takes part in one exchange per gradient on average. ``step`` is s, 1/(16L) by default.
Guarantee
    Consensus is reached at the accelerated rate 1/sqrt(chi1 chi2) instead of 1/chi1. With a
    constant step and different f_i the method does not converge to x*: it stops at a plateau,
    which grows with s and with the differences between the nodes' rates.
Reference
    A. Nabli, E. Belilovsky, E. Oyallon, "A2CiD2: Accelerating Asynchronous Communication in
    Decentralized Deep Learning", NeurIPS 2023, Algorithm 1.
"""

import math
from typing import NamedTuple

from dadao_sim.algorithms.contract.clocks import half_an_exchange_per_gradient
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles

X, XT = range(2)


class Params(NamedTuple):
    """The constants of the module's docstring."""

    step: float
    eta: float
    alpha: float
    alpha_tilde: float


def constants(c, problem, network):
    """Total rate n/2; ``rate_factor`` multiplies it."""
    c.may_be_zero("step", "eta")
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2
    c.chi1, c.chi2 = c.unit_chi1 / c.total_rate, c.unit_chi2 / c.total_rate
    c.step = 1 / (16 * c.L)
    c.eta = 1 / (2 * math.sqrt(c.chi1 * c.chi2))
    c.alpha, c.alpha_tilde = 1 / 2, math.sqrt(c.chi1 / c.chi2) / 2


def start(values):
    """The momentum starts at x0."""
    values["x_tilde"] = values["x"]


def flow(state, p, i, t):
    """The mean of x and x~ stays, their gap decays as e^{-2 eta t}."""
    h = t - state.last[i]
    if h <= 0.0:
        return
    s = state.values[i]
    decay = math.exp(-2 * p.eta * h)
    for k in range(s.shape[1]):
        mean = (s[X, k] + s[XT, k]) / 2
        gap = decay * (s[XT, k] - s[X, k]) / 2
        s[X, k] = mean - gap
        s[XT, k] = mean + gap


def gradient(state, p, objective, i, mark, out):
    """g = grad f_i(x)."""
    oracles.gradient(objective, i, state.values[i, X], mark, out)


def apply_gradient(state, p, i, g):
    """x -= s g,  x~ -= s g."""
    s = state.values[i]
    for k in range(g.shape[0]):
        s[X, k] -= p.step * g[k]
        s[XT, k] -= p.step * g[k]


def apply_message(state, p, e, i, m):
    """x -= alpha m,  x~ -= alpha~ m."""
    s = state.values[i]
    for k in range(m.shape[0]):
        s[X, k] -= p.alpha * m[k]
        s[XT, k] -= p.alpha_tilde * m[k]


def observe(state, p, objective, i, t, work, out):
    """x flowed to time t."""
    s = state.values[i]
    decay = math.exp(-2 * p.eta * (t - state.last[i]))
    for k in range(out.shape[0]):
        out[k] = (s[X, k] + s[XT, k]) / 2 - decay * (s[XT, k] - s[X, k]) / 2


METHOD = AsynchronousMethod(
    name="a2cid2",
    title="A2CiD2",
    family="stochastic",
    look="green solid P",
    blocks=("x", "x_tilde"),
    start=start,
    invariant=("x", "x_tilde"),
    stochastic=True,
    params=Params,
    constants=constants,
    tunes=("step", "total_rate"),
    clock=half_an_exchange_per_gradient,
    flow=flow,
    gradient=gradient,
    apply_gradient=apply_gradient,
    apply_message=apply_message,
    observe=observe,
    solves={"convex": "proven", "non-convex": "proven"},
    reference="nabli2023a2cid2",
)
