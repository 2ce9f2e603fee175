"""Where the mean of the nodes went in two dimensions, over the field that it follows."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result
from dadao_sim.simulation.again import PlayedAgain

ARROWS = 19
"""Along each axis."""
MARGIN = 0.15
"""Of the width that is shown, beyond the trajectories that stay."""
CLOSE, LONG = 3.0, 0.05
"""Samples farther apart in time, between which the mean went farther than that part of the width,
are not joined: what lies between them is not known.
"""


@dataclass(frozen=True)
class Trajectories:
    """The mean of the nodes, by label, at every sample of the first repeat.

    - means: label -> (k, 2), with nan where a line is broken: see CLOSE.
    - ends: label -> (2,), the last of them.
    - diverging: the labels that end farther from a solution than they started, or not finite.
    - solutions: (m, 2), none where none is known.
    - limits: (low, high) of the first coordinate and of the second: of what stays.
    - at, field: points (p, 2), and there the mean of -grad f_i, or of -F_i (p, 2).
    - result: where the labels come from.
    """

    means: dict[str, np.ndarray]
    ends: dict[str, np.ndarray]
    diverging: frozenset[str]
    solutions: np.ndarray
    limits: tuple[tuple[float, float], tuple[float, float]]
    at: np.ndarray
    field: np.ndarray
    result: Result


def trajectories(result: Result) -> Trajectories:
    """Of all algorithms, whose runs are made again. InputError for a problem that has not two
    dimensions.
    """
    problem = study_of(result).parts(0).problem
    if problem.dimension != 2:
        raise InputError(
            "figures", f"trajectories are of dimension 2, not {problem.dimension}", "leave it out"
        )
    means, times = {}, {}
    for label in result.methods:
        seen = PlayedAgain(result, label).trajectory()
        of_nodes = seen[["x0", "x1"]].to_numpy().reshape(-1, problem.nodes, 2)
        with np.errstate(over="ignore", invalid="ignore"):
            means[label] = of_nodes.mean(axis=1)
        times[label] = seen["time"].to_numpy()[:: problem.nodes]
    solutions = np.empty((0, 2)) if problem.solutions is None else problem.solutions
    diverging = frozenset(label for label, mean in means.items() if _leaves(mean, solutions))
    limits = _limits([mean for label, mean in means.items() if label not in diverging], means)
    grid = [np.linspace(low, high, ARROWS + 2)[1:-1] for low, high in limits]
    at = np.stack(np.meshgrid(*grid), axis=-1).reshape(-1, 2)
    field = -np.array([problem.mean_operator(point) for point in at])
    width = limits[0][1] - limits[0][0]
    broken = {label: _broken(mean, times[label], width) for label, mean in means.items()}
    ends = {label: mean[-1] for label, mean in means.items()}
    return Trajectories(broken, ends, diverging, solutions, limits, at, field, result)


def _broken(mean: np.ndarray, times: np.ndarray, width: float) -> np.ndarray:
    """With a row of nan between samples that are not joined."""
    far = np.linalg.norm(np.diff(mean, axis=0), axis=1) > LONG * width
    cuts = np.flatnonzero(far & (np.diff(times) > CLOSE)) + 1
    return np.insert(mean, cuts, np.nan, axis=0)


def _leaves(mean: np.ndarray, solutions: np.ndarray) -> bool:
    if not np.isfinite(mean).all():
        return True
    centre = solutions[0] if len(solutions) else mean[0]
    distances = np.linalg.norm(mean - centre, axis=1)
    return bool(distances[-1] > max(10 * distances[0], 1e-12))


def _limits(
    staying: list[np.ndarray], means: dict[str, np.ndarray]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square around what stays, or around the starts."""
    starts = np.concatenate([mean[:1] for mean in means.values()])
    shown = np.concatenate(staying or [starts - 1, starts + 1])
    low, high = shown.min(axis=0), shown.max(axis=0)
    half = max((0.5 + MARGIN) * float((high - low).max()), 1e-9)
    first, second = ((float(m - half), float(m + half)) for m in (low + high) / 2)
    return first, second
