"""What goes wrong: crashes, late joins, outages, slow periods, links that are cut."""

from collections.abc import Callable

import simpy

from dadao_sim.events.log import RESET
from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.log import EventLog
from dadao_sim.events.world.situation import Situation, call_at
from dadao_sim.events.world.spec import Crashes, Periods, SlowPeriods

NodeAction = Callable[[int], None]


def alternate(
    env: simpy.Environment,
    count: int,
    periods: Periods,
    draw: Draw,
    begin: NodeAction,
    end: NodeAction,
) -> None:
    """Let ``begin(k)`` and ``end(k)`` take turns for each k below ``count``, for ever."""

    def after(k: int, mean: float, action: NodeAction, follow: NodeAction) -> None:
        def happen() -> None:
            action(k)
            follow(k)

        call_at(env, mean * draw(), happen)

    def wait(k: int) -> None:
        after(k, periods.every, begin, last)

    def last(k: int) -> None:
        after(k, periods.length, end, wait)

    for k in range(count):
        wait(k)


def leave(now: Situation, stop: NodeAction, i: int) -> None:
    """Node i is gone, with what it was computing; no exchange begins with it."""
    now.present[i] = False
    stop(i)
    now.crashes[i] += 1
    for e in now.incident[i]:
        now.closed[e] += 1


def come(now: Situation, resume: NodeAction, i: int) -> None:
    """Node i is there (again)."""
    now.present[i] = True
    for e in now.incident[i]:
        now.closed[e] -= 1
    resume(i)


def start_crashes(
    env: simpy.Environment,
    log: EventLog,
    now: Situation,
    crashes: Crashes,
    draw: Draw,
    resume: NodeAction,
    stop: NodeAction,
) -> None:
    """Crashes and restarts of every node; a node that has not joined yet cannot crash."""
    gone = [False] * len(now.present)

    def crash(i: int) -> None:
        if now.present[i]:
            gone[i] = True
            leave(now, stop, i)

    def restart(i: int) -> None:
        if gone[i]:
            gone[i] = False
            if crashes.state == "lost":
                log.time.append(env.now)
                log.kind.append(RESET)
                log.place.append(i)
                log.start.append(-1)
            come(now, resume, i)

    alternate(env, len(now.present), crashes, draw, crash, restart)


def start_slow_periods(
    env: simpy.Environment, now: Situation, slow: SlowPeriods, draw: Draw
) -> None:
    """Nodes are ``slow.factor`` times slower for a while; a gradient keeps the speed it began
    with.
    """
    usual = list(now.slowness)

    def slower(i: int) -> None:
        now.slowness[i] = usual[i] * slow.factor

    def as_usual(i: int) -> None:
        now.slowness[i] = usual[i]

    alternate(env, len(usual), slow, draw, slower, as_usual)


def start_outages(env: simpy.Environment, now: Situation, outages: Periods, draw: Draw) -> None:
    """No exchange begins over a link while it is out; what is on its way arrives."""

    def close(e: int) -> None:
        now.closed[e] += 1

    def open_again(e: int) -> None:
        now.closed[e] -= 1

    alternate(env, len(now.closed), outages, draw, close, open_again)


def start_changes(
    env: simpy.Environment, now: Situation, cuts: tuple[tuple[float, int, int], ...]
) -> None:
    """Cut and restore links as scheduled."""

    def change(e: int, by: int) -> Callable[[], None]:
        def happen() -> None:
            now.closed[e] += by

        return happen

    for time, e, by in cuts:
        call_at(env, time, change(e, by))
