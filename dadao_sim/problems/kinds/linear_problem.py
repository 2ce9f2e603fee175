"""Problems made of a linear model: least squares, ridge, l2-logistic, l2-Huber."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.arrays import offsets_of, stacked, where_in
from dadao_sim.problems.kinds import linear_model as lm
from dadao_sim.problems.kinds.linear_model import LinearModel
from dadao_sim.problems.kinds.newton import hessian, minimise, with_scratch
from dadao_sim.problems.kinds.quadratic import Quadratic, quadratic, with_inverse
from dadao_sim.problems.kinds.quadratic_problem import square_root
from dadao_sim.problems.kinds.spectra import spectra
from dadao_sim.problems.problem import (
    TOLERANCE,
    FloatArray,
    IntArray,
    Problem,
    require_constants,
    require_positive,
)

LOSSES = {
    "least_squares": lm.SQUARE,
    "ridge": lm.SQUARE,
    "logistic_l2": lm.LOGISTIC,
    "huber_l2": lm.HUBER,
}
WEIGHTINGS = ("samples", "uniform")


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearProblem(Problem):
    """Linear models with their constants and optimum; the losses are in ``linear_model``."""

    model: LinearModel

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.model.scale.size

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.model.A.shape[1]

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,)."""
        return np.diff(self.model.offsets)

    @cached_property
    def objective(self) -> LinearModel | Quadratic:
        """The Hessians where they are constant and cost less than the rows; else the rows."""
        fewer = self.nodes * self.dimension <= self.model.b.size
        return self._quadratic if self._is_quadratic and fewer else self.model

    def with_conjugate(self) -> LinearModel | Quadratic:
        """Inverse Hessians for quadratics; else Newton with a workspace (for one thread)."""
        if self._is_quadratic:
            with one_blas_thread():
                return with_inverse(self._quadratic)
        return with_scratch(self.model)

    def stochastic_objective(self, batch_size: int) -> LinearModel:
        """See :meth:`Problem.stochastic_objective`; the l2 term is exact."""
        if int(batch_size) != batch_size or batch_size < 1:
            raise InputError(f"batch_size: {batch_size} given; an integer of at least 1 is needed")
        return self.model._replace(batch=int(batch_size))

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return float(lm.node_value(self.model, self._node(i), self._point(x)))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        start = self._point(origin)
        step = self._point(x) - start
        if self._is_quadratic:
            image = self._root.T @ step
            return float(0.5 * (image @ image))
        return float(lm.divergence(self.model, 0, self.nodes, start, 1.0, step) / self.nodes)

    @property
    def _is_quadratic(self) -> bool:
        return self.model.loss == lm.SQUARE

    @cached_property
    def _quadratic(self) -> Quadratic:
        return quadratic(self.model)

    @cached_property
    def _root(self) -> FloatArray:
        """A square root of the Hessian of F, where that is constant."""
        mean = np.zeros((self.dimension, self.dimension))
        hessian(self.model, 0, self.nodes, 1.0 / self.nodes, np.zeros(self.dimension), mean)
        return square_root(mean)

    @cached_property
    def _spectra(self) -> tuple[FloatArray, FloatArray]:
        return spectra(self.model)

    def _mu(self) -> float:
        """Of quadratics exact, of the others what holds for every x."""
        if not self._is_quadratic:
            return self.model.ridge
        if self.kind == "least_squares":
            few = self.samples < self.dimension
            if few.any():
                i = int(few.argmax())
                raise InputError(
                    f"data of node {i}: {self.samples[i]} samples in dimension {self.dimension} "
                    "make mu = 0; use kind ridge, or at least as many samples as dimensions at "
                    "every node"
                )
        least, largest = self._spectra
        if self.kind == "least_squares":
            singular = least <= self.dimension * np.finfo(float).eps * largest
            if singular.any():
                raise InputError(
                    f"data of node {singular.argmax()}: the columns are linearly dependent,"
                    " so that mu = 0; use kind ridge, or drop columns"
                )
        return float((lm.CURVATURE[self.model.loss] * least).min() + self.model.ridge)

    def _node_L(self) -> FloatArray:
        return lm.CURVATURE[self.model.loss] * self._spectra[1] + self.model.ridge

    def _optimum(self) -> FloatArray:
        x = np.empty(self.dimension)
        workspace = with_scratch(self.model)
        converged = minimise(
            workspace, 0, self.nodes, 1.0 / self.nodes, np.zeros(x.size), x, workspace.scratch
        )
        if not (converged and self._is_optimal(x)):
            raise InputError(
                "data: the optimum cannot be computed to 1e-12, F is too ill-conditioned;"
                " use a larger l2 term (least_squares: kind ridge), or standardise the features"
            )
        return x

    def _is_optimal(self, x: FloatArray) -> bool:
        at_zero = self.gradients(np.zeros((self.nodes, x.size))).mean(axis=0)
        at_x = self.gradients(np.tile(x, (self.nodes, 1)))
        scale = max(np.linalg.norm(at_zero), np.linalg.norm(at_x, axis=1).mean())
        return bool(np.linalg.norm(at_x.mean(axis=0)) <= TOLERANCE * scale)

    def _relabelled(self, order: IntArray) -> "LinearProblem":
        m = self.model
        rows = np.concatenate([np.arange(m.offsets[i], m.offsets[i + 1]) for i in order])
        offsets = offsets_of(self.samples[order])
        model = m._replace(A=m.A[rows], b=m.b[rows], offsets=offsets, scale=m.scale[order])
        return replace(self, model=model, given_x_star=self._x_star_if_any)


def linear_problem(
    A: FloatArray | Sequence[ArrayLike],
    b: FloatArray | Sequence[ArrayLike],
    loss: str,
    *,
    mu: float | None,
    L: float | None,
    weighting: str,
    delta: float,
) -> LinearProblem:
    """See :meth:`Problem.from_arrays`."""
    if loss not in LOSSES:
        raise InputError(f"loss: {loss!r} is not one of {', '.join(LOSSES)}")
    if weighting not in WEIGHTINGS:
        raise InputError(f"weighting: {weighting!r} is not one of {', '.join(WEIGHTINGS)}")
    require_constants(mu, L)
    require_positive("delta", delta)
    if loss != "least_squares" and mu is None:
        raise InputError(f"mu: {loss} needs the strength of its l2 term, a number > 0")
    rows, targets, samples = stacked(A, b)
    if loss == "logistic_l2" and not (np.abs(targets) == 1).all():
        where = where_in(int(np.argmax(np.abs(targets) != 1)), samples)
        raise InputError(f"data of {where}: logistic_l2 needs labels of exactly -1 or 1")
    n = samples.size
    scale = np.full(n, n / targets.size) if weighting == "samples" else 1.0 / samples
    ridge = 0.0 if loss == "least_squares" or mu is None else mu
    model = lm.linear_model(rows, targets, offsets_of(samples), scale, ridge, LOSSES[loss], delta)
    given_mu = float(mu) if loss == "least_squares" and mu is not None else None
    return LinearProblem(
        kind=loss, model=model, given_mu=given_mu, given_L=None if L is None else float(L)
    )
