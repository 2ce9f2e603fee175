"""Procrustes: the orthogonal matrix that takes points of all nodes to their images.

    minimise F(X) = (1/n) sum_i f_i(X),  f_i(X) = (1/m)||A_i X - B_i||_F^2,  X^T X = I,  X (p, p)

m the number of rows of A_i; where nodes have unequally many and every sample counts the same, the
mean of these numbers. Its one solution is polar(sum_i A_i^T B_i/m). The sign of det X stays what it
was at the start: no path of orthogonal matrices leads from one to the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, rows_of_nodes, scales
from dadao_sim.problems.data.checks import require_weighting
from dadao_sim.problems.data.rotated import RotatedData
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.matrix_quadratic import MatrixQuadratic
from dadao_sim.problems.kinds.orthogonal_problem import TITLES
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.quadratic_on_stiefel import QuadraticOnStiefel, products

SINGULAR = 1e-12
"""Of sum A_i^T B_i, the least singular value relative to the first: below it X is not unique."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ProcrustesProblem(QuadraticOnStiefel):
    """H_i = (2/m) A_i^T A_i and K_i = (2/m) A_i^T B_i."""

    @cached_property
    def _factors(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The singular value decomposition U, s, V^T of mean K_i."""
        with one_blas_thread():
            return np.linalg.svd(self.form.K.mean(axis=0))

    @cached_property
    def solutions(self) -> FloatArray | None:
        """The one; None where it is not unique."""
        _, s, _ = self._factors
        return self.x_star[None] if s[-1] > SINGULAR * s[0] else None

    def suboptimality(self, x: ArrayLike) -> float:
        """F(Z) - F* at Z = polar(x), for x (d,): tr((Z - X*) P (Z - X*)^T)/2 with P the symmetric
        factor of mean K_i = X* P, since X^T H X has the same trace for all orthogonal X.
        """
        U, s, Vt = self._factors
        with one_blas_thread():
            off = (self._feasible(x) - U @ Vt) @ Vt.T
        return float(0.5 * (off**2).sum(axis=0) @ s)

    def _optimum(self) -> FloatArray:
        U, s, Vt = self._factors
        if not s[-1] > SINGULAR * s[0]:
            raise InputError("data", "sum A_i^T B_i is singular, so that X is not unique")
        return (U @ Vt).ravel()


def procrustes_problem(
    A: ArrayLike | Sequence[ArrayLike],
    B: ArrayLike | Sequence[ArrayLike],
    weighting: str = "samples",
) -> ProcrustesProblem:
    """From points (n, m, p), or a list of (m_i, p), and their images, of the same shapes.

    ``weighting`` as in :meth:`Problem.from_arrays`.
    """
    points, samples = rows_of_nodes("A", A)
    images, same = rows_of_nodes("B", B)
    if points.shape != images.shape or not np.array_equal(samples, same):
        wrong = f"A and B have the shapes {points.shape} and {images.shape}, all nodes together"
        raise InputError("data", wrong, "give an image of p numbers for every point of p")
    require_weighting(weighting)
    ends = np.cumsum(samples)[:-1]
    parts, others = np.split(points, ends), np.split(images, ends)
    scale = scales(samples, weighting)
    form = MatrixQuadratic(
        H=products(parts, 2 * scale),
        K=products(parts, 2 * scale, others),
        constant=np.array([s * (part**2).sum() for s, part in zip(scale, others, strict=True)]),
    )
    return ProcrustesProblem(kind="procrustes", form=form, counts=samples)


class ProcrustesKind(ProblemKind):
    """The nodes hold points and their images, and find the rotation between them."""

    titles: ClassVar[Mapping[str, str]] = TITLES
    reference: ClassVar[str] = "schonemann1966generalized"

    kind: Literal["procrustes"] = Field(description="the orthogonal matrix from points to images")
    data: RotatedData = Field(description="the points and their images")

    @property
    def dimension(self) -> int:
        """p^2."""
        return self.data.dim**2

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The pairs."""
        return (inside("data", self.data.need(nodes)),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        A, B, _ = self.data.read(nodes, rng.spawn(2)[0])
        return procrustes_problem(A, B)
