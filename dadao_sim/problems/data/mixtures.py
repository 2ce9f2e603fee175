"""Mixtures of independent sources, whose separation is wanted."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.strict import Count, StrictModel


class Mixtures(NamedTuple):
    """What was observed, Y (n, m, p), and the matrix (p, p) that mixed the sources S: Y = S A^T."""

    Y: FloatArray
    mixing: FloatArray


class MixturesData(StrictModel):
    """Laplace sources of mean 0, mixed by a standard normal matrix that is one for all nodes."""

    kind: Literal["mixtures"] = Field(description="mixtures of independent Laplace sources")
    dim: Annotated[int, Field(ge=2)] = Field(description="sources p, and mixtures of them")
    samples_per_node: Count = Field(description="samples m of each node")

    def need(self, nodes: int) -> Need:
        """The memory that the mixtures of so many nodes take."""
        named = {"nodes": nodes, "samples_per_node": self.samples_per_node, "dim": self.dim}
        what = f"{nodes:,} nodes with {self.samples_per_node:,} mixtures of {self.dim:,} sources"
        size = 24 * nodes * self.samples_per_node * self.dim
        return Need(max(named, key=lambda name: named[name]), what, size)

    def read(self, nodes: int, rng: np.random.Generator) -> Mixtures:
        """The matrix is drawn first: it is the same whatever the number of nodes."""
        mixing = rng.standard_normal((self.dim, self.dim))
        S = rng.laplace(size=(nodes, self.samples_per_node, self.dim))
        S -= S.mean(axis=(0, 1))
        with one_blas_thread():
            return Mixtures(S @ mixing.T, mixing)
