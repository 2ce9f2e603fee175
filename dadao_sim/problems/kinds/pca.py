"""Principal components: the subspace in which the samples of all nodes have most of their squares.

    minimise F(X) = (1/n) sum_i f_i(X),  f_i(X) = -tr(X^T C_i X)/2,  X^T X = I,  X (d, p)

with C_i = A_i^T A_i/m of the m rows A_i of node i; where nodes have unequally many and every sample
counts the same (``weighting``), m is their mean. Any orthonormal basis of the span of the p first
eigenvectors of mean C_i is a solution: what counts is the distance to the nearest of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, rows_of_nodes, scales
from dadao_sim.problems.data.checks import Weighting, require_weighting
from dadao_sim.problems.data.partition import PARTITIONS, Split
from dadao_sim.problems.data.source import DATA, DataSource, SampleSet, Wanted, require_fit
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.matrix_quadratic import MatrixQuadratic
from dadao_sim.problems.kinds.orthogonal_problem import TITLES
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.quadratic_on_stiefel import QuadraticOnStiefel, products
from dadao_sim.strict import ByKind, Count, misuse
from dadao_sim.text.lines import written

NO_GAP = 1e-12
"""Of eigenvalues p and p + 1, relative to the first: closer ones determine no subspace."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PcaProblem(QuadraticOnStiefel):
    """H_i = -C_i."""

    @cached_property
    def spectrum(self) -> tuple[FloatArray, FloatArray]:
        """Eigenvalues (d,) of mean C_i, the largest first, and eigenvectors (d, d) by columns."""
        with one_blas_thread():
            values, vectors = np.linalg.eigh(-self.form.H.mean(axis=0))
        return values[::-1].copy(), np.ascontiguousarray(vectors[:, ::-1])

    @property
    def eigengap(self) -> float:
        """How far eigenvalue p lies above eigenvalue p + 1; infinite where there is none."""
        values, p = self.spectrum[0], self.columns
        return float(values[p - 1] - values[p]) if p < len(values) else np.inf

    @property
    def basis(self) -> FloatArray:
        """The p first eigenvectors (d, p)."""
        return self.spectrum[1][:, : self.columns]

    @property
    def _is_determined(self) -> bool:
        return self.eigengap > NO_GAP * self.spectrum[0][0]

    @property
    def remark(self) -> str:
        """That the subspace is not determined."""
        if self._is_determined:
            return ""
        p = self.columns
        return (
            f"problem {self.kind}: eigenvalues {p} and {p + 1} differ by {self.eigengap:.0e}: "
            "the subspace is not determined; F and its gradient are all that is reported"
        )

    @cached_property
    def solutions(self) -> FloatArray | None:
        """One of them; None where the subspace is not determined."""
        return self.x_star[None] if self._is_determined else None

    def nearest_solution(self, X: ArrayLike) -> FloatArray | None:
        """U Q with the eigenvectors U and Q = polar(U^T mean X), which minimises the sum of the
        ||X_i - U Q||^2.
        """
        if self.solutions is None:
            return None
        with one_blas_thread():
            mean = self.matrix(self._points(X).mean(axis=0))
            return (self.basis @ stiefel.polar(self.basis.T @ mean)).ravel()

    def suboptimality(self, x: ArrayLike) -> float:
        """F(Z) - F* at Z = polar(x), for x (d,).

        (1/2) sum_k |w_k - w_p| times what Z has too little of eigenvector k among the p first, or
        too much beyond them: no difference of two values, and never negative.
        """
        values, vectors = self.spectrum
        Z, p = self._feasible(x), self.columns
        with one_blas_thread():
            inside = vectors.T @ Z
            missing = vectors[:, :p] - Z @ inside[:p].T
        misses = np.concatenate([(missing**2).sum(axis=0), (inside[p:] ** 2).sum(axis=1)])
        return float(0.5 * np.abs(values - values[p - 1]) @ misses)

    def _optimum(self) -> FloatArray:
        if not self._is_determined:
            raise InputError("data", self.remark)
        return self.basis.ravel()


def pca_problem(
    A: ArrayLike | Sequence[ArrayLike], components: int, weighting: str = "samples"
) -> PcaProblem:
    """From rows (n, m, d), or a list of (m_i, d), as they are: centre them if that is wanted.

    ``weighting`` as in :meth:`Problem.from_arrays`.
    """
    rows, samples = rows_of_nodes("A", A)
    d = rows.shape[1]
    if not isinstance(components, Integral) or components < 1:
        right = f"a whole number from 1 to the dimension {d}"
        raise InputError("components", f"{written(components)} given", right)
    if components > d:
        raise InputError("components", f"{components} given", f"at most the dimension {d}")
    require_weighting(weighting)
    parts = np.split(rows, np.cumsum(samples)[:-1])
    form = MatrixQuadratic(
        H=-products(parts, scales(samples, weighting)),
        K=np.zeros((len(parts), d, components)),
        constant=np.zeros(len(parts)),
    )
    return PcaProblem(kind="pca", form=form, counts=samples)


class PcaKind(ProblemKind):
    """The nodes hold samples, and find the subspace of their principal components."""

    titles: ClassVar[Mapping[str, str]] = TITLES

    kind: Literal["pca"] = Field(description="principal components, up to a rotation of the basis")
    components: Count = Field(description="dimension p of the subspace")
    weighting: Weighting = Field(
        default="samples", description="every sample counts the same in F, or every node does"
    )
    data: Annotated[DataSource, ByKind(DATA)] = Field(description="the samples")
    partition: Split = None

    @model_validator(mode="after")
    def _data_fit(self) -> "PcaKind":
        if self.partition is not None and not isinstance(self.data, SampleSet):
            raise misuse(f"{self.data.undivided}; leave it out", "partition")
        asked = self.data.model_fields_set
        if isinstance(self.data, SampleSet) and self.data.intercept and "intercept" in asked:
            raise misuse("pca has none; leave it out", "data", "intercept")
        require_fit(self.data, self.wanted)
        return self

    @property
    def wanted(self) -> Wanted:
        """Rows; with a condition number C_i has eigenvalues from 1 to its inverse."""
        return Wanted(self.kind, spectrum=spectrum)

    @property
    def dimension(self) -> int:
        """As far as the options tell: a data set has more features."""
        return self.data.dimension * self.components

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The samples, and the C_i."""
        d = self.data.dimension
        what = f"the matrices of {nodes:,} nodes in dimension {d:,}"
        data = inside("data", self.data.need(self.wanted, nodes))
        return (data, Need("nodes" if nodes >= d else "data.dim", what, 16 * nodes * d * d))

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        data_rng, partition_rng = rng.spawn(2)
        with within("data"):
            if isinstance(self.data, SampleSet):
                X, y = self.data.model_copy(update={"intercept": False}).samples(data_rng)
                assert y is not None
                partition = self.partition or PARTITIONS["iid"](kind="iid")
                A = [X[part] for part in partition.split(y, nodes, partition_rng)]
            else:
                A, _ = self.data.rows(self.wanted, nodes, data_rng)
        return pca_problem(A, self.components, self.weighting)


def spectrum(dim: int, samples: int, kappa: float) -> FloatArray:
    """Eigenvalues of A_i^T A_i/m, the largest first, log-spaced in [1/kappa, 1]."""
    return np.geomspace(1.0, 1.0 / kappa, dim)[: min(samples, dim)]
