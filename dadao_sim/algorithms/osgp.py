r"""OSGP: stochastic gradient push that computes while its messages are on their way.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth, held by node i of a connected graph, or of a
    strongly connected directed one.
State
    per node x, from x0, and a weight w, from 1; the estimate is x/w.
Gradient event at i (Poisson, rate 1 per node)
    x_i -= a grad f_i(x_i/w_i)
Message from i to j (Poisson, two per gradient of i on average)
    i sends a ``share`` of x_i and of w_i and keeps the rest; j adds what it gets, when it gets it.
Constants
    ``step`` is a, 1/(64L) by default, and ``share`` 1/4, our choices: where a node that sends as
    often as it hears gives away half each time, as the paper's do, the mean of 1/w has no bound
    (sending doubles it, hearing takes away no more than all of it), and in long runs some a/w_i is
    a step that throws a node far away; with a share below 1/2 it is bounded. The messages have
    ``total_rate`` n in all, two per gradient of a node on average; on a directed network at rates
    at which each node sends as often as it hears.
Guarantee
    For smooth f_i and bounded delays the mean squared gradient norm decays as 1/sqrt(gradients),
    with a step that decays accordingly. With a constant step and different f_i it stops at a
    plateau. Of x and w the sums over the nodes and what is on its way are conserved, but for
    gradients; so what a lost message held is lost for good: w goes to 0, and the steps a/w grow.
Reference
    M. Assran, N. Loizou, N. Ballas, M. Rabbat, "Stochastic Gradient Push for Distributed Deep
    Learning", ICML 2019, its overlapping form.

Written down from the paper, in events instead of iterations: there a node that waited tau
iterations for a message waits on until it is there; here none waits.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.arcs import balanced_messages
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles

X, W = range(2)


class Params(NamedTuple):
    """The constants of the module's docstring."""

    step: float
    share: float


def constants(c, problem, network):
    """Total rate n, which ``rate_factor`` multiplies."""
    c.may_be_zero("step")
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes
    c.share = 0.25
    c.at_most("share", 0.5)
    c.step = 1 / (64 * c.L)


def start(values):
    """w starts at 1."""
    values["w"] = np.ones_like(values["x"])


def gradient(state, p, objective, i, mark, out):
    """g = grad f_i(x/w)."""
    s = state.values[i]
    z = np.empty(out.shape[0])
    for k in range(out.shape[0]):
        z[k] = s[X, k] / s[W, k]
    oracles.gradient(objective, i, z, mark, out)


def apply_gradient(state, p, i, g):
    """x -= a g."""
    for k in range(g.shape[0]):
        state.values[i, X, k] -= p.step * g[k]


def send(state, p, e, i, out):
    """A share of x and of w, which i has no more; w is one number, the same in all places of its
    block.
    """
    s = state.values[i]
    for k in range(s.shape[1]):
        out[k] = p.share * s[X, k]
        s[X, k] -= out[k]
    out[s.shape[1]] = p.share * s[W, 0]
    for k in range(s.shape[1]):
        s[W, k] -= out[s.shape[1]]


def receive(state, p, e, i, payload):
    """x and w grow by what came."""
    s = state.values[i]
    for k in range(s.shape[1]):
        s[X, k] += payload[k]
        s[W, k] += payload[s.shape[1]]


def observe(state, p, objective, i, t, work, out):
    """x/w."""
    for k in range(out.shape[0]):
        out[k] = state.values[i, X, k] / state.values[i, W, k]


def reset(state, p, i):
    """Node i starts again at x = 0 and w = 1."""
    for k in range(state.values.shape[2]):
        state.values[i, X, k] = 0.0
        state.values[i, W, k] = 1.0


METHOD = AsynchronousMethod(
    name="osgp",
    title="OSGP",
    family="stochastic",
    look="black dash-dot P",
    blocks=("x", "w"),
    estimate=None,
    invariant=("x",),
    directed=True,
    stochastic=True,
    params=Params,
    constants=constants,
    tunes=("step", "total_rate"),
    clock=balanced_messages,
    start=start,
    scalars=1,
    gradient=gradient,
    apply_gradient=apply_gradient,
    send=send,
    receive=receive,
    observe=observe,
    reset=reset,
    solves={"convex": "proven", "non-convex": "proven"},
    reference="assran2019stochastic",
)
