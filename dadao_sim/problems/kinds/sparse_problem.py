"""Least squares and ridge whose rows are mostly zeros, as those of imaging are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, issparse, vstack
from scipy.sparse.linalg import LinearOperator, cg, eigsh

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.problems.data.arrays import (
    FloatArray,
    IntArray,
    offsets_of,
    same_nodes,
    scales,
    where_in,
)
from dadao_sim.problems.data.lamps import light_errors
from dadao_sim.problems.kinds import sparse_model
from dadao_sim.problems.kinds.losses import Loss
from dadao_sim.problems.kinds.problem import TOLERANCE, Problem, SampleTerms
from dadao_sim.problems.kinds.sparse_model import SparseLeastSquares
from dadao_sim.problems.kinds.square import Square

DENSE = 256
"""Rows (or columns) up to which the eigenvalues of a node's Gram matrix are taken from LAPACK."""
REFINEMENTS, STEPS = 5, 20_000
"""Of x*: restarts of the conjugate gradients from the residual as it is, and steps of each."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SparseProblem(Problem):
    """f_i(x) = scale_i ||A_i x - b_i||^2 + (mu/2)||x||^2 with sparse A_i.

    mu is the strength of the l2 term: what the smallest eigenvalue of A_i^T A_i would add is left
    out, as it is 0 wherever a node has fewer rows than there are columns.
    """

    model: SparseLeastSquares
    columns: int
    of_data: str = ""
    light: FloatArray | None = None  # of pictures taken in low light its true logarithm
    truth: FloatArray | None = None  # of other pictures the one that was to be restored

    @property
    def remark(self) -> str:
        """What the data remark."""
        return self.of_data

    def light_errors(self, X: FloatArray) -> FloatArray:
        """How far the log light of the nodes is from the true one (n,): root mean squares over the
        pixels, without their means, for a gain is not to be known; X (n, d).

        InputError where the data are no picture taken in low light.
        """
        if self.light is None:
            raise InputError(f"kind {self.kind} has no light; data of task low_light have")
        return light_errors(X[:, : self.light.size], self.light)

    def psnr(self, X: FloatArray) -> FloatArray:
        """Peak signal-to-noise ratios (n,) in dB of the nodes' pictures X (n, d).

        InputError where the data are no picture that is to be restored.
        """
        if self.truth is None:
            raise InputError(f"kind {self.kind} has no picture; data of kind image have")
        with np.errstate(over="ignore", divide="ignore"):
            return -10 * np.log10(((X - self.truth.ravel()) ** 2).mean(axis=1))

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.model.scale.size

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.columns

    @property
    def objective(self) -> SparseLeastSquares:
        """The rows."""
        return self.model

    @property
    def samples(self) -> IntArray:
        """Rows per node (n,)."""
        return np.diff(self.model.offsets)

    @property
    def has_conjugate(self) -> bool:
        """No: A_i^T A_i + mu I would have to be factorised, and its factors are not sparse."""
        return False

    def stochastic_objective(self, batch_size: int) -> Any:
        """InputError: sparse rows are used all at once."""
        raise InputError("batch_size", "sparse rows are used all at once", "leave it out")

    @property
    def hessians(self) -> Literal["constant"]:
        """Those of the square."""
        return "constant"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`; dense."""
        A, m = self.rows(0, self.nodes), self.model
        weights = np.repeat(2.0 * m.scale / self.nodes, self.samples)
        gram = (A.T @ (A * weights[:, None])).toarray()
        return gram + m.ridge * np.eye(self.columns)

    def sample_objective(self) -> SparseLeastSquares:
        """See :meth:`Problem.sample_objective`."""
        return self.model

    @property
    def l2(self) -> float:
        """See :attr:`Problem.l2`."""
        return self.model.ridge

    def sample_terms(self) -> SampleTerms:
        """See :meth:`Problem.sample_terms`."""
        return SampleTerms(
            squares=np.asarray(self.rows(0, self.nodes).power(2).sum(axis=1)),
            curvatures=np.repeat(2.0 * self.model.scale, self.samples),
        )

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return float(sparse_model.sparse_value(self.model, self._node(i), self._point(x)))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        step = self._point(x) - self._point(origin)
        return float(sparse_model.sparse_divergence(self.model, step))

    def rows(self, first: int, last: int) -> csr_array:
        """The rows of the nodes from ``first`` to before ``last``, of shape (rows, d)."""
        m = self.model
        start, stop = m.offsets[first], m.offsets[last]
        nonzeros = slice(m.indptr[start], m.indptr[stop])
        return csr_array(
            (m.data[nonzeros], m.indices[nonzeros], m.indptr[start : stop + 1] - m.indptr[start]),
            shape=(stop - start, self.columns),
        )

    def _require_conjugate(self) -> None:
        raise InputError(
            "objectives", "sparse rows have no conjugate gradient", "use a primal method"
        )

    def _mu(self) -> float:
        if self.model.ridge == 0.0:
            raise InputError(
                "data", "sparse rows without l2 term are taken to have mu = 0", "use ridge"
            )
        return self.model.ridge

    def _node_L(self) -> FloatArray:
        largest = [largest_eigenvalue(self.rows(i, i + 1)) for i in range(self.nodes)]
        return 2.0 * self.model.scale * np.array(largest) + self.model.ridge

    def _optimum(self) -> FloatArray:
        """Conjugate gradients on the normal equations, refined until the residual is small."""
        m, A = self.model, self.rows(0, self.nodes)
        if m.ridge == 0.0:
            raise InputError("data", "x* of sparse rows is not unique without l2 term", "use ridge")
        weights = np.repeat(2.0 * m.scale / self.nodes, self.samples)
        hessian = LinearOperator(
            (self.columns, self.columns),
            matvec=lambda x: A.T @ (weights * (A @ x)) + m.ridge * x,
            dtype=np.float64,
        )
        at_zero = np.linalg.norm(A.T @ (weights * m.targets))
        x = np.zeros(self.columns)
        with one_blas_thread():
            for _ in range(REFINEMENTS):
                gradients = self.gradients(np.tile(x, (self.nodes, 1)))
                mean = gradients.mean(axis=0)
                scale = max(at_zero, np.linalg.norm(gradients, axis=1).mean())
                if np.linalg.norm(mean) <= TOLERANCE * scale:
                    return x
                x = x - cg(hessian, mean, rtol=0.0, atol=0.1 * TOLERANCE * scale, maxiter=STEPS)[0]
        raise InputError(
            "data",
            "the optimum cannot be computed to 1e-12, F is too ill-conditioned",
            "use a larger l2 term",
        )

    def _relabelled(self, order: IntArray) -> "SparseProblem":
        m = self.model
        A = vstack([self.rows(i, i + 1) for i in order], format="csr")
        targets = [m.targets[m.offsets[i] : m.offsets[i + 1]] for i in order]
        model = _model(A, np.concatenate(targets), self.samples[order], m.scale[order], m.ridge)
        return replace(self, model=model, given_x_star=self._x_star_if_any)


def largest_eigenvalue(A: csr_array) -> float:
    """Largest eigenvalue of A^T A; by Lanczos, plus its residual, so as not to be too small."""
    wide = A if A.shape[0] <= A.shape[1] else A.T.tocsr()
    with one_blas_thread():
        if wide.shape[0] <= DENSE:
            return float(np.linalg.eigvalsh((wide @ wide.T).toarray())[-1])
        if wide.nnz == 0:
            return 0.0
        gram = LinearOperator(
            (wide.shape[0], wide.shape[0]),
            matvec=lambda v: wide @ (wide.T @ v),
            dtype=np.float64,
        )
        start = np.random.default_rng(0).standard_normal(wide.shape[0])
        values, vectors = eigsh(gram, k=1, v0=start, tol=1e-8)
        residual = gram.matvec(vectors[:, 0]) - values[0] * vectors[:, 0]
        return float(values[0] + np.linalg.norm(residual))


def sparse_problem(
    A: Sequence[Any],
    b: Sequence[ArrayLike],
    kind: str,
    loss: Loss,
    *,
    ridge: float,
    weighting: str,
    given_mu: float | None,
    given_L: float | None,
) -> SparseProblem:
    """From n scipy sparse matrices (m_i, d) and n targets (m_i,); see :meth:`Problem.from_arrays`.

    ``ridge``: the l2 strength. Without it mu = 0 unless another one is given.
    """
    if not isinstance(loss, Square):
        raise InputError("loss", f"sparse rows are for least_squares and ridge, not {kind!r}")
    rows, targets, samples = _stacked(A, b)
    return SparseProblem(
        kind=f"sparse_{kind}",
        model=_model(rows, targets, samples, scales(samples, weighting), ridge),
        columns=rows.shape[1],
        given_mu=given_mu,
        given_L=given_L,
    )


def _model(
    rows: csr_array, targets: FloatArray, samples: IntArray, scale: FloatArray, ridge: float
) -> SparseLeastSquares:
    """With the types that the kernels are compiled for."""
    return SparseLeastSquares(
        data=np.ascontiguousarray(rows.data, dtype=np.float64),
        indices=np.ascontiguousarray(rows.indices, dtype=np.int32),
        indptr=np.ascontiguousarray(rows.indptr, dtype=np.int64),
        targets=targets,
        offsets=offsets_of(samples),
        scale=scale,
        ridge=ridge,
    )


def _sparse(name: str, part: Any) -> csr_array:
    """Rows of one node, sparse or dense, in CSR with float64; InputError for what is no matrix."""
    if not issparse(part):
        dense = reals(name, part, truths=True)
        if dense.ndim != 2:
            raise InputError(name, f"has shape {dense.shape}", "(samples, dimension) is needed")
        return csr_array(dense)
    try:
        rows = csr_array(part)
        rows.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        said = str(error).splitlines()[0][:80] if str(error) else "damaged"
        raise InputError(name, f"no sparse matrix: {said}", "one of scipy is needed") from error
    return csr_array((reals(name, rows.data, truths=True), rows.indices, rows.indptr), rows.shape)


def _stacked(A: Sequence[Any], b: Sequence[ArrayLike]) -> tuple[csr_array, FloatArray, IntArray]:
    """All rows, all targets (N,), samples per node (n,); InputError if they do not fit."""
    A, b = same_nodes(A, b)
    parts = [_sparse(f"A of node {i}", part) for i, part in enumerate(A)]
    targets = [reals(f"b of node {i}", part, truths=True) for i, part in enumerate(b)]
    for i, (part, target) in enumerate(zip(parts, targets, strict=True)):
        if 0 in part.shape or part.shape[1] != parts[0].shape[1] or target.shape != part.shape[:1]:
            raise InputError(
                f"data of node {i}",
                f"A has shape {part.shape} and b {target.shape}",
                (
                    "(samples, dimension), one dimension for all nodes, and one target per row are "
                    "needed"
                ),
            )
    samples = np.array([part.shape[0] for part in parts], dtype=np.int64)
    rows = vstack(parts, format="csr")
    rows.sum_duplicates()
    rows.eliminate_zeros()
    values = np.concatenate(targets)
    bad = ~np.isfinite(values)
    bad[np.repeat(np.arange(values.size), np.diff(rows.indptr))[~np.isfinite(rows.data)]] = True
    if bad.any():
        where = where_in(int(bad.argmax()), samples)
        raise InputError(f"data of {where}", "nan or infinite", "finite numbers are needed")
    return rows, values, samples
