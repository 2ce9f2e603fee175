"""Quadratics given by their Hessians: f_i(x) = x^T H_i x/2 - c_i^T x."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.quadratic import Quadratic, with_inverse

NODES_AT_ONCE = 4096


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class QuadraticProblem(Problem):
    """Holds nothing but the Hessians, so that a million nodes fit."""

    form: Quadratic

    @property
    def objective(self) -> Quadratic:
        """The Hessians."""
        return self.form

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.form.c.shape[0]

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.form.c.shape[1]

    def with_conjugate(self) -> Quadratic:
        """Inverse Hessians besides."""
        with one_blas_thread():
            return with_inverse(self.objective)

    @property
    def hessians(self) -> Literal["constant"]:
        """Those that were given."""
        return "constant"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        return self.form.H.mean(axis=0)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        point, node = self._point(x), self._node(i)
        return float(point @ (0.5 * self.form.H[node] @ point - self.form.c[node]))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """h^T H h/2 with h = x - origin and the mean Hessian H, for x and origin (d,)."""
        image = self._root.T @ (self._point(x) - self._point(origin))
        return float(0.5 * (image @ image))

    @cached_property
    def _root(self) -> FloatArray:
        """A square root of the Hessian of F."""
        return square_root(self.hessian(np.zeros(self.dimension)))

    @cached_property
    def _spectra(self) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest eigenvalue (n,) of every Hessian."""
        least, largest = np.empty(self.nodes), np.empty(self.nodes)
        with one_blas_thread():
            for first in range(0, self.nodes, NODES_AT_ONCE):
                some = slice(first, first + NODES_AT_ONCE)
                eigenvalues = np.linalg.eigvalsh(self.form.H[some])
                least[some], largest[some] = eigenvalues[:, 0], eigenvalues[:, -1]
        rounding = self.dimension * np.finfo(float).eps * largest
        if (least < -rounding).any():
            node = int((least + rounding).argmin())
            raise InputError(f"H of node {node}", "has a negative eigenvalue", "f_i must be convex")
        return least, largest

    def _mu(self) -> float:
        least, largest = self._spectra
        if least.min() <= self.dimension * np.finfo(float).eps * largest.max():
            raise InputError(
                f"H of node {least.argmin()}",
                "is not positive definite, so that mu = 0",
                "add a multiple of the identity",
            )
        return float(least.min())

    def _node_L(self) -> FloatArray:
        return self._spectra[1]

    def _optimum(self) -> FloatArray:
        mean = self.form.H.mean(axis=0)
        with one_blas_thread():
            eigenvalues = np.linalg.eigvalsh(mean)
            if eigenvalues[0] <= self.dimension * np.finfo(float).eps * eigenvalues[-1]:
                raise InputError("H", "their mean is singular, so that x* is not unique")
            return np.linalg.solve(mean, self.form.c.mean(axis=0))

    def _relabelled(self, order: IntArray) -> "QuadraticProblem":
        form = self.form._replace(H=self.form.H[order], c=self.form.c[order])
        return replace(self, form=form, given_x_star=self._x_star_if_any)


def square_root(H: FloatArray) -> FloatArray:
    """R with R R^T = H, for a positive semidefinite H (d, d): its Cholesky factor if it has one."""
    with one_blas_thread():
        try:
            return np.linalg.cholesky(H).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            eigenvalues, vectors = np.linalg.eigh(H)
            return vectors * np.sqrt(np.maximum(eigenvalues, 0.0))


def quadratic_problem(H: ArrayLike, c: ArrayLike) -> QuadraticProblem:
    """See :meth:`Problem.quadratic`."""
    hessians, linear = reals("H", H), reals("c", c)
    if linear.ndim != 2 or 0 in linear.shape or hessians.shape != (*linear.shape, linear.shape[1]):
        raise InputError(
            "H, c",
            f"shapes {hessians.shape} and {linear.shape} given",
            "(n, d, d) and (n, d) are needed",
        )
    for name, array in (("H", hessians), ("c", linear)):
        if not np.isfinite(array).all():
            node = int(np.argwhere(~np.isfinite(array))[0, 0])
            raise InputError(name, f"nan or infinite at node {node}", "give finite numbers")
    if not np.array_equal(hessians, hessians.transpose(0, 2, 1)):
        raise InputError("H", "not symmetric", "give (H + H^T)/2")
    d = linear.shape[1]
    none = np.empty((0, d, d)), np.empty((0, d))
    return QuadraticProblem(
        kind="quadratic", form=Quadratic(hessians, linear, inverse=none[0], minimiser=none[1])
    )
