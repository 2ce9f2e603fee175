"""One run: a clock, a player, a counter and the errors, from time 0 to the first limit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadao_sim.errors import within
from dadao_sim.events.clock import Clock

DIVERGED = 1e8  # times the larger of the first error and that of x0
CONVERGED, STOPPED, FAILED = "converged", "stopped", "diverged"


@dataclass(frozen=True)
class Limits:
    """Where a run ends, whichever comes first; gradients and communications are of all nodes
    together.
    """

    time: float = math.inf
    gradients: float = math.inf
    communications: float = math.inf
    accuracy: float = 0.0

    def horizon(self, gradients_per_unit: float, communications_per_unit: float) -> float:
        """The expected time at which a run ends if it does not converge."""
        return min(
            self.time,
            self.gradients / gradients_per_unit,
            self.communications / communications_per_unit,
        )


@dataclass
class Outcome:
    """How a run went: one mapping per sample, the number of events, and the end with its reason."""

    samples: list[dict[str, float]] = field(default_factory=list)
    events: int = 0
    status: str = STOPPED
    reason: str = ""


def run(
    player: Any,
    clock: Clock,
    counter: Any,
    errors: Any,
    limits: Limits,
    times: Iterator[float],
    tick: Callable[[float, float], None] = lambda time, accuracy: None,
) -> Outcome:
    """Play ``clock`` to the first of ``limits``, sampled at ``times`` and at the end.

    The samples never touch the events: windows are drawn whole. Accuracy is tested at samples; the
    other limits end the run at the very event that reaches them. ``tick(time, accuracy)`` is called
    at each sample.
    """
    outcome = Outcome()
    estimates = np.empty((player.state.values.shape[0], player.state.values.shape[2]))

    def ended(time: float, row: int) -> bool:
        """Take a sample, and say whether it ends the run."""
        player.observe(time, estimates)
        sample = {"time": float(time), **counter.after(row), **errors(estimates)}
        outcome.samples.append(sample)
        tick(time, sample["accuracy"])
        bound = DIVERGED * max(1.0, outcome.samples[0]["accuracy"])
        if not sample["accuracy"] <= bound:
            outcome.status = FAILED
            outcome.reason = (
                "the state is not a number"
                if math.isnan(sample["accuracy"])
                else f"the error passed {DIVERGED:.0e} times that of the start"
            )
        elif sample["accuracy"] <= limits.accuracy:
            outcome.status, outcome.reason = CONVERGED, f"accuracy {limits.accuracy:g}"
        return outcome.status != STOPPED

    if ended(0.0, 0):
        return outcome
    due = min(next(times), limits.time)
    while True:
        with within("world"):  # other clocks never stop
            events = clock.window()
        counter.load(events)
        last, reason = min(
            (counter.rows_until("gradients", limits.gradients), "gradients"),
            (counter.rows_until("communications", limits.communications), "communications"),
        )
        row = 0
        while True:
            until = int(np.searchsorted(events.time, due, side="right"))
            stop = min(until, last)
            player.play(events, row, stop)
            outcome.events += stop - row
            row = stop
            if row == last:
                if not ended(events.time[row - 1], row):
                    outcome.reason = f"limit of {reason}"
                return outcome
            if row == len(events):
                break
            if ended(due, row):
                return outcome
            if due >= limits.time:
                outcome.reason = "limit of time"
                return outcome
            due = min(next(times), limits.time)
