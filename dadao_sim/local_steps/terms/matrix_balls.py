"""Balls of norms of the singular values of x as a matrix, row by row: plain Python over LAPACK."""

from functools import partial
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.sparse import linalg

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.local_steps.local_step import Callback, LocalStep
from dadao_sim.local_steps.terms.fitting import check_matrix
from dadao_sim.local_steps.terms.newton_schulz import MUON, QUINTIC, bound, newton_schulz
from dadao_sim.local_steps.terms.norm_balls import L1BallOperator, l1_ball_prox
from dadao_sim.local_steps.terms.projections import TOLERANCE
from dadao_sim.local_steps.terms.term import MatrixShape, Radius, Term
from dadao_sim.strict import misuse

FloatArray = NDArray[np.float64]
Shape = tuple[int, int]

LANCZOS = 100
"""The smaller side from which one pair of singular vectors is found by itself."""
STEPS, MUON_STEPS = 12, 5
MOST_STEPS = 100
"""By then singular values 1e-16 times the largest have come to 1."""


@one_blas_thread()
def nuclear_projection(radius: float, shape: Shape, v: FloatArray, step: float) -> FloatArray:
    """The singular values projected onto the l1 ball."""
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)  # a run that diverged: LAPACK would raise
    left, values, right = np.linalg.svd(v.reshape(shape), full_matrices=False)
    if values.sum() <= radius:
        return v
    kept = np.empty_like(values)
    l1_ball_prox(L1BallOperator(radius), 1.0, values, kept)
    return (left * kept @ right).ravel()


@one_blas_thread()
def nuclear_indicator(radius: float, shape: Shape, x: FloatArray) -> float:
    """0 on the ball."""
    total = np.linalg.svd(x.reshape(shape), compute_uv=False).sum()
    return np.inf if total > radius * (1 + TOLERANCE) else 0.0


@one_blas_thread()
def nuclear_lmo(radius: float, shape: Shape, s: FloatArray) -> FloatArray:
    """-radius u v^T with the singular vectors of the largest singular value; 0 where s is."""
    if not np.isfinite(s).all():
        return np.full_like(s, np.nan)
    u, v = leading_pair(s.reshape(shape))
    return -radius * np.outer(u, v).ravel()


def leading_pair(S: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Singular vectors of the largest singular value; zeros where S is 0.

    Of large matrices by Lanczos iterations, of which one pair takes a fraction of the time of all.
    """
    size = np.abs(S).max()
    if size == 0:
        return np.zeros(S.shape[0]), np.zeros(S.shape[1])
    if min(S.shape) >= LANCZOS:
        start = np.random.default_rng(0).standard_normal(min(S.shape))  # the same at every call
        try:
            u, _, v = linalg.svds(S / size, k=1, tol=1e-12, v0=start)
            return u[:, 0], v[0]
        except linalg.ArpackError:
            pass
    u, _, v = np.linalg.svd(S, full_matrices=False)
    return u[:, 0], v[0]


class NuclearBall(Term):
    """The sum of the singular values at most radius."""

    is_set = True

    kind: Literal["nuclear_ball"] = Field(description="a ball of the nuclear norm of a matrix")
    radius: Radius
    shape: MatrixShape

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the shape has the dimension."""
        check_matrix(self.shape, dimension)
        own = self.radius, self.shape
        prox, value = partial(nuclear_projection, *own), partial(nuclear_indicator, *own)
        operator = Callback(prox, value, partial(nuclear_lmo, *own))
        return LocalStep(self.kind, operator, dimension, convex=True)


@one_blas_thread()
def spectral_projection(radius: float, shape: Shape, v: FloatArray, step: float) -> FloatArray:
    """The singular values cut at the radius."""
    if not np.isfinite(v).all():
        return np.full_like(v, np.nan)
    left, values, right = np.linalg.svd(v.reshape(shape), full_matrices=False)
    if values[0] <= radius:
        return v
    return (left * np.minimum(values, radius) @ right).ravel()


@one_blas_thread()
def spectral_indicator(radius: float, shape: Shape, x: FloatArray) -> float:
    """0 on the ball."""
    largest = np.linalg.svd(x.reshape(shape), compute_uv=False)[0]
    return np.inf if largest > radius * (1 + TOLERANCE) else 0.0


@one_blas_thread()
def spectral_lmo(radius: float, shape: Shape, s: FloatArray) -> FloatArray:
    """-radius U V^T; 0 where s is. In directions in which s is 0, LAPACK's choice."""
    if not np.isfinite(s).all():
        return np.full_like(s, np.nan)
    if not s.any():
        return np.zeros_like(s)
    left, _, right = np.linalg.svd(s.reshape(shape), full_matrices=False)
    return -radius * (left @ right).ravel()


@one_blas_thread()
def spectral_quintic(steps: int, radius: float, shape: Shape, s: FloatArray) -> FloatArray:
    """The same by so many steps that converge; in the ball after any number of them."""
    if not np.isfinite(s).all():
        return np.full_like(s, np.nan)
    S = s.reshape(shape)
    return -radius * newton_schulz(S, [QUINTIC] * steps, bound(S)).ravel()


@one_blas_thread()
def spectral_muon(steps: int, radius: float, shape: Shape, s: FloatArray) -> FloatArray:
    """Five steps as Muon takes them, from S over its Frobenius norm: singular values up to 1.2."""
    if not np.isfinite(s).all():
        return np.full_like(s, np.nan)
    S = s.reshape(shape)
    return -radius * newton_schulz(S, [MUON] * steps, float(np.linalg.norm(S))).ravel()


class SpectralBall(Term):
    """The largest singular value at most radius."""

    is_set = True

    kind: Literal["spectral_ball"] = Field(description="a ball of the spectral norm of a matrix")
    radius: Radius
    shape: MatrixShape
    lmo: Literal["svd", "newton_schulz", "muon"] = Field(
        default="svd",
        description="how linear functions are minimised: exactly, by Newton-Schulz steps that "
        "converge and stay in the ball, or by the five of Muon, which leave it by up to 20 %",
    )
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] | None = Field(
        default=None, description=f"of newton_schulz; {STEPS} if absent"
    )

    @model_validator(mode="after")
    def _steps_are_of_newton_schulz(self) -> "SpectralBall":
        if self.steps is not None and self.lmo != "newton_schulz":
            raise misuse(f"only lmo newton_schulz has it, and lmo is {self.lmo}", "steps")
        return self

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the shape has the dimension."""
        check_matrix(self.shape, dimension)
        own = self.radius, self.shape
        prox, value = partial(spectral_projection, *own), partial(spectral_indicator, *own)
        exact = Callback(prox, value, partial(spectral_lmo, *own))
        if self.lmo == "svd":
            return LocalStep(self.kind, exact, dimension, convex=True)
        muon = self.lmo == "muon"
        chosen, steps = (spectral_muon, MUON_STEPS) if muon else (spectral_quintic, STEPS)
        approximate = Callback(prox, value, partial(chosen, self.steps or steps, *own))
        return LocalStep(
            *(self.kind, approximate, dimension, True),
            exact_operator=exact,
            leaves_the_set=muon,
        )
