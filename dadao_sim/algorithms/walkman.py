r"""Walkman: a token that walks over the network, and learns at each node that has it.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex; node i can minimise f_i plus a quadratic.
State
    per node y, its estimate of x*, and z, its multiplier; and one token x. y starts at x0, z at 0,
    the token at the mean of x0. (Block x of a node is the token as it last knew it.)
Step: node i has the token
    y+ = argmin_y f_i(y) + (beta/2) ||y - x - z/beta||^2;
    z+ = z + beta (x - y+);
    x+ = x + ((y+ - z+/beta) - (y - z/beta))/n
    and the token goes to a random neighbour j with probability min(1, deg_i/deg_j), else it stays:
    in the long run every node has it as often. One message of one vector.
Constants
    ``beta`` = sqrt(mu L) by default (our choice); any beta > 0 converges. mu is needed for this
    default only. There are n steps in a unit of time.
Guarantee
    To x* with probability 1; linear for least squares. x = mean_i (y_i - z_i/beta) throughout; in
    the end z_i = grad f_i(x*).
Reference
    X. Mao, K. Yuan, Y. Hu, Y. Gu, A. H. Sayed, W. Yin, "Walkman: A Communication-Efficient
    Random-Walk Algorithm for Decentralized Optimization", IEEE Transactions on Signal Processing
    68, 2020.

A local solve is done by accelerated gradient steps of 1/(L_i + beta) from the node's y, to
rounding.
"""

import math
from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.events.walk import rates_of_walk

Y, Z, X = range(3)


class Params(NamedTuple):
    """beta; the ``step`` of each node's local solves (n, 1)."""

    beta: float
    step: np.ndarray


def constants(c, problem, network):
    """The penalty."""
    c.measure(beta=lambda: penalty(c))
    c.of_nodes(step=1 / (problem.node_L + c.beta))


def penalty(c):
    """sqrt(mu L); InputError where there is no mu."""
    try:
        return math.sqrt(c.mu * c.L)
    except InputError as error:
        reason = f"its beta needs mu; give one by parameters: {{beta: ...}} ({error})"
        raise InputError(f"walkman: {reason}") from error


def clock(c, problem, network):
    """The walk of the token."""
    return rates_of_walk(network)


def start(values):
    """The token starts at the mean of x0."""
    values["x"] = np.tile(values["y"].mean(axis=0), (len(values["y"]), 1))


def gradient(state, p, objective, i, mark, out):
    """y+ = argmin_y f_i(y) + (beta/2) ||y - x - z/beta||^2."""
    s = state.values[i]
    v = np.empty(out.shape[0])
    for k in range(out.shape[0]):
        v[k] = p.beta * s[X, k] + s[Z, k]
        out[k] = s[Y, k]
    oracles.local_solve(objective, i, v, p.beta, p.step[i, 0], out)


def apply_gradient(state, p, i, g):
    """z+ = z + beta (x - y+),  x+ = x + ((y+ - z+/beta) - (y - z/beta))/n."""
    s = state.values[i]
    for k in range(g.shape[0]):
        change = p.beta * (s[X, k] - g[k])
        s[X, k] += (g[k] - s[Y, k] - change / p.beta) / p.step.shape[0]
        s[Z, k] += change
        s[Y, k] = g[k]


def message(state, p, objective, i, out):
    """The token."""
    for k in range(out.shape[0]):
        out[k] = state.values[i, X, k]


def apply_message(state, p, e, i, m):
    """The token of the other node."""
    for k in range(m.shape[0]):
        state.values[i, X, k] -= m[k]


def fixed_point(x, g, mean, p):
    """y = x = x*, z_i = grad f_i(x*)."""
    return {"y": x, "z": g, "x": x}


METHOD = AsynchronousMethod(
    name="walkman",
    title="Walkman",
    family="dual",
    look="black dash-dot-dot <",
    blocks=("y", "z", "x"),
    start_block="y",
    estimate="y",
    invariant=("x",),
    no_composite="its token would have to take the prox of r, which is not built",
    params=Params,
    constants=constants,
    tunes=("beta",),
    clock=clock,
    start=start,
    fixed_point=fixed_point,
    gradient=gradient,
    apply_gradient=apply_gradient,
    message=message,
    apply_message=apply_message,
    one_way=True,
    reference="mao2020walkman",
)
