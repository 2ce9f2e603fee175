"""Terms that are nearly powers p <= 1 of sizes, smooth at 0: of coordinates, of singular values.

Each can be reweighted (see ``local_steps.reweighting``); their proxes are the global minimisers at
every step. I. Koshelev, S. Lefkimmiatis, "Iterative Reweighted Least Squares Networks With
Convergence Guarantees for Solving Inverse Imaging Problems", arXiv:2308.05745.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.reweighting import Linear
from dadao_sim.local_steps.terms.fitting import check_matrix, per_one
from dadao_sim.local_steps.terms.term import MatrixShape, Strength, Term, Weights
from dadao_sim.strict import misuse

FloatArray = NDArray[np.float64]

MOST_STEPS = 100
"""Of Newton's method: it takes a few, and half of these where two stationary points nearly meet."""


@kernel
def power(u, p, epsilon):
    """(u^2 + epsilon^2)^{p/2} - epsilon^p."""
    return math.pow(u * u + epsilon * epsilon, 0.5 * p) - math.pow(epsilon, p)


@kernel
def weight(u, p, epsilon):
    """p (u^2 + epsilon^2)^{p/2 - 1}, the derivative of the power over u."""
    return p * math.pow(u * u + epsilon * epsilon, 0.5 * p - 1.0)


@kernel
def newton(a, t, p, epsilon, u, up):
    """The stationary point of t power(u) + (u - a)^2/2 that Newton's method meets first from u,
    upwards or downwards; nan where it turns first.
    """
    for _ in range(MOST_STEPS):
        w = t * weight(u, p, epsilon)
        slope = 1.0 + w + w * (p - 2.0) * u * u / (u * u + epsilon * epsilon)
        if slope <= 0.0:
            return math.nan
        step = (a - u * (1.0 + w)) / slope
        if abs(step) <= 1e-16 * u or (step > 0.0) != up:  # rounding is all that goes back
            return u
        u += step
    return u


@kernel
def power_prox(v, t, p, epsilon):
    """argmin_u t power(u) + (u - v)^2/2; of two the smaller.

    The derivative is concave in u up to ``bend`` and convex beyond, so that Newton's method goes
    monotonically from 0 to the least stationary point, if that is below, and from |v| to the
    largest, if that is beyond. One of them is the minimiser.
    """
    a = abs(v)
    if a == 0.0 or not a < math.inf:
        return v
    bend = epsilon * math.sqrt(3.0 / (1.0 - p)) if p < 1.0 else math.inf
    low = newton(a, t, p, epsilon, 0.0, True)
    if not low <= bend:
        low = math.nan
    high = newton(a, t, p, epsilon, a, False) if a > bend else math.nan
    if not high >= bend:
        high = math.nan
    if math.isnan(low):
        return math.copysign(a if math.isnan(high) else high, v)
    if math.isnan(high):
        return math.copysign(low, v)
    at_low = t * power(low, p, epsilon) + 0.5 * (low - a) * (low - a)
    at_high = t * power(high, p, epsilon) + 0.5 * (high - a) * (high - a)
    return math.copysign(high if at_high < at_low else low, v)


class LpOperator(NamedTuple):
    """r(x) = strength sum_k w_k ((x_k^2 + epsilon^2)^{p/2} - epsilon^p), ``weights`` w (d,)."""

    strength: float
    p: float
    epsilon: float
    weights: np.ndarray

    def with_epsilon(self, epsilon: float) -> "LpOperator":
        """See :class:`Reweighted`."""
        return self._replace(epsilon=epsilon)

    def majoriser(self, X: FloatArray) -> Linear:
        """See :class:`Reweighted`: S(x) is diagonal."""
        squares = X**2 + self.epsilon**2
        S = self.strength * self.p * self.weights * squares ** (self.p / 2 - 1)
        return lambda V: S * V


@kernel
def lp_prox(r, step, v, out):
    """That of every coordinate by itself."""
    for k in range(v.shape[0]):
        out[k] = power_prox(v[k], step * r.strength * r.weights[k], r.p, r.epsilon)


@kernel
def lp_value(r, x):
    """strength sum_k w_k ((x_k^2 + epsilon^2)^{p/2} - epsilon^p)."""
    total = 0.0
    for k in range(x.shape[0]):
        total += r.weights[k] * power(x[k], r.p, r.epsilon)
    return r.strength * total


operators.prox.register(LpOperator, lp_prox)
operators.value.register(LpOperator, lp_value)


def _above_zero(epsilon: float) -> float:
    if not epsilon > 0:
        with_zero = "with 0 a coordinate that is 0 stays 0 for ever"
        raise misuse(f"{epsilon:g} given; above 0 is needed: {with_zero}")
    return epsilon


Power = Annotated[float, Field(gt=0, le=1, description="power of the sizes, at most 1")]
Epsilon = Annotated[
    float,
    AfterValidator(_above_zero),
    Field(description="size below which the power is a parabola, above 0"),
]


class Lp(Term):
    """strength sum_k w_k ((x_k^2 + epsilon^2)^{p/2} - epsilon^p): for few nonzeros."""

    kind: Literal["lp"] = Field(description="nearly |x|^p of each coordinate, p at most 1")
    strength: Strength
    p: Power = 0.5
    epsilon: Epsilon = 1e-2
    weights: Weights | None = Field(default=None, description="one per coordinate; 1 if not given")

    def local_step(self, dimension: int) -> LocalStep:
        """Convex for p = 1 only. InputError unless there is a weight for each coordinate."""
        given = (1.0,) * dimension if self.weights is None else self.weights
        weights = per_one("weights", given, dimension, "one per coordinate")
        operator = LpOperator(self.strength, self.p, self.epsilon, weights)
        return LocalStep(self.kind, operator, dimension, convex=self.p == 1)


@kernel
def _prox_of_all(values, steps, p, epsilon, out):
    for k in range(values.shape[0]):
        out[k] = power_prox(values[k], steps[k], p, epsilon)


@dataclass(frozen=True)
class SchattenOperator:
    """r(X) = sum_i w_i ((sigma_i^2 + epsilon^2)^{p/2} - epsilon^p) of the singular values, largest
    first; the weights, with the strength in them, do not fall. Plain Python over LAPACK.
    """

    shape: tuple[int, int]
    p: float
    epsilon: float
    weights: FloatArray

    def with_epsilon(self, epsilon: float) -> "SchattenOperator":
        """See :class:`Reweighted`."""
        return replace(self, epsilon=epsilon)

    @one_blas_thread()
    def majoriser(self, X: FloatArray) -> Linear:
        """See :class:`Reweighted`: S(X) V = V W, W = p (X'X + epsilon^2 I)^{p/2 - 1} where all
        weights are 1. Of a matrix that is wider than high W stands on the left.
        """
        matrices = self._upright(X)
        if not np.isfinite(matrices).all():
            return lambda V: np.full_like(V, np.nan)  # a run that diverged: LAPACK would raise
        squares, basis = np.linalg.eigh(np.swapaxes(matrices, -1, -2) @ matrices)
        squares = np.maximum(squares[..., ::-1], 0.0) + self.epsilon**2
        scale = (self.p * self.weights * squares ** (self.p / 2 - 1))[..., None, :]
        basis = basis[..., ::-1]
        W = (basis * scale) @ np.swapaxes(basis, -1, -2)
        return lambda V: self._flat(self._upright(V) @ W)

    def _upright(self, X: FloatArray) -> FloatArray:
        matrices = X.reshape(*X.shape[:-1], *self.shape)
        return matrices if self.shape[0] >= self.shape[1] else np.swapaxes(matrices, -1, -2)

    def _flat(self, matrices: FloatArray) -> FloatArray:
        wide = self.shape[0] < self.shape[1]
        matrices = np.swapaxes(matrices, -1, -2) if wide else matrices
        return matrices.reshape(*matrices.shape[:-2], -1)

    @one_blas_thread()
    def prox(self, step: float, v: FloatArray, out: FloatArray) -> None:
        """Write that of the singular values, each by itself, into ``out`` (d,)."""
        if not np.isfinite(v).all():
            out[:] = np.nan
            return
        left, values, right = np.linalg.svd(v.reshape(self.shape), full_matrices=False)
        small = np.empty_like(values)
        _prox_of_all(values, step * self.weights, self.p, self.epsilon, small)
        out[:] = (left * small @ right).ravel()

    @one_blas_thread()
    def value(self, x: FloatArray) -> float:
        """r(x), for x (d,)."""
        values = np.linalg.svd(x.reshape(self.shape), compute_uv=False)
        powers = (values**2 + self.epsilon**2) ** (self.p / 2) - self.epsilon**self.p
        return float(self.weights @ powers)


operators.prox.register(SchattenOperator, SchattenOperator.prox)
operators.value.register(SchattenOperator, SchattenOperator.value)


class Schatten(Term):
    """strength sum_i w_i ((sigma_i^2 + epsilon^2)^{p/2} - epsilon^p) of the singular values: low
    rank.
    """

    kind: Literal["schatten"] = Field(description="nearly sigma^p of the singular values")
    strength: Strength
    shape: MatrixShape
    p: Power = 0.5
    epsilon: Epsilon = 1e-2
    weights: Weights | None = Field(
        default=None,
        description="one per singular value, largest first; they must not fall; 1 if not given",
    )

    def local_step(self, dimension: int) -> LocalStep:
        """Convex for p = 1 and equal weights only. InputError unless the shape has the dimension,
        and there is a weight for each singular value, none smaller than the one before: with
        weights that fall the prox would be another, and r no prior of low rank.
        """
        check_matrix(self.shape, dimension)
        count = min(self.shape)
        given = (1.0,) * count if self.weights is None else self.weights
        weights = per_one("weights", given, count, "one per singular value")
        for before, after in itertools.pairwise(given):
            if after < before:
                wanted = "for singular values, largest first, they must not fall"
                raise InputError("weights", f"fall from {before:g} to {after:g}", wanted)
        operator = SchattenOperator(self.shape, self.p, self.epsilon, self.strength * weights)
        convex = self.p == 1 and len(set(given)) == 1
        return LocalStep(self.kind, operator, dimension, convex=convex)
