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
    KIND_NAMES,
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


_KINDS = np.arange(len(KIND_NAMES))
_OF_GRADIENTS = (GRADIENT, GRADIENT_START, GRADIENT_END)
AT_I = np.isin(_KINDS, (*_OF_GRADIENTS, GOSSIP, SEND, ARRIVE_I, SEND_ONE, ARRIVE_ONE))
"""The kinds of events that bring node i to their time."""
AT_J = np.isin(_KINDS, (GOSSIP, SEND, ARRIVE_J))
"""The kinds that bring node j to theirs."""


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


@kernel
def fetch(values, last, seen, ends, i, j, e):
    """Begin to bring what an event of nodes i and j (-1: none) over edge e touches into the caches;
    the arrays are those of a state.
    """
    for node in (i, max(i, j)):  # no branch, which would be as good as a coin's
        prefetch(last, node)
        prefetch(seen, node)
        prefetch(values, node)
    prefetch(ends, e)


def play(state, p, objective, log, slots, step, parcel, work, order, first, stop):
    """Replay the rows ``order[first:stop]`` of ``log`` on ``state``, in place.

    ``slots`` (k, width) holds the vectors of delayed events under way; ``step``
    (step_vectors * d,), ``parcel`` and ``work`` (vectors * d + scalars,) are scratch.
    """
    # What a method does stands here once each, whatever events ask for it: all of it is inlined.
    is_large = state.values.size > CACHED
    for place in range(first, stop):
        if is_large and place + AHEAD < stop:
            ahead = order[place + AHEAD]
            arrays = state.values, state.last, state.seen, state.ends
            fetch(*arrays, log.i[ahead], log.j[ahead], log.edge[ahead])
        row = order[place]
        kind, t = log.kind[row], log.time[row]
        i, j, e = log.i[row], log.j[row], log.edge[row]
        if AT_I[kind]:
            advance(state, p, i, t)
        if AT_J[kind]:
            advance(state, p, j, t)
        if kind in (GRADIENT, GRADIENT_START, GRADIENT_END):
            g = step if kind == GRADIENT else slots[log.slot[row]][: step.shape[0]]
            if kind != GRADIENT_END:
                gradient(state, p, objective, i, log.mark[row], g)
            if kind != GRADIENT_START:
                apply_gradient(state, p, i, g)
        elif kind == RESET:
            reset(state, p, i)
            state.last[i] = t
            state.seen[i] = 0
        elif AT_I[kind] or AT_J[kind]:
            m = parcel if kind == GOSSIP else slots[log.slot[row]][: parcel.shape[0]]
            if kind in (GOSSIP, SEND):
                exchange(state, p, objective, e, i, j, m, work)
            if kind in (GOSSIP, ARRIVE_I):
                apply_message(state, p, e, i, m)
            if kind in (GOSSIP, ARRIVE_J):
                for c in range(work.shape[0]):
                    work[c] = -m[c]
                apply_message(state, p, e, j, work)
            if kind == SEND_ONE:
                send(state, p, e, i, m)
            if kind == ARRIVE_ONE:
                receive(state, p, e, i, m)


def observe_all(state, p, objective, t, work, out, first, stop):
    """Write the estimates of x* at time t of the nodes ``first`` to ``stop`` into their rows of
    ``out`` (n, d); ``work`` (d,) is scratch.
    """
    for i in range(first, stop):
        observe(state, p, objective, i, t, work, out[i])


PLAY, OBSERVE = kernel(play), kernel(observe_all)
