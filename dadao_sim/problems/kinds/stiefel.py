"""Matrices with orthonormal columns, X^T X = I: the Stiefel manifold, and what is computed on it.

Everything is of stacks of matrices (..., d, p) with p <= d.
"""

import numpy as np

from dadao_sim.problems.data.arrays import FloatArray


def transposed(X: FloatArray) -> FloatArray:
    """X^T."""
    return np.swapaxes(X, -1, -2)


def off_identity(X: FloatArray) -> FloatArray:
    """X^T X - I, (..., p, p)."""
    return transposed(X) @ X - np.eye(X.shape[-1])


def distance(X: FloatArray) -> FloatArray:
    """||X^T X - I||_F, (...)."""
    return np.linalg.norm(off_identity(X), axis=(-2, -1))


def polar(X: FloatArray) -> FloatArray:
    """The nearest matrix with orthonormal columns, U V^T of X = U S V^T; nan where X is not finite.

    By the singular values: X (X^T X)^{-1/2} would lose half of the digits.
    """
    finite = np.isfinite(X).all(axis=(-2, -1), keepdims=True)
    U, _, Vt = np.linalg.svd(np.where(finite, X, 0.0), full_matrices=False)
    return np.where(finite, U @ Vt, np.nan)


def tangent(X: FloatArray, G: FloatArray) -> FloatArray:
    """P_X(G) = G - X sym(X^T G), of X on the manifold the nearest tangent vector."""
    S = transposed(X) @ G
    return G - 0.5 * X @ (S + transposed(S))


def relative_gradient(X: FloatArray, G: FloatArray) -> FloatArray:
    """Skew(G X^T) X = (G X^T X - X G^T X)/2, without the (d, d) matrix; Skew(A) = (A - A^T)/2."""
    return 0.5 * (G @ (transposed(X) @ X) - X @ (transposed(G) @ X))


def normal(X: FloatArray) -> FloatArray:
    """X (X^T X - I), the gradient of ||X^T X - I||^2/4."""
    return X @ off_identity(X)
