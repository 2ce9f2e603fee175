"""A live run beside simulated ones: the same problem on the same network, with other ticks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.results.result import Result
from dadao_sim.simulation.identity import scenario_as_run
from dadao_sim.simulation.one_run import run_plan
from dadao_sim.simulation.study import Study

if TYPE_CHECKING:
    from pandas import DataFrame

SIMULATED = 20
"""Runs to which a live one is held: of fewer 10 and 90 % are its best and its worst."""


@dataclass(frozen=True)
class LiveError:
    """The error of the nodes, relative to that of the start, in a live run and in simulated ones.

    - times (points,): in mean gradient intervals, with the ``unit`` in seconds.
    - live (points,): nan after the last event of the run.
    - low, middle, high (points,): what 10, 50 and 90 % of the ``runs`` simulated ones are below.
    - deaths: when nodes were killed.
    - name: what the algorithm is called in print.
    """

    times: NDArray[np.float64]
    live: NDArray[np.float64]
    low: NDArray[np.float64]
    middle: NDArray[np.float64]
    high: NDArray[np.float64]
    deaths: tuple[float, ...]
    runs: int
    unit: float
    name: str


def live_error(result: Result, runs: int = SIMULATED) -> LiveError:
    """Simulate what ``result`` was a live run of, so many times over.

    Repeat 0 has the same problem, network and start; the ticks of each run are others, and none are
    those of the live one. Raises InputError for a result that is of no live run, or of a log that
    processes followed.
    """
    said = result.manifest.get("live")
    if not said:
        raise InputError("result", "is of no live run", "give one of dadao-sim live")
    if "horizon" not in said:
        raise InputError("result", "its processes followed a log", "give one with clocks")
    label = said["algorithm"]
    plan = Study(scenario_as_run(result.manifest)).plan((label, 0))
    times = np.linspace(0, plan.horizon, 201)
    errors = np.array(
        [_error(run_plan(replace(plan, seed=seed)).curves, times) for seed in plan.seed.spawn(runs)]
    )
    low, middle, high = np.exp(np.quantile(np.log(errors), [0.1, 0.5, 0.9], axis=0))
    live = _error(result.curves[result.curves["algorithm"] == label], times)
    return LiveError(
        *(times, live, low, middle, high),
        deaths=tuple(one["time"] for one in said["ended"]),
        runs=runs,
        unit=said["unit_seconds"],
        name=result.names[label],
    )


def _error(curves: DataFrame, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The error of a run at ``times``, between samples on a logarithmic scale; nan beyond them."""
    error = np.log(np.maximum(curves["accuracy"].to_numpy(), np.finfo(float).tiny))
    return np.asarray(np.exp(np.interp(times, curves["time"].to_numpy(), error, right=np.nan)))
