"""One run: a plan played to its end, and what it leaves."""

import time
from collections.abc import Callable
from typing import TypeAlias

import pandas as pd

from dadao_sim.compiled.parallel import use_threads
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import during
from dadao_sim.results.columns import CURVE_COLUMNS
from dadao_sim.results.result import FinishedRun, RunKey
from dadao_sim.simulation.identity import asked_of
from dadao_sim.simulation.loop import OUT_OF_TIME, run
from dadao_sim.simulation.plan import Plan, constants_of
from dadao_sim.simulation.replay import make_player

Tick: TypeAlias = Callable[[RunKey, float, float], None]


def run_plan(plan: Plan, tick: Tick | None = None, threads: int = 1) -> FinishedRun:
    """Play a plan, by as many ``threads`` as pay; ``tick(key, share, accuracy)`` hears of each
    sample. InputError, with the run and its event or round, where a function of a user fails.
    """
    label, repeat = plan.key
    with one_blas_thread(), use_threads(threads), during(f"{label}, repeat {repeat}"):
        return _played(plan, tick)


def _played(plan: Plan, tick: Tick | None) -> FinishedRun:
    label, repeat = plan.key
    parts, unit = plan.parts, plan.unit
    player = make_player(
        plan.method, parts.problem, plan.tuning, parts.x0, {}, plan.spec.batch_size
    )
    player.warm_up()
    _ = plan.source.first  # compiles the clock

    def heard(now: float, accuracy: float) -> None:
        if tick is not None:
            tick(plan.key, min(now / plan.horizon, 0.999), accuracy)

    begun = time.perf_counter()
    outcome = run(player, plan.source, plan.errors, plan.limits, plan.sample_times(), heard)
    seconds = time.perf_counter() - begun
    if plan.log is not None and outcome.reason == OUT_OF_TIME:
        outcome.reason = OUT_OF_TIME if plan.horizon < plan.log.time[-1] else "end of the log"
    curves = pd.DataFrame(outcome.samples)
    curves = curves.assign(algorithm=label, method=plan.method.name, repeat=repeat)
    curves["time"] *= unit
    end = curves.iloc[-1]
    row = {
        "algorithm": label,
        "method": plan.method.name,
        "experimental": plan.experimental,
        "constants": constants_of(plan.spec),
        "repeat": repeat,
        "status": outcome.status,
        "reason": outcome.reason,
        "events": outcome.events,
        **{name: float(end[name]) for name in ("time", "gradients", "communications")},
        "asked": asked_of(plan.spec),
        "added_edges": parts.network.added_edges,
        **({"costs": dict(plan.costs)} if plan.costs else {}),
        **({"remark": player.remark} if player.remark else {}),
        "conditions": parts.conditions.to_mapping(),
        "tuning": plan.tuning.constants | ({"time_unit": unit} if plan.world else {}),
    }
    timing = {
        "seconds": seconds,
        "events": outcome.events,
        "events_per_second": outcome.events / seconds,
    }
    states = player.blocks(plan.method.blocks)
    columns = [*CURVE_COLUMNS, *(metric.name for metric in plan.metrics)]
    return FinishedRun(curves[columns], row, states, timing)
