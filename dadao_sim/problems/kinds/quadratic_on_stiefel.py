"""What principal components and Procrustes have in common: a quadratic over orthonormal columns."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.matrix_quadratic import MatrixQuadratic
from dadao_sim.problems.kinds.orthogonal_problem import OrthogonalProblem


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class QuadraticOnStiefel(OrthogonalProblem):
    """Holds the Hessians; ``counts`` are the samples of the nodes (n,)."""

    form: MatrixQuadratic
    counts: IntArray

    @property
    def objective(self) -> MatrixQuadratic:
        """The Hessians."""
        return self.form

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.form.K)

    @property
    def columns(self) -> int:
        """p."""
        return self.form.K.shape[2]

    @property
    def dimension(self) -> int:
        """Numbers in X."""
        return self.form.K.shape[1] * self.form.K.shape[2]

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,)."""
        return self.counts

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(X), for x (d,), on the manifold or off it."""
        X, k = self.matrix(self._point(x)), self._node(i)
        half = 0.5 * (self.form.H[k] @ X) - self.form.K[k]
        return float((X * half).sum() + self.form.constant[k])

    def _node_L(self) -> FloatArray:
        with one_blas_thread():
            return np.abs(np.linalg.eigvalsh(self.form.H)).max(axis=1)

    def _relabelled(self, order: IntArray) -> Self:
        form = MatrixQuadratic(*(part[order] for part in self.form))
        return replace(self, form=form, counts=self.counts[order])


def products(
    parts: list[FloatArray], scale: FloatArray, others: list[FloatArray] | None = None
) -> FloatArray:
    """scale_i A_i^T B_i (n, d, p), of ``parts`` A_i (m_i, d) and ``others`` B_i: A_i without."""
    pairs = zip(parts, others or parts, scale, strict=True)
    with one_blas_thread():
        return np.stack([s * (A.T @ B) for A, B, s in pairs])
