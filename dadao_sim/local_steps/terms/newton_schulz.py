"""U V^T of a matrix U diag(s) V^T by products of matrices alone: Newton-Schulz iterations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Coefficients = tuple[float, float, float]

QUINTIC: Coefficients = (15 / 8, -10 / 8, 3 / 8)
"""Maps [0, 1] into itself and converges cubically: no step leaves the ball."""
MUON: Coefficients = (3.4445, -4.7750, 2.0315)
"""Of K. Jordan et al., "Muon", 2024: fast at small singular values, and does not converge."""


def bound(G: FloatArray) -> float:
    """At least the largest singular value of G, and at most a few times it."""
    sizes = np.abs(G)
    return float(min(np.linalg.norm(G), np.sqrt(sizes.sum(axis=0).max() * sizes.sum(axis=1).max())))


def newton_schulz(G: FloatArray, steps: Sequence[Coefficients], scale: float) -> FloatArray:
    """An approximation of U V^T; 0 where G is. Singular values of G/``scale`` in [0, 1] go through
    s -> a s + b s^3 + e s^5 in each of the ``steps`` (a, b, e).
    """
    wide = G.shape[0] <= G.shape[1]
    X = (G if wide else G.T) / (scale or 1.0)
    for a, b, e in steps:
        A = X @ X.T
        X = a * X + (b * A + e * A @ A) @ X
    return X if wide else X.T
