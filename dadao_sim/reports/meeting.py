"""Where agents meet, by which oracle: the points found, what they cost, and the paths there."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.meeting import MeetingProblem
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

POINTS = 25
"""Along each axis, at which F is evaluated for its level lines."""
MARGIN = 0.08
"""Of the width of what the agents pass, beyond it."""


@dataclass(frozen=True)
class Meeting:
    """Of the first repeat.

    - paths: (n, N + 1, 2), of the agents to the optimum.
    - x_star, mean: (2,), the optimum and the mean of the agents' positions.
    - found: label -> (2,), where what answers its gradients has its minimum: where it ends.
    - excess: label -> F there less F*, 0 of the exact oracle; of_mean: that of the mean.
    - axes: the two coordinates (k,) of the level lines; values (k, k): F - F* there, the second
      coordinate first.
    - surrogate: the first label whose gradients are a surrogate's, None where there is none;
      surrogate_values (k, k): that surrogate of F there, less its own least value.
    - result: where the labels come from.
    """

    paths: FloatArray
    x_star: FloatArray
    mean: FloatArray
    found: dict[str, FloatArray]
    excess: dict[str, float]
    of_mean: float
    axes: tuple[FloatArray, FloatArray]
    values: FloatArray
    surrogate: str | None
    surrogate_values: FloatArray | None
    result: Result


def meeting(result: Result) -> Meeting:
    """Of a result of problem meeting; InputError for another."""
    study = study_of(result)
    problems = {plan.key[0]: plan.parts.problem for plan in study.check() if plan.key[1] == 0}
    own: dict[str, MeetingProblem] = {}
    for label, problem in problems.items():
        one = getattr(problem, "smooth", problem)  # but for a local step
        if not isinstance(one, MeetingProblem):
            wrong = f"the problem {one.kind} has no agents"
            raise InputError("figures", wrong, "leave meeting out")
        own[label] = one
    first = next(iter(own.values()))
    paths = np.array([first.plan(i, first.x_star) for i in range(first.nodes)])
    low, high = paths.min(axis=(0, 1)), paths.max(axis=(0, 1))
    half = (0.5 + MARGIN) * (high - low).max()
    axes = [np.linspace(m - half, m + half, POINTS) for m in (low + high) / 2]
    grid = np.stack(np.meshgrid(*axes), axis=-1)
    other = next((label for label, one in own.items() if not one.has_exact_oracle), None)
    return Meeting(
        paths=paths,
        x_star=first.x_star,
        mean=first.mean_of_positions,
        found={label: one.found for label, one in own.items()},
        excess={
            label: 0.0 if one.has_exact_oracle else first.suboptimality(one.found)
            for label, one in own.items()
        },
        of_mean=first.suboptimality(first.mean_of_positions),
        axes=(axes[0], axes[1]),
        values=np.apply_along_axis(first.suboptimality, 2, grid),
        surrogate=other,
        surrogate_values=None if other is None else _of_surrogate(own[other], grid),
        result=result,
    )


def _of_surrogate(problem: MeetingProblem, grid: FloatArray) -> FloatArray:
    least = problem.surrogate_value(problem.found)
    return np.apply_along_axis(problem.surrogate_value, 2, grid) - least
