r"""ASY-SONATA: gradient tracking by what each node last heard, whatever is late or lost.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex, held by node i of a
    connected graph, or of a strongly connected directed one.
State
    per node x, z, which follows the mean gradient, v, what it sends of x, and g, its last gradient;
    at each end i of an edge (i, j), if it sends to j, rho_ji, the sum of all it ever gave to j; if
    it hears j, the newest v_j and rho_ij it had, and rt_ij, how much of that it took. x and v start
    at x0, the rest at 0.
Gradient event at i (Poisson, rate 1 per node)
    v_i = x_i - a z_i;   x_i+ = R_ii v_i + sum_j R_ij v_j;
    zh = z_i + sum_j (rho_ij - rt_ij) + grad f_i(x_i+) - g_i;   g_i = grad f_i(x_i+);
    rt_ij = rho_ij;   z_i+ = C_ii zh;   rho_ji += C_ji zh,  the first two sums over those it hears,
    the last step for all it sends to
Message from i to j (Poisson, one per gradient of i on average)
    v_i and rho_ji. What j had of i before it forgets; what comes after a newer one it passes over.
Constants
    ``step`` is a, 1/(10 L); on a directed network a n (p.pi) L is 1/10, or less where rounds of
    Push-Pull with a step half as long again would blow up, as on directed rings. R_ij = R_ii =
    1/(1 + in-degree of i), C_ji = C_ii = 1/(1 + out-degree of i): R sums to 1 in its rows, C in its
    columns. The arcs have ``total_rate`` communications in all, half as many as they are: |E| of an
    undirected network. On a sequence those of the present graph share them, ``switching`` graphs
    come per unit of time, 1 by default, and the weights are those of all its arcs together.
Guarantee
    Linear to x*, for a small enough, as long as every node computes and is heard of within a time
    that is bounded, whatever is lost or late. sum_i z_i + sum (rho - rt) = sum_i g_i throughout.
    a = 1/(10 L) is measured: it held up to 20 events of age and 30 % loss on ten nodes.
Reference
    Y. Tian, Y. Sun, G. Scutari, "Achieving Linear Convergence in Distributed Asynchronous
    Multiagent Optimization", IEEE Transactions on Automatic Control 65(12), 2020.

There z and g start at the gradients of x0, which cost one each; here at 0, as if these were 0. A
node sends when the clock of an arc rings, not at the end of each gradient: what is sent is the
same, some of it twice, some never.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.arcs import (
    list_places,
    messages_of_arcs,
    share_among_arcs,
    ways,
)
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.contract.tracked import moves, stable_step
from dadao_sim.engine import oracles
from dadao_sim.networks.directed import DirectedNetwork, DirectedSequence

X, Z, V, G = range(4)
# At the end of an edge, each of length d: given in all, newest v, newest sum, and taken of it.
GAVE, NEWEST, HEARD, TOOK = range(4)


class Params(NamedTuple):
    """The step; R_ij and C_ji of each node i, (n, 1); and where it finds its edges
    (``contract.arcs.list_places``).
    """

    step: float
    pull: np.ndarray
    push: np.ndarray
    edges: np.ndarray
    incident: np.ndarray
    end: np.ndarray
    begins: np.ndarray
    sends: np.ndarray
    hears: np.ndarray


def constants(c, problem, network):
    """The step; a total rate of half the arcs, which ``rate_factor`` multiplies."""
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * np.count_nonzero(ways(network)) / 2
    c.may_be_zero("switching")
    c.switching = 1.0 if len(network.graphs) > 1 else 0.0
    if isinstance(network, DirectedNetwork | DirectedSequence):
        whole = network.union if isinstance(network, DirectedSequence) else network
        c.step = stable_step(whole, "push_pull", 0.1 / moves(whole)) / c.L
    else:
        c.step = 1 / (10 * c.L)
    share_among_arcs(c, network)
    list_places(c, network)


def start(values):
    """v starts at x0."""
    values["v"] = values["x"]


def ends(values, network):
    """Nothing was given or taken; the newest v of the other end is that of the start."""
    others = values["v"][network.edges[:, ::-1]]
    zero = np.zeros_like(others)
    return np.concatenate([zero, others, zero, zero], axis=2)


def gradient(state, p, objective, i, mark, out):
    """x+ = R_ii (x - a z) + sum_j R_ij v_j,  and grad f(x+)."""
    s = state.values[i]
    d = s.shape[1]
    x, g = out[:d], out[d:]
    for k in range(d):
        x[k] = s[X, k] - p.step * s[Z, k]
    for place in range(p.begins[i], p.begins[i + 1]):
        if p.hears[place]:
            end = state.ends[p.incident[place], p.end[place]]
            for k in range(d):
                x[k] += end[NEWEST * d + k]
    for k in range(d):
        x[k] *= p.pull[i, 0]
    oracles.gradient(objective, i, x, mark, g)


def apply_gradient(state, p, i, step):
    """v = x - a z,  x = x+;  zh = z + sum_j (rho_ij - rt_ij) + g+ - g,  z = C_ii zh,  rho_ji +=
    C_ji zh.
    """
    s = state.values[i]
    d = s.shape[1]
    for k in range(d):
        s[V, k] = s[X, k] - p.step * s[Z, k]
        s[X, k] = step[k]
        s[Z, k] += step[d + k] - s[G, k]
        s[G, k] = step[d + k]
    for place in range(p.begins[i], p.begins[i + 1]):
        if p.hears[place]:
            end = state.ends[p.incident[place], p.end[place]]
            for k in range(d):
                s[Z, k] += end[HEARD * d + k] - end[TOOK * d + k]
                end[TOOK * d + k] = end[HEARD * d + k]
    for k in range(d):
        s[Z, k] *= p.push[i, 0]
    for place in range(p.begins[i], p.begins[i + 1]):
        if p.sends[place]:
            end = state.ends[p.incident[place], p.end[place]]
            for k in range(d):
                end[GAVE * d + k] += s[Z, k]


def send(state, p, e, i, out):
    """v and rho_ji."""
    d = state.values.shape[2]
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for k in range(d):
        out[k] = state.values[i, V, k]
        out[d + k] = end[GAVE * d + k]


def receive(state, p, e, i, payload):
    """The newest v_j and rho_ij."""
    d = state.values.shape[2]
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for k in range(d):
        end[NEWEST * d + k] = payload[k]
        end[HEARD * d + k] = payload[d + k]


def fixed_point(x, g, mean, p):
    """x = v = x*, z = 0, g = grad f_i(x*)."""
    return {"x": x, "z": np.zeros_like(x), "v": x, "g": g}


METHOD = AsynchronousMethod(
    name="asy_sonata",
    title="ASY-SONATA",
    family="tracking",
    look="black dashed ^",
    blocks=("x", "z", "v", "g"),
    directed=True,
    time_varying=True,
    stochastic=True,
    params=Params,
    constants=constants,
    tunes=("step",),
    clock=messages_of_arcs,
    start=start,
    ends=ends,
    end_blocks=("gave", "newest", "heard", "took"),
    newest=True,
    vectors=2,
    step_vectors=2,
    fixed_point=fixed_point,
    gradient=gradient,
    apply_gradient=apply_gradient,
    send=send,
    receive=receive,
    solves={"convex": "proven", "non-convex": "proven"},
    reference="tian2020achieving",
)
