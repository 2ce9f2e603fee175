"""A matrix seen through its products with Gaussian vectors: regressions with several targets."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, Strict, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.problems.data.synthetic import orthonormal
from dadao_sim.strict import Count, NotNegative, misuse


class MatrixSignalData(DataSource):
    """One matrix X, of which every node sees X^T a for vectors a of its own."""

    kind: Literal["matrix_signal"] = Field(description="a matrix under Gaussian vectors")
    shape: Annotated[tuple[Count, Count], Strict(False)] = Field(
        description="rows and columns of the matrix: d is their product, and each vector has as "
        "many targets as there are columns"
    )
    samples_per_node: Count = Field(description="vectors that each node has")
    rank: Count | None = Field(default=None, description="of the matrix; full if absent")
    condition_number: Annotated[float, Field(ge=1)] = Field(
        default=1.0, description="of the covariance of the vectors, and so about that of F"
    )
    heterogeneity: NotNegative = Field(
        default=0.0, description="standard deviation of what each node adds to the matrix"
    )
    noise: NotNegative = Field(
        default=0.1, description="standard deviation of the noise of the targets"
    )

    @model_validator(mode="after")
    def _rank_fits(self) -> "MatrixSignalData":
        most = min(self.shape)
        if self.rank is not None and self.rank > most:
            raise misuse(f"must be at most the smaller side ({most})", "rank")
        return self

    @property
    def dimension(self) -> int:
        """The numbers of the matrix."""
        return self.shape[0] * self.shape[1]

    @property
    def samples_of_a_node(self) -> int:
        """A row for each target."""
        return self.samples_per_node * self.shape[1]

    def signal(self, rng: np.random.Generator) -> FloatArray:
        """The matrix row by row, (d,): standard normal, or a product of two of that rank over its
        root.
        """
        rows, columns = self.shape
        if self.rank is None:
            return rng.standard_normal(self.dimension)
        left = rng.standard_normal((rows, self.rank))
        right = rng.standard_normal((self.rank, columns))
        with one_blas_thread():
            return (left @ right / np.sqrt(self.rank)).ravel()

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Rows A (n, m c, r c) and targets (n, m c), for m vectors a and an r x c matrix X: a row
        for each target q of a vector, which is a in column q. Signs as labels.

        The vectors are normal with covariance of eigenvalues from 1 to 1/condition_number, in
        geometric progression; the matrix is drawn first.
        """
        (r, c), m = self.shape, self.samples_per_node
        X = self.signal(rng).reshape(r, c)
        basis = orthonormal(rng.standard_normal((1, r, r)))[0]
        spectrum = np.geomspace(1.0, 1.0 / self.condition_number, r)
        normal = rng.standard_normal((nodes, m, r))
        own = X + self.heterogeneity * rng.standard_normal((nodes, r, c))
        with one_blas_thread():
            vectors = normal * np.sqrt(spectrum) @ basis.T
            targets = vectors @ own
        targets += self.noise * rng.standard_normal(targets.shape)
        A = np.zeros((nodes, m, c, r, c))
        for q in range(c):
            A[:, :, q, :, q] = vectors
        b = targets.reshape(nodes, m * c)
        if wanted.labels:
            b = np.where(b >= 0, 1.0, -1.0)
        return A.reshape(nodes, m * c, r * c), b
