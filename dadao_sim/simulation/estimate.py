"""What a run will take: memory from the sizes of its arrays, time from a short trial."""

import time
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np

from dadao_sim.simulation.plan import Plan, event_rate
from dadao_sim.simulation.replay import make_player

TRIAL_EVENTS = 4096
TRIAL_ROUNDS = 2


@dataclass(frozen=True)
class Estimate:
    """``memory`` (bytes) of one process; ``seconds`` and ``events`` of one run to its limits.

    A run that converges or diverges ends earlier.
    """

    memory: int
    seconds: float
    events: float


def estimate(plan: Plan) -> Estimate:
    """Play the first few events of a plan and extrapolate. What is compiled for it stays
    compiled.
    """
    parts = plan.parts
    player = make_player(
        plan.method, parts.problem, plan.tuning, parts.x0, {}, plan.spec.batch_size
    )
    player.warm_up()
    events = plan.source.first
    count = min(len(events), TRIAL_EVENTS if plan.tuning.clock is not None else TRIAL_ROUNDS)
    per_event = _seconds(lambda: player.play(events, 0, count)) / count
    estimates = np.empty_like(parts.x0)
    per_sample = _seconds(lambda: player.observe(events.time[count - 1], estimates))
    rate = event_rate(plan.tuning)
    if plan.world is not None:
        rate = len(events) / float(events.time[-1])
    total = plan.horizon * rate
    return Estimate(
        # Twice the state: the final states are a copy. Four estimates: a sample's temporaries.
        memory=array_bytes([player.arrays, player.objective, parts, plan.network])
        + array_bytes(player.arrays)
        + 4 * estimates.nbytes,
        seconds=per_event * total + per_sample * plan.points,
        events=total,
    )


def _seconds(action: Any) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def array_bytes(value: Any, seen: set[int] | None = None) -> int:
    """Bytes of all arrays in a nest of tuples, dataclass instances and sequences, each counted
    once.
    """
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(array_bytes(part, seen) for part in value)
    if is_dataclass(value):
        return sum(array_bytes(part, seen) for part in vars(value).values())
    return 0
