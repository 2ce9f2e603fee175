"""The player of asynchronous methods: atomic and delayed events of nodes and edges, compiled."""

from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Tuning
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compiled.parallel import shared_out, threads_in_use, together
from dadao_sim.engine.levels import Leveller
from dadao_sim.engine.node import State
from dadao_sim.engine.play import (
    OBSERVE,
    PLAY,
    Log,
    NoObjective,
    observe_all,
    play,
)
from dadao_sim.engine.slots import Slots
from dadao_sim.engine.stale import Newest
from dadao_sim.engine.workspace import own, shareable
from dadao_sim.errors import InputError, users_code
from dadao_sim.events.log import (
    BEGIN,
    END,
    GOSSIP,
    GRADIENT,
    GRADIENT_START,
    KIND_NAMES,
    RESET,
    SEND,
    Events,
)
from dadao_sim.simulation.counts import EventCounts
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.player import Player

DELAYED = np.isin(np.arange(len(KIND_NAMES)), (*BEGIN, *END))
LEAST = 500
"""Events of a level for each thread: see ``benchmarks/threads.py``."""
LEAST_OBSERVED = 5_000
"""Nodes that are observed, for each thread."""
LEAST_NODES = 50_000
"""Of fewer, levels are so narrow that to wake threads for each costs what they give: at 20 000
nodes they gain a third at most, and lose where something else is at work on the machine.
"""
PIECES = 2
"""How many times smaller than that the last pieces of a level may be."""


def shrinking(first: int, stop: int, threads: int, least: int) -> list[tuple[int, int]]:
    """Consecutive pieces of ``range(first, stop)``: each is two thirds of a thread's part of what
    is left, but no less than ``least`` unless it is all.
    """
    pieces = []
    while first < stop:
        end = min(stop, first + max(least, 2 * (stop - first) // (3 * threads)))
        pieces.append((first, end))
        first = end
    return pieces


class Hand(NamedTuple):
    """What a thread has for itself: the workspaces of the objective, and vectors for the step and
    the messages of an event.
    """

    objective: Any
    scratch: tuple[np.ndarray, ...]


class EventPlayer(Player):
    """Plays atomic and delayed events of nodes and edges, compiled: those of a level at the same
    time where several threads are in use (see ``engine.levels``).

    Where the objective is a Python object, the events that ask it for a gradient are played as
    plain Python, by the same functions, and the runs of events between them compiled.
    """

    def __init__(
        self,
        method: AsynchronousMethod,
        tuning: Tuning,
        objective: Any,
        state: State,
        share: np.ndarray,
    ):
        nodes, _, width = state.values.shape
        parcel = method.vectors * width + method.scalars
        self.method, self.p, self.objective, self.state = method, tuning.params, objective, state
        self.shape = nodes, width
        self.counts = EventCounts(tuning.asked, share)
        step = method.step_vectors * width
        self.slots = Slots(max(step, parcel))
        self.newest = Newest(len(tuning.network.edges)) if method.newest else None
        self.scratch = (np.zeros(step), np.zeros(parcel), np.zeros(parcel))
        self._helpers: list[Hand] = []
        self._order, self.leveller = np.arange(0), Leveller(nodes)
        self.compiled_objective = isinstance(objective, tuple)
        self.least, self.least_nodes = LEAST, LEAST_NODES
        self.least_observed = LEAST_OBSERVED
        self._is_shareable = self.compiled_objective and shareable(objective)
        self._play = PLAY
        self._window: tuple[Events, Log] | None = None
        self._before = 0  # events of earlier windows

    @property
    def tally(self) -> Tally:
        """See :meth:`Player.tally`."""
        return self.counts.tally

    @property
    def arrays(self) -> list[np.ndarray]:
        """See :meth:`Player.arrays`."""
        return list(self.state)

    def blocks(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """See :meth:`Player.blocks`."""
        values, samples, method = self.state.values, self.state.samples, self.method
        found = {name: values[:, k] for k, name in enumerate(method.blocks)}
        found |= {name: samples[:, k] for k, name in enumerate(method.sample_blocks)}
        return {name: found[name].copy() for name in names}

    def _log(self, events: Events) -> Log:
        if self._window is None or self._window[0] is not events:
            self._before += len(self._window[0]) if self._window is not None else 0
            delayed = DELAYED[events.kind].any()
            spread = len(self._hands()) > 1
            slot = self.slots.assign(events, spread=spread) if delayed else events.start
            kind = self.newest.kinds(events) if self.newest and delayed else events.kind
            columns = (events.time, kind, events.i, events.j, events.edge, events.mark)
            self._window = (events, Log(*columns, slot))
        return self._window[1]

    def begin(self, events: Events) -> None:
        """Nothing: the state is that of time 0."""

    def play_until(self, events: Events, first: int, stop: int, limits: Limits) -> tuple[int, str]:
        """See :meth:`Player.play_until`."""
        log = self._log(events)
        stop, reason = self.counts.add(events, first, stop, limits)
        self._replay(log, first, stop)
        return stop, reason

    def _replay(self, log: Log, first: int, stop: int) -> None:
        if self.compiled_objective:
            self._in_levels(log, first, stop)
            return
        asks = {GRADIENT, GRADIENT_START} | (
            {GOSSIP, SEND} if self.counts.asked.exchange.gradients else set()
        )
        asking = first + np.flatnonzero(np.isin(log.kind[first:stop], list(asks)))
        order, hand = self._in_order(stop), Hand(self.objective, self.scratch)
        without = hand._replace(objective=NoObjective())
        for row in asking.tolist():
            self._run(self._play, without, log, order, first, row)
            try:
                self._run(play, hand, log, order, row, row + 1)
            except InputError as error:  # of a function of a user
                raise error.at(f"event {self._before + row}") from error.__cause__
            first = row + 1
        self._run(self._play, without, log, order, first, stop)

    def _in_levels(self, log: Log, first: int, stop: int) -> None:
        """Play rows as one thread would, level by level where several are in use."""
        hands = self._hands()
        least = 2 * self.least
        few = self.shape[0] < self.least_nodes or stop - first < least
        # A node that lost its state may ask its neighbours for what they hold.
        if len(hands) == 1 or few or (log.kind[first:stop] == RESET).any():
            self.play_rows(log, self._in_order(stop), first, stop)
            return
        slots = len(self.slots.vectors)
        order, begins = self.leveller.levels(
            *(log.i, log.j, log.slot, first, stop), slots=slots, least=least
        )
        for begin, end in pairwise(begins[:-1]):
            self._play_level(hands, log, order, begin, end)
        self.play_rows(log, order, begins[-2], begins[-1])

    def _play_level(
        self, hands: list[Hand], log: Log, order: np.ndarray, begin: int, end: int
    ) -> None:
        """Play one level: each thread takes the next piece when it is done with one, since cores
        are seldom equally fast. The last pieces are small, for the others wait for who has them.
        """
        hands = hands[: max(1, (end - begin) // self.least)]
        pieces = iter(shrinking(begin, end, len(hands), max(1, self.least // PIECES)))

        def play_pieces(hand: Hand) -> None:
            for first, stop in pieces:
                self._run(self._play, hand, log, order, first, stop)

        together([partial(play_pieces, hand) for hand in hands])

    def play_rows(self, log: Log, order: np.ndarray, first: int, stop: int) -> None:
        """Play the rows ``order[first:stop]`` of a compiled objective, by one thread."""
        self._run(self._play, Hand(self.objective, self.scratch), log, order, first, stop)

    def _in_order(self, stop: int) -> np.ndarray:
        """The rows of a window one after the other, ``stop`` of them at least."""
        if len(self._order) < stop:
            self._order = np.arange(stop)
        return self._order

    def _hands(self) -> list[Hand]:
        """Those of all threads that may play, as many as the nodes can keep busy: one of an
        objective that is not declared for more.
        """
        busy = self.shape[0] // self.least
        several = max(min(threads_in_use(), busy), 1) if self._is_shareable else 1
        while len(self._helpers) < several - 1:
            scratch = tuple(np.zeros_like(vector) for vector in self.scratch)
            self._helpers.append(Hand(own(self.objective), scratch))
        return [Hand(self.objective, self.scratch), *self._helpers[: several - 1]]

    def _run(
        self, loop: Any, hand: Hand, log: Log, order: np.ndarray, first: int, stop: int
    ) -> None:
        with np.errstate(over="ignore", invalid="ignore"), users_code(self.method.name):
            loop(
                *(self.state, self.p, hand.objective, log, self.slots.vectors),
                *(*hand.scratch, order, first, stop),
            )

    def observe(self, t: float, out: np.ndarray) -> None:
        """See :meth:`Player.observe`."""
        loop = OBSERVE if self.compiled_objective else observe_all
        hands = self._hands()

        def look(number: int, first: int, stop: int) -> None:
            work = hands[number].scratch[0][: self.shape[1]]
            loop(self.state, self.p, hands[number].objective, t, work, out, first, stop)

        least = len(out) if len(hands) == 1 else self.least_observed
        with np.errstate(over="ignore", invalid="ignore"):
            shared_out(len(out), least, look)

    def warm_up(self) -> None:
        """See :meth:`Player.warm_up`."""
        self.play(Events.from_arrays([], [], []), 0, 0)
        self.observe(0.0, np.empty((0, self.shape[1])))
