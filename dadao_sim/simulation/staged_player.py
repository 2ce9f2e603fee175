"""The player of a problem that changes in stages: any method, started again at each change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import InputError, during
from dadao_sim.events.log import Events
from dadao_sim.problems import Problem
from dadao_sim.simulation.agreement import agreed_quantile
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.player import Player

Start = Callable[[Problem, np.ndarray], Player]
ROUNDING = 1e-9
"""Of times."""


class Part(NamedTuple):
    """Rows ``first`` to ``stop`` of a window, those of a stage, in the stage's own time."""

    stage: int
    first: int
    stop: int
    events: Events


class StagedPlayer(Player):
    """Plays a stage, sets the problem anew by what the nodes found, starts the method there again.

    ``start(problem, x0)`` makes the player of a stage. A stage lasts ``every`` units of time, and
    the nodes agree for ``rounds`` units on what comes next, in which nothing else happens (see
    :class:`~dadao_sim.events.pauses.PausedClock`). What agreeing and starting again costs is
    counted.
    """

    def __init__(self, start: Start, problem: Problem, x0: np.ndarray, network: Any):
        assert problem.stages is not None
        self.start, self.problem, self.network = start, problem, network
        self.stages, self.stage = problem.stages, 0
        self.inner = start(problem, x0)
        self.shape = self.inner.shape
        self.before = Tally()
        self._window: tuple[Events, list[Part]] | None = None

    @property
    def objective(self) -> Any:
        """That of the present stage."""
        return self.inner.objective

    @property
    def tally(self) -> Tally:
        """See :meth:`Player.tally`."""
        return self.before.plus(self.inner.tally)

    @property
    def arrays(self) -> list[np.ndarray]:
        """See :meth:`Player.arrays`."""
        return self.inner.arrays

    def blocks(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """See :meth:`Player.blocks`."""
        return self.inner.blocks(names)

    def begin(self, events: Events) -> None:
        """See :meth:`Player.begin`."""
        first = self._parts(events)[0]
        if first.stage == self.stage:  # else the problem is not posed yet
            self.inner.begin(first.events)

    def play_until(self, events: Events, first: int, stop: int, limits: Limits) -> tuple[int, str]:
        """See :meth:`Player.play_until`."""
        for part in self._parts(events):
            low, high = max(first, part.first), min(stop, part.stop)
            if low >= high:
                continue
            while self.stage < part.stage:
                self._go_on()
            left = replace(
                limits,
                gradients=limits.gradients - self.before.gradients,
                communications=limits.communications - self.before.communications,
            )
            with during(f"stage {part.stage}"):
                row, limit = self.inner.play_until(
                    part.events, low - part.first, high - part.first, left
                )
            if limit:
                return part.first + row, limit
        return stop, ""

    def observe(self, t: float, out: np.ndarray) -> None:
        """See :meth:`Player.observe`; in a pause what was held at its beginning."""
        now = t - self.stages.begun(self.stage)
        self.inner.observe(min(now, self.stages.lasts(self.stage)), out)

    def warm_up(self) -> None:
        """See :meth:`Player.warm_up`."""
        self.inner.warm_up()

    def _go_on(self) -> None:
        """Into the next stage."""
        X = np.empty(self.shape)
        self.inner.observe(self.stages.lasts(self.stage), X)
        self.before = self.tally

        def agree(values: Sequence[np.ndarray], q: float) -> np.ndarray:
            return agreed_quantile(values, q, self.network, self.stages.rounds, self.before)

        self.stage += 1
        with np.errstate(over="ignore", invalid="ignore"), during(f"stage {self.stage}"):
            self.problem = self.problem.refreshed(self.stage, X, agree)
        self.inner = self.start(self.problem, X)

    def _parts(self, events: Events) -> list[Part]:
        """A window, cut where stages end. InputError where something happens in a pause."""
        if self._window is None or self._window[0] is not events:
            self._window = events, list(self._cut(events))
        return self._window[1]

    def _cut(self, events: Events) -> Sequence[Part]:
        stages = self.stages
        # In the middle of a pause, lest rounding puts an event into the wrong stage.
        ends = stages.ends + stages.rounds * (np.arange(stages.times) + 0.5)
        bounds = [0, *np.searchsorted(events.time, ends, side="right").tolist(), len(events)]
        parts = []
        for stage, (first, stop) in enumerate(pairwise(bounds)):
            if first == stop:
                continue
            rows = events[first:stop]
            time = rows.time - stages.begun(stage)
            rounding = ROUNDING * rows.time
            outside = (time < -rounding) | (time > stages.lasts(stage) + rounding)
            if outside.any():
                raise _in_a_pause(rows.time[outside.argmax()])
            parts.append(Part(stage, first, stop, replace(rows, time=np.maximum(time, 0.0))))
        return parts


def _in_a_pause(time: float) -> InputError:
    wrong = f"something happens at {time:g}, where the nodes do nothing but agree"
    return InputError("events", wrong, "take those of a run of this problem")
