"""From the problem section of a scenario to a Problem, and to the truth that its data have."""

from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.memory import require_room
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.digit import DigitData
from dadao_sim.problems.data.image import Picture
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.problem import Problem

WITH_A_TRUTH = ("digit", "image", "sparse_signal", "magnitudes")
"""Kinds of data."""


def build_problem(spec: ProblemKind, nodes: int, rng: np.random.Generator) -> Problem:
    """The problem of a scenario.

    Partition and data have streams of their own, spawned from ``rng``: the same data are split in
    different ways. InputError names the option at fault.
    """
    require_room(*spec.needs(nodes))
    problem = spec.build(nodes, rng)
    if not isinstance(problem, Problem):
        raise InputError("kind", f"{spec.kind} builds a {type(problem).__name__}, not a Problem")
    return problem


def is_low_light(spec: Any) -> bool:
    """Whether the data of a ``problem`` section are a picture taken in low light."""
    return getattr(getattr(spec, "data", None), "task", None) == "low_light"


def is_digit(spec: Any) -> bool:
    """Whether the data of a ``problem`` section are a digit of which nodes see pixels."""
    return isinstance(getattr(spec, "data", None), DigitData)


def has_no_truth(spec: Any) -> str:
    """Why what the nodes find cannot be drawn beside the truth; empty where it can."""
    if is_low_light(spec):
        return "light and reflectance are two pictures: draw low_light"
    if spec.kind == "bands":
        return "a cube is many pictures: draw bands"
    kind = getattr(getattr(spec, "data", None), "kind", None)
    if kind not in WITH_A_TRUTH:
        *others, last = WITH_A_TRUTH
        return f"only data {', '.join(others)} and {last} have a truth that is known"
    return ""


def picture(spec: Any, nodes: int, rng: np.random.Generator) -> Picture:
    """The true image, what the nodes saw of it, nan where none did, and in low light the light;
    (size, size) each.

    Of the problem that :func:`build_problem` makes of ``spec``, whose data are of kind ``image`` or
    ``digit``, with a generator in the same state.
    """
    return spec.data.picture(nodes, rng.spawn(2)[0])


def true_signal(spec: Any, rng: np.random.Generator) -> FloatArray:
    """The signal (d,) that data of kind ``sparse_signal`` or ``magnitudes`` are made of; ``rng`` as
    for :func:`picture`.
    """
    return spec.data.signal(rng.spawn(2)[0])
