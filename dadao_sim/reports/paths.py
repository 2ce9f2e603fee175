"""The coordinates of quantised models on their way to the levels, played again from a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.local_steps.quantise import QuantisedStep
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.results.result import Result
from dadao_sim.simulation.again import PlayedAgain
from dadao_sim.text.labels import printed_name


@dataclass(frozen=True)
class Path:
    """Of one algorithm, at so many samples.

    - label: of the algorithm; name: what it is called in print.
    - times (k,): what the local step takes for the time, in the unit ``of_time``.
    - points (k, n, d): the nodes' estimates.
    - levels (m,): what a coordinate shall be.
    - gaps (m - 1, 2, k): between every two levels, the bounds of what is infeasible; both are the
      middle where nothing is.
    """

    label: str
    name: str
    of_time: str
    times: FloatArray
    points: FloatArray
    levels: FloatArray
    gaps: FloatArray


def paths(result: Result) -> list[Path]:
    """Of every algorithm of a result that has a quantised local step, in the first repeat, which is
    played again. InputError where none has, and as of :func:`path_of`.
    """
    found = [path for label in result.methods if (path := path_of(result, label)) is not None]
    if not found:
        raise InputError("paths: no algorithm has levels to come to; leave it out")
    return found


def path_of(result: Result, algorithm: str, **given: Any) -> Path | None:
    """Of one algorithm, None without a quantised local step; ``given`` as of
    :class:`PlayedAgain`. InputError as there, and where it ran in a world.
    """
    if result.manifest["scenario"].get("world") is not None:
        raise InputError("paths: a world has another time than its local step; leave it out")
    played = PlayedAgain(result, algorithm, **given)
    label, curves = played.key[0], played.curves
    local_step = played.problem.local_step
    if not isinstance(local_step, QuantisedStep):
        return None
    of_nodes = played.trajectory().drop(columns=["time", "node"]).to_numpy()
    rounds = curves["rounds"].to_numpy()
    in_rounds = bool(rounds.any())
    row = result.runs[result.runs["algorithm"] == label].iloc[0]
    method = result.methods[label]
    times = rounds if in_rounds else curves["time"].to_numpy()
    return Path(
        label=label,
        name=printed_name(label, method, result.titles[method], bool(row["experimental"])),
        of_time="rounds" if in_rounds else "mean gradient intervals",
        times=times,
        points=of_nodes.reshape(len(curves), -1, local_step.dimension),
        levels=local_step.levels,
        gaps=_gaps(local_step, times),
    )


def _gaps(local_step: QuantisedStep, times: FloatArray) -> FloatArray:
    """(w - a)^2 (w - b)^2 > eps where |w - middle| < sqrt(h^2/4 - sqrt(eps)); without sets that
    tighten nothing is infeasible.
    """
    eps = np.array([local_step.eps_at(t) for t in times])
    half = np.sqrt(np.maximum(0.0, local_step.grid.spacing**2 / 4 - np.sqrt(eps)))
    half[eps == 0] = 0.0
    middles = (local_step.levels[1:] + local_step.levels[:-1]) / 2
    return np.array([[middle - half, middle + half] for middle in middles])
