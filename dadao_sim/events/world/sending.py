"""Messages one way: each arc has a clock, at whose ticks the node at its tail sends, if it can."""

from typing import Any

from dadao_sim.events.log import ARRIVE_ONE, SEND_ONE
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.exchanging import HEARD_BY_I, HEARD_BY_J, Links, Then
from dadao_sim.events.world.log import LOST_ONE
from dadao_sim.events.world.situation import Tick


class Message(Tick):
    """A message on its way: its arc ``k``, the ``row`` of its SEND_ONE, and whether it arrives."""

    __slots__ = ("arrives", "row")

    def __init__(self, env: Any, k: int, row: int, *, arrives: bool):
        super().__init__(env, k)
        self.row, self.arrives = row, arrives


class Arcs:
    """The messages over all arcs of the edges of ``links``, which says what they take and which are
    lost.

    ``pauses`` (2 |E|,) lie between the ticks of each arc's clock on average, drawn by
    ``draw_pause``. Where messages go ``in_order``, one waits for that before it on its arc.
    """

    def __init__(self, links: Links, pauses: list[float], draw_pause: Draw, *, in_order: bool):
        self.links, self.pauses, self.draw_pause = links, pauses, draw_pause
        self.free: list[float] | None = [0.0] * len(pauses) if in_order else None
        self.again: list[Then] = [self._tick]
        self.then: list[Then] = [self._reaches]

    def start(self) -> None:
        """Let every clock tick, the arcs in their order."""
        for arc, pause in enumerate(self.pauses):
            if pause < float("inf"):
                self._tick_again(Tick(self.links.env, arc))

    def _tick_again(self, tick: Any) -> None:
        tick.callbacks = self.again
        draw_pause = self.draw_pause
        self.links.env.schedule(tick, delay=self.pauses[tick.k] * draw_pause())

    def _tick(self, tick: Any) -> None:
        if not self.links.now.closed[tick.k // 2]:
            self._send(tick.k)
        self._tick_again(tick)

    def _send(self, arc: int) -> None:
        links, log = self.links, self.links.log
        e, second = divmod(arc, 2)
        receiver = links.edges[e][1 - second]
        hears = HEARD_BY_I if second else HEARD_BY_J
        arrives = links.fate is None or bool(links.fate(e) & hears)
        message = Message(links.env, arc, log.written, arrives=arrives)
        log.write(links.env.now, SEND_ONE, arc)
        message.callbacks = self.then
        factor = 1.0 if links.factor is None else links.factor()
        takes = links.latency[e] * factor + links.transfer[e]
        if self.free is not None:
            there = max(links.env.now + takes, self.free[arc])
            self.free[arc], takes = there, there - links.env.now
        if links.sharing is None:
            links.env.schedule(message, delay=takes)
        else:
            links.sharing.send(links.edges[e][second], receiver, links.bytes, message, takes)

    def _reaches(self, message: Any) -> None:
        links = self.links
        e, second = divmod(message.k, 2)
        is_there = links.now.left[links.edges[e][1 - second]] <= message.row
        kind = ARRIVE_ONE if message.arrives and is_there else LOST_ONE
        links.log.write(links.env.now, kind, message.k, message.row)
