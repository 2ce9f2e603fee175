"""Terms of the singular values of x as a matrix, row by row: plain Python over LAPACK."""

from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.local_steps.local_step import Callback, LocalStep
from dadao_sim.local_steps.terms.fitting import at_most, check_matrix
from dadao_sim.local_steps.terms.term import MatrixShape, Strength, Term
from dadao_sim.strict import Count

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


class Nuclear(Term):
    """strength times the sum of the singular values."""

    kind: Literal["nuclear"] = Field(description="the nuclear norm of a matrix")
    strength: Strength
    shape: MatrixShape

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the shape has the dimension."""
        check_matrix(self.shape, dimension)
        own = self.strength, self.shape
        operator = Callback(partial(nuclear_prox, *own), partial(nuclear_value, *own))
        return LocalStep(self.kind, operator, dimension, convex=True)


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


class Rank(Term):
    """Rank at most k; not convex."""

    kind: Literal["rank"] = Field(description="matrices of rank at most k")
    k: Count = Field(description="the rank")
    shape: MatrixShape

    def local_step(self, dimension: int) -> LocalStep:
        """Not convex. InputError unless the shape has the dimension and can have the rank."""
        check_matrix(self.shape, dimension)
        own = at_most("k", self.k, min(self.shape), "the smaller side"), self.shape
        operator = Callback(partial(rank_prox, *own), partial(rank_value, *own))
        return LocalStep(self.kind, operator, dimension, convex=False)
