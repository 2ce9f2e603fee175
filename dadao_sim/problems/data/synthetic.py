"""Gaussian samples drawn node by node, with a prescribed condition number if one is asked for."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import Count, NotNegative

NODES_AT_ONCE = 4096
"""Nodes drawn together: bounds the memory of the draws, and fixes their order."""


class SyntheticData(DataSource):
    """Gaussian samples drawn at each node."""

    kind: Literal["synthetic"] = Field(description="samples drawn at each node")
    dim: Count = Field(description="dimension d of the unknown x")
    samples_per_node: Count | None = Field(
        default=None, description="samples m of each node; only averaging can do without"
    )
    condition_number: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="L/mu that the problem shall have; as drawn if absent"
    )
    covariance_condition: Annotated[float, Field(ge=1)] | None = Field(
        default=None,
        description="largest variance of a feature over the smallest, log-spaced between and the "
        "same in every repeat; all 1 if absent",
    )
    heterogeneity: NotNegative = Field(
        default=1.0, description="how far apart the nodes' own minimisers lie; 0: all alike"
    )
    hessians: Literal["aligned", "random"] = Field(
        default="random",
        description=(
            "whether the A_i^T A_i of a condition_number share their eigenvectors (aligned), so "
            "that their mean has it too, or each node draws its own, by heterogeneity (random)"
        ),
    )
    noise: NotNegative = Field(
        default=0.1, description="standard deviation of the noise of the targets"
    )

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """Rows need their number; what is made of points is conditioned as well as can be."""
        if not wanted.points and self.samples_per_node is None:
            return "samples_per_node", f"is missing: {wanted.kind} needs samples"
        if self.condition_number is not None and wanted.spectrum is None:
            return "condition_number", f"that of {wanted.kind} is 1; leave it out"
        if self.covariance_condition is not None and wanted.points:
            return "covariance_condition", f"{wanted.kind} has no features; leave it out"
        if self.covariance_condition is not None and self.condition_number is not None:
            return "covariance_condition", "condition_number decides it; give one of the two"
        if self.hessians == "aligned" and wanted.points:
            return "hessians", f"those of {wanted.kind} are the identity; leave it out"
        if self.hessians == "aligned" and self.condition_number is None:
            return (
                "hessians",
                "aligned ones have a spectrum to share; add condition_number",
            )
        return None

    def scratch(self, nodes: int, samples: int) -> int:
        """Those of the nodes drawn together, and their bases where they have a spectrum."""
        together, d = min(nodes, NODES_AT_ONCE), self.dim
        bases = 4 * d if self.condition_number is not None else 0
        return d * d + together * d * (samples + bases)

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Features A (nodes, samples, dim) and targets b (nodes, samples) of linear models.

        The targets are A_i w_i plus the noise; their signs where labels are wanted. With a
        condition number, A_i = sqrt(m) Q_i diag(sqrt(e)) V_i^T with Q_i and V_i orthonormal, and
        the eigenvalues e of A_i^T A_i/m, the same at every node, are those of the problem's
        ``spectrum``. Without, A_i is normal, with the variances of a ``covariance_condition``,
        which fall from 1. w_i and (before they are made orthonormal) V_i are max(0, 1 - h) times a
        part common to all nodes plus h times one of their own, both standard normal; h, the
        ``heterogeneity``, is 0 for nodes that are alike and 1 for
        independent ones. With ``hessians: aligned`` all V_i are the common one: the mean of the
        A_i^T A_i/m has the spectrum of each, where independent ones average to a condition number
        of about 3, whatever is asked for. InputError for a condition number that the problem cannot
        have.
        """
        dim, samples = self.dim, self.samples_per_node
        assert samples is not None
        spectrum = None
        if self.condition_number is not None and wanted.spectrum is not None:
            spectrum = wanted.spectrum(dim, samples, self.condition_number)
        shared_w, shared_V = rng.standard_normal(dim), rng.standard_normal((dim, dim))
        A, b = np.empty((nodes, samples, dim)), np.empty((nodes, samples))
        for part in _blocks(nodes):
            n = part.stop - part.start
            w = self._mixed(shared_w, rng.standard_normal((n, dim)))
            A[part] = rng.standard_normal((n, samples, dim))
            if spectrum is not None:
                A[part] = _with_spectrum(A[part], self._bases(shared_V, n, rng), spectrum)
            if self.covariance_condition is not None:
                A[part] *= np.geomspace(1.0, self.covariance_condition**-0.5, dim)
            b[part] = (A[part] * w[:, None, :]).sum(axis=2)
            b[part] += self.noise * rng.standard_normal((n, samples))
        if wanted.labels:
            b = np.where(b >= 0, 1.0, -1.0)
        return A, b

    def points(self, nodes: int, rng: np.random.Generator) -> FloatArray:
        """Points (nodes, dim), which lie apart as the w_i of :meth:`rows` do."""
        shared = rng.standard_normal(self.dim)
        return self._mixed(shared, rng.standard_normal((nodes, self.dim)))

    def _bases(self, shared: FloatArray, nodes: int, rng: np.random.Generator) -> FloatArray:
        """Orthonormal V_i of so many nodes (nodes, dim, dim), or of all of them (1, dim, dim)."""
        if self.hessians == "aligned":
            return orthonormal(shared[None])
        return orthonormal(self._mixed(shared, rng.standard_normal((nodes, *shared.shape))))

    def _mixed(self, shared: FloatArray, own: FloatArray) -> FloatArray:
        """What the nodes have in common and what is their own, by heterogeneity."""
        return max(0.0, 1.0 - self.heterogeneity) * shared + self.heterogeneity * own


def orthonormal(stack: FloatArray) -> FloatArray:
    """Orthonormal bases of the columns of matrices (n, rows, columns): Haar if those are normal."""
    with one_blas_thread():
        Q, R = np.linalg.qr(stack)
    # Without the signs of R the distribution depends on LAPACK's conventions.
    return Q * np.where(np.diagonal(R, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]


def _with_spectrum(normal: FloatArray, V: FloatArray, spectrum: FloatArray) -> FloatArray:
    """A (n, m, d) with the eigenvalues ``spectrum`` (r,) of A_i^T A_i/m and eigenvectors V_i."""
    rank, samples = spectrum.size, normal.shape[1]
    Q = orthonormal(normal[:, :, :rank])
    with one_blas_thread():
        return Q * np.sqrt(samples * spectrum) @ V[:, :, :rank].transpose(0, 2, 1)


def _blocks(nodes: int) -> Iterator[slice]:
    for first in range(0, nodes, NODES_AT_ONCE):
        yield slice(first, min(first + NODES_AT_ONCE, nodes))
