"""Magnitudes |<a, x>| of a signal x whose signs were not seen, some of them outliers."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.strict import Count, StrictModel

LARGEST = 5.0
"""Of uniform outliers, in norms of the signal."""
OTHER_NORM = 1.5
"""Of the signal that coherent outliers are of, in norms of the signal."""


class Outliers(StrictModel):
    """Which of the magnitudes are of something else."""

    fraction: Annotated[float, Field(ge=0, lt=1)] = Field(description="of all magnitudes")
    kind: Literal["uniform", "coherent"] = Field(
        default="uniform",
        description="uniform on [0, 5 norms of the signal], or those of one other signal",
    )
    where: Literal["spread", "nodes"] = Field(
        default="spread",
        description="anywhere, or all that the first nodes hold, one node after the other",
    )


class Magnitudes(NamedTuple):
    """Rows A (n, m, d), magnitudes y (n, m), and the signal (d,) that those are of which are
    right.
    """

    A: FloatArray
    y: FloatArray
    signal: FloatArray


class MagnitudesData(StrictModel):
    """Standard normal rows, and a signal whose coordinates have the mean square 1."""

    kind: Literal["magnitudes"] = Field(description="magnitudes of a signal under Gaussian rows")
    dim: Count = Field(description="dimension d of the signal")
    samples_per_node: Count = Field(description="magnitudes m of each node")
    outliers: Outliers | None = Field(default=None, description="magnitudes that are wrong")

    @property
    def dimension(self) -> int:
        """d."""
        return self.dim

    @property
    def fraction(self) -> float:
        """Of outliers."""
        return 0.0 if self.outliers is None else self.outliers.fraction

    def need(self, nodes: int) -> Need:
        """The memory that the magnitudes of so many nodes take."""
        d, m = self.dim, self.samples_per_node
        named = {"nodes": nodes, "samples_per_node": m, "dim": d}
        what = f"{nodes:,} nodes with {m:,} magnitudes in dimension {d:,}"
        return Need(max(named, key=lambda name: named[name]), what, 8 * nodes * m * (d + 2))

    def signal(self, rng: np.random.Generator) -> FloatArray:
        """The signal (d,), which is drawn before all else."""
        signal = rng.standard_normal(self.dim)
        return signal * (np.sqrt(self.dim) / np.linalg.norm(signal))

    def read(self, nodes: int, rng: np.random.Generator) -> Magnitudes:
        """Signal and rows are drawn first: they are the same whatever the outliers."""
        signal = self.signal(rng)
        A = rng.standard_normal((nodes, self.samples_per_node, self.dim))
        with one_blas_thread():
            y = np.abs(A @ signal)
            if self.outliers is not None:
                self._spoil(self.outliers, A, y, signal, rng)
        return Magnitudes(A, y, signal)

    def _spoil(
        self,
        outliers: Outliers,
        A: FloatArray,
        y: FloatArray,
        signal: FloatArray,
        rng: np.random.Generator,
    ) -> None:
        order = rng.permutation(y.size) if outliers.where == "spread" else np.arange(y.size)
        wrong = order[: round(outliers.fraction * y.size)]
        norm = np.linalg.norm(signal)
        if outliers.kind == "uniform":
            y.reshape(-1)[wrong] = rng.uniform(0, LARGEST * norm, wrong.size)
            return
        other = rng.standard_normal(self.dim)
        if self.dim > 1:
            other -= (other @ signal) / norm**2 * signal
        other *= OTHER_NORM * norm / np.linalg.norm(other)
        y.reshape(-1)[wrong] = np.abs(A.reshape(-1, self.dim)[wrong] @ other)
