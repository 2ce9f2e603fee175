"""The process of a node in a free run: its own clock, its own ticks, and what others send to it."""

import select
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.live.board import Board
from dadao_sim.live.handlers import Handlers
from dadao_sim.live.records import GRADIENT, Writer
from dadao_sim.live.wires import Wire

LONGEST_SLEEP = 0.05  # seconds without a look at the neighbours
OWN = -1  # the clock of the node's own gradients


@dataclass(frozen=True)
class Pace:
    """How time goes in a live run: ``unit`` and ``delay`` (of each message) in seconds, the
    ``horizon`` in units.
    """

    unit: float
    horizon: float
    delay: float = 0.0


@dataclass(frozen=True)
class Clocks:
    """The rates of a node's clocks, per unit of time, and the seed of their ticks.

    ``neighbours`` has those of the neighbours that it turns to, and ``asked_by`` those that turn to
    it.
    """

    gradients: float
    neighbours: Mapping[int, float]
    asked_by: Collection[int]
    seed: np.random.SeedSequence


class FreeNode(ABC):
    """A node that lives by its own clock; ``wires`` and ``edges`` (numbers) are by neighbour.

    It waits ``patience`` seconds at most for those that are not done at the horizon.
    """

    def __init__(
        self,
        handlers: Handlers,
        wires: dict[int, Wire],
        edges: Mapping[int, int],
        pace: Pace,
        clocks: Clocks,
        writer: Writer,
        board: Board,
        patience: float,
    ):
        self.handlers, self.wires, self.edges, self.pace = handlers, wires, edges, pace
        self.write, self.board, self.patience = writer.write, board, patience
        self.i, self.rates = handlers.i, clocks.neighbours
        self.rng = np.random.default_rng(clocks.seed)
        self.key = self.rng.integers(0, 2**64, dtype=np.uint64)
        self.gradients = self.made = 0
        self.gradient_rate = clocks.gradients
        rates = {OWN: clocks.gradients, **clocks.neighbours}
        self.due = {name: self._gap(rate) for name, rate in rates.items() if rate > 0}
        self.awaited = set(clocks.asked_by)  # who may still send something
        self.finished = False

    def run(self) -> None:
        """From time 0 to the horizon, and until nobody asks any more. TooLong, from a wire."""
        busy = 0.0
        latest = self.pace.horizon + self.patience / self.pace.unit
        while self.awaited or not self.finished:
            now = self.clock()
            if now > latest:
                return  # who asks now, after so long a silence, hears that this end has gone
            if not self.finished and now >= self.pace.horizon:
                self.finished = True
                for j in [j for j in self.rates if j in self.wires]:
                    self._say_done(j)
            heard = self._heard(self._wait(now))
            begun = time.perf_counter()
            for j in heard:
                self._serve(j)
            if not self.finished:
                self._tick_if_due()
            busy += time.perf_counter() - begun
            self.board.report(self.i, self.gradients, self.made, busy)

    def clock(self) -> float:
        """The time, in units since the start."""
        return max((time.monotonic_ns() - self.board.start) * 1e-9 / self.pace.unit, 0.0)

    def now(self, earliest: float = 0.0) -> float:
        """The time of an event: the clock's, but no earlier than what the node has seen, and not
        past the horizon.
        """
        return max(min(self.clock(), self.pace.horizon), self.handlers.last, earliest)

    @abstractmethod
    def _serve(self, j: int) -> None:
        """Answer what a neighbour has sent."""

    @abstractmethod
    def _turn_to(self, j: int) -> None:
        """What is due at a tick of the clock of a neighbour."""

    @abstractmethod
    def _say_done(self, j: int) -> None:
        """Tell a neighbour that nothing more comes from here."""

    def _next(self) -> float:
        """When something is due."""
        return min(self.due.values(), default=np.inf)

    def _wait(self, now: float) -> float:
        """For how many seconds nothing is due; not longer than a node may be deaf."""
        if self.finished:
            return LONGEST_SLEEP
        return min(max((self._next() - now) * self.pace.unit, 0.0), LONGEST_SLEEP)

    def _gap(self, rate: float) -> float:
        return float(self.rng.exponential(1 / rate))

    def _heard(self, wait: float) -> list[int]:
        """The neighbours from which something has come within ``wait`` seconds."""
        wires = {self.wires[j].fileno(): j for j in self.awaited}
        lifeline = self.board.lifeline
        ready = select.select([*wires, lifeline], [], [], wait)[0]
        if lifeline in ready:
            self.board.leave()
        return sorted(wires[file] for file in ready)

    def _tick_if_due(self) -> None:
        """The earliest tick, if its time has come; the next one comes so long after the time that
        was planned.
        """
        name = min(self.due, key=self.due.__getitem__, default=None)
        if name is None or not self.due[name] <= self.clock() < self.pace.horizon:
            return
        if name != OWN:
            self.due[name] += self._gap(self.rates[name])
            self._turn_to(name)
            return
        self.due[OWN] += self._gap(self.gradient_rate)
        with np.errstate(over="ignore"):  # splitmix64 wraps around, also as plain Python
            mark = splitmix64(np.uint64((int(self.key) + self.gradients) % 2**64))
        t = self.now()
        self.write(GRADIENT, t, mark=mark)
        self.handlers.step_by(self.handlers.compute(t, mark))
        self.gradients += 1

    def _drop(self, j: int) -> None:
        """Go on without a neighbour that has died."""
        self.wires.pop(j).close()
        self.due.pop(j, None)
        self.awaited.discard(j)
