"""Independent components: the orthogonal matrix that separates mixtures of independent sources.

    minimise F(X) = (1/n) sum_i f_i(X),  f_i(X) = (1/m) sum_z sum_j log cosh((X z)_j),  X X^T = I

with X (p, p), over the m whitened samples z of node i; where nodes have unequally many and every
sample counts the same, m is the mean of these numbers. For sources with heavier tails than Gaussian
ones F is least where X z are these, in any order and with any signs. All nodes have whitened by the
same matrix, that of the covariance of all samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, IntArray, offsets_of, rows_of_nodes, scales
from dadao_sim.problems.data.checks import require_weighting
from dadao_sim.problems.data.mixtures import MixturesData
from dadao_sim.problems.kinds import ica_model
from dadao_sim.problems.kinds.ica_model import IcaModel
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.orthogonal_problem import TITLES, OrthogonalProblem
from dadao_sim.problems.kinds.problem import Problem


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class IcaProblem(OrthogonalProblem):
    """Whitened samples, z = ``whitening`` (y - mean y); ``mixing`` (p, p) is what mixed the
    sources, if it is known.
    """

    model: IcaModel
    whitening: FloatArray
    mixing: FloatArray | None = None

    @property
    def objective(self) -> IcaModel:
        """The whitened samples."""
        return self.model

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.model.scale)

    @property
    def columns(self) -> int:
        """p."""
        return self.model.Z.shape[1]

    @property
    def dimension(self) -> int:
        """p^2."""
        return self.columns**2

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,)."""
        return np.diff(self.model.offsets)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(X), for x (d,)."""
        return float(ica_model.ica_value(self.model, self._node(i), self._point(x)))

    def amari(self, x: ArrayLike) -> float:
        """How far polar(x) is from a separation, in [0, 1], for x (d,): the Amari distance of
        X whitening mixing to a permutation with scales. InputError where the mixing is not known.
        """
        if self.mixing is None:
            raise InputError("problem", "what mixed the sources is not known", "use data: mixtures")
        with one_blas_thread():
            return amari(self._feasible(x) @ self.whitening @ self.mixing)

    def _node_L(self) -> FloatArray:
        """The second derivative of log cosh is at most 1."""
        m = self.model
        with one_blas_thread():
            parts = np.split(m.Z, m.offsets[1:-1])
            return np.array(
                [s * np.linalg.eigvalsh(Z.T @ Z)[-1] for s, Z in zip(m.scale, parts, strict=True)]
            )

    def _optimum(self) -> NoReturn:
        raise InputError("x_star", "kind ica has many, none of them known")

    def _relabelled(self, order: IntArray) -> "IcaProblem":
        m = self.model
        rows = np.concatenate([np.arange(m.offsets[i], m.offsets[i + 1]) for i in order])
        offsets = offsets_of(self.samples[order])
        model = IcaModel(Z=m.Z[rows], offsets=offsets, scale=m.scale[order])
        return replace(self, model=model)


def amari(P: FloatArray) -> float:
    """The Amari distance of P (p, p) to a permutation with scales, in [0, 1]."""
    P, p = np.abs(P), len(P)
    rows = (P / P.max(axis=1, keepdims=True)).sum() - p
    columns = (P / P.max(axis=0, keepdims=True)).sum() - p
    return float((rows + columns) / (2 * p * (p - 1)))


def ica_problem(
    Y: ArrayLike | Sequence[ArrayLike],
    *,
    mixing: ArrayLike | None = None,
    weighting: str = "samples",
) -> IcaProblem:
    """From what was observed, (n, m, p) or a list of (m_i, p); centred and whitened here, by the
    mean and the inverse square root of the covariance of all samples.

    ``weighting`` as in :meth:`Problem.from_arrays`.
    """
    require_weighting(weighting)
    rows, samples = rows_of_nodes("Y", Y)
    if rows.shape[1] < 2:
        raise InputError("data", "one mixture alone", "two or more are needed")
    rows = rows - rows.mean(axis=0)
    with one_blas_thread():
        values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
        if not values[0] > len(values) * np.finfo(float).eps * values[-1]:
            raise InputError("data", "the covariance of all samples is singular", "leave some out")
        whitening = vectors / np.sqrt(values) @ vectors.T
        Z = np.ascontiguousarray(rows @ whitening)
    known = None if mixing is None else reals("mixing", mixing)
    if known is not None and known.shape != whitening.shape:
        raise InputError("mixing", f"has shape {known.shape}", f"{whitening.shape} is needed")
    if known is not None and not np.isfinite(known).all():
        raise InputError("mixing", "nan or infinite", "finite numbers are needed")
    model = IcaModel(Z=Z, offsets=offsets_of(samples), scale=scales(samples, weighting))
    return IcaProblem(kind="ica", model=model, whitening=whitening, mixing=known)


class IcaKind(ProblemKind):
    """The nodes hold mixtures of the same sources, and find a matrix that separates them."""

    titles: ClassVar[Mapping[str, str]] = TITLES
    reference: ClassVar[str] = "hyvarinen1999fast"

    kind: Literal["ica"] = Field(description="independent components, up to order and signs")
    data: MixturesData = Field(description="the mixtures")

    @property
    def dimension(self) -> int:
        """p^2."""
        return self.data.dim**2

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The mixtures."""
        return (inside("data", self.data.need(nodes)),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        Y, mixing = self.data.read(nodes, rng.spawn(2)[0])
        return ica_problem(Y, mixing=mixing)
