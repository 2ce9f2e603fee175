"""Problems made of a linear model, whatever its loss; those of the square are quadratics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import (
    FloatArray,
    IntArray,
    offsets_of,
    scales,
    stacked,
    where_in,
)
from dadao_sim.problems.kinds import linear_model as lm
from dadao_sim.problems.kinds.linear_model import LinearModel
from dadao_sim.problems.kinds.losses import Loss
from dadao_sim.problems.kinds.newton import hessian, minimise, with_scratch
from dadao_sim.problems.kinds.problem import TOLERANCE, Problem, SampleTerms
from dadao_sim.problems.kinds.quadratic import Quadratic, quadratic, with_inverse
from dadao_sim.problems.kinds.quadratic_problem import square_root
from dadao_sim.problems.kinds.spectra import spectra
from dadao_sim.problems.kinds.square import Square


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LinearProblem(Problem):
    """Linear models with their constants and optimum; the losses are files beside this one."""

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
        """Inverse Hessians for quadratics; else Newton with a workspace."""
        if self._is_quadratic:
            with one_blas_thread():
                return with_inverse(self._quadratic)
        return with_scratch(self.model)

    def stochastic_objective(self, batch_size: int) -> LinearModel:
        """See :meth:`Problem.stochastic_objective`; the l2 term is exact."""
        if int(batch_size) != batch_size or batch_size < 1:
            raise InputError(
                "batch_size", f"{batch_size} given", "an integer of at least 1 is needed"
            )
        return self.model._replace(batch=int(batch_size))

    def sample_objective(self) -> LinearModel:
        """See :meth:`Problem.sample_objective`."""
        return self.model

    @property
    def l2(self) -> float:
        """See :attr:`Problem.l2`."""
        return self.model.ridge

    def sample_terms(self) -> SampleTerms:
        """See :meth:`Problem.sample_terms`."""
        m = self.model
        return SampleTerms(
            squares=np.einsum("kj,kj->k", m.A, m.A),
            curvatures=np.repeat(m.loss.smoothness * m.scale, self.samples),
        )

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
    def hessians(self) -> Literal["constant", "varying"]:
        """Those of the square are constant."""
        return "constant" if self._is_quadratic else "varying"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        lower = np.zeros((self.dimension, self.dimension))
        hessian(self.model, 0, self.nodes, 1.0 / self.nodes, self._point(x), lower)
        return np.tril(lower) + np.tril(lower, -1).T

    @property
    def _is_quadratic(self) -> bool:
        return isinstance(self.model.loss, Square)

    @cached_property
    def _quadratic(self) -> Quadratic:
        return quadratic(self.model)

    @cached_property
    def _root(self) -> FloatArray:
        """A square root of the Hessian of F, where that is constant."""
        return square_root(self.hessian(np.zeros(self.dimension)))

    @cached_property
    def _spectra(self) -> tuple[FloatArray, FloatArray]:
        return spectra(self.model)

    def _mu(self) -> float:
        """Of quadratics exact, of the others what holds for every x."""
        m = self.model
        if not self._is_quadratic:
            if m.ridge == 0.0:
                raise InputError("mu", f"{self.kind} has no l2 term", "give a mu that holds")
            return m.ridge
        if m.ridge == 0.0:
            self._require_samples()
        least, largest = self._spectra
        if m.ridge == 0.0:
            singular = least <= self.dimension * np.finfo(float).eps * largest
            if singular.any():
                raise InputError(
                    f"data of node {singular.argmax()}",
                    "the columns are linearly dependent, so that mu = 0",
                    "use kind ridge, or drop columns",
                )
        return float((m.loss.smoothness * least).min() + m.ridge)

    def _require_samples(self) -> None:
        few = self.samples < self.dimension
        if few.any():
            i = int(few.argmax())
            raise InputError(
                f"data of node {i}",
                f"{self.samples[i]} samples in dimension {self.dimension} make mu = 0",
                "use kind ridge, or at least as many samples as dimensions at every node",
            )

    def _node_L(self) -> FloatArray:
        return self.model.loss.smoothness * self._spectra[1] + self.model.ridge

    def _optimum(self) -> FloatArray:
        x = np.empty(self.dimension)
        workspace = with_scratch(self.model)
        converged = minimise(
            workspace, 0, self.nodes, 1.0 / self.nodes, np.zeros(x.size), x, workspace.scratch
        )
        if not (converged and self._is_optimal(x)):
            self._require_unique()
            raise InputError(
                "data",
                "the optimum cannot be computed to 1e-12, F is too ill-conditioned",
                "use a larger l2 term (least_squares: kind ridge), or standardise the features",
            )
        return x

    def _require_unique(self) -> None:
        """InputError where the columns of all nodes together are linearly dependent."""
        if not self._is_quadratic or self.model.ridge > 0.0:
            return
        with one_blas_thread():
            singular = np.linalg.svd(self._root, compute_uv=False) ** 2
        if singular[-1] <= self.dimension * np.finfo(float).eps * singular[0]:
            raise InputError(
                "data",
                "the columns are linearly dependent, so that x* is not unique",
                "use kind ridge, or drop columns",
            )

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
    kind: str,
    loss: Loss,
    *,
    ridge: float,
    weighting: str,
    given_mu: float | None,
    given_L: float | None,
) -> LinearProblem:
    """From dense rows and targets; see :meth:`Problem.from_arrays`. ``ridge``: the l2 strength."""
    rows, targets, samples = stacked(A, b)
    if loss.labels and not (np.abs(targets) == 1).all():
        where = where_in(int(np.argmax(np.abs(targets) != 1)), samples)
        raise InputError(f"data of {where}", f"{kind} needs labels of exactly -1 or 1")
    scale = scales(samples, weighting)
    model = lm.linear_model(rows, targets, offsets_of(samples), scale, ridge, loss)
    return LinearProblem(kind=kind, model=model, given_mu=given_mu, given_L=given_L)
