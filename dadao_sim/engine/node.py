"""What a method does at an event: the verbs that the engine speaks, one implementation per
``Params`` class.

``state`` is a :class:`State`; ``p`` the method's Params (a NamedTuple of floats and arrays under
the paper's names); ``i`` a node; ``t`` the time of the event. Implementations are plain Python
functions written as scalar loops; the engine compiles them into its own loop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.compiled.dispatch import by_type


class State(NamedTuple):
    """Everything the nodes hold: ``values`` (n, blocks, d), and per node the time ``last`` (n,) of
    its last event and the number ``seen`` (n,) of events it has seen; ``ends`` (|E|, 2, w) is what
    the first and the second node of each edge remember of it, for methods that do: vectors of
    length d, one after the other; ``samples``
    (N, k) what the nodes remember of each of their samples, one node after the other, and
    ``sampled`` (N,) the time of the last event of each.
    """

    values: np.ndarray
    last: np.ndarray
    seen: np.ndarray
    ends: np.ndarray = np.empty((0, 2, 0))
    samples: np.ndarray = np.empty((0, 0))
    sampled: np.ndarray = np.empty(0)


# The types of the verbs below.
Flow = Callable[[State, Any, int, float], None]
Gradient = Callable[[State, Any, Any, int, np.uint64, np.ndarray], None]
ApplyGradient = Callable[[State, Any, int, np.ndarray], None]
Message = Callable[[State, Any, Any, int, np.ndarray], None]
ApplyMessage = Callable[[State, Any, int, int, np.ndarray], None]
Speak = Callable[[State, Any, Any, int, int, np.ndarray], None]
Send = Callable[[State, Any, int, int, np.ndarray], None]
Receive = Callable[[State, Any, int, int, np.ndarray], None]
Observe = Callable[[State, Any, Any, int, float, np.ndarray, np.ndarray], None]
Reset = Callable[[State, Any, int], None]


@by_type(1)
def flow(state, p, i, t):
    """Bring node i from ``state.last[i]`` to time t along the method's differential equation.

    Over no time at all it changes nothing, to the last bit.
    """


@by_type(1)
def gradient(state, p, objective, i, mark, out):
    """Write into ``out`` (step_vectors * d,) what node i computes at a gradient event; what it
    remembers of its samples it may change.
    """


@by_type(1)
def apply_gradient(state, p, i, g):
    """Let node i take the step ``g`` (step_vectors * d,) that it computed."""


@by_type(1)
def message(state, p, objective, i, out):
    """Write into ``out`` (vectors * d + scalars,) what node i sends in an exchange; it may compute
    it, and keep it, once.
    """


@by_type(1)
def apply_message(state, p, e, i, m):
    """What node i does with ``m``: its own message less that of the other end of edge e."""


@by_type(1)
def speak(state, p, objective, e, i, out):
    """Write into ``out`` (vectors * d + scalars,) what node i sends in an exchange over edge e."""


@by_type(1)
def send(state, p, e, i, out):
    """Write into ``out`` (vectors * d + scalars,) the message that node i sends over edge e to its
    other end; node i may give away what it sends, and remember that it did.
    """


@by_type(1)
def receive(state, p, e, i, payload):
    """What node i does with the ``payload`` (vectors * d + scalars,) that the other end of edge e
    sent.
    """


@by_type(1)
def observe(state, p, objective, i, t, work, out):
    """Write node i's estimate of x* at time t into ``out`` (d,); ``work`` (d,) is free; state is
    untouched.
    """


@by_type(1)
def reset(state, p, i):
    """Node i lost everything it held, and starts again."""


def stay(state, p, i, t):
    """The usual ``flow`` of a method without one: nothing moves between events."""


def compute_nothing(state, p, objective, i, mark, out):
    """The ``gradient`` of a method whose nodes have no events of their own."""


def apply_nothing(state, p, i, g):
    """The ``apply_gradient`` that goes with :func:`compute_nothing`."""


def send_first_block(state, p, objective, i, out):
    """The usual ``message``: the first block, x."""
    for k in range(state.values.shape[2]):
        out[k] = state.values[i, 0, k]


def speak_message(state, p, objective, e, i, out):
    """The usual ``speak``: the message, the same over each edge."""
    message(state, p, objective, i, out)


def ignore_message(state, p, e, i, m):
    """The ``apply_message``, and the ``receive``, of a method that never gets such a message."""


def send_one_block(state, p, e, i, out):
    """The usual ``send``: the first block, x."""
    for k in range(state.values.shape[2]):
        out[k] = state.values[i, 0, k]


def observe_first_block(state, p, objective, i, t, work, out):
    """The usual ``observe``: the first block, x, as it stands."""
    for k in range(out.shape[0]):
        out[k] = state.values[i, 0, k]


def start_from_zero(state, p, i):
    """The usual ``reset``: every block of the node is zero, as at a start from x0 = 0."""
    for block in range(state.values.shape[1]):
        for k in range(state.values.shape[2]):
            state.values[i, block, k] = 0.0
