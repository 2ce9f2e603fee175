"""The nodes: each computes a gradient, pauses, computes the next."""

from collections.abc import Callable
from typing import Any

import simpy
from simpy.events import NORMAL

from dadao_sim.events.log import GRADIENT, GRADIENT_END, GRADIENT_START
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import LOST_GRADIENT, EventLog
from dadao_sim.events.world.situation import Situation, Tick


class Computing(Tick):
    """What node ``k`` does next: it pauses for ``pause`` on average, and draws how long it computes
    by ``draw_gradient``; ``row`` is that of the GRADIENT_START under way.
    """

    __slots__ = ("draw_gradient", "pause", "row", "usual")

    def __init__(self, env: Any, k: int, pause: float, usual: float, draw_gradient: Draw):
        super().__init__(env, k)
        self.pause, self.usual, self.draw_gradient, self.row = pause, usual, draw_gradient, -1


def start_nodes(
    env: simpy.Environment,
    log: EventLog,
    now: Situation,
    pauses: list[float],
    gradient: float,
    draw_pause: Draw,
    draw_gradient: list[Draw],
) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """What begins and what ends the computing of a node: functions of the node.

    Node i pauses ``pauses[i]`` on average and computes for ``gradient`` times its slowness, times
    what ``draw_gradient[i]`` draws. A gradient that takes no time is one atomic row, and a node
    that becomes slower pauses longer. What is under way when the node stops is lost.
    """
    time, kind, place, start = log.time, log.kind, log.place, log.start
    schedule, slowness = env.schedule, now.slowness
    usual = list(slowness)  # in the pauses already
    ticks: dict[int, Computing] = {}  # of the nodes that compute

    def at_once(tick: Any) -> None:
        i = tick.k
        time.append(env._now)
        kind.append(GRADIENT)
        place.append(i)
        start.append(-1)
        tick.callbacks = again
        schedule(tick, NORMAL, tick.pause * draw_pause() * (slowness[i] / tick.usual))

    def begin(tick: Any) -> None:
        i = tick.k
        tick.row = log.taken + len(time)
        time.append(env._now)
        kind.append(GRADIENT_START)
        place.append(i)
        start.append(-1)
        tick.callbacks = then_end
        schedule(tick, NORMAL, gradient * slowness[i] * tick.draw_gradient())

    def end(tick: Any) -> None:
        time.append(env._now)
        kind.append(GRADIENT_END)
        place.append(tick.k)
        start.append(tick.row)
        if tick.pause == 0.0:
            begin(tick)
        else:
            tick.callbacks = again
            schedule(tick, NORMAL, tick.pause * draw_pause())

    again: list[Any] = [at_once if gradient == 0.0 else begin]
    then_end: list[Any] = [end]

    def resume(i: int) -> None:
        tick = ticks[i] = Computing(env, i, pauses[i], usual[i], draw_gradient[i])
        tick.callbacks = again
        slower = slowness[i] / usual[i] if gradient == 0.0 else 1.0
        schedule(tick, NORMAL, pauses[i] * draw_pause() * slower)

    def stop(i: int) -> None:
        if i not in ticks:
            return
        tick = ticks.pop(i)
        if tick.callbacks is then_end:
            log.write(env.now, LOST_GRADIENT, i, tick.row)
        tick.callbacks = []  # when it comes, nothing happens

    return resume, stop
