"""The links: each has a clock, and at its ticks the two ends exchange, if they can."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import simpy
from simpy.events import NORMAL

from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, GOSSIP, LOST, SEND
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import LOST_AT_I, LOST_AT_J, EventLog
from dadao_sim.events.world.situation import Situation, Tick

if TYPE_CHECKING:
    from dadao_sim.events.world.places import Node, Places
    from dadao_sim.events.world.sharing import Sharing
    from dadao_sim.networks import Network

HEARD_BY_NONE, HEARD_BY_I, HEARD_BY_J, HEARD_BY_BOTH = range(4)
WHAT_IS_LOST = {HEARD_BY_NONE: LOST, HEARD_BY_I: LOST_AT_J, HEARD_BY_J: LOST_AT_I}

Then = Callable[[Any], None]  # what SimPy calls with the event that has come
Fate = Callable[[int], int]  # who hears of an exchange over an edge: one of the four


class Clock(Tick):
    """The clock of edge ``k``: it pauses for ``pause`` on average, and a message takes ``latency``
    and ``transfer``. Where places are limited, an exchange needs one at the ends ``i`` and ``j``,
    and has waited ``since`` then.
    """

    __slots__ = ("i", "j", "latency", "pause", "since", "transfer")
    i: "Node"
    j: "Node"
    latency: float
    pause: float
    since: float
    transfer: float


class Parcel(Tick):
    """An exchange on its way: its ``clock``, the ``row`` of its SEND, who is to ``hear`` of it, and
    whether one end has.
    """

    __slots__ = ("clock", "heard", "one_is_there", "row")
    clock: Clock
    heard: int
    one_is_there: bool
    row: int


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

    # ---- what happens ----------------------------------------------------------------------------

    def start(self) -> None:
        """Let every clock tick, the edges in their order."""
        changed = self.factor or self.fate or self.places or self.sharing
        take_time = changed or any(self.latency) or any(self.transfer)
        again = [self._exchange() if take_time else self._meet()]
        draw_pause = self.draw_pause
        for e, pause in enumerate(self.pauses):
            if pause == float("inf"):
                continue
            clock = Clock(self.env, e)
            clock.pause, clock.latency, clock.transfer = pause, self.latency[e], self.transfer[e]
            if self.places is not None:
                clock.i, clock.j = (self.places.nodes[node] for node in self.edges[e])
            clock.callbacks = again
            self.env.schedule(clock, delay=pause * draw_pause())

    def _meet(self) -> Then:
        """What a clock does at its ticks where exchanges take no time."""
        env, log, closed, schedule = self.env, self.log, self.now.closed, self.env.schedule
        time, kind, place, start = log.time, log.kind, log.place, log.start
        draw_pause = self.draw_pause

        def tick(clock: Any) -> None:
            e = clock.k
            if not closed[e]:
                time.append(env._now)
                kind.append(GOSSIP)
                place.append(e)
                start.append(-1)
            clock.callbacks = again
            schedule(clock, NORMAL, clock.pause * draw_pause())

        again: list[Then] = [tick]
        return tick

    def _exchange(self) -> Then:
        """What a clock does at its ticks where they take time, or places, or may be lost."""
        env, log, now, schedule = self.env, self.log, self.now, self.env.schedule
        time, kind, place, start = log.time, log.kind, log.place, log.start
        draw_pause, factor, fate = self.draw_pause, self.factor, self.fate
        places, sharing, edges = self.places, self.sharing, self.edges
        closed, left = now.closed, now.left
        spare: list[Parcel] = []  # that have arrived, to be sent again

        def tick(clock: Any) -> None:
            if not closed[clock.k]:
                if places is None or places.take(clock):
                    send(clock)
                elif places.wait:
                    places.queue(clock, env._now)
                    return  # the clock stands still until the exchange has begun
            clock.callbacks = again
            schedule(clock, NORMAL, clock.pause * draw_pause())

        def send(clock: Clock) -> None:
            e, at = clock.k, env._now
            parcel = spare.pop() if spare else Parcel(env, e)
            parcel.k, parcel.clock, parcel.row = e, clock, log.taken + len(time)
            parcel.heard = HEARD_BY_BOTH if fate is None else fate(e)
            time.append(at)
            kind.append(SEND)
            place.append(e)
            start.append(-1)
            if sharing is not None:
                share(sharing, parcel)
            elif factor is None:
                parcel.callbacks = then_both
                schedule(parcel, NORMAL, clock.latency + clock.transfer)
            else:  # one event that happens twice
                to_i = clock.latency * factor() + clock.transfer
                to_j = clock.latency * factor() + clock.transfer
                parcel.callbacks = then_i_first if at + to_i <= at + to_j else then_j_first
                schedule(parcel, NORMAL, to_i)
                schedule(parcel, NORMAL, to_j)

        def share(sharing: "Sharing", parcel: Parcel) -> None:
            """Send the two messages each on its own, for nobody knows which is there first."""
            i, j = edges[parcel.k]
            parcel.one_is_there = False
            for reach, sender, receiver in ((reach_i, j, i), (reach_j, i, j)):
                message = Tick(env, parcel.k)
                message._value = parcel
                message.callbacks = [partial(reach_shared, reach)]
                takes = parcel.clock.latency * (1.0 if factor is None else factor())
                sharing.send(sender, receiver, self.bytes, message, takes)

        def reach_i(parcel: Parcel) -> None:
            row = parcel.row
            there = row >= now.any_left or row >= left[edges[parcel.k][0]]
            if there and parcel.heard & HEARD_BY_I:
                time.append(env._now)
                kind.append(ARRIVE_I)
                place.append(parcel.k)
                start.append(row)
            else:
                parcel.heard &= ~HEARD_BY_I

        def reach_j(parcel: Parcel) -> None:
            row = parcel.row
            there = row >= now.any_left or row >= left[edges[parcel.k][1]]
            if there and parcel.heard & HEARD_BY_J:
                time.append(env._now)
                kind.append(ARRIVE_J)
                place.append(parcel.k)
                start.append(row)
            else:
                parcel.heard &= ~HEARD_BY_J

        def i_is_first(parcel: Any) -> None:
            parcel.callbacks = then_j
            reach_i(parcel)

        def j_is_first(parcel: Any) -> None:
            parcel.callbacks = then_i
            reach_j(parcel)

        def reach_shared(reach: Callable[[Parcel], None], message: Any) -> None:
            parcel = message._value
            reach(parcel)
            if parcel.one_is_there:
                finish(parcel)
            else:
                parcel.one_is_there = True

        def finish(parcel: Parcel) -> None:
            spare.append(parcel)
            if parcel.heard != HEARD_BY_BOTH:
                log.write(env._now, WHAT_IS_LOST[parcel.heard], parcel.k, parcel.row)
            if places is not None:
                clock = parcel.clock
                places.give_back(clock)
                for node in (clock.i, clock.j):
                    if node.waiting:
                        serve(places, node)

        def serve(places: "Places", node: "Node") -> None:
            """Begin the exchanges that wait at ``node``, as far as there are places."""
            while (clock := places.can_begin(node)) is not None:
                now.waited[clock.k] += max(min(env._now, now.until) - clock.since, 0.0)
                if closed[clock.k]:
                    places.give_back(clock)
                else:
                    send(clock)
                clock.callbacks = again
                schedule(clock, NORMAL, clock.pause * draw_pause())

        again: list[Then] = [tick]
        then_i_first: list[Then] = [i_is_first]
        then_j_first: list[Then] = [j_is_first]
        then_i: list[Then] = [reach_i, finish]
        then_j: list[Then] = [reach_j, finish]
        then_both: list[Then] = [reach_i, reach_j, finish]
        return tick
