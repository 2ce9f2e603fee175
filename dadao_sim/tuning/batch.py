"""A grid of constants played as one batch: the same rounds of the same method, side by side.

A batch gives what its runs give one by one, or there is none: the plans have to be alike in all
that is not broadcast, and a trial of a few rounds has to agree with single runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.events.log import ROUND
from dadao_sim.results.columns import STOPPED
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.loop import counts, judged, next_window, play_to_the_end
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.plan import Plan, make_clock
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.round_player import RoundPlayer

TRIAL = 4  # rounds
AGREES = 1e-12  # relative


class Accuracies(Errors):
    """The accuracy of the estimates X (n, d) of a run, or of each of a batch (batch, n, d)."""

    def __init__(self, problem: Any, x0: np.ndarray):
        super().__init__(problem, x0)
        solutions = problem.solutions
        only = solutions is not None and len(solutions) == 1
        self.solution = solutions[0] if only else None

    def of(self, X: np.ndarray) -> np.ndarray:
        """Mean squared distance over that of the start, as the errors of a run have it: of several
        solutions to the nearest one, and without any the stationarity in its place.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if self.solution is None:
                runs = X.reshape(-1, *X.shape[-2:])
                errors = np.array([self._error(one) for one in runs]).reshape(X.shape[:-2])
            else:
                errors = ((X - self.solution) ** 2).sum(axis=-1).mean(axis=-1)
            return np.asarray(errors / self.start)

    def __call__(self, X: np.ndarray, t: float = 0.0) -> dict[str, float]:
        """Of a single run."""
        return {"accuracy": float(self.of(X))}


@dataclass
class End:
    """How a run ended: status, reason, what it had cost then, and its accuracy."""

    status: str
    reason: str
    last: dict[str, float]


class BatchWatch:
    """Sees the runs of a batch, each to its own end; who has ended is played no further."""

    def __init__(self, errors: Accuracies, limits: Limits, runs: int):
        self.errors, self.limits = errors, limits
        self.under_way = np.arange(runs)
        self.first: np.ndarray = np.empty(0)
        self.ends: list[End] = [End(STOPPED, "", {})] * runs

    def see(self, player: Player, time: float, rounds: int, events: int) -> bool:
        """Take a sample of each run, and say whether all have ended."""
        X = np.empty(player.shape)
        player.observe(time, X)
        accuracies = self.errors.of(X)
        if not self.first.size:
            self.first = accuracies
        spent = {"time": float(time), **counts(player.tally, rounds, events)}
        going = np.ones(len(accuracies), dtype=bool)
        for k, run in enumerate(self.under_way.tolist()):
            accuracy = float(accuracies[k])
            status, reason = judged(accuracy, float(self.first[run]), self.limits)
            self.ends[run] = End(status, reason, {**spent, "accuracy": accuracy})
            going[k] = status == STOPPED
        if not going.all():
            self.under_way = self.under_way[going]
            assert isinstance(player, RoundPlayer)
            player.keep(going)
        return not going.any()

    def stop(self, reason: str) -> None:
        """Those that are under way have come to a limit."""
        for run in self.under_way:
            self.ends[run].reason = reason


def play_batch(plans: Sequence[Plan]) -> list[End] | None:
    """The ends of runs of one :func:`structure`, played at once; None where they cannot be."""
    first = plans[0]
    if not agrees(plans):
        return None
    watch = BatchWatch(Accuracies(first.parts.problem, first.x0), first.limits, len(plans))
    clock = make_clock(first)  # the source of the plan is for its run, if it is played alone
    try:
        play_to_the_end(batch_player(plans), clock, watch, first.limits, first.sample_times())
    except Exception:  # what a later round makes of several runs; of one, its run will tell
        return None
    return watch.ends


def structure(plan: Plan) -> Any:
    """All of a plan that does not broadcast: what is equal in two plans of the same parts may be
    played at once. None of one that has to be played alone.
    """
    method, tuning, asked = plan.method, plan.tuning, plan.tuning.asked
    if not (isinstance(method, RoundMethod) and method.broadcasts) or method.table:
        return None
    if tuning.lookahead is not None:
        return None  # the anchor is that of one run
    if plan.parts.problem.stages is not None:
        return None
    if plan.parts.problem.with_step(tuning.prox_step) is not plan.parts.problem:
        return None  # x* depends on the step
    constants = vars(tuning.params)
    kinds = {name: np.shape(c) for name, c in constants.items()}
    whole = {name: c for name, c in constants.items() if isinstance(c, int)}
    costs = [vars(tally) for tally in (asked.start, asked.per_round, asked.with_heads)]
    gossip = (tuning.chebyshev, repr(tuning.compressor), tuning.weights)
    rest = (*gossip, repr(tuning.schedule), tuning.asleep)
    return kinds, whole, costs, asked.chance, rest, plan.limits, plan.horizon, plan.unit


def batch_player(plans: Sequence[Plan]) -> RoundPlayer:
    """All runs at time 0, in one player."""
    first = plans[0]
    params = stacked([vars(plan.tuning.params) for plan in plans])
    tuning = replace(first.tuning, params=params)
    parts, size = first.parts, first.spec.batch_size
    player = make_player(first.method, parts.problem, tuning, parts.x0, {}, size, runs=len(plans))
    assert isinstance(player, RoundPlayer)
    return player


def stacked(constants: Sequence[dict[str, Any]]) -> SimpleNamespace:
    """Where runs differ (batch, 1, 1), or (batch, n, 1) of constants of nodes; else as it is."""
    params = {}
    for name, value in constants[0].items():
        values = [np.asarray(of_run[name]) for of_run in constants]
        if all(np.array_equal(values[0], other) for other in values[1:]):
            params[name] = value
        else:
            together = np.stack(values)
            params[name] = together[:, None, None] if together.ndim == 1 else together
    return SimpleNamespace(**params)


def single_player(plan: Plan) -> Player:
    """A run at time 0."""
    parts = plan.parts
    return make_player(plan.method, parts.problem, plan.tuning, parts.x0, {}, plan.spec.batch_size)


def agrees(plans: Sequence[Plan]) -> bool:
    """Whether the first rounds of a batch are those of its first, middle and last run by itself."""
    some = sorted({0, len(plans) // 2, len(plans) - 1})
    try:
        batch, singles = batch_player(plans), [single_player(plans[k]) for k in some]
        events = next_window(make_clock(plans[0]))
        stop = int(np.flatnonzero(events.kind == ROUND)[:TRIAL][-1]) + 1
        for player in (batch, *singles):
            player.begin(events)
            player.play(events, 0, stop)
        if any(player.tally != batch.tally for player in singles):
            return False
        names = plans[0].method.blocks
        apart = [player.blocks(names) for player in singles]
        together = batch.blocks(names)
        return all(
            _same(together[name][k], blocks[name])
            for name in names
            for k, blocks in zip(some, apart, strict=True)
        )
    except Exception:  # whatever a step that was written for one run makes of several
        return False


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    size = float(np.abs(other).max(initial=0.0, where=np.isfinite(other)))
    return one.shape == other.shape and np.allclose(
        one, other, rtol=AGREES, atol=AGREES * size, equal_nan=True
    )
