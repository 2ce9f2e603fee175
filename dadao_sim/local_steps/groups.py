"""The group lasso: coordinates come and go together."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps import options
from dadao_sim.local_steps.local_step import LocalStep

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


class GroupL2(NamedTuple):
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


def group_l2(
    dimension: int,
    *,
    strength: float,
    groups: int | Sequence[int],
    weights: ArrayLike | None = None,
) -> LocalStep:
    """See :class:`GroupL2`; ``groups`` is one size for all, or a list of sizes; the weights are the
    roots of the sizes unless given.

    InputError unless strength and weights are > 0 and the groups fill the dimension.
    """
    bounds = options.offsets(groups, dimension)
    sizes = np.diff(bounds)
    factors = np.sqrt(sizes) if weights is None else options.weights("weights", weights, len(sizes))
    r = GroupL2(options.positive("strength", strength), bounds, factors)
    return LocalStep("group_l2", r, dimension, convex=True)


operators.prox.register(GroupL2, group_l2_prox)
operators.value.register(GroupL2, group_l2_value)
