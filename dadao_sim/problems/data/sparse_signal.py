"""A sparse signal under Gaussian rows at every node: (group) lasso, compressed sensing."""

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import Count, NotNegative, misuse


class SparseSignalData(DataSource):
    """One sparse signal, seen by every node through rows of its own."""

    kind: Literal["sparse_signal"] = Field(description="a sparse signal under Gaussian rows")
    dim: Count = Field(description="dimension d of the signal")
    samples_per_node: Count = Field(
        description="samples m of each node; all together may be fewer than dim"
    )
    nonzeros: Count = Field(description="coordinates of the signal that are not 0, Laplacian")
    group_size: Count = Field(
        default=1, description="they come in whole groups of so many consecutive coordinates"
    )
    noise: NotNegative = Field(
        default=0.1, description="standard deviation of the noise of the targets"
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> "SparseSignalData":
        for name, value in (("dim", self.dim), ("nonzeros", self.nonzeros)):
            if value % self.group_size:
                raise misuse(f"must be a multiple of group_size ({self.group_size})", name)
        if self.nonzeros > self.dim:
            raise misuse(f"must be at most dim ({self.dim})", "nonzeros")
        return self

    def signal(self, rng: np.random.Generator) -> FloatArray:
        """The signal (d,).

        ``nonzeros`` coordinates, in whole groups of consecutive ones, are drawn from the Laplacian
        of density exp(-|x|)/2, the prior of the l1 norm; the rest are 0.
        """
        signal = np.zeros(self.dim)
        groups = rng.choice(
            self.dim // self.group_size, size=self.nonzeros // self.group_size, replace=False
        )
        within_group = np.arange(self.group_size)
        support = (self.group_size * np.sort(groups)[:, None] + within_group).ravel()
        signal[support] = rng.laplace(size=self.nonzeros)
        return signal

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """Standard normal rows A (n, m, d), targets A x + noise (n, m); signs as labels.

        The signal x is drawn first: it depends on neither nodes, samples nor noise.
        """
        signal = self.signal(rng)
        A = rng.standard_normal((nodes, self.samples_per_node, self.dim))
        with one_blas_thread():
            b = A @ signal
        b += self.noise * rng.standard_normal(b.shape)
        if wanted.labels:
            b = np.where(b >= 0, 1.0, -1.0)
        return A, b
