"""Terms of the singular values of x as a matrix, row by row: plain Python over LAPACK."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.local_steps.local_step import Callback, LocalStep
from dadao_sim.local_steps.options import matrix_shape, positive, whole

FloatArray = NDArray[np.float64]

# A singular value this much smaller than the largest counts as zero where the rank is capped.
NEGLIGIBLE = 1e-9


@one_blas_thread()
def nuclear_prox(strength: float, shape: tuple[int, int], v: FloatArray, step: float) -> FloatArray:
    """The soft threshold of the singular values (Cai, Candes, Shen 2010)."""
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)  # a run that diverged: LAPACK would raise
    left, values, right = np.linalg.svd(v.reshape(shape), full_matrices=False)
    return (left * np.maximum(values - step * strength, 0.0) @ right).ravel()


@one_blas_thread()
def nuclear_value(strength: float, shape: tuple[int, int], x: FloatArray) -> float:
    """strength ||X||_*."""
    return strength * float(np.linalg.svd(x.reshape(shape), compute_uv=False).sum())


@one_blas_thread()
def rank_prox(k: int, shape: tuple[int, int], v: FloatArray, step: float) -> FloatArray:
    """The k largest singular values (Eckart and Young 1936), at any step; of equal ones, the first
    of LAPACK's.
    """
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)
    left, values, right = np.linalg.svd(v.reshape(shape), full_matrices=False)
    return (left[:, :k] * values[:k] @ right[:k]).ravel()


@one_blas_thread()
def rank_value(k: int, shape: tuple[int, int], x: FloatArray) -> float:
    """0 where at most k singular values exceed NEGLIGIBLE times the largest; else infinite."""
    values = np.linalg.svd(x.reshape(shape), compute_uv=False)
    return 0.0 if (values > NEGLIGIBLE * values[0]).sum() <= k else np.inf


def nuclear(dimension: int, *, strength: float, shape: Sequence[int]) -> LocalStep:
    """r(x) = strength ||X||_*, the sum of the singular values; ``shape`` is [rows, columns].

    InputError unless strength > 0 and the shape has the dimension.
    """
    term = positive("strength", strength), matrix_shape(shape, dimension)
    operator = Callback(partial(nuclear_prox, *term), partial(nuclear_value, *term))
    return LocalStep("nuclear", operator, dimension, convex=True)


def rank(dimension: int, *, k: int, shape: Sequence[int]) -> LocalStep:
    """r(x) = 0 where rank X <= k, else infinite; ``shape`` is [rows, columns].

    InputError unless k is a possible rank and the shape has the dimension.
    """
    sides = matrix_shape(shape, dimension)
    term = whole("k", k, min(sides), "the smaller side"), sides
    operator = Callback(partial(rank_prox, *term), partial(rank_value, *term))
    return LocalStep("rank", operator, dimension, convex=False)
