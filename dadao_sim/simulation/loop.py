"""The loop of a run: a clock, a player and the errors, from time 0 to the first limit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import during, users_code, within
from dadao_sim.events.clock import Clock
from dadao_sim.events.log import ROUND, Events
from dadao_sim.results.columns import CONVERGED, DIVERGED, STOPPED
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.player import Player

GROWTH_OF_DIVERGENCE = 1e8  # of the error, over the larger of the first one and that of x0


@dataclass
class Outcome:
    """How a run went: one mapping per sample, the number of events, and the end with its reason."""

    samples: list[dict[str, float]] = field(default_factory=list)
    events: int = 0
    status: str = STOPPED
    reason: str = ""


def run(
    player: Player,
    clock: Clock,
    errors: Errors,
    limits: Limits,
    times: Iterator[float],
    tick: Callable[[float, float], None] = lambda time, accuracy: None,
) -> Outcome:
    """Play ``clock`` to the first of ``limits``, sampled at ``times`` and at the end.

    The samples never touch the events: windows are drawn whole. Accuracy is tested at samples; the
    other limits end the run at the very event that reaches them, or at time 0 where the start costs
    as much. ``tick(time, accuracy)`` is called at each sample.
    """
    outcome = Outcome()
    estimates = np.empty(player.shape)
    rounds = 0

    def ended(time: float) -> bool:
        """Take a sample, and say whether it ends the run."""
        with during(f"sample at time {time:g}"):
            player.observe(time, estimates)
            measured = errors(estimates)
        sample = {"time": float(time), **counts(player.tally, rounds), **measured}
        outcome.samples.append(sample)
        tick(time, sample["accuracy"])
        bound = GROWTH_OF_DIVERGENCE * max(1.0, outcome.samples[0]["accuracy"])
        if not sample["accuracy"] <= bound:
            outcome.status = DIVERGED
            outcome.reason = (
                "the state is not a number"
                if math.isnan(sample["accuracy"])
                else f"the error passed {GROWTH_OF_DIVERGENCE:.0e} times that of the start"
            )
        elif sample["accuracy"] <= limits.accuracy:
            outcome.status, outcome.reason = CONVERGED, f"accuracy {limits.accuracy:g}"
        return outcome.status != STOPPED

    events = next_window(clock)
    player.begin(events)
    limit = limits.reached(player.tally)
    if ended(0.0) or limit:
        outcome.reason = outcome.reason or f"limit of {limit}"
        return outcome
    due = min(next(times), limits.time)
    while True:
        row = 0
        while True:
            until = int(np.searchsorted(events.time, due, side="right"))
            stop, limit = player.play_until(events, row, until, limits)
            outcome.events += stop - row
            rounds += int(np.count_nonzero(events.kind[row:stop] == ROUND))
            row = stop
            if limit:
                if not ended(events.time[row - 1]):
                    outcome.reason = f"limit of {limit}"
                return outcome
            if row == len(events):
                break
            if ended(due):
                return outcome
            if due >= limits.time:
                outcome.reason = "limit of time"
                return outcome
            due = min(next(times), limits.time)
        events = next_window(clock)


def next_window(clock: Clock) -> Events:
    """The next events; an InputError is of the world: other clocks never stop."""
    with users_code("world"), within("world"):
        return clock.window()


def counts(tally: Tally, rounds: int) -> dict[str, float]:
    """The costs of a sample under the names of the curves."""
    return {
        "gradients": float(tally.gradients),
        "conjugate_gradients": float(tally.conjugate_gradients),
        "local_solves": float(tally.local_solves),
        "communications": float(tally.communications),
        "messages": float(tally.messages),
        "floats_sent": float(tally.floats_sent),
        "bytes_sent": float(tally.bytes_sent),
        "rounds": float(rounds),
    }
