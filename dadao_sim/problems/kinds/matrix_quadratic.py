"""Quadratics of matrices: f_i(X) = tr(X^T H_i X)/2 - tr(K_i^T X) + c_i, whose cost is free of the
samples.
"""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles


class MatrixQuadratic(NamedTuple):
    """``H`` (n, d, d) symmetric, ``K`` (n, d, p), ``constant`` (n,)."""

    H: np.ndarray
    K: np.ndarray
    constant: np.ndarray


@kernel
def matrix_gradient(form, i, x, mark, out):
    """Write H_i X - K_i, row by row of X."""
    d, p = form.K.shape[1], form.K.shape[2]
    for a in range(d):
        for k in range(p):
            out[a * p + k] = -form.K[i, a, k]
        for b in range(d):
            h = form.H[i, a, b]
            for k in range(p):
                out[a * p + k] += h * x[b * p + k]


oracles.gradient.register(MatrixQuadratic, matrix_gradient)
