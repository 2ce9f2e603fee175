"""The data of the DADAO authors' own experiments (Nabli and Oyallon, ICML 2023)."""

from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import Count


class AuthorsData(DataSource):
    """The data of the DADAO authors' own experiments."""

    kind: Literal["authors"] = Field(description="as the authors of DADAO draw theirs")
    dim: Count = Field(description="dimension d of the unknown x")
    samples_per_node: Count = Field(description="samples m of each node")

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray]:
        """A task of its own for every node, from scikit-learn; A (n, m, d) and b (n, m).

        ``make_classification`` (all features informative, one cluster per class) where labels are
        wanted; ``make_regression`` with noise of a standard deviation uniform in [0, 40] else.
        """
        from sklearn.datasets import make_classification, make_regression

        size = {"n_samples": self.samples_per_node, "n_features": self.dim}
        A = np.empty((nodes, self.samples_per_node, self.dim))
        b = np.empty((nodes, self.samples_per_node))
        for i in range(nodes):
            seed, noise = int(rng.integers(2**31)), rng.uniform(0, 40)
            if wanted.labels:
                A[i], labels = make_classification(
                    **size,
                    n_informative=self.dim,
                    n_redundant=0,
                    n_clusters_per_class=1,
                    random_state=seed,
                )
                b[i] = 2.0 * labels - 1.0
            else:
                A[i], b[i] = make_regression(**size, noise=noise, random_state=seed)
        return A, b
