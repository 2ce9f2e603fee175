"""Bandwidth that messages share: each node has one way out and one way in for all of them."""

from typing import Any

import simpy

from dadao_sim.events.world.situation import Tick


class Flow(Tick):
    """A message whose bytes are on their way over two ``ways``: how many are ``left`` since when,
    at which ``rate`` they go, and how long it takes the last of them to be there.
    """

    __slots__ = ("latency", "left", "message", "over", "rate", "since", "ways")

    def __init__(self, message: Tick, ways: tuple[int, int], left: float, latency: float):
        super().__init__(message.env, message.k)
        self.message, self.ways, self.left, self.latency = message, ways, left, latency
        self.rate, self.since, self.over = 0.0, message.env.now, 0


class Sharing:
    """Max-min fair rates of all messages under way (Bertsekas and Gallager 1992, section 6.5.2).

    Each node sends ``capacity`` bytes per unit of time in all, and gets as many; no message can
    have more but by taking from one that has no more. A message that begins or ends changes the
    rates of those only that are joined to it by nodes in common.
    """

    def __init__(self, env: simpy.Environment, nodes: int, capacity: float):
        self.env, self.capacity = env, capacity
        # Way 2i leads out of node i, 2i + 1 into it. Dictionaries, for sets have no fixed order.
        self.on: list[dict[Flow, None]] = [{} for _ in range(2 * nodes)]

    def send(self, sender: int, receiver: int, size: float, message: Tick, latency: float) -> None:
        """Let ``message`` happen when its ``size`` bytes are sent and the ``latency`` is over."""
        flow = Flow(message, (2 * sender, 2 * receiver + 1), size, latency)
        for way in flow.ways:
            self.on[way][flow] = None
        self._share(flow.ways)

    def _sent(self, tick: Any) -> None:
        flow = tick._value
        if tick.k != flow.over:
            return  # it was to end then, before the rates changed
        for way in flow.ways:
            del self.on[way][flow]
        self.env.schedule(flow.message, delay=flow.latency)
        self._share(flow.ways)

    def _share(self, changed: tuple[int, int]) -> None:
        """New rates for all that is joined to what has changed."""
        now = self.env.now
        for flow, rate in self.rates(self._joined(changed)).items():
            if rate == flow.rate:
                continue
            flow.left = max(flow.left - flow.rate * (now - flow.since), 0.0)
            flow.rate, flow.since, flow.over = rate, now, flow.over + 1
            end = Tick(self.env, flow.over)
            end._value = flow
            end.callbacks = [self._sent]
            self.env.schedule(end, delay=flow.left / rate)

    def _joined(self, changed: tuple[int, int]) -> list[int]:
        """The ways from which one comes to those that have changed, by messages in common."""
        ways = list(changed)
        found = set(ways)
        for way in ways:
            for flow in self.on[way]:
                for other in flow.ways:
                    if other not in found:
                        found.add(other)
                        ways.append(other)
        return ways

    def rates(self, ways: list[int]) -> dict[Flow, float]:
        """The max-min fair rates of all messages over ``ways``, by filling them up."""
        room = dict.fromkeys(ways, self.capacity)
        waiting = {way: len(self.on[way]) for way in ways if self.on[way]}
        rates: dict[Flow, float] = {}
        while waiting:
            tight = min(waiting, key=lambda way: room[way] / waiting[way])
            rate = room[tight] / waiting[tight]
            for flow in self.on[tight]:
                if flow in rates:
                    continue
                rates[flow] = rate
                for way in flow.ways:
                    room[way] -= rate
                    waiting[way] -= 1
                    if waiting[way] == 0:
                        del waiting[way]
        return rates
