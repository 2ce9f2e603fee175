"""Local solves: every node minimises its own f_i plus r and a quadratic, to rounding."""

import math
from typing import Any

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles

TOLERANCE = 1e-15
"""Of a local step, relative to what it is the sum of; 1/q times this remains in x at worst, q the
inverse condition of the local problem.
"""
MOST_STEPS = 10**6
NO_MARK = np.uint64(0)


def solve_all(
    objective: Any, V: np.ndarray, curvature: np.ndarray, step: np.ndarray, X: np.ndarray
) -> None:
    """Row i of X (n, d) becomes argmin f_i + r + curvature_i ||.||^2/2 - <V_i, .>, from itself.

    ``V`` (n, d), ``curvature`` and ``step`` (n,); the f_i count as convex only: the momentum is
    that of the strong convexity curvature_i.
    """
    root = np.sqrt(step * curvature)
    momentum = (1 - root) / (1 + root)
    # (1 - root)^k bounds the error of the value, relative.
    limit = np.minimum(-2 * math.log(TOLERANCE) / root, MOST_STEPS).astype(np.int64)
    run = _compiled_solve if isinstance(objective, tuple) else solve
    run(objective, V, curvature, step, momentum, limit, X, np.empty((4, X.shape[1])))


def solve(objective, V, curvature, step, momentum, limit, X, work):
    """See :func:`solve_all`; ``work`` (4, d) is scratch."""
    g, y, forward, after = work[0], work[1], work[2], work[3]
    for i in range(X.shape[0]):
        x, v, a = X[i], V[i], step[i]
        for k in range(x.shape[0]):
            y[k] = x[k]
        for _ in range(limit[i]):
            oracles.gradient(objective, i, y, NO_MARK, g)
            size, moved = 0.0, 0.0
            for k in range(x.shape[0]):
                forward[k] = y[k] - a * (g[k] + curvature[i] * y[k] - v[k])
                size = max(size, abs(y[k]), a * abs(g[k]), a * abs(v[k]))
            oracles.prox(objective, a, forward, after)
            for k in range(x.shape[0]):
                moved = max(moved, abs(after[k] - y[k]))
                y[k] = after[k] + momentum[i] * (after[k] - x[k])
                x[k] = after[k]
            if not moved > TOLERANCE * size:
                break


_compiled_solve = kernel(solve)
