"""The replay loop: every event of a log, in order, for any method and any objective.

The loop is compiled once per pair of types (Params, objective); ``compiled.kernel`` says which of
them are kept on disk.
"""

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.prefetch import prefetch
from dadao_sim.engine import oracles
from dadao_sim.engine.node import (
    apply_gradient,
    apply_message,
    flow,
    gradient,
    observe,
    receive,
    reset,
    send,
    speak,
)
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    RESET,
    SEND,
    SEND_ONE,
)


class Log(NamedTuple):
    """The columns of a window that the loop reads; ``slot`` is where a delayed event keeps its
    vector.
    """

    time: np.ndarray
    kind: np.ndarray
    i: np.ndarray
    j: np.ndarray
    edge: np.ndarray
    mark: np.ndarray
    slot: np.ndarray


AHEAD = 4
"""How many events before its turn what an event touches is fetched from memory."""
CACHED = 2**17
"""Numbers (1 MiB) of a state that stays in a core's own cache: of no more nothing is fetched."""


class NoObjective(NamedTuple):
    """Stands in where the loop is compiled for events that ask the objective nothing."""

    nothing: float = 0.0


oracles.gradient.register(NoObjective, lambda objective, i, x, mark, out: None)
oracles.conjugate_gradient.register(NoObjective, lambda objective, i, y, out: None)
oracles.sample_dot.register(NoObjective, lambda objective, i, k, x: 0.0)
oracles.sample_slope.register(NoObjective, lambda objective, i, k, weight, r: 0.0)
oracles.add_sample.register(NoObjective, lambda objective, i, k, weight, out: None)


@register_jitable(forceinline=True)
def advance(state, p, i, t):
    """Count an event at node i and flow the node to its time t."""
    state.seen[i] += 1
    flow(state, p, i, t)
    state.last[i] = t


@register_jitable(forceinline=True)
def exchange(state, p, objective, e, i, j, out, work):
    """Write into ``out`` what an exchange over edge e brings its first node i: what it sends less
    what comes; the second, j, gets the opposite. ``work``, as long, is free.
    """
    speak(state, p, objective, e, i, out)
    speak(state, p, objective, e, j, work)
    for c in range(out.shape[0]):
        out[c] -= work[c]


@register_jitable(forceinline=True)
def negate(m):
    """Change the sign of ``m`` in place."""
    for c in range(m.shape[0]):
        m[c] = -m[c]


@register_jitable(forceinline=True)
def fetch(state, log, row):
    """Begin to bring what an event touches into the caches."""
    i, j = log.i[row], log.j[row]
    for node in (i, max(i, j)):  # no branch, which would be as good as a coin's
        prefetch(state.last, node)
        prefetch(state.seen, node)
        prefetch(state.values, node)
    prefetch(state.ends, log.edge[row])


def play(state, p, objective, log, slots, step, parcel, work, order, first, stop):
    """Replay the rows ``order[first:stop]`` of ``log`` on ``state``, in place.

    ``slots`` (k, width) holds the vectors of delayed events under way; ``step``
    (step_vectors * d,), ``parcel`` and ``work`` (vectors * d + scalars,) are scratch.
    """
    is_large = state.values.size > CACHED
    for place in range(first, stop):
        if is_large and place + AHEAD < stop:
            fetch(state, log, order[place + AHEAD])
        row = order[place]
        kind = log.kind[row]
        t = log.time[row]
        i = log.i[row]
        if kind == GRADIENT:
            advance(state, p, i, t)
            gradient(state, p, objective, i, log.mark[row], step)
            apply_gradient(state, p, i, step)
        elif kind == GOSSIP:
            j = log.j[row]
            advance(state, p, i, t)
            advance(state, p, j, t)
            exchange(state, p, objective, log.edge[row], i, j, parcel, work)
            apply_message(state, p, log.edge[row], i, parcel)
            negate(parcel)
            apply_message(state, p, log.edge[row], j, parcel)
        elif kind == GRADIENT_START:
            advance(state, p, i, t)
            gradient(state, p, objective, i, log.mark[row], slots[log.slot[row], : step.shape[0]])
        elif kind == GRADIENT_END:
            advance(state, p, i, t)
            apply_gradient(state, p, i, slots[log.slot[row], : step.shape[0]])
        elif kind == SEND:
            j = log.j[row]
            advance(state, p, i, t)
            advance(state, p, j, t)
            vector = slots[log.slot[row], : parcel.shape[0]]
            exchange(state, p, objective, log.edge[row], i, j, vector, work)
        elif kind == ARRIVE_I:
            advance(state, p, i, t)
            apply_message(state, p, log.edge[row], i, slots[log.slot[row], : parcel.shape[0]])
        elif kind == ARRIVE_J:
            j = log.j[row]
            advance(state, p, j, t)
            for c in range(parcel.shape[0]):
                parcel[c] = -slots[log.slot[row], c]
            apply_message(state, p, log.edge[row], j, parcel)
        elif kind == SEND_ONE:
            advance(state, p, i, t)
            send(state, p, log.edge[row], i, slots[log.slot[row], : parcel.shape[0]])
        elif kind == ARRIVE_ONE:
            advance(state, p, i, t)
            receive(state, p, log.edge[row], i, slots[log.slot[row], : parcel.shape[0]])
        elif kind == RESET:
            reset(state, p, i)
            state.last[i] = t
            state.seen[i] = 0


def observe_all(state, p, objective, t, work, out, first, stop):
    """Write the estimates of x* at time t of the nodes ``first`` to ``stop`` into their rows of
    ``out`` (n, d); ``work`` (d,) is scratch.
    """
    for i in range(first, stop):
        observe(state, p, objective, i, t, work, out[i])


PLAY, OBSERVE = kernel(play), kernel(observe_all)
