"""The nodes: each computes a gradient, pauses, computes the next."""

from collections.abc import Callable
from typing import Any

import simpy

from dadao_sim.events.log import GRADIENT, GRADIENT_END, GRADIENT_START
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import LOST_GRADIENT, EventLog
from dadao_sim.events.world.situation import Situation, Tick


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
    schedule = env.schedule
    crashes, slowness, computing = now.crashes, now.slowness, now.computing
    usual = list(slowness)  # in the pauses already

    def at_once(tick: Any) -> None:
        i = tick.k
        if tick.crashes != crashes[i]:
            return
        time.append(env._now)
        kind.append(GRADIENT)
        place.append(i)
        start.append(-1)
        tick.callbacks = again
        schedule(tick, delay=pauses[i] * draw_pause() * (slowness[i] / usual[i]))

    def begin(tick: Any) -> None:
        i = tick.k
        if tick.crashes != crashes[i]:
            return
        computing[i] = log.taken + len(time)
        time.append(env._now)
        kind.append(GRADIENT_START)
        place.append(i)
        start.append(-1)
        tick.callbacks = then_end
        schedule(tick, delay=gradient * slowness[i] * draw_gradient[i]())

    def end(tick: Any) -> None:
        i = tick.k
        if tick.crashes != crashes[i]:
            return
        time.append(env._now)
        kind.append(GRADIENT_END)
        place.append(i)
        start.append(computing[i])
        computing[i] = -1
        pause = pauses[i]
        if pause == 0.0:
            begin(tick)
        else:
            tick.callbacks = again
            schedule(tick, delay=pause * draw_pause())

    again: list[Any] = [at_once if gradient == 0.0 else begin]
    then_end: list[Any] = [end]

    def resume(i: int) -> None:
        tick = Tick(env, i, crashes[i])
        tick.callbacks = again
        slower = slowness[i] / usual[i] if gradient == 0.0 else 1.0
        schedule(tick, delay=pauses[i] * draw_pause() * slower)

    def stop(i: int) -> None:
        if computing[i] >= 0:
            time.append(env._now)
            kind.append(LOST_GRADIENT)
            place.append(i)
            start.append(computing[i])
            computing[i] = -1

    return resume, stop
