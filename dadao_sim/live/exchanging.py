"""A free node whose method exchanges: over each edge both ends speak, at a time that both agree on.

An exchange over the edge (i, j), i < j, begun by i, who locks itself while it lasts:

    i -> j  REQUEST(t_i)   when j is free it locks itself: t = max(j's clock, j's last event, t_i);
                           it flows to t, and writes that down
    j -> i  t, message     i flows to t, writes that down,
    i -> j  message        and applies; j applies, and writes that down

Who waits waits for a larger name: there is no circle of waiting, hence no deadlock. Both apply the
message of i less that of j, with their own sign. A node is done at the horizon when every smaller
neighbour has said that it is, or has died.
"""

import struct
from typing import Any

from dadao_sim.live.free import FreeNode
from dadao_sim.live.records import APPLIED, GRANTER, LOST, REQUESTER
from dadao_sim.live.wires import Gone, Wire

REQUEST, DONE = b"R", b"D"
ASKED = struct.Struct("<dq")  # the owner's time, the number of the exchange
AGREED = struct.Struct("<d")


class ExchangingNode(FreeNode):
    """It asks larger neighbours for exchanges, and is asked by smaller ones."""

    def __init__(self, *parts: Any):
        super().__init__(*parts)
        self.asked = 0

    def _turn_to(self, j: int) -> None:
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
        ours = handlers.speak(self.edges[j], t)
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
                self.awaited.discard(j)
                return
            asked, number = ASKED.unpack(wire.receive(ASKED.size))
        except Gone:
            self._drop(j)
            return
        t = self.now(asked)
        ours = handlers.speak(self.edges[j], t)
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
