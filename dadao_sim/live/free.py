"""The process of a node in a free run: its own clock, its own ticks, exchanges as they come.

An exchange over the edge (i, j), i < j, begun by i, who locks itself while it lasts:

    i -> j  REQUEST(t_i)   when j is free it locks itself: t = max(j's clock, j's last event, t_i);
                           it flows to t, and writes that down
    j -> i  t, message     i flows to t, writes that down,
    i -> j  message        and applies; j applies, and writes that down

Who waits waits for a larger name: there is no circle of waiting, hence no deadlock. Both apply the
message of i less that of j, with their own sign. A node is done at the horizon when every smaller
neighbour has said that it is, or has died.
"""

import select
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.live.board import Board
from dadao_sim.live.handlers import Handlers
from dadao_sim.live.records import APPLIED, GRADIENT, GRANTER, LOST, REQUESTER, Writer
from dadao_sim.live.wires import Gone, Wire

REQUEST, DONE = b"R", b"D"
ASKED = struct.Struct("<dq")  # the owner's time, the number of the exchange
AGREED = struct.Struct("<d")
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
    """The rates of a node's clocks, per unit of time, and the seed of their ticks."""

    gradients: float
    edges: Mapping[int, float]  # by larger neighbour
    seed: np.random.SeedSequence


class FreeNode:
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
        self.rates, self.write, self.board, self.i = clocks.edges, writer.write, board, handlers.i
        self.patience = patience
        self.rng = np.random.default_rng(clocks.seed)
        self.key = self.rng.integers(0, 2**64, dtype=np.uint64)
        self.gradients = self.asked = self.made = 0
        self.gradient_rate = clocks.gradients
        rates = {OWN: clocks.gradients, **clocks.edges}
        self.due = {name: self._gap(rate) for name, rate in rates.items() if rate > 0}
        self.smaller = {j for j in wires if j < self.i}  # who may still ask for something

    def run(self) -> None:
        """From time 0 to the horizon, and until nobody asks any more. TooLong, from a wire."""
        finished, busy = False, 0.0
        latest = self.pace.horizon + self.patience / self.pace.unit
        while self.smaller or not finished:
            now = self.clock()
            if now > latest:
                return  # who asks now, after so long a silence, hears that this end has gone
            if not finished and now >= self.pace.horizon:
                finished, self.due = True, {}
                for j in [j for j in self.wires if j > self.i]:
                    self._say_done(j)
            name = min(self.due, key=self.due.__getitem__, default=None)
            wait = LONGEST_SLEEP
            if name is not None:
                wait = min(max((self.due[name] - now) * self.pace.unit, 0.0), wait)
            asked = self._asked(wait)
            begun = time.perf_counter()
            for j in asked:
                self._serve(j)
            now = self.clock()
            if name in self.due and self.due[name] <= now < self.pace.horizon:
                self._tick(name)
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

    def _gap(self, rate: float) -> float:
        return float(self.rng.exponential(1 / rate))

    def _asked(self, wait: float) -> list[int]:
        """The smaller neighbours that have sent something within ``wait`` seconds."""
        wires = {self.wires[j].fileno(): j for j in self.smaller}
        lifeline = self.board.lifeline
        ready = select.select([*wires, lifeline], [], [], wait)[0]
        if lifeline in ready:
            self.board.leave()
        return sorted(wires[file] for file in ready)

    def _tick(self, name: int) -> None:
        """What was due: the next tick comes so long after the time that was planned."""
        if name == OWN:
            self.due[OWN] += self._gap(self.gradient_rate)
            mark = splitmix64(np.uint64((int(self.key) + self.gradients) % 2**64))
            t = self.now()
            self.write(GRADIENT, t, mark=mark)
            self.handlers.step_by(self.handlers.compute(t, mark))
            self.gradients += 1
        else:
            self.due[name] += self._gap(self.rates[name])
            self._exchange(name)

    def _exchange(self, j: int) -> None:
        """Ask a larger neighbour for an exchange, and make it."""
        wire, handlers, number = self.wires[j], self.handlers, self.asked
        self.asked += 1  # also where nothing comes of it: the other end may have written it down
        try:
            self._send(wire, REQUEST + ASKED.pack(self.now(), number))
            (t,) = AGREED.unpack(wire.receive(AGREED.size))
            theirs = wire.receive_vector(len(handlers.parcel))
        except Gone:  # before anything was done
            self._drop(j)
            return
        ours = handlers.speak(t)
        self.write(REQUESTER, t, j, self.i, number)
        self.made += 1
        try:
            self._send(wire, ours.tobytes())
        except Gone:  # after its grant: this end has acted
            self._drop(j)
        handlers.hear(self.edges[j], ours - theirs)

    def _serve(self, j: int) -> None:
        """Answer what a smaller neighbour has sent."""
        wire, handlers = self.wires[j], self.handlers
        try:
            if wire.receive(1) == DONE:
                self.smaller.discard(j)
                return
            asked, number = ASKED.unpack(wire.receive(ASKED.size))
        except Gone:
            self._drop(j)
            return
        t = self.now(asked)
        ours = handlers.speak(t)
        self.write(GRANTER, t, j, j, number)
        try:
            self._send(wire, AGREED.pack(t) + ours.tobytes())
            theirs = wire.receive_vector(len(ours))
        except Gone:
            self.write(LOST, t, j, j, number)
            self._drop(j)
            return
        self.write(APPLIED, t, j, j, number)
        handlers.hear(self.edges[j], -(theirs - ours))

    def _say_done(self, j: int) -> None:
        try:
            self.wires[j].send(DONE)
        except Gone:
            self._drop(j)

    def _send(self, wire: Wire, data: bytes) -> None:
        if self.pace.delay:
            self.board.pause(self.pace.delay)
        wire.send(data)

    def _drop(self, j: int) -> None:
        """Go on without a neighbour that has died."""
        self.wires.pop(j).close()
        self.due.pop(j, None)
        self.smaller.discard(j)
