"""The links: each has a clock, and at its ticks the two ends exchange, if they can."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import simpy

from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, GOSSIP, LOST, SEND
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import LOST_AT_I, LOST_AT_J, EventLog
from dadao_sim.events.world.losses import HEARD_BY_BOTH, HEARD_BY_I, HEARD_BY_J, Fate
from dadao_sim.events.world.situation import Situation, Tick


@dataclass
class Links:
    """What an exchange takes: ``pauses`` (|E|,) between the ticks of each clock on average, the
    mean ``latency`` of each edge (None: exchanges take no time) and the ``transfer`` time that its
    bytes add; ``jitter`` draws a factor of the latency per message, ``fate`` who hears of an
    exchange, ``at_once`` is the limit of each node, whose exchanges ``wait`` or are given up.
    """

    edges: list[tuple[int, int]]
    pauses: list[float]
    latency: list[float] | None
    transfer: float
    jitter: Draw | None
    fate: Fate | None
    at_once: int | None
    wait: bool


class Parcel(Tick):
    """An exchange on its way: its edge ``k``, the ``row`` of its SEND, who is to hear of it, and
    how often each end had crashed at sending.
    """

    def __init__(self, env: simpy.Environment, k: int, row: int, heard: int, at: tuple[int, int]):
        super().__init__(env, k)
        self.row, self.heard, self.at = row, heard, at
        self.under_way = 2


def start_links(
    env: simpy.Environment, log: EventLog, now: Situation, links: Links, draw_pause: Draw
) -> None:
    """Let every clock tick, the edges in their order."""
    time, kind, place, start = log.time, log.kind, log.place, log.start
    schedule = env.schedule
    edges, pauses, closed, crashes = links.edges, links.pauses, now.closed, now.crashes
    latency, transfer, jitter, fate = links.latency, links.transfer, links.jitter, links.fate
    limited, limit = links.at_once is not None, links.at_once or 0
    busy = [0] * len(now.present)
    queues: list[deque[Any]] = [deque() for _ in now.present]
    waiting: dict[int, float] = {}  # edge -> since when

    def write(what: int, edge: int, began: int) -> None:
        time.append(env.now)
        kind.append(what)
        place.append(edge)
        start.append(began)

    def tick_at_once(tick: Any) -> None:
        e = tick.k
        if not closed[e]:
            write(GOSSIP, e, -1)
        tick.callbacks = again
        schedule(tick, delay=pauses[e] * draw_pause())

    def tick_of_link(tick: Any) -> None:
        e = tick.k
        if not closed[e]:
            i, j = edges[e]
            if not limited or (busy[i] < limit and busy[j] < limit):
                send(e, i, j)
            elif links.wait:
                waiting[e] = env.now
                queues[i].append((tick, env.now))
                queues[j].append((tick, env.now))
                return  # the clock stands still until the exchange has begun
        tick.callbacks = again
        schedule(tick, delay=pauses[e] * draw_pause())

    def send(e: int, i: int, j: int) -> None:
        row = log.taken + len(time)
        write(SEND, e, -1)
        heard = HEARD_BY_BOTH if fate is None else fate(e)
        parcel = Parcel(env, e, row, heard, (crashes[i], crashes[j]))
        assert latency is not None
        if limited:
            busy[i] += 1
            busy[j] += 1
        if jitter is None:
            parcel.callbacks = then_both
            schedule(parcel, delay=latency[e] + transfer)
            return
        to_i, to_j = (Tick(env, e), Tick(env, e))
        to_i._value = to_j._value = parcel
        to_i.callbacks, to_j.callbacks = then_i, then_j
        schedule(to_i, delay=latency[e] * jitter() + transfer)
        schedule(to_j, delay=latency[e] * jitter() + transfer)

    def at_both(parcel: Any) -> None:
        arrive_at_i(parcel)
        arrive_at_j(parcel)

    def arrive_at_i(parcel: Any) -> None:
        if parcel.heard & HEARD_BY_I and crashes[edges[parcel.k][0]] == parcel.at[0]:
            write(ARRIVE_I, parcel.k, parcel.row)
        else:
            parcel.heard &= ~HEARD_BY_I
        finish(parcel)

    def arrive_at_j(parcel: Any) -> None:
        if parcel.heard & HEARD_BY_J and crashes[edges[parcel.k][1]] == parcel.at[1]:
            write(ARRIVE_J, parcel.k, parcel.row)
        else:
            parcel.heard &= ~HEARD_BY_J
        finish(parcel)

    def finish(parcel: Any) -> None:
        parcel.under_way -= 1
        if parcel.under_way:
            return
        if parcel.heard != HEARD_BY_BOTH:
            lost = {0: LOST, HEARD_BY_I: LOST_AT_J, HEARD_BY_J: LOST_AT_I}[parcel.heard]
            write(lost, parcel.k, parcel.row)
        if limited:
            ends = edges[parcel.k]
            for node in ends:
                busy[node] -= 1
            for node in ends:
                serve(node)

    def serve(node: int) -> None:
        """Begin the exchanges that wait at ``node``, the longest waiting first, as far as the
        limits allow.
        """
        queue = queues[node]
        passed_over = []
        while queue and busy[node] < limit:
            tick, since = queue.popleft()
            e = tick.k
            if waiting.get(e) != since:
                continue  # begun from its other end
            i, j = edges[e]
            if busy[i] < limit and busy[j] < limit:
                now.waited[e] += env.now - waiting.pop(e)
                if not closed[e]:
                    send(e, i, j)
                tick.callbacks = again
                schedule(tick, delay=pauses[e] * draw_pause())
            else:
                passed_over.append((tick, since))
        queue.extendleft(reversed(passed_over))

    again: list[Any] = [tick_at_once if latency is None else tick_of_link]
    then_both: list[Any] = [at_both]
    then_i, then_j = (
        [lambda event: arrive_at_i(event.value)],
        [lambda event: arrive_at_j(event.value)],
    )
    for e, pause in enumerate(pauses):
        if pause < float("inf"):
            tick = Tick(env, e)
            tick.callbacks = again
            schedule(tick, delay=pause * draw_pause())
