"""The loop of a run: a clock, a player and the errors, from time 0 to the first limit."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import during, users_code, within
from dadao_sim.events.clock import Clock
from dadao_sim.events.log import ROUND, Events
from dadao_sim.results.columns import CONVERGED, DIVERGED, LAST_ROUND, STOPPED, UNTIL
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.player import Player

OUT_OF_TIME = "limit of time"
GROWTH_OF_DIVERGENCE = 1e8  # of the error, over the larger of the first one and that of x0


@dataclass
class Outcome:
    """How a run went: one mapping per sample, the number of events, and the end with its reason."""

    samples: list[dict[str, float]] = field(default_factory=list)
    events: int = 0
    status: str = STOPPED
    reason: str = ""


class Watch:
    """What is seen of one run: a sample whenever it is asked to ``see``, and its ``outcome``."""

    def __init__(
        self, errors: Errors, limits: Limits, tick: Callable[[float, float], None] | None = None
    ):
        self.errors, self.limits, self.tick = errors, limits, tick
        self.outcome = Outcome()

    def see(self, player: Player, time: float, rounds: int, events: int) -> bool:
        """Take a sample, and say whether it ends the run."""
        outcome, estimates = self.outcome, np.empty(player.shape)
        with during(f"sample at time {time:g}"):
            player.observe(time, estimates)
            measured = self.errors(estimates, player.clock(time))
        self.keep(estimates)
        sample = {"time": float(time), **counts(player.tally, rounds, events), **measured}
        outcome.samples.append(sample)
        if self.tick is not None:
            self.tick(time, sample["accuracy"])
        outcome.status, outcome.reason = judged(
            sample["accuracy"], outcome.samples[0]["accuracy"], self.limits
        )
        if outcome.status == STOPPED and (arrived := self.limits.arrived(sample)):
            outcome.status, outcome.reason = CONVERGED, UNTIL + arrived
        return outcome.status != STOPPED

    def keep(self, estimates: np.ndarray) -> None:
        """What else is to be kept of the estimates (n, d) of a sample: nothing."""

    def stop(self, reason: str) -> None:
        """The run has come to a limit, and to no other end."""
        self.outcome.reason = reason


def judged(accuracy: float, first: float, limits: Limits) -> tuple[str, str]:
    """How a run ends with a sample of this accuracy, and why; (STOPPED, "") if it does not."""
    if not accuracy <= GROWTH_OF_DIVERGENCE * max(1.0, first):
        if math.isnan(accuracy):
            return DIVERGED, "the state is not a number"
        return DIVERGED, f"the error passed {GROWTH_OF_DIVERGENCE:.0e} times that of the start"
    if accuracy <= limits.accuracy:
        return CONVERGED, f"accuracy {limits.accuracy:g}"
    return STOPPED, ""


def run(
    player: Player,
    clock: Clock,
    errors: Errors,
    limits: Limits,
    times: Iterator[float],
    tick: Callable[[float, float], None] | None = None,
) -> Outcome:
    """Play ``clock`` to the first of ``limits``, sampled at ``times`` and at the end.

    The samples never touch the events: windows are drawn whole. Accuracy is tested at samples; the
    other limits end the run at the very event that reaches them, or at time 0 where the start costs
    as much. ``tick(time, accuracy)`` is called at each sample.
    """
    watch = Watch(errors, limits, tick)
    watch.outcome.events = play_to_the_end(player, clock, watch, limits, times)
    return watch.outcome


def play_to_the_end(
    player: Player, clock: Clock, watch: Any, limits: Limits, times: Iterator[float]
) -> int:
    """See :func:`run`; ``watch`` is a :class:`Watch`, or sees as one does. The number of events."""
    played = rounds = 0
    events = next_window(clock)
    player.begin(events)
    limit = limits.reached(player.tally)
    if watch.see(player, 0.0, rounds, played):
        return played
    if limit:
        watch.stop(f"limit of {limit}")
        return played
    due = min(next(times), limits.time)
    while True:
        row = 0
        while True:
            until = int(np.searchsorted(events.time, due, side="right"))
            stop, limit = player.play_until(events, row, until, limits)
            played += stop - row
            rounds += int(np.count_nonzero(events.kind[row:stop] == ROUND))
            row = stop
            if limit:
                if not watch.see(player, events.time[row - 1], rounds, played):
                    watch.stop(limit if limit == LAST_ROUND else f"limit of {limit}")
                return played
            if row == len(events):
                break
            if watch.see(player, due, rounds, played):
                return played
            if due >= limits.time:
                watch.stop(OUT_OF_TIME)
                return played
            due = min(next(times), limits.time)
        events = next_window(clock)


def next_window(clock: Clock) -> Events:
    """The next events; an InputError is of the world: other clocks never stop."""
    with users_code("world"), within("world"):
        return clock.window()


def counts(tally: Tally, rounds: int, events: int) -> dict[str, float]:
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
        "events": float(events),
    }
