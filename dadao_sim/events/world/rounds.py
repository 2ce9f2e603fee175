"""The world of synchronous methods: a round is over when the slowest node and link are.

No queue of events is needed: the end of a round is a maximum of sums over the nodes and links that
it waits for, computed for all nodes at once. The laws are those of the asynchronous world.
"""

import heapq
import math
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.log import RESENT, RESET, ROUND, Events
from dadao_sim.events.world.draws import generators, uniforms, unit_block
from dadao_sim.events.world.log import EventLog
from dadao_sim.events.world.losses import chances
from dadao_sim.events.world.periods import PeriodsOfMany
from dadao_sim.events.world.physics import Physics
from dadao_sim.events.world.spec import LogNormal

ROUNDS = 256  # rounds in a window, beside what was resent or reset in them
ATTEMPTS = 10_000  # of a gradient between crashes, or of an exchange, after which it is hopeless


class RoundWorld:
    """A source of windows of ``ROUNDS`` rounds each, the same for the same seed sequence.

    In a round every node computes (where gradients take no time: for exactly one interval, times
    its slowness), then exchanges with all its neighbours ``exchanges`` times in turn, a message of
    ``message_bytes`` each way. A node goes on when it has heard from all neighbours, with a global
    barrier when all nodes have. A lost exchange is repeated after twice the delay of its edge. What
    a node computes when it crashes begins anew; its neighbours wait. ``computing`` and ``waiting``
    (n,) add up what the nodes do with their time.
    """

    def __init__(
        self, physics: Physics, exchanges: int, message_bytes: float, seed: np.random.SeedSequence
    ):
        self.physics, self.exchanges = physics, exchanges
        spec, network = physics.spec, physics.network
        nodes, links = spec.nodes, spec.links
        self.rng = generators(seed)
        self.log = EventLog(network.edges, 1.0, self.rng["marks"])
        self.ends = network.edges.T.astype(np.int64)
        self.delay, self.transfer = physics.latency, physics.time_per_byte * message_bytes
        self.crashes, self.slow, self.outages = (
            None if periods is None else PeriodsOfMany(periods, count, self.rng[name])
            for periods, count, name in (
                (nodes.crashes, network.nodes, "crashes"),
                (nodes.slow_periods, network.nodes, "slow_periods"),
                (links.outages, len(network.edges), "outages"),
            )
        )
        self.cuts = _intervals(physics.cuts)
        loss = links.loss
        self.draw_loss = uniforms(self.rng["losses"])
        self.chance = None if loss is None else chances(loss, len(network.edges), self.draw_loss)
        self.ready = np.zeros(network.nodes)
        for late in nodes.late:
            self.ready[late.node] = late.at
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
        resent: list[int] = []
        for _ in range(self.exchanges):
            self.exchange(resent)
        self.waiting += self.ready - computed
        if self.history is not None:
            self.history.append(np.stack([begun, computed, self.ready]))
        end = float(self.ready.max())
        for edge in resent:
            self.write(end, RESENT, edge)
        if self.crashes is not None:
            crashes = self.physics.spec.nodes.crashes
            if crashes is not None and crashes.state == "lost":
                for node in np.flatnonzero(self.crashes.passed).tolist():
                    self.write(end, RESET, node)
            self.crashes.passed[:] = False
        self.write(end, ROUND, -1)

    def write(self, time: float, kind: int, place: int) -> None:
        """A row."""
        self.log.time.append(time)
        self.log.kind.append(kind)
        self.log.place.append(place)
        self.log.start.append(-1)

    def compute(self) -> tuple[np.ndarray, np.ndarray]:
        """When each node began the gradient that it brought to an end, and how long it took."""
        physics, law = self.physics, self.physics.spec.nodes.gradient
        begun = self.ready
        if law.mean > 0:
            factors = unit_block(law, self.rng["durations"], len(begun))
            durations = law.mean * physics.slowness * factors
        else:
            durations = physics.interval() * physics.slowness
        if self.slow is not None:
            slow = physics.spec.nodes.slow_periods
            assert slow is not None
            durations = np.where(self.slow.go_to(begun), slow.factor, 1.0) * durations
        if self.crashes is None:
            return begun, durations
        begun = self.crashes.clear(begun)
        for _ in range(ATTEMPTS):
            self.crashes.go_to(begun)
            hit = begun + durations > self.crashes.begin
            if not hit.any():
                return begun, durations
            self.crashes.mark(hit)
            begun = np.where(hit, self.crashes.end, begun)
        raise InputError(
            f"world.nodes.crashes: node {np.flatnonzero(hit)[0]} never gets a gradient done "
            "between two crashes; make them rarer"
        )

    def exchange(self, resent: list[int]) -> None:
        """Every node sends to its neighbours and hears from them; ``resent`` grows by edges."""
        if self.crashes is not None:
            self.ready = self.crashes.clear(self.ready)
        at = self.ready[self.ends]  # (2, |E|): when each end of each edge can send
        at = self.opened(at)
        failures = self.failures(resent)
        delay = self.delay * self.jitter(at.shape) + self.transfer
        delay = delay + failures * 2 * (self.delay + self.transfer)
        if self.physics.spec.nodes.exchanges_at_once is not None:
            at = self.scheduled(at, delay.max(axis=0))
        heard = self.ready.copy()
        for sender in (0, 1):
            np.maximum.at(heard, self.ends[1 - sender], at[sender] + delay[sender])
            if self.physics.spec.nodes.exchanges_at_once is not None:
                np.maximum.at(heard, self.ends[sender], at[sender] + delay[sender])
        if self.physics.spec.barrier == "global":
            heard[:] = heard.max()
        self.ready = heard

    def jitter(self, shape: tuple[int, ...]) -> Any:
        """Factors of the latency of each message."""
        sigma = self.physics.spec.links.jitter
        if sigma == 0:
            return np.ones(shape)
        law = LogNormal(kind="lognormal", sigma=sigma)
        return unit_block(law, self.rng["delays"], math.prod(shape)).reshape(shape)

    def failures(self, resent: list[int]) -> np.ndarray:
        """How often each exchange is lost before it succeeds, (|E|,)."""
        counts = np.zeros(self.ends.shape[1])
        if self.chance is None:
            return counts
        for e in range(len(counts)):
            while self.draw_loss() < self.chance(e):
                counts[e] += 1
                resent.append(e)
                if counts[e] > ATTEMPTS:
                    raise InputError(
                        f"world.links.loss: an exchange was lost {ATTEMPTS} times in a row; "
                        "make losses rarer or bursts shorter"
                    )
        return counts

    def opened(self, at: np.ndarray) -> np.ndarray:
        """The times ``at`` (2, |E|), where a link is out or cut put off until it is not."""
        if self.outages is not None:
            order = np.argsort(at, axis=0, kind="stable")
            put_off = [self.outages.clear(t) for t in np.take_along_axis(at, order, axis=0)]
            at = np.empty_like(at)
            np.put_along_axis(at, order, np.array(put_off), axis=0)
        for begin, end, edge in self.cuts:
            at[:, edge] = np.where((at[:, edge] >= begin) & (at[:, edge] < end), end, at[:, edge])
        return at

    def scheduled(self, at: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """When the exchanges begin if each node has only so many at once: both ends together, those
        first that could begin first.
        """
        limit = self.physics.spec.nodes.exchanges_at_once or 1
        slots = [[0.0] * limit for _ in self.ready]
        wanted = at.max(axis=0)
        begin = np.empty_like(wanted)
        for e in np.argsort(wanted, kind="stable").tolist():
            i, j = self.ends[:, e].tolist()
            begin[e] = max(wanted[e], slots[i][0], slots[j][0])
            for node in (i, j):
                heapq.heapreplace(slots[node], begin[e] + delay[e])
        return np.stack([begin, begin])


def _intervals(cuts: tuple[tuple[float, int, int], ...]) -> list[tuple[float, float, int]]:
    """The times in which edges are cut: (from, to, edge). InputError for an edge that stays cut."""
    begun: dict[int, float] = {}
    intervals = []
    for time, edge, by in cuts:
        if by > 0:
            begun[edge] = time
        else:
            intervals.append((begun.pop(edge), time, edge))
    if begun:
        raise InputError(
            "world.changes: a link that is cut for ever stops a synchronous method for ever; "
            "bring it back, or leave out the synchronous methods"
        )
    return sorted(intervals)
