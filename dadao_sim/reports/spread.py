"""A run watched node by node: how far each still is, or which value it holds, as time goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, during
from dadao_sim.events.clock import Clock
from dadao_sim.events.log import USES, Events
from dadao_sim.reports.layout import Layout, network_layout
from dadao_sim.results.names import label_called
from dadao_sim.simulation.loop import Watch, play_to_the_end
from dadao_sim.simulation.plan import Plan
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.study import Study
from dadao_sim.text.labels import printed_name

MOST_FRAMES = 500
Shows = Literal["error", "value"]


@dataclass(frozen=True)
class Spread:
    """One run at so many moments, evenly spaced; times in mean gradient intervals.

    - layout: where the nodes and edges lie.
    - times (frames,).
    - values (frames, n): the squared distance of each node to x*, over the mean of that at the
      start (``shows`` is "error"), or a coordinate of its estimate ("value").
    - uses (frames, |E|): how often each edge was used since the frame before; None of a method of
      rounds, which uses all of them alike.
    - name: what the algorithm is called in print; label: what the values are called.
    """

    layout: Layout
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    uses: NDArray[np.int64] | None
    name: str
    label: str
    shows: Shows


def spread(
    study: Study,
    algorithm: str,
    *,
    repeat: int = 0,
    frames: int = 60,
    end: float | None = None,
    shows: Shows = "error",
    coordinate: int = 0,
) -> Spread:
    """Watch one algorithm of a scenario in one repeat: the run that `simulate` makes of it.

    Args:
        study: of the scenario.
        algorithm: its label, or what else it may be called.
        repeat: of those of the scenario.
        frames: how many moments, the first at time 0.
        end: the last one, in mean gradient intervals; where the run ends if None. It ends there
            anyway.
        shows: "error" or "value".
        coordinate: which one is the value.

    Raises:
        InputError: for any of these that is none, and for a graph that changes.

    """
    scenario = study.scenario
    if not 0 <= repeat < scenario.repeats:
        raise InputError("repeat", f"{repeat} given", f"0 to {scenario.repeats - 1} are there")
    if not 2 <= frames <= MOST_FRAMES:
        raise InputError("frames", f"{frames} given", f"2 to {MOST_FRAMES} are possible")
    if end is not None and not 0 < end < np.inf:
        raise InputError("end", f"{end:g} given", "it must be positive and finite")
    if shows not in ("error", "value"):
        raise InputError("shows", f"{shows!r} given", "use error or value")
    methods = {spec.label: spec.name for spec in scenario.algorithms}
    titles = {name: METHODS[name].title for name in methods.values()}
    key = label_called(algorithm, methods, titles), repeat
    dimension = study.parts(repeat).problem.dimension
    if not 0 <= coordinate < dimension:
        raise InputError("coordinate", f"{coordinate} given", f"0 to {dimension - 1} are there")
    if shows == "error" and study.parts(repeat).problem.solutions is None:
        wrong = f"no solution of kind {study.parts(repeat).problem.kind} is known"
        raise InputError("shows", wrong, "use value")
    layout = network_layout(study.parts(repeat).network)
    with one_blas_thread(), during(f"{key[0]}, repeat {repeat}"):
        if end is None:
            ran = _watched(study.taken(key), study.taken(key).sample_times())
            end = ran.times[-1]
        plan = study.taken(key)
        step = end / (frames - 1) / plan.unit
        seen = _watched(plan, (step * k for k in range(1, frames + 1)), last=frames)
    X = np.array(seen.estimates)
    if shows == "error":
        solutions = plan.parts.problem.with_step(plan.tuning.prox_step).solutions
        assert solutions is not None
        # One for the whole network, where there are several: that which it comes nearest to.
        nearest = min(solutions, key=lambda x: ((X[-1] - x) ** 2).sum())
        distances = ((X - nearest) ** 2).sum(axis=2)
        values, label = distances / distances[0].mean(), r"$\|x_i-x^\ast\|^2$, relative"
    else:
        values, label = X[:, :, coordinate], f"Coordinate {coordinate} of $x_i$"
        if dimension == 1:
            label = "$x_i$"
    return Spread(
        layout=layout,
        times=np.array(seen.times),
        values=values,
        uses=None if isinstance(plan.method, RoundMethod) else seen.uses(len(layout.edges)),
        name=printed_name(key[0], plan.method.name, plan.method.title, plan.experimental),
        label=label,
        shows=shows,
    )


class _Tapped:
    """A clock whose edges are noted as its windows go by."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.times: list[NDArray[np.float64]] = []
        self.edges: list[NDArray[np.int32]] = []

    def window(self) -> Events:
        """The next one of the clock."""
        events = self.clock.window()
        used = np.isin(events.kind, USES)
        self.times.append(events.time[used])
        self.edges.append(events.edge[used])
        return events


class _Seen(Watch):
    """Beside the outcome, the estimates of all nodes at each sample, at most ``last`` of them."""

    def __init__(self, plan: Plan, last: int | None):
        super().__init__(plan.errors, plan.limits)
        self.unit, self.last = plan.unit, last
        self.times: list[float] = []
        self.estimates: list[NDArray[np.float64]] = []
        self.clock = _Tapped(plan.source)

    def see(self, player: Player, time: float, rounds: int, events: int) -> bool:
        """See :meth:`Watch.see`."""
        estimates = np.empty(player.shape)
        player.observe(time, estimates)
        self.times.append(float(time) * self.unit)
        self.estimates.append(estimates)
        ended = super().see(player, time, rounds, events)
        return ended or len(self.times) == self.last

    def uses(self, edges: int) -> NDArray[np.int64]:
        """How often each edge was used between a frame and the one before."""
        times = np.concatenate([*self.clock.times, np.empty(0)]) * self.unit
        used = np.concatenate([*self.clock.edges, np.empty(0, dtype=np.int32)])
        found = np.zeros((len(self.times), edges), dtype=np.int64)
        frame = np.searchsorted(self.times, times, side="left")
        kept = frame < len(self.times)
        np.add.at(found, (frame[kept], used[kept]), 1)
        return found


def _watched(plan: Plan, times: Iterator[float], last: int | None = None) -> Any:
    player = make_player(
        plan.method, plan.parts.problem, plan.tuning, plan.parts.x0, {}, plan.spec.batch_size
    )
    seen = _Seen(plan, last)
    play_to_the_end(player, seen.clock, seen, plan.limits, times)
    return seen
