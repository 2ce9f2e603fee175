"""The world of synchronous methods: a round is over when the slowest node and link are.

No queue of events is needed: the end of a round is a maximum of sums over the nodes and links that
it waits for, computed for all nodes at once. The laws are those of the asynchronous world.
"""

from collections.abc import Callable, Sequence

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.coin import shows_heads
from dadao_sim.events.log import RESENT, RESET, ROUND, Events
from dadao_sim.events.world.draws import Streams
from dadao_sim.events.world.log import EventLog
from dadao_sim.events.world.physics import Physics

ROUNDS = 256  # rounds in a window, beside what was resent or reset in them


class RoundWorld:
    """A source of windows of ``ROUNDS`` rounds each, the same for the same seed sequence.

    In a round every node computes ``gradients`` (where they take no time: for one interval, times
    its slowness), then exchanges with all its neighbours ``exchanges`` times in turn, a message of
    ``message_bytes`` each way. A node goes on when it has heard from all neighbours, with a global
    barrier when all nodes have; but where the coin of the round shows tails, as it does with
    probability 1 - ``chance``, it goes on at once. With a ``route`` not all send and wait: in
    exchange q only those of its entry q, modulo its length, a (2, k) of which end of an edge each
    is, 0 or 1, and of the edge. What faults do to that they say themselves. ``computing`` and
    ``waiting`` (n,) add up what the nodes do with their time.

    ``preparation`` is how many gradients each node computes before round 0, for a method that
    starts from some: the first computing of each node lasts so many gradients longer, of the same
    law but with draws of their own. InputError where it is negative.
    """

    def __init__(
        self,
        physics: Physics,
        exchanges: int,
        message_bytes: float,
        seed: np.random.SeedSequence,
        preparation: float = 0.0,
        gradients: float = 1.0,
        chance: float = 1.0,
        route: Sequence[np.ndarray] | None = None,
    ):
        if not 0 <= preparation < np.inf:
            raise InputError("preparation", f"{preparation} is not possible", "give 0 or more")
        if not 0 < gradients < np.inf:
            raise InputError("gradients", f"{gradients} is not possible", "give a number above 0")
        if physics.spec.links.bandwidth_shared:
            raise InputError(
                "links.bandwidth_shared", "is for asynchronous methods, not for rounds", "say false"
            )
        self.gradients, self.route = gradients, route
        self.lost: list[int] = []  # edges, of the round at hand
        self.physics, self.exchanges = physics, exchanges
        network, streams = physics.network, Streams(seed)
        self.log = EventLog(network.edges, 1.0, streams["marks"])
        self.chance, self.coin_seed, self.number = chance, self.log.first_mark, 0
        law = physics.spec.nodes.gradient
        self.draw = law.blocks_of_nodes(network, streams["durations"])
        first = law.blocks_of_nodes(network, streams["preparation"])
        self.prepares = _gradients(physics, preparation, first)
        self.faults = [
            fault.in_rounds(network, streams[fault.random_stream()]) for fault in physics.faults
        ]
        self.ends = network.edges.T.astype(np.int64)
        self.transfer = physics.time_per_byte * message_bytes
        self.ready = np.zeros(network.nodes)
        for node, at in physics.joining().items():
            self.ready[node] = at
        self.computing, self.waiting = np.zeros(network.nodes), np.zeros(network.nodes)
        # A list here is filled: per round when the nodes began, had computed, and went on, (3, n).
        self.history: list[np.ndarray] | None = None

    def window(self) -> Events:
        """The next ``ROUNDS`` rounds."""
        for _ in range(ROUNDS):
            self.step()
        return self.log.take(len(self.log.time))

    def step(self) -> None:
        """One round, written to the log."""
        begun, durations = self.compute()
        computed = begun + durations
        self.computing += durations
        self.waiting += begun - self.ready
        self.ready = computed
        for q in range(self.exchanges_of(self.number)):
            self.exchange(None if self.route is None else self.route[q % len(self.route)])
        self.waiting += self.ready - computed
        if self.history is not None:
            self.history.append(np.stack([begun, computed, self.ready]))
        end = float(self.ready.max())
        for edge in self.lost:
            self.log.write(end, RESENT, edge)
        self.lost.clear()
        for fault in self.faults:
            for node in fault.reset():
                self.log.write(end, RESET, node)
        self.log.write(end, ROUND, -1)
        self.number += 1

    def exchanges_of(self, number: int) -> int:
        """How often the nodes exchange in a round: not at all where its coin shows tails."""
        return self.exchanges if shows_heads(self.coin_seed, number, self.chance) else 0

    def exchanges_until(self, rounds: int) -> np.ndarray:
        """Over each edge in the first ``rounds``, (|E|,), those not counted that were repeated: a
        message each way, half of one where only one end sends.
        """
        made = sum(self.exchanges_of(number) for number in range(rounds))
        if self.route is None:
            return np.full(self.ends.shape[1], float(made))
        edges = np.concatenate([sends[1] for sends in self.route])
        once = np.bincount(edges, minlength=self.ends.shape[1]) / 2
        return made / len(self.route) * once

    def compute(self) -> tuple[np.ndarray, np.ndarray]:
        """When each node began the gradient that it brought to an end, and how long it took."""
        begun, durations = self.ready, self.work() + self.prepares
        self.prepares = np.zeros_like(self.prepares)
        for fault in self.faults:
            durations = fault.durations(durations, begun)
        for fault in self.faults:
            begun = fault.begun(begun, durations)
        return begun, durations

    def work(self) -> np.ndarray:
        """How long each node computes in a round, (n,)."""
        if self.physics.spec.nodes.gradient.mean == 0:
            return self.physics.interval() * self.physics.slowness
        return _gradients(self.physics, self.gradients, self.draw)

    def exchange(self, senders: np.ndarray | None = None) -> None:
        """Every node sends to its neighbours and hears from them, or only the ``senders`` of a
        route.
        """
        sends = np.ones(self.ends.shape, dtype=bool)
        if senders is not None:
            sends[:] = False
            sends[tuple(senders)] = True
        for fault in self.faults:
            self.ready = fault.ready(self.ready)
        at = self.ready[self.ends]  # (2, |E|): when each end of each edge can send
        for fault in self.faults:
            at = fault.opened(at)
        delay = self.delay()
        if senders is not None:  # what is not sent takes nobody's time or place
            at, delay = np.where(sends, at, 0.0), np.where(sends, delay, 0.0)
        for fault in self.faults:
            self.lost += [edge for edge in fault.resent() if sends[:, edge].any()]
        for fault in self.faults:
            at = fault.scheduled(at, delay)
        heard, over = self.ready.copy(), at + delay
        if senders is not None:
            over = np.where(sends, over, 0.0)
        for sender in (0, 1):
            np.maximum.at(heard, self.ends[1 - sender], over[sender])
        for fault in self.faults:
            heard = fault.goes_on(heard, over)
        if self.physics.spec.barrier == "global":
            heard[:] = heard.max()
        self.ready = heard

    def delay(self) -> np.ndarray:
        """What each message takes, (2, |E|)."""
        mean = self.physics.latency + self.transfer
        latency = np.stack([self.physics.latency] * 2)
        for fault in self.faults:
            latency = fault.latency(latency)
        delay = latency + self.transfer
        for fault in self.faults:
            delay = fault.delay(delay, mean)
        return delay


def _gradients(physics: Physics, count: float, draw: Callable[[], np.ndarray]) -> np.ndarray:
    """How long ``count`` gradients take one after the other, of the last only a share; (n,).

    No time where gradients take none: the interval of such a world is the pause between them.
    """
    mean = physics.spec.nodes.gradient.mean
    if mean == 0:
        return np.zeros(len(physics.slowness))
    whole = int(count)
    times = [mean * physics.slowness * draw() for _ in range(whole)]
    if count > whole:
        times.append((count - whole) * (mean * physics.slowness * draw()))
    return np.sum(times, axis=0) if times else np.zeros(len(physics.slowness))
