r"""Dual proximal gradient: asynchronous, exact, with a term r that all nodes share.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i mu-strongly convex with a known grad f_i*, r
    convex. As min sum_i f_i(x_i) + r(w_i) subject to x_i = w_i (multiplier xi_i) and x_i = x_j on
    every edge e = (i, j) (multiplier lambda_e), its dual is: minimise
    sum_i f_i*(-xi_i - Lambda_i) + r*(xi_i),  Lambda_i = sum of +-lambda_e over the edges of i.
State
    per node xi and y = -xi - Lambda, both from 0, and x, the estimate it computed last.
Gradient event at i (Poisson, rate 1 per node): a proximal gradient step on the block xi_i
    x_i = grad f_i*(y_i);
    xi_i <- prox_{alpha r*}(xi_i + alpha x_i)
          = xi_i + g,  g = alpha (x_i - prox_{r/alpha}(x_i + xi_i/alpha))   (Moreau);  y_i -= g
Gossip event at e = (i, j) (Poisson): a gradient step on the block lambda_e
    m = grad f_i*(y_i) - grad f_j*(y_j);   y_i -= beta m,  y_j += beta m
Constants
    alpha = mu, beta = mu/2: one over the Lipschitz constants 1/mu and 2/mu of the partial
    gradients. Edges have rate 1 each by default (our choice; the guarantee holds for all).
Guarantee
    The dual objective converges in expectation to its optimum, as O(1/k) after k events or faster;
    ||x_i - x*||^2 is at most 2/mu times its gap. r need not be there: xi then stays 0.
Reference
    I. Notarnicola, G. Notarstefano, "Asynchronous Distributed Optimization via Randomized Dual
    Proximal Gradient", IEEE Transactions on Automatic Control 62(5), 2017: there a node's timer
    updates xi_i and its lambda_e at once. With a clock per node and per edge the blocks are
    smaller; the theorem both rest on is for blocks of any size: P. Richtarik, M. Takac, "Iteration
    complexity of randomized block-coordinate descent methods for minimizing a composite function",
    Mathematical Programming 144, 2014.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles
from dadao_sim.events.asked import PoissonRates

X, Y, XI = range(3)
BLOCKS = ("x", "y", "xi")


class Params(NamedTuple):
    """The constants of the module's docstring."""

    alpha: float
    beta: float


def constants(c, problem, network):
    """``rate_factor`` multiplies the edges' rates."""
    c.alpha, c.beta = c.mu, c.mu / 2
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * len(network.edges)


def clock(c, problem, network):
    """A clock of rate 1 at every node; the edges share ``total_rate`` as the network says."""
    p = network.rates / network.rates.sum()
    return PoissonRates(nodes=np.ones(problem.nodes), edges=c.total_rate * p)


def gradient(state, p, objective, i, mark, out):
    """g = alpha (x - prox_{r/alpha}(x + xi/alpha)) at x = grad f_i*(y)."""
    s = state.values[i]
    oracles.conjugate_gradient(objective, i, s[Y], s[X])
    for k in range(out.shape[0]):
        out[k] = -s[XI, k]
    oracles.gradient_mapping(objective, 1 / p.alpha, s[X], out)


def apply_gradient(state, p, i, g):
    """xi += g,  y -= g."""
    s = state.values[i]
    for k in range(g.shape[0]):
        s[XI, k] += g[k]
        s[Y, k] -= g[k]


def message(state, p, objective, i, out):
    """grad f_i*(y)."""
    oracles.conjugate_gradient(objective, i, state.values[i, Y], out)


def apply_message(state, p, e, i, m):
    """y -= beta m."""
    for k in range(m.shape[0]):
        state.values[i, Y, k] -= p.beta * m[k]


def observe(state, p, objective, i, t, work, out):
    """grad f_i*(y)."""
    oracles.conjugate_gradient(objective, i, state.values[i, Y], out)


def fixed_point(x, g, mean, p):
    """x = x*, y_i = grad f_i(x*), xi = -grad F(x*) (0 without r)."""
    return {"x": x, "y": g, "xi": np.broadcast_to(-mean, x.shape)}


METHOD = AsynchronousMethod(
    name="dual_proximal_gradient",
    title="Dual prox-gradient",
    family="dual",
    look="purple solid v",
    blocks=BLOCKS,
    start_block=None,
    invariant=("y",),
    needs_conjugate=True,
    composite="proven",
    params=Params,
    constants=constants,
    tunes=("alpha", "beta"),
    clock=clock,
    fixed_point=fixed_point,
    gradient=gradient,
    apply_gradient=apply_gradient,
    message=message,
    apply_message=apply_message,
    observe=observe,
    reference="notarnicola2017asynchronous",
)
