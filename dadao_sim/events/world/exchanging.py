"""The links: each has a clock, and at its ticks the two ends exchange, if they can."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import simpy

from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, GOSSIP, LOST, SEND
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import LOST_AT_I, LOST_AT_J, EventLog
from dadao_sim.events.world.situation import Situation, Tick

if TYPE_CHECKING:
    from dadao_sim.events.world.places import Places
    from dadao_sim.events.world.sharing import Sharing
    from dadao_sim.networks import Network

HEARD_BY_NONE, HEARD_BY_I, HEARD_BY_J, HEARD_BY_BOTH = range(4)
WHAT_IS_LOST = {HEARD_BY_NONE: LOST, HEARD_BY_I: LOST_AT_J, HEARD_BY_J: LOST_AT_I}

Then = Callable[[Any], None]  # what SimPy calls with the event that has come
Fate = Callable[[int], int]  # who hears of an exchange over an edge: one of the four


class Parcel(Tick):
    """An exchange on its way: its edge ``k``, the ``row`` of its SEND, who is to ``hear`` of it,
    and how often each end had crashed at sending.
    """

    __slots__ = ("crashes_i", "crashes_j", "heard", "one_is_there", "row")

    def __init__(self, env: simpy.Environment, k: int, row: int, heard: int, i: int, j: int):
        super().__init__(env, k)
        self.row, self.heard, self.crashes_i, self.crashes_j = row, heard, i, j
        self.one_is_there = False


class Links:
    """The exchanges over all edges of a ``network``.

    ``pauses`` (|E|,) lie between the ticks of each clock on average, drawn by ``draw_pause``; a
    message takes the ``latency`` of its edge, and in addition the ``transfer`` time that its bytes
    take. Faults change this before the start: by ``vary``, ``lose`` and ``limit``.
    """

    def __init__(
        self,
        env: simpy.Environment,
        log: EventLog,
        now: Situation,
        *,
        network: "Network",
        pauses: list[float],
        draw_pause: Draw,
        latency: list[float],
        transfer: list[float],
    ):
        self.env, self.log, self.now = env, log, now
        self.network, self.pauses, self.draw_pause = network, pauses, draw_pause
        self.edges: list[tuple[int, int]] = [(i, j) for i, j in network.edges.tolist()]
        self.latency, self.transfer = latency, transfer
        self.factor: Draw | None = None
        self.fate: Fate | None = None
        self.places: Places | None = None
        self.sharing: Sharing | None = None
        self.again: list[Then] = []
        self.then_i: list[Then] = [self._reaches_i]
        self.then_j: list[Then] = [self._reaches_j]
        self.then_both: list[Then] = [self._reaches_both]

    # ---- what faults change ----------------------------------------------------------------------

    def vary(self, factor: Draw) -> None:
        """Let the latency of each message be ``factor()`` times what it was."""
        before = self.factor
        self.factor = factor if before is None else lambda: before() * factor()

    def lose(self, fate: Fate) -> None:
        """Let an exchange over edge e be heard by ``fate(e)`` only."""
        before = self.fate
        self.fate = fate if before is None else lambda e: before(e) & fate(e)

    def limit(self, places: "Places") -> None:
        """Let an exchange need a place at both ends."""
        self.places = places

    def share(self, sharing: "Sharing", message_bytes: float) -> None:
        """Let the bytes of each message share the way out of a node and the way into the other."""
        self.sharing, self.bytes = sharing, message_bytes
        self.transfer = [0.0] * len(self.transfer)

    # ---- the clocks ------------------------------------------------------------------------------

    def start(self) -> None:
        """Let every clock tick, the edges in their order."""
        self.again.append(self._tick_at_once() if self._take_no_time() else self._tick)
        for e, pause in enumerate(self.pauses):
            if pause < float("inf"):
                self._tick_again(Tick(self.env, e))

    def _take_no_time(self) -> bool:
        changed = self.factor or self.fate or self.places or self.sharing
        return not changed and not any(self.transfer) and not any(self.latency)

    def _tick_at_once(self) -> Then:
        """The tick where exchanges take no time: the one that is worth a closure."""
        env, log, closed, schedule = self.env, self.log, self.now.closed, self.env.schedule
        time, kind, place, start = log.time, log.kind, log.place, log.start
        pauses, draw_pause, again = self.pauses, self.draw_pause, self.again

        def tick_at_once(tick: Any) -> None:
            e = tick.k
            if not closed[e]:
                time.append(env._now)
                kind.append(GOSSIP)
                place.append(e)
                start.append(-1)
            tick.callbacks = again
            schedule(tick, delay=pauses[e] * draw_pause())

        return tick_at_once

    def _tick(self, tick: Any) -> None:
        e, places = tick.k, self.places
        if not self.now.closed[e]:
            if places is None or places.take(e):
                self._send(e)
            elif places.wait:
                places.queue(tick, self.env.now)
                return  # the clock stands still until the exchange has begun
        draw_pause = self.draw_pause
        tick.callbacks = self.again
        self.env.schedule(tick, delay=self.pauses[e] * draw_pause())

    def _tick_again(self, tick: Tick) -> None:
        tick.callbacks = self.again
        draw_pause = self.draw_pause
        self.env.schedule(tick, delay=self.pauses[tick.k] * draw_pause())

    # ---- what is on its way ----------------------------------------------------------------------

    def _send(self, e: int) -> None:
        env, log, crashes, fate = self.env, self.log, self.now.crashes, self.fate
        i, j = self.edges[e]
        row = log.taken + len(log.time)
        heard = HEARD_BY_BOTH if fate is None else fate(e)
        parcel = Parcel(env, e, row, heard, crashes[i], crashes[j])
        log.write(env._now, SEND, e)
        factor, latency, transfer = self.factor, self.latency[e], self.transfer[e]
        if factor is None and self.sharing is None:
            parcel.callbacks = self.then_both
            env.schedule(parcel, delay=latency + transfer)
            return
        for then, sender, receiver in ((self.then_i, j, i), (self.then_j, i, j)):
            message = Tick(env, e)
            message._value = parcel
            message.callbacks = then
            takes = (latency if factor is None else latency * factor()) + transfer
            if self.sharing is None:
                env.schedule(message, delay=takes)
            else:
                self.sharing.send(sender, receiver, self.bytes, message, takes)

    def _reaches_both(self, parcel: Any) -> None:
        self._arrive_at_i(parcel)
        self._arrive_at_j(parcel)
        self._finish(parcel)

    def _reaches_i(self, message: Any) -> None:
        self._arrive_at_i(message._value)
        self._finish_second(message._value)

    def _reaches_j(self, message: Any) -> None:
        self._arrive_at_j(message._value)
        self._finish_second(message._value)

    def _arrive_at_i(self, parcel: Parcel) -> None:
        e = parcel.k
        if parcel.heard & HEARD_BY_I and self.now.crashes[self.edges[e][0]] == parcel.crashes_i:
            self.log.write(self.env._now, ARRIVE_I, e, parcel.row)
        else:
            parcel.heard &= ~HEARD_BY_I

    def _arrive_at_j(self, parcel: Parcel) -> None:
        e = parcel.k
        if parcel.heard & HEARD_BY_J and self.now.crashes[self.edges[e][1]] == parcel.crashes_j:
            self.log.write(self.env._now, ARRIVE_J, e, parcel.row)
        else:
            parcel.heard &= ~HEARD_BY_J

    def _finish_second(self, parcel: Parcel) -> None:
        if parcel.one_is_there:
            self._finish(parcel)
        parcel.one_is_there = True

    def _finish(self, parcel: Parcel) -> None:
        e, places = parcel.k, self.places
        if parcel.heard != HEARD_BY_BOTH:
            self.log.write(self.env._now, WHAT_IS_LOST[parcel.heard], e, parcel.row)
        if places is not None:
            places.give_back(e)
            for node in self.edges[e]:
                if places.queues[node]:
                    self._serve(places, node)

    def _serve(self, places: "Places", node: int) -> None:
        """Begin the exchanges that wait at ``node``, as far as there are places."""
        for tick, since in places.can_begin(node):
            self.now.waited[tick.k] += max(min(self.env.now, self.now.until) - since, 0.0)
            if self.now.closed[tick.k]:
                places.give_back(tick.k)
            else:
                self._send(tick.k)
            self._tick_again(tick)
