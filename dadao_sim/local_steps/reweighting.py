"""Iteratively reweighted least squares: what a term needs for it, and the little there is to share.

A term r that grows more slowly than a square lies below one that touches it at x,
r(y) <= r(x) + <y, S(x) y>/2 - <x, S(x) x>/2, with S(x) x = grad r(x). Minimising F plus that square
instead, again and again, is descent: K. Lange, D. R. Hunter, I. Yang, "Optimization Transfer Using
Surrogate Objective Functions", Journal of Computational and Graphical Statistics 9(1), 2000.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Linear = Callable[[FloatArray], FloatArray]

STAGES, STEPS_OF_STAGE, FIRST_EPSILON = 8, 5, 1.0
"""How epsilon is annealed where nobody says otherwise."""


@runtime_checkable
class Reweighted(Protocol):
    """The operator of a term that can be reweighted, beside its prox and its value."""

    @property
    def epsilon(self) -> float:
        """Size below which the term is a parabola."""

    def with_epsilon(self, epsilon: float) -> "Reweighted":
        """The same term with another epsilon."""

    def majoriser(self, X: FloatArray) -> Linear:
        """V -> S(X_i) V_i, rows (..., d) to rows (..., d), with the weights of X frozen."""


def epsilon_of_step(k: int, first: float, last: float, stages: int, each: int) -> float:
    """Epsilon in step k = 0, 1, ...: from ``first`` to ``last`` in ``stages`` equal factors, for
    ``each`` steps at a time, then ``last``; it never rises.
    """
    stage = k // each
    if stage >= stages - 1 or first <= last:
        return last
    return float(first * (last / first) ** (stage / (stages - 1)))


def conjugate_gradients(apply: Linear, B: FloatArray, X: FloatArray, steps: int) -> FloatArray:
    """Rows X (..., d) after ``steps`` steps towards ``apply(X) = B``, each row by itself; ``apply``
    is linear, positive semidefinite, and acts on each row by itself. A row that is solved stays.

    It is asked once for the start and once for each step. From X it minimises
    <Y, apply(Y)>/2 - <B, Y> over a space that holds X: what decreases there has decreased.
    """
    residual = B - apply(X)
    direction, square = residual, (residual**2).sum(axis=-1, keepdims=True)
    for _ in range(steps):
        image = apply(direction)
        curvature = (direction * image).sum(axis=-1, keepdims=True)
        length = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0)
        X = X + length * direction
        residual = residual - length * image
        before, square = square, (residual**2).sum(axis=-1, keepdims=True)
        share = np.divide(square, before, out=np.zeros_like(square), where=before > 0)
        direction = residual + share * direction
    return X


def annealed_limit(
    gradient: Linear, operator: Any, dimension: int, steps: int, solve_steps: int
) -> FloatArray:
    """Where reweighting leads from 0 on one machine, for F + r with a quadratic F: x (d,).

    ``gradient`` is grad F of a point (d,). Epsilon is annealed as by default, then held for
    ``steps`` steps; each takes ``solve_steps`` conjugate gradients.
    """
    x = np.zeros(dimension)
    at_zero = gradient(x)
    for k in range(STAGES * STEPS_OF_STAGE + steps):
        epsilon = epsilon_of_step(k, FIRST_EPSILON, operator.epsilon, STAGES, STEPS_OF_STAGE)
        apply = _sum(gradient, -at_zero, operator.with_epsilon(epsilon).majoriser(x))
        x = conjugate_gradients(apply, -at_zero, x, solve_steps)
    return x


def _sum(gradient: Linear, shift: FloatArray, S: Linear) -> Linear:
    return lambda v: gradient(v) + shift + S(v)
