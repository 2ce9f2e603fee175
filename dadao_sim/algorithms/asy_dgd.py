r"""Asynchronous DGD: each node steps by what it last heard of its neighbours.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex and L-smooth, held by node i of a connected graph.
State
    per node x, from x0; at each end of an edge the newest x it had of the other.
Gradient event at i (Poisson, rate 1 per node)
    x_i+ = W_ii x_i + sum_j W_ij x_j - a grad f_i(x_i),  x_j as last heard
Message from i to j (Poisson, one per gradient of i on average)
    x_i. What j had of i before it forgets; what comes after a newer one it passes over.
Constants
    W_ij = 1/(1 + max(deg_i, deg_j)), the rest of a row at W_ii (Metropolis). ``step`` is a,
    min_i W_ii/L by default: with it an event moves x_i no farther from the fixed point than the
    farthest of what goes into it, however old that is. The messages have ``total_rate`` |E|
    communications in all.
Guarantee
    For strongly convex f_i, to the fixed point of DGD with the same W and a, whatever is late or
    lost, as long as every node is heard of again and again; no step has to know the delays. That
    point is not x*: see DGD.
Reference
    X. Wu, C. Liu, S. Magnusson, M. Johansson, "Asynchronous Distributed Optimization with
    Delay-free Parameters", arXiv:2312.06508, 2023, the form without a prox.

Written down from the paper; the default of the step is ours.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.arcs import list_places, messages_of_arcs
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles


class Params(NamedTuple):
    """The step; W_ii of each node (n, 1) and W_ij of each edge (|E|,); and where a node finds its
    edges (``contract.arcs.list_places``).
    """

    step: float
    own: np.ndarray
    weights: np.ndarray
    edges: np.ndarray
    incident: np.ndarray
    end: np.ndarray
    begins: np.ndarray


def constants(c, problem, network):
    """W and the step; total rate |E|, which ``rate_factor`` multiplies."""
    degrees = np.bincount(network.edges.ravel(), minlength=network.nodes)
    weights = 1 / (1.0 + degrees[network.edges].max(axis=1))
    own = 1 - np.bincount(network.edges.ravel(), np.repeat(weights, 2), network.nodes)
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * len(network.edges)
    c.step = float(own.min()) / c.L
    c.of_nodes(own=own)
    c.of_edges(weights=weights)
    list_places(c, network)


def ends(values, network):
    """Each end knows where the other starts."""
    return values["x"][network.edges[:, ::-1]]


def gradient(state, p, objective, i, mark, out):
    """sum_j W_ij x_j - a grad f_i(x),  less x itself."""
    x = state.values[i, 0]
    oracles.gradient(objective, i, x, mark, out)
    for k in range(out.shape[0]):
        out[k] = (p.own[i, 0] - 1) * x[k] - p.step * out[k]
    for place in range(p.begins[i], p.begins[i + 1]):
        e = p.incident[place]
        for k in range(out.shape[0]):
            out[k] += p.weights[e] * state.ends[e, p.end[place], k]


def apply_gradient(state, p, i, g):
    """x += that."""
    for k in range(g.shape[0]):
        state.values[i, 0, k] += g[k]


def receive(state, p, e, i, payload):
    """The newest x_j."""
    for k in range(payload.shape[0]):
        state.ends[e, 0 if p.edges[e, 0] == i else 1, k] = payload[k]


METHOD = AsynchronousMethod(
    name="asy_dgd",
    title="Asynchronous DGD",
    family="inexact",
    look="black dotted <",
    no_composite="its form with a prox is not built",
    stochastic=True,
    params=Params,
    constants=constants,
    tunes=("step",),
    clock=messages_of_arcs,
    ends=ends,
    end_blocks=("newest",),
    newest=True,
    gradient=gradient,
    apply_gradient=apply_gradient,
    receive=receive,
    reference="wu2023asynchronous",
)
