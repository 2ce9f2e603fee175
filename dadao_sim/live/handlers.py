"""What a node does at an event, by the engine's own functions: one entry for all its verbs.

The replay loop (``engine.play``) has both ends of an exchange at hand; here each end does its part.
The two are compiled from the same functions and take the same steps, so that they agree to the last
bit.
"""

from typing import Any

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import node
from dadao_sim.engine.node import (
    State,
    apply_gradient,
    apply_message,
    gradient,
    receive,
    send,
    speak,
)
from dadao_sim.engine.play import NoObjective, advance
from dadao_sim.simulation.event_player import EventPlayer

NOTHING = -1  # compiles what follows
COMPUTE = 0  # flow to t, and compute a gradient into `vector`
STEP = 1  # apply the gradient in `vector`
SPEAK = 2  # flow to t, and write what is sent in an exchange over edge e into `vector`
HEAR = 3  # apply `vector`, the own message less that of the other end of edge e
FLOW = 4  # flow to t: what began earlier arrives
TELL = 5  # flow to t, and write the message to the other end of edge e into `vector`
TAKE = 6  # flow to t, and take the message in `vector` from the other end of edge e


def act(state, p, objective, what, i, e, t, mark, vector):
    """Let node i do ``what``, at time t."""
    if what in (COMPUTE, SPEAK, FLOW, TELL, TAKE):
        advance(state, p, i, t)
    if what == COMPUTE:
        gradient(state, p, objective, i, mark, vector)
    elif what == STEP:
        apply_gradient(state, p, i, vector)
    elif what == SPEAK:
        speak(state, p, objective, e, i, vector)
    elif what == HEAR:
        apply_message(state, p, e, i, vector)
    elif what == TELL:
        send(state, p, e, i, vector)
    elif what == TAKE:
        receive(state, p, e, i, vector)


ACT = kernel(act)
NO_MARK = np.uint64(0)


class Handlers:
    """The handlers of node ``i``, on a state in which every other node's rows are nan.

    Made of a ``player`` at time 0 before the processes part, which compiles them. ``ends`` are the
    places (edge, 0 or 1) of the node in its edges, ``samples`` its rows of ``state.samples``.
    """

    def __init__(self, player: EventPlayer, i: int, ends: list[tuple[int, int]], samples: slice):
        self.i, self.p, self.objective = i, player.p, player.objective
        self.ends, self.samples = tuple(zip(*ends, strict=True)), samples
        self.state = own(player.state, i, self.ends, samples)
        self.compiled = player.compiled_objective
        self.asks = (COMPUTE, SPEAK) if player.counts.asked.exchange.gradients else (COMPUTE,)
        self.step, self.parcel = (np.zeros_like(vector) for vector in player.scratch[:2])

    def compute(self, t: float, mark: Any = NO_MARK) -> np.ndarray:
        """Flow to t; the gradient there, in a vector that the next one overwrites."""
        self._act(COMPUTE, -1, t, mark, self.step)
        return self.step

    def step_by(self, vector: np.ndarray) -> None:
        """Apply a gradient."""
        self._act(STEP, -1, 0.0, NO_MARK, vector)

    def speak(self, edge: int, t: float) -> np.ndarray:
        """Flow to t; what an exchange sends there, in a vector that the next one overwrites."""
        self._act(SPEAK, edge, t, NO_MARK, self.parcel)
        return self.parcel

    def hear(self, edge: int, difference: np.ndarray) -> None:
        """Apply an exchange: what was sent less what came."""
        self._act(HEAR, edge, 0.0, NO_MARK, difference)

    def tell(self, edge: int, t: float) -> np.ndarray:
        """Flow to t; the message one way there, in a vector that the next one overwrites."""
        self._act(TELL, edge, t, NO_MARK, self.parcel)
        return self.parcel

    def take(self, edge: int, t: float, payload: np.ndarray) -> None:
        """Flow to t, and take a message one way."""
        self._act(TAKE, edge, t, NO_MARK, payload)

    def flow(self, t: float) -> None:
        """Flow to t."""
        self._act(FLOW, -1, t, NO_MARK, self.step)

    def reset(self, t: float) -> None:
        """Lose everything, at time t."""
        node.reset(self.state, self.p, self.i)
        self.state.last[self.i], self.state.seen[self.i] = t, 0

    def compile(self) -> None:
        """Compile what the node will need; nothing happens."""
        ACT(
            self.state,
            self.p,
            self._compiled(NOTHING),
            NOTHING,
            *self._rest(-1, 0.0, NO_MARK),
            self.step,
        )

    def rows(self) -> dict[str, np.ndarray]:
        """What is the node's of the state."""
        return rows_of(self.state, self.i, self.ends, self.samples)

    @property
    def last(self) -> float:
        """The time of its last event."""
        return float(self.state.last[self.i])

    def _act(self, what: int, edge: int, t: float, mark: Any, vector: np.ndarray) -> None:
        plain = not self.compiled and what in self.asks
        loop, objective = (act, self.objective) if plain else (ACT, self._compiled(what))
        with np.errstate(over="ignore", invalid="ignore"):
            loop(self.state, self.p, objective, what, *self._rest(edge, t, mark), vector)

    def _compiled(self, what: int) -> Any:
        return self.objective if self.compiled else NoObjective()

    def _rest(self, edge: int, t: float, mark: Any) -> tuple[int, int, float, np.uint64]:
        return self.i, edge, t, np.uint64(mark)


Ends = tuple[tuple[int, ...], ...]


def rows_of(state: State, i: int, ends: Ends, samples: slice) -> dict[str, np.ndarray]:
    """Copies of what is node i's of a state, by name: what a live and a replayed node compare.

    Not how many events it has seen: an exchange that was cut in two is one event to the node, and
    two rows of the log.
    """
    found = {"values": state.values[i], "last": state.last[i : i + 1]}
    if len(state.ends):
        found["ends"] = state.ends[ends]
    return {name: np.array(array) for name, array in found.items()} | {
        "samples": state.samples[samples].copy(),
        "sampled": state.sampled[samples].copy(),
    }


def own(state: State, i: int, ends: Ends, samples: slice) -> State:
    """A copy of a state with what is not node i's set to nan."""

    def only(array: np.ndarray, rows: Any) -> np.ndarray:
        copy = np.full_like(array, np.nan)
        if len(array):
            copy[rows] = array[rows]
        return copy

    return State(
        only(state.values, i),
        only(state.last, i),
        state.seen.copy(),
        only(state.ends, ends),
        only(state.samples, samples),
        only(state.sampled, samples),
    )
