"""Methods of messages that go one way, to try the engine with: push-sum, with and without sums."""

from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.events.asked import PoissonRates


class PushParams(NamedTuple):
    """The ends of the edges."""

    edges: np.ndarray


class SumsParams(NamedTuple):
    """The ends of the edges."""

    edges: np.ndarray


def constants(c, problem, network):
    """The time that messages take by the clocks of the paper."""
    c.may_be_zero("delay")
    c.delay = 0.0
    c.of_edges(edges=network.edges.copy())


def clock(c, problem, network):
    """Rate 1 for each arc, none for nodes."""
    edges = len(network.edges)
    return PoissonRates(
        np.zeros(problem.nodes), np.zeros(edges), arcs=np.ones((edges, 2)), delay=c.delay
    )


def push(state, p, e, i, out):
    """Half of x and of w."""
    d = state.values.shape[2]
    for block in range(2):
        for k in range(d):
            state.values[i, block, k] /= 2
            out[block * d + k] = state.values[i, block, k]


def take(state, p, e, i, m):
    """What came is added."""
    d = state.values.shape[2]
    for block in range(2):
        for k in range(d):
            state.values[i, block, k] += m[block * d + k]


def push_sums(state, p, e, i, out):
    """Half of x and of w is given away; what goes out is all that was given away over the edge."""
    d = state.values.shape[2]
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for block in range(2):
        for k in range(d):
            state.values[i, block, k] /= 2
            end[block * d + k] += state.values[i, block, k]
            out[block * d + k] = end[block * d + k]


def take_sums(state, p, e, i, m):
    """What came is added, as far as it is new."""
    d = state.values.shape[2]
    end = state.ends[e, 0 if p.edges[e, 0] == i else 1]
    for block in range(2):
        for k in range(d):
            c = block * d + k
            state.values[i, block, k] += m[c] - end[2 * d + c]
            end[2 * d + c] = m[c]


def observe(state, p, objective, i, t, work, out):
    """x/w."""
    for k in range(out.shape[0]):
        out[k] = state.values[i, 0, k] / state.values[i, 1, k]


def start(values):
    """w starts at 1."""
    values["w"] = np.ones_like(values["x"])


def no_ends(values, network):
    """What each end has given away, and what it has taken."""
    return np.zeros((len(network.edges), 2, 4 * values["x"].shape[1]))


COMMON = {
    **{"blocks": ("x", "w"), "vectors": 2, "constants": constants, "clock": clock},
    **{"start": start, "observe": observe, "needs_averaging": True},
}
PUSH_SUM = AsynchronousMethod(name="push", params=PushParams, send=push, receive=take, **COMMON)
SUMS = AsynchronousMethod(
    name="push_sums",
    params=SumsParams,
    send=push_sums,
    receive=take_sums,
    ends=no_ends,
    end_blocks=("gave x", "gave w", "took x", "took w"),
    newest=True,
    **COMMON,
)
