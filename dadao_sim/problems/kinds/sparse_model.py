"""Sparse least squares: f_i(x) = scale_i sum over the rows (a, b) of (a.x - b)^2 + ridge ||x||^2/2.

A gradient costs the nonzeros of the node's rows, and d. Scalar loops, as in ``linear_model``.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles


class SparseLeastSquares(NamedTuple):
    """The rows of all nodes in CSR, one node after the other.

    ``data`` and ``indices`` (int32) are the nonzeros and their columns, row by row; row k has those
    from ``indptr[k]`` to before ``indptr[k + 1]`` (int64, (N + 1,)). ``targets`` (N,); node i holds
    the rows from ``offsets[i]`` to before ``offsets[i + 1]`` (int64, (n + 1,)); ``scale`` (n,).
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    targets: np.ndarray
    offsets: np.ndarray
    scale: np.ndarray
    ridge: float


@kernel
def sparse_dot(model, row, x):
    """Dot product of a row and x."""
    z = 0.0
    for k in range(model.indptr[row], model.indptr[row + 1]):
        z += model.data[k] * x[model.indices[k]]
    return z


@kernel
def sparse_gradient(model, i, x, mark, out):
    """Gradient of f_i at x, over all rows."""
    for j in range(x.shape[0]):
        out[j] = model.ridge * x[j]
    for row in range(model.offsets[i], model.offsets[i + 1]):
        weight = 2.0 * model.scale[i] * (sparse_dot(model, row, x) - model.targets[row])
        for k in range(model.indptr[row], model.indptr[row + 1]):
            out[model.indices[k]] += weight * model.data[k]


@kernel
def sparse_sample_gradient(model, i, k, x, out):
    """Gradient at x of sample k of node i; f_i is the mean of its samples, each with the l2
    term.
    """
    row = model.offsets[i] + k
    rows = model.offsets[i + 1] - model.offsets[i]
    weight = 2.0 * model.scale[i] * rows * (sparse_dot(model, row, x) - model.targets[row])
    for j in range(x.shape[0]):
        out[j] = model.ridge * x[j]
    for entry in range(model.indptr[row], model.indptr[row + 1]):
        out[model.indices[entry]] += weight * model.data[entry]


@kernel
def sparse_sample_dot(model, i, k, x):
    """<a, x> with row k of node i."""
    return sparse_dot(model, model.offsets[i] + k, x)


@kernel
def sparse_sample_slope(model, i, k, weight, r):
    """2 scale_i (z - b) at the z with z + weight 2 scale_i (z - b) = r."""
    curvature = 2.0 * model.scale[i]
    return curvature * (r - model.targets[model.offsets[i] + k]) / (1.0 + weight * curvature)


@kernel
def sparse_add_sample(model, i, k, weight, out):
    """Add ``weight`` times row k of node i."""
    row = model.offsets[i] + k
    for entry in range(model.indptr[row], model.indptr[row + 1]):
        out[model.indices[entry]] += weight * model.data[entry]


@kernel
def sparse_value(model, i, x):
    """Value of f_i at x."""
    total = 0.0
    squares = 0.0
    for row in range(model.offsets[i], model.offsets[i + 1]):
        residual = sparse_dot(model, row, x) - model.targets[row]
        total += residual * residual
    for j in range(x.shape[0]):
        squares += x[j] * x[j]
    return model.scale[i] * total + 0.5 * model.ridge * squares


@kernel
def sparse_divergence(model, step):
    """Mean over the nodes of f_i(x + step) - f_i(x) - <grad f_i(x), step> >= 0, at any x."""
    nodes = model.scale.shape[0]
    total = 0.0
    squares = 0.0
    for i in range(nodes):
        node = 0.0
        for row in range(model.offsets[i], model.offsets[i + 1]):
            change = sparse_dot(model, row, step)
            node += change * change
        total += model.scale[i] * node
    for j in range(step.shape[0]):
        squares += step[j] * step[j]
    return total / nodes + 0.5 * model.ridge * squares


oracles.gradient.register(SparseLeastSquares, sparse_gradient)
oracles.sample_gradient.register(SparseLeastSquares, sparse_sample_gradient)
oracles.sample_dot.register(SparseLeastSquares, sparse_sample_dot)
oracles.sample_slope.register(SparseLeastSquares, sparse_sample_slope)
oracles.add_sample.register(SparseLeastSquares, sparse_add_sample)
