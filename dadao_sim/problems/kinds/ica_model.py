"""f_i(X) = scale_i sum over the rows z of node i of sum_j log cosh((X z)_j)."""

import math
from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.problems.kinds.linear_model import row_dot


class IcaModel(NamedTuple):
    """The whitened rows ``Z`` (N, p) of all nodes, one node after the other; node i holds those
    from ``offsets[i]`` to before ``offsets[i + 1]``. ``scale`` (n,).
    """

    Z: np.ndarray
    offsets: np.ndarray
    scale: np.ndarray


@kernel
def ica_gradient(model, i, x, mark, out):
    """Write scale_i sum tanh(X z) z^T, one row of X after the other."""
    p = model.Z.shape[1]
    for k in range(p * p):
        out[k] = 0.0
    for row in range(model.offsets[i], model.offsets[i + 1]):
        for j in range(p):
            weight = model.scale[i] * math.tanh(row_dot(model.Z, row, x[j * p : (j + 1) * p]))
            for k in range(p):
                out[j * p + k] += weight * model.Z[row, k]


@kernel
def ica_value(model, i, x):
    """f_i(X)."""
    p, total = model.Z.shape[1], 0.0
    for row in range(model.offsets[i], model.offsets[i + 1]):
        for j in range(p):
            s = abs(row_dot(model.Z, row, x[j * p : (j + 1) * p]))
            total += s + math.log1p(math.exp(-2.0 * s)) - math.log(2.0)
    return model.scale[i] * total


oracles.gradient.register(IcaModel, ica_gradient)
