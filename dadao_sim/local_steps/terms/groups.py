"""The group lasso: coordinates come and go together."""

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.fitting import offsets, per_one
from dadao_sim.local_steps.terms.term import Groups, Strength, Term, Weights

# A sum of squares below this may have lost digits, to squares smaller than floats can be.
LEAST = 1e-290


@kernel
def norm(x, begin, end):
    """Euclidean norm of x[begin:end], of any size."""
    total = 0.0
    for k in range(begin, end):
        total += x[k] * x[k]
    if LEAST < total < math.inf:
        return math.sqrt(total)
    top = 0.0
    for k in range(begin, end):
        top = max(top, abs(x[k]))
    if not 0.0 < top < math.inf:
        return math.sqrt(total)
    total = 0.0
    for k in range(begin, end):
        total += (x[k] / top) * (x[k] / top)
    return top * math.sqrt(total)


class GroupL2Operator(NamedTuple):
    """r(x) = strength sum_j w_j ||x_j||_2 over groups x_j of consecutive coordinates (Yuan and Lin
    2006); group j is [offsets[j], offsets[j + 1]).
    """

    strength: float
    offsets: np.ndarray
    weights: np.ndarray


@kernel
def group_l2_prox(r, step, v, out):
    """Each group nearer to 0 by step strength w_j."""
    for j in range(r.weights.shape[0]):
        begin, end = r.offsets[j], r.offsets[j + 1]
        threshold = step * r.strength * r.weights[j]
        size = norm(v, begin, end)
        scale = 0.0 if size <= threshold else 1.0 - threshold / size
        for k in range(begin, end):
            out[k] = scale * v[k]


@kernel
def group_l2_value(r, x):
    """strength sum_j w_j ||x_j||_2."""
    total = 0.0
    for j in range(r.weights.shape[0]):
        total += r.weights[j] * norm(x, r.offsets[j], r.offsets[j + 1])
    return r.strength * total


operators.prox.register(GroupL2Operator, group_l2_prox)
operators.value.register(GroupL2Operator, group_l2_value)


class GroupL2(Term):
    """strength sum_j w_j ||x_j||_2: the group lasso."""

    kind: Literal["group_l2"] = Field(description="sum of the norms of groups of coordinates")
    strength: Strength
    groups: Groups
    weights: Weights | None = Field(
        default=None, description="weight of each group; the roots of the sizes if absent"
    )

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the groups fill the dimension, each with a weight."""
        bounds = offsets(self.groups, dimension)
        weights = np.sqrt(np.diff(bounds))
        if self.weights is not None:
            weights = per_one("weights", self.weights, len(weights), "one per group")
        operator = GroupL2Operator(self.strength, bounds, weights)
        return LocalStep(self.kind, operator, dimension, convex=True)
