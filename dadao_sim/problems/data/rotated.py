"""Points, and where a rotation takes them: pairs whose rotation is wanted."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.synthetic import orthonormal
from dadao_sim.strict import Count, NotNegative, StrictModel


class Pairs(NamedTuple):
    """Points A and images B (n, m, p), and the rotation X (p, p): B = A X, but for the noise."""

    A: FloatArray
    B: FloatArray
    rotation: FloatArray


class RotatedData(StrictModel):
    """Standard normal points, rotated by a random X, with noise in the images."""

    kind: Literal["rotated"] = Field(description="points and their images under a rotation")
    dim: Annotated[int, Field(ge=2)] = Field(description="dimension p of the points")
    samples_per_node: Count = Field(description="pairs m of each node")
    noise: NotNegative = Field(default=0.1, description="standard deviation, in the images")

    def need(self, nodes: int) -> Need:
        """The memory that the pairs of so many nodes take."""
        named = {"nodes": nodes, "samples_per_node": self.samples_per_node, "dim": self.dim}
        what = f"{nodes:,} nodes with {self.samples_per_node:,} pairs in dimension {self.dim:,}"
        size = 24 * nodes * self.samples_per_node * self.dim
        return Need(max(named, key=lambda name: named[name]), what, size)

    def read(self, nodes: int, rng: np.random.Generator) -> Pairs:
        """The rotation is drawn first: it is the same whatever the number of nodes."""
        rotation = orthonormal(rng.standard_normal((1, self.dim, self.dim)))[0]
        A = rng.standard_normal((nodes, self.samples_per_node, self.dim))
        with one_blas_thread():
            if np.linalg.det(rotation) < 0:
                rotation[:, 0] *= -1.0
            B = A @ rotation + self.noise * rng.standard_normal(A.shape)
        return Pairs(A, B, rotation)
