"""Replay a log of events: a method, a problem and a log in; every block of every node out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import (
    VERBS,
    AsynchronousMethod,
    Method,
    SynchronousMethod,
    Tuning,
)
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine.node import State
from dadao_sim.engine.play import (
    OBSERVE,
    OBSERVE_CACHED,
    PLAY,
    PLAY_CACHED,
    Log,
    NoObjective,
    observe_all,
    play,
)
from dadao_sim.engine.slots import Slots
from dadao_sim.errors import InputError, within
from dadao_sim.events.log import (
    GOSSIP,
    GRADIENT,
    GRADIENT_START,
    LOST,
    RESENT,
    RESET,
    ROUND,
    SEND,
    Events,
)

__all__ = ["Player", "make_player", "replay"]


class Player:
    """The state of a method under way, which consumes windows of events."""

    state: State
    objective: Any

    def play(self, events: Events, first: int, stop: int) -> None:
        """Replay rows ``first`` to ``stop`` of the window ``events``."""
        raise NotImplementedError

    def observe(self, t: float, out: np.ndarray) -> None:
        """Write the estimate of x* of every node at time t into ``out`` (n, d)."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Compile what the run will need, so that its wall time is its own. The state stays as it
        is.
        """
        raise NotImplementedError

    def blocks(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """A copy of every block (n, d), each node at its own last event."""
        return {name: self.state.values[:, k].copy() for k, name in enumerate(names)}


class AsynchronousPlayer(Player):
    """Plays atomic and delayed events of nodes and edges, compiled.

    Where the objective is a Python object, the events that ask it for a gradient are played as
    plain Python, by the same functions, and the runs of events between them compiled.
    """

    def __init__(self, method: AsynchronousMethod, tuning: Tuning, objective: Any, state: State):
        width = state.values.shape[2]
        parcel = method.costs.vectors * width
        self.method, self.p, self.objective, self.state = method, tuning.params, objective, state
        self.slots = Slots(max(width, parcel))
        self.scratch = (np.zeros(width), np.zeros(parcel), np.zeros(parcel))
        self.compiled_objective = isinstance(objective, tuple)
        own = all(
            kind.__module__.startswith("dadao_sim.")
            for kind in (
                *(method.params, *(getattr(method, verb) for verb in VERBS)),
                *tuple_classes(objective),
            )
        )
        self._play, self._observe = (PLAY_CACHED, OBSERVE_CACHED) if own else (PLAY, OBSERVE)
        self._window: tuple[Events, Log] | None = None

    def _log(self, events: Events) -> Log:
        if self._window is None or self._window[0] is not events:
            delayed = (events.kind >= GRADIENT_START) & (events.kind <= LOST)
            slot = self.slots.assign(events) if delayed.any() else events.start
            columns = (events.time, events.kind, events.i, events.j, events.edge, events.mark)
            self._window = (events, Log(*columns, slot))
        return self._window[1]

    def play(self, events: Events, first: int, stop: int) -> None:
        """See :meth:`Player.play`."""
        log = self._log(events)
        if self.compiled_objective:
            self._run(self._play, self.objective, log, first, stop)
            return
        asks = {GRADIENT, GRADIENT_START} | (
            {GOSSIP, SEND} if self.method.needs_conjugate else set()
        )
        asking = first + np.flatnonzero(np.isin(log.kind[first:stop], list(asks)))
        for row in asking.tolist():
            self._run(self._play, NoObjective(), log, first, row)
            self._run(play, self.objective, log, row, row + 1)
            first = row + 1
        self._run(self._play, NoObjective(), log, first, stop)

    def _run(self, loop: Any, objective: Any, log: Log, first: int, stop: int) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            loop(
                *(self.state, self.p, objective, log, self.slots.vectors),
                *(*self.scratch, first, stop),
            )

    def observe(self, t: float, out: np.ndarray) -> None:
        """See :meth:`Player.observe`."""
        loop = self._observe if self.compiled_objective else observe_all
        with np.errstate(over="ignore", invalid="ignore"):
            loop(self.state, self.p, self.objective, t, self.scratch[0], out)

    def warm_up(self) -> None:
        """See :meth:`Player.warm_up`."""
        self.play(Events.from_arrays([], [], []), 0, 0)
        self.observe(0.0, np.empty((0, len(self.scratch[0]))))


def tuple_classes(value: Any) -> list[type]:
    """The class of a NamedTuple and those of the NamedTuples in it."""
    if not (isinstance(value, tuple) and hasattr(value, "_fields")):
        return []
    return [type(value), *(cls for part in value for cls in tuple_classes(part))]


class SynchronousPlayer(Player):
    """Plays rounds: NumPy and sparse products."""

    def __init__(self, method: SynchronousMethod, tuning: Tuning, objective: Any, state: State):
        self.method, self.tuning, self.objective, self.state = method, tuning, objective, state
        self.step = 0

    def play(self, events: Events, first: int, stop: int) -> None:
        """See :meth:`Player.play`."""
        with np.errstate(over="ignore", invalid="ignore"):
            for row in range(first, stop):
                if events.kind[row] == ROUND:
                    mark = int(events.mark[row])
                    self.method.on_round(self.state, self.tuning, self.objective, self.step, mark)
                    self.step += 1
                elif events.kind[row] == RESET:
                    self.state.values[events.i[row]] = 0.0

    def observe(self, t: float, out: np.ndarray) -> None:
        """See :meth:`Player.observe`."""
        with np.errstate(over="ignore", invalid="ignore"):
            out[:] = self.method.observe(self.state, self.tuning, self.objective)

    def warm_up(self) -> None:
        """See :meth:`Player.warm_up`."""
        copy = State(*(array.copy(order="K") for array in self.state))
        self.method.on_round(copy, self.tuning, self.objective, 0, 0)


def start_rows(x0: Any, nodes: int, dimension: int) -> np.ndarray:
    """x0 as one row per node (n, d): zeros by default, one vector for all, or a row each."""
    rows = np.zeros(dimension) if x0 is None else np.asarray(x0, dtype=float)
    if rows.shape not in {(dimension,), (nodes, dimension)}:
        raise InputError(
            f"x0: has shape {rows.shape}; must be ({dimension},) or ({nodes}, {dimension})"
        )
    if not np.isfinite(rows).all():
        raise InputError("x0: must be finite")
    return np.array(np.broadcast_to(rows, (nodes, dimension)))


def make_player(
    method: Method,
    problem: Any,
    tuning: Tuning,
    x0: np.ndarray,
    blocks: Mapping[str, np.ndarray],
    batch_size: int | None = None,
) -> Player:
    """A player at time 0, its objective and its state made ready. ``x0`` is (n, d)."""
    nodes, dimension = problem.nodes, problem.dimension
    objective = problem.objective
    if method.needs_conjugate:
        objective = problem.with_conjugate()
    if batch_size is not None:
        objective = problem.stochastic_objective(batch_size)
    values = method.initial_values(nodes, dimension, x0, blocks)
    method.start(values)
    values |= {name: blocks[name] for name in blocks}
    if isinstance(method, SynchronousMethod):
        # A block's rows side by side: rounds work on whole blocks.
        array = np.empty((len(values), nodes, dimension)).transpose(1, 0, 2)
    else:
        if getattr(tuning.params, "averaging", 0):
            values["average"] = x0
        # A node's blocks side by side: events work on whole nodes.
        array = np.empty((nodes, len(values), dimension))
    for block, value in enumerate(values.values()):
        array[:, block] = value
    state = State(array, np.zeros(nodes), np.zeros(nodes, dtype=np.int64))
    if isinstance(method, SynchronousMethod):
        return SynchronousPlayer(method, tuning, objective, state)
    assert isinstance(method, AsynchronousMethod)
    return AsynchronousPlayer(method, tuning, objective, state)


@one_blas_thread()
def replay(
    algorithm: str | Method,
    problem: Any,
    network: Any,
    events: Events,
    x0: Any = None,
    overrides: Mapping[str, float] | None = None,
    **blocks: Any,
) -> dict[str, np.ndarray]:
    """Play a given log and return every state block by name, each (n, d).

    Nodes are left at the time of their own last event. ``x0`` is (d,) or (n, d), zeros by default;
    ``overrides`` replaces constants of the method by name; ``blocks`` gives other blocks their
    value at time 0. For a synchronous method each ROUND of the log is a step.

    Raises InputError for a method that cannot do this problem or network, an unknown constant or
    block, and a log of the wrong kind.
    """
    method = algorithm if isinstance(algorithm, Method) else get_method(algorithm)
    method.check_supported(problem, network)
    if network.nodes != problem.nodes:
        raise InputError(f"network: has {network.nodes} nodes, but the problem has {problem.nodes}")
    rounds = np.isin(events.kind, (ROUND, RESENT))
    wrong = ~rounds if isinstance(method, SynchronousMethod) else rounds
    if (wrong & (events.kind != RESET)).any():
        wanted = "rounds only" if isinstance(method, SynchronousMethod) else "no rounds"
        raise InputError(f"events.kind: {method.name} plays a log of {wanted}")
    with within("events"):
        events.check(network.nodes)
        events = events.on(network)
    tuning = method.tuned(problem, network, overrides or {})
    rows = start_rows(x0, problem.nodes, problem.dimension)
    player = make_player(method, problem, tuning, rows, blocks)
    player.play(events, 0, len(events))
    return player.blocks(method.blocks)
