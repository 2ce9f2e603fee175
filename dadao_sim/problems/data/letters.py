"""Letters of an alphabet that every node draws from a source of its own, counted."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import Count, NotNegative


class LettersData(DataSource):
    """The frequencies of the letters at every node: its point."""

    kind: Literal["letters"] = Field(description="letters of an alphabet, drawn at each node")
    letters: Annotated[int, Field(ge=2)] = Field(description="size of the alphabet")
    samples_per_node: Count = Field(description="letters that each node draws")
    heterogeneity: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="how far apart the nodes' sources lie; 0: all alike"
    )
    smoothing: NotNegative = Field(
        default=0.5, description="added to every count, so that no frequency is 0"
    )

    @property
    def dimension(self) -> int:
        """The size of the alphabet."""
        return self.letters

    def need(self, wanted: Wanted, nodes: int) -> Need:
        """See :meth:`DataSource.need`."""
        need = super().need(wanted, nodes)
        return need._replace(where="letters") if need.where == "dim" else need

    def points(self, nodes: int, rng: np.random.Generator) -> FloatArray:
        """Frequencies (n, letters), of which every row sums to 1.

        The source of a node is (1 - h) times a common one plus h times one of its own, all drawn
        uniformly from the simplex; h is the ``heterogeneity``.
        """
        common, own = rng.dirichlet(np.ones(self.letters)), np.empty((nodes, self.letters))
        own[:] = rng.dirichlet(np.ones(self.letters), nodes)
        sources = (1 - self.heterogeneity) * common + self.heterogeneity * own
        counts = rng.multinomial(self.samples_per_node, sources) + self.smoothing
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))
