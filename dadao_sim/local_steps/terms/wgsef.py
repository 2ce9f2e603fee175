"""The weighted group sparse envelope function, in linear time: Y. Refael, I. Arbel, W. Huleihel,
"Learning k-Level Structured Sparse Neural Networks Using Group Envelope Regularization",
arXiv:2212.12921.

It is the largest convex function below (1/2) sum_j d_j ||x_j||^2 where at most k groups x_j are not
zero (infinite elsewhere):
s(x) = min over 0 <= u <= 1, sum_j u_j <= k of (1/2) sum_j d_j ||x_j||^2/u_j.
Its conjugate is half the sum of the k largest ||y_j||^2/d_j.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.errors import InputError
from dadao_sim.given import vector
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.fitting import at_most, offsets, per_one
from dadao_sim.local_steps.terms.groups import norm
from dadao_sim.local_steps.terms.term import Groups, Strength, Term, Weights
from dadao_sim.strict import Count

FloatArray = NDArray[np.float64]


@workspace("slope", "start", "open")
class WgsefOperator(NamedTuple):
    """r(x) = strength s(x); ``weights`` (m,) are the d_j, group j is [offsets[j], offsets[j + 1]).

    Workspace (m,): the share of group j is u_j(eta) = clip(slope[j] eta - start[j], 0, 1), and
    ``open`` lists groups.
    """

    strength: float
    k: int
    offsets: np.ndarray
    weights: np.ndarray
    slope: np.ndarray
    start: np.ndarray
    open: np.ndarray


@kernel
def share(r, j, eta):
    """u_j(eta)."""
    return min(max(r.slope[j] * eta - r.start[j], 0.0), 1.0)


@kernel
def level(r):
    """The eta at which the shares sum to k; infinite, for shares of 1, if at most k groups have a
    slope.

    Breakpoints of the piecewise linear sum are tried in a fixed pseudo-random order, each against
    the groups that still have one between the bounds on eta: linear time in expectation. Sums of
    shares are over positive numbers only, so nothing cancels.
    """
    count = 0
    for j in range(r.slope.shape[0]):
        if r.slope[j] != 0.0:
            r.open[count] = j
            count += 1
    low, high = 0.0, math.inf
    if count <= r.k:
        return high
    full, slope, start = 0.0, 0.0, 0.0  # of the groups with no breakpoint left between the bounds
    draw = 1
    while count > 0:
        draw = 48271 * draw % 2147483647
        j = r.open[draw % count]
        eta = r.start[j] / r.slope[j]
        if not low < eta < high:
            eta = (r.start[j] + 1.0) / r.slope[j]
        total = full + (slope * eta - start)
        for i in range(count):
            total += share(r, r.open[i], eta)
        if total < r.k:
            low = eta
        else:
            high = eta
        kept = 0
        for i in range(count):
            j = r.open[i]
            begin, end = r.start[j] / r.slope[j], (r.start[j] + 1.0) / r.slope[j]
            if end <= low:
                full += 1.0
            elif begin <= low and end >= high:
                slope += r.slope[j]
                start += r.start[j]
            elif begin < high:
                r.open[kept] = j
                kept += 1
        count = kept
    return high if slope == 0.0 else min(max((r.k - full + start) / slope, low), high)


@kernel
def wgsef_prox(r, step, v, out):
    """u_j/(u_j + step strength d_j) v_j, with the shares u that sum to k."""
    for j in range(r.weights.shape[0]):
        r.start[j] = step * r.strength * r.weights[j]
        r.slope[j] = math.sqrt(r.start[j]) * norm(v, r.offsets[j], r.offsets[j + 1])
    eta = level(r)
    for j in range(r.weights.shape[0]):
        u = share(r, j, eta) if eta < math.inf else 1.0
        scale = u / (u + r.start[j])
        for i in range(r.offsets[j], r.offsets[j + 1]):
            out[i] = scale * v[i]


@kernel
def wgsef_value(r, x):
    """strength s(x): the shares of s are those of the prox as the step goes to 0."""
    for j in range(r.weights.shape[0]):
        r.start[j] = 0.0
        r.slope[j] = math.sqrt(r.weights[j]) * norm(x, r.offsets[j], r.offsets[j + 1])
    eta = level(r)
    total = 0.0
    for j in range(r.weights.shape[0]):
        u = share(r, j, eta) if eta < math.inf else 1.0
        total += r.slope[j] * (r.slope[j] if u == 1.0 else 1.0 / eta)
    return 0.5 * r.strength * total


operators.prox.register(WgsefOperator, wgsef_prox)
operators.value.register(WgsefOperator, wgsef_value)


class Wgsef(Term):
    """strength times the convex envelope of (1/2) sum_j d_j ||x_j||^2 where k groups are not 0."""

    reference = "refael2022learning"

    kind: Literal["wgsef"] = Field(description="weighted group sparse envelope function")
    strength: Strength
    k: Count = Field(description="groups that may be nonzero")
    groups: Groups
    weights: Weights | None = Field(default=None, description="d_j of each group; 1 if absent")

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless at least k groups, each with a weight, fill the dimension."""
        bounds = offsets(self.groups, dimension)
        m = len(bounds) - 1
        weights = np.ones(m)
        if self.weights is not None:
            weights = per_one("weights", self.weights, m, "one per group")
        operator = WgsefOperator(
            strength=self.strength,
            k=at_most("k", self.k, m, "the number of groups"),
            offsets=bounds,
            weights=weights,
            slope=np.empty(m),
            start=np.empty(m),
            open=np.empty(m, dtype=np.int64),
        )
        return LocalStep(self.kind, operator, dimension, convex=True)


def conjugate(local_step: LocalStep, y: ArrayLike) -> float:
    """r*(y) = sup_x <x, y> - r(x) of a ``wgsef``, for y (d,)."""
    largest, squares = _largest(local_step, y)
    return float(0.5 * squares[largest].sum() / local_step.operator.strength)


def conjugate_argmax(local_step: LocalStep, y: ArrayLike) -> FloatArray:
    """An x (d,) at which <x, y> - r(x) of a ``wgsef`` is r*(y): y_j/(strength d_j) in the k groups
    of largest ||y_j||^2/d_j, of equal ones the first.
    """
    largest, _ = _largest(local_step, y)
    r: WgsefOperator = local_step.operator
    scale = np.zeros(len(r.weights))
    scale[largest] = 1.0 / (r.strength * r.weights[largest])
    return np.repeat(scale, np.diff(r.offsets)) * np.asarray(y, dtype=float)


def _largest(local_step: LocalStep, y: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    """Indices of the k largest ||y_j||^2/d_j, and all of them (m,)."""
    r = local_step.operator
    if not isinstance(r, WgsefOperator):
        raise InputError("local_step", f"is {local_step.kind}", "one of kind wgsef is needed")
    point = vector(y, local_step.dimension, "y", "has")
    squares = np.add.reduceat(point * point, r.offsets[:-1]) / r.weights
    return np.argsort(-squares, stable=True)[: r.k], squares
