"""Losses of magnitudes y of <a, x>, whose sign is not known, over the samples that are kept.

    intensity: f_i(x) = (1/4m) sum_k w_k (<a_k, x>^2 - y_k^2)^2
    amplitude: f_i(x) = (1/2m) sum_k w_k (|<a_k, x>| - y_k)^2
    signs:     f_i(x) = (1/2m) sum_k w_k (<a_k, x> - s_k y_k)^2, the same but for signs that stay

with the weights w_k in {0, 1}, and m all samples of the node, kept or not. Scalar loops, as in
``linear_model``.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.problems.kinds.linear_model import row_dot


class MagnitudeModel(NamedTuple):
    """The rows of all nodes, one node after the other, and which of them are ``kept``.

    ``A`` (N, d), ``y`` (N,); node i holds the rows from ``offsets[i]`` to before ``offsets[i + 1]``
    (int64, (n + 1,)). ``signs`` (N,) are the s_k, 0 where that of <a, x> is taken. ``squared`` is
    whether intensities are compared. With a ``quantile`` above 0 every gradient leaves out, beside
    the samples that are not kept, those of the node whose residual is more than ``multiple`` times
    that quantile of the node's residuals.
    """

    A: np.ndarray
    y: np.ndarray
    offsets: np.ndarray
    kept: np.ndarray
    signs: np.ndarray
    squared: bool
    quantile: float
    multiple: float


@kernel
def residual(model, row, z):
    """z^2 - y^2, or z - s y."""
    y = model.y[row]
    if model.squared:
        return z * z - y * y
    sign = model.signs[row]
    if sign == 0.0:
        sign = 1.0 if z >= 0.0 else -1.0
    return z - sign * y


@kernel
def largest_kept(model, i, x):
    """The residual beyond which a sample of node i is left out at x; infinite without quantile."""
    if model.quantile == 0.0:
        return np.inf
    first = model.offsets[i]
    rows = model.offsets[i + 1] - first
    found = np.empty(rows)
    for k in range(rows):
        found[k] = abs(residual(model, first + k, row_dot(model.A, first + k, x)))
    found.sort()
    place = model.quantile * (rows - 1)
    low = int(place)
    high = min(low + 1, rows - 1)
    return model.multiple * (found[low] + (place - low) * (found[high] - found[low]))


@kernel
def magnitude_gradient(model, i, x, mark, out):
    """(1/m) sum_k w_k (z^2 - y^2) z a, or (1/m) sum_k w_k (z - s y) a, with z = <a, x>."""
    first, last = model.offsets[i], model.offsets[i + 1]
    largest = largest_kept(model, i, x)
    for j in range(x.shape[0]):
        out[j] = 0.0
    for row in range(first, last):
        if not model.kept[row]:
            continue
        z = row_dot(model.A, row, x)
        r = residual(model, row, z)
        if abs(r) > largest:
            continue
        if model.squared:
            r *= z
        elif z == 0.0 and model.signs[row] == 0.0:  # no sign, and no slope
            continue
        weight = r / (last - first)
        for j in range(x.shape[0]):
            out[j] += weight * model.A[row, j]


@kernel
def magnitude_value(model, i, x):
    """f_i(x)."""
    first, last = model.offsets[i], model.offsets[i + 1]
    largest = largest_kept(model, i, x)
    total = 0.0
    for row in range(first, last):
        r = residual(model, row, row_dot(model.A, row, x))
        if model.kept[row] and not abs(r) > largest:
            total += r * r
    return total / ((4.0 if model.squared else 2.0) * (last - first))


oracles.gradient.register(MagnitudeModel, magnitude_gradient)
