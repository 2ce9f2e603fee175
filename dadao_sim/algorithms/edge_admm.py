r"""Edge ADMM: one random edge at a time, both of whose ends solve.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex; node i can minimise f_i + r plus a
    quadratic.
State
    per node x, z, the mean of the z_e of its deg_i edges, and l, the sum of the l_{i,e}; and of
    each edge e its z_e. z and z_e start at x0, l at 0.
Event at e = (i, j)
    at k = i, j:  x_k = argmin_x f_k(x) + r(x) + sum_{e at k} <l_{k,e}, x> + (c/2) ||x - z_e||^2,
    which is  argmin_x f_k(x) + r(x) + c deg_k ||x||^2/2 - <c deg_k z_k - l_k, x>;
    z_e+ = (x_i + x_j)/2;   l_{i,e} += c (x_i - x_j)/2,  l_{j,e} -= it
Constants
    ``c`` = 3 sqrt(mu L/(lambda_2 lambda_max)) of the Laplacian with unit weights (our choice: three
    times that of D-ADMM, of which one edge at a time makes better use); any c > 0 converges. mu is
    needed for this default only. The edges have ``total_rate`` n/2 in all, shared as the network's
    rates say: a node solves once per unit of time on average.
Guarantee
    To x* with probability 1, for convex f_i and r. sum_i l_i = 0.
Reference
    F. Iutzeler, P. Bianchi, P. Ciblat, W. Hachem, "Asynchronous Distributed Optimization Using a
    Randomized Alternating Direction Method of Multipliers", CDC 2013; E. Wei, A. Ozdaglar, "On the
    O(1/k) Convergence of Asynchronous Distributed Alternating Direction Method of Multipliers",
    GlobalSIP 2013.

A local solve is done as in D-ADMM, from the node's last x.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.clocks import exchanges_only
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.d_admm import of_local_solves, penalty
from dadao_sim.engine import oracles

X, Z, L = range(3)


class Params(NamedTuple):
    """The constants of the module's docstring; per node (n, 1) its degree, the curvature c deg and
    the step of its local solves; the ``edges`` (|E|, 2).
    """

    c: float
    degree: np.ndarray
    curvature: np.ndarray
    step: np.ndarray
    edges: np.ndarray


def constants(c, problem, network):
    """The penalty; ``rate_factor`` multiplies the rates."""
    c.measure(c=lambda: 3 * penalty("edge_admm", c))
    degree = np.asarray(network.laplacian().diagonal())
    c.of_nodes(degree=degree, **of_local_solves(problem, c.c * degree))
    c.of_edges(edges=network.edges.copy())
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2


def start(values):
    """z starts at x0."""
    values["z"] = values["x"]


def ends(values, network):
    """z_e, at each end that node's own z."""
    return values["z"][network.edges]


def message(state, p, objective, i, out):
    """x_i = argmin_x f_i(x) + r(x) + c deg_i ||x||^2/2 - <c deg_i z_i - l_i, x>."""
    s = state.values[i]
    for k in range(out.shape[0]):
        out[k] = p.curvature[i, 0] * s[Z, k] - s[L, k]
    oracles.local_solve(objective, i, out, p.curvature[i, 0], p.step[i, 0], s[X])
    for k in range(out.shape[0]):
        out[k] = s[X, k]


def apply_message(state, p, e, i, m):
    """z_e+ = (x_i + x_j)/2,  l_i += c (x_i - x_j)/2."""
    s = state.values[i]
    z_e = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for k in range(m.shape[0]):
        middle = s[X, k] - m[k] / 2
        s[Z, k] += (middle - z_e[k]) / p.degree[i, 0]
        s[L, k] += p.c * m[k] / 2
        z_e[k] = middle


def reset(state, p, i):
    """Node i starts again from 0 in everything, what it remembers of its edges too."""
    for k in range(state.values.shape[2]):
        state.values[i, X, k] = state.values[i, Z, k] = state.values[i, L, k] = 0.0
        for e in range(p.edges.shape[0]):
            for end in range(2):
                if p.edges[e, end] == i:
                    state.ends[e, end, k] = 0.0


def fixed_point(x, g, mean, p):
    """x = z = x*, l_i = (grad F - grad f_i)(x*)."""
    return {"x": x, "z": x, "l": mean - g}


METHOD = AsynchronousMethod(
    name="edge_admm",
    title="Edge ADMM",
    family="dual",
    look="black dash-dot-dot ^",
    blocks=("x", "z", "l"),
    invariant=("l",),
    composite="proven",
    params=Params,
    constants=constants,
    tunes=("c",),
    clock=exchanges_only,
    start=start,
    ends=ends,
    fixed_point=fixed_point,
    message=message,
    apply_message=apply_message,
    reset=reset,
    reference="iutzeler2013asynchronous",
)
