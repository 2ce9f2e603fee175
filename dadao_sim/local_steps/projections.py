"""Convex sets: r is 0 on the set and infinite off it, the prox at any step is the projection.

The value allows for rounding: a mean of points of the set is of the set.
"""

import math
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps.groups import norm
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.options import WHERE, numbers, positive

# How far off the set is still on it, relative to the bounds (absolute for bounds in [-1, 1]), to
# the total, to the radius.
TOLERANCE = 1e-9


class Box(NamedTuple):
    """r(x) = 0 where lower <= x <= upper, (d,) each, infinite ones allowed."""

    lower: np.ndarray
    upper: np.ndarray


@kernel
def box_prox(r, step, v, out):
    """v, clipped."""
    for k in range(v.shape[0]):
        x = r.lower[k] if v[k] < r.lower[k] else v[k]
        out[k] = r.upper[k] if x > r.upper[k] else x


@kernel
def box_value(r, x):
    """0 on the box."""
    for k in range(x.shape[0]):
        below = r.lower[k] - x[k]
        above = x[k] - r.upper[k]
        if below > TOLERANCE * max(1.0, abs(r.lower[k])):
            return math.inf
        if above > TOLERANCE * max(1.0, abs(r.upper[k])):
            return math.inf
    return 0.0


class Simplex(NamedTuple):
    """r(x) = 0 where x >= 0 and sum_k x_k = total."""

    total: float


@kernel
def simplex_prox(r, step, v, out):
    """max(v - tau, 0): tau is raised to the mean excess of those above it until none falls below
    (Michelot 1986).
    """
    top = v[0]
    for k in range(v.shape[0]):
        top = max(top, v[k])
    count, tau = 0, -math.inf
    while True:
        above, total = 0, 0.0
        for k in range(v.shape[0]):
            if v[k] - top > tau:
                above += 1
                total += v[k] - top
        if above in (0, count):
            break
        count, tau = above, (total - r.total) / above
    for k in range(v.shape[0]):
        rest = v[k] - top - tau
        out[k] = 0.0 if rest < 0.0 else rest


@kernel
def simplex_value(r, x):
    """0 on the simplex."""
    slack = TOLERANCE * r.total
    total = 0.0
    for k in range(x.shape[0]):
        if x[k] < -slack:
            return math.inf
        total += x[k]
    return math.inf if abs(total - r.total) > slack else 0.0


class L2Ball(NamedTuple):
    """r(x) = 0 where ||x||_2 <= radius."""

    radius: float


@kernel
def l2_ball_prox(r, step, v, out):
    """v, shortened to the radius."""
    size = norm(v, 0, v.shape[0])
    scale = 1.0 if size <= r.radius else r.radius / size
    for k in range(v.shape[0]):
        out[k] = scale * v[k]


@kernel
def l2_ball_value(r, x):
    """0 on the ball."""
    return math.inf if norm(x, 0, x.shape[0]) > r.radius * (1.0 + TOLERANCE) else 0.0


def box(
    dimension: int, *, lower: ArrayLike | None = None, upper: ArrayLike | None = None
) -> LocalStep:
    """See :class:`Box`; a bound is a number for all coordinates or one for each, absent for none.

    InputError unless there is a bound, and lower <= upper.
    """
    if lower is None and upper is None:
        raise InputError(f"{WHERE}: box has no bounds; give lower, upper, or both")

    def bound(name: str, value: ArrayLike | None, absent: float) -> np.ndarray:
        value = absent if value is None else value
        values = np.full(dimension, value) if isinstance(value, Real) else value
        return numbers(name, values, dimension, "one per coordinate")

    r = Box(bound("lower", lower, -np.inf), bound("upper", upper, np.inf))
    wrong = ~(r.lower <= r.upper)
    if wrong.any():
        k = wrong.argmax()
        raise InputError(
            f"{WHERE}.upper: {r.upper[k]:g} at coordinate {k}; at least the lower bound "
            f"{r.lower[k]:g} is needed"
        )
    return LocalStep("box", r, dimension, convex=True)


def simplex(dimension: int, *, total: float = 1.0) -> LocalStep:
    """See :class:`Simplex`; InputError unless total > 0."""
    return LocalStep("simplex", Simplex(positive("total", total)), dimension, convex=True)


def l2_ball(dimension: int, *, radius: float) -> LocalStep:
    """See :class:`L2Ball`; InputError unless radius > 0."""
    return LocalStep("l2_ball", L2Ball(positive("radius", radius)), dimension, convex=True)


operators.prox.register(Box, box_prox)
operators.value.register(Box, box_value)
operators.prox.register(Simplex, simplex_prox)
operators.value.register(Simplex, simplex_value)
operators.prox.register(L2Ball, l2_ball_prox)
operators.value.register(L2Ball, l2_ball_value)
