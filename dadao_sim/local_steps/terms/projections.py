"""Convex sets: r is 0 on the set and infinite off it, the prox at any step is the projection.

Of bounded ones ``lmo`` minimises linear functions <s, x>; no denominator has an epsilon, so that a
tiny s leads as far as a large one. The value allows for rounding: a mean of points of the set is of
the set.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.fitting import per_one
from dadao_sim.local_steps.terms.groups import norm
from dadao_sim.local_steps.terms.term import Bound, Radius, Term
from dadao_sim.strict import Positive, misuse

# How far off the set is still on it, relative to the bounds (absolute for bounds in [-1, 1]), to
# the total, to the radius.
TOLERANCE = 1e-9


class BoxOperator(NamedTuple):
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


@kernel
def box_lmo(r, s, out):
    """Of each coordinate the bound that s is against; where it is against none, what is nearest
    to 0.
    """
    for k in range(s.shape[0]):
        if s[k] > 0.0:
            out[k] = r.lower[k]
        elif s[k] < 0.0:
            out[k] = r.upper[k]
        else:
            out[k] = min(max(0.0, r.lower[k]), r.upper[k])
        out[k] += 0.0 * s[k]  # nan where s is not finite


operators.prox.register(BoxOperator, box_prox)
operators.value.register(BoxOperator, box_value)
operators.lmo.register(BoxOperator, box_lmo)


class Box(Term):
    """lower <= x <= upper."""

    is_set = True

    kind: Literal["box"] = Field(description="every coordinate between two bounds")
    lower: Bound | None = Field(
        default=None, description="a number, or one for each coordinate; none if absent"
    )
    upper: Bound | None = Field(
        default=None, description="a number, or one for each coordinate; none if absent"
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> "Box":
        if self.lower is None and self.upper is None:
            raise misuse("must have at least one of the keys lower, upper")
        return self

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless lower <= upper in every coordinate."""
        lower = _bound("lower", -math.inf if self.lower is None else self.lower, dimension)
        upper = _bound("upper", math.inf if self.upper is None else self.upper, dimension)
        wrong = ~(lower <= upper)
        if wrong.any():
            k = wrong.argmax()
            found, wanted = f"{upper[k]:g} at coordinate {k}", f"{lower[k]:g}"
            raise InputError("upper", found, f"at least the lower bound {wanted} is needed")
        bounded = bool(np.isfinite(lower).all() and np.isfinite(upper).all())
        operator = BoxOperator(lower, upper)
        return LocalStep(self.kind, operator, dimension, convex=True, bounded=bounded)


def _bound(name: str, value: float | tuple[float, ...], dimension: int) -> np.ndarray:
    """The bound of every coordinate, (d,)."""
    if isinstance(value, tuple):
        return per_one(name, value, dimension, "one per coordinate")
    return np.full(dimension, value)


class SimplexOperator(NamedTuple):
    """r(x) = 0 where x >= 0 and sum_k x_k = total."""

    total: float


@kernel
def threshold(v, wanted):
    """The largest coordinate of v, and tau such that max(v - top - tau, 0) sums to ``wanted``: tau
    is raised to the mean excess of those above it until none falls below (Michelot 1986).
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
        if above == 0 or 0 < count <= above:  # by rounding one at tau may rise above it again
            break
        count, tau = above, (total - wanted) / above
    return top, tau


@kernel
def simplex_prox(r, step, v, out):
    """max(v - tau, 0)."""
    top, tau = threshold(v, r.total)
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


@kernel
def simplex_lmo(r, s, out):
    """All of the total at the least coordinate of s."""
    best, finite = 0, 0.0
    for k in range(s.shape[0]):
        finite += 0.0 * s[k]
        out[k] = 0.0
        if s[k] < s[best]:
            best = k
    out[best] = r.total + finite


operators.prox.register(SimplexOperator, simplex_prox)
operators.value.register(SimplexOperator, simplex_value)
operators.lmo.register(SimplexOperator, simplex_lmo)


class Simplex(Term):
    """x >= 0, sum_k x_k = total."""

    is_set = True

    kind: Literal["simplex"] = Field(description="nonnegative coordinates with a fixed sum")
    total: Positive = Field(default=1.0, description="the sum")

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        return LocalStep(self.kind, SimplexOperator(self.total), dimension, convex=True)


@kernel
def shorten(s, begin, end, length, out):
    """Write length s/||s|| of s[begin:end] into the same place of ``out``; 0 where s is."""
    size = norm(s, begin, end)
    for k in range(begin, end):
        out[k] = 0.0 if size == 0.0 else length * (s[k] / size)


class L2BallOperator(NamedTuple):
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


@kernel
def l2_ball_lmo(r, s, out):
    """-radius s/||s||."""
    shorten(s, 0, s.shape[0], -r.radius, out)


operators.prox.register(L2BallOperator, l2_ball_prox)
operators.value.register(L2BallOperator, l2_ball_value)
operators.lmo.register(L2BallOperator, l2_ball_lmo)


class L2Ball(Term):
    """||x||_2 <= radius."""

    is_set = True

    kind: Literal["l2_ball"] = Field(description="a Euclidean ball around 0")
    radius: Radius

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        return LocalStep(self.kind, L2BallOperator(self.radius), dimension, convex=True)
