"""What a mixing matrix is: symmetric and doubly stochastic, with weights on the edges only."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import sparse

from dadao_sim.networks.network import Network


@dataclass(frozen=True, kw_only=True)
class Mixing(ABC):
    """A W by its ``name``: I - Laplacian of its weights, made lazy where ``is_lazy`` is set.

    A lazy one is (I + W)/2: no eigenvalue of it is negative.
    """

    name: str
    is_lazy: bool = False

    @abstractmethod
    def matrix(self, graph: Network) -> sparse.csr_array:
        """W, (n, n)."""

    @abstractmethod
    def eigenvalues(self, graph: Network) -> tuple[float, float]:
        """The second largest eigenvalue of W and the least.

        Above 1500 nodes bounds: the one from above, the other from below.
        """

    def lazy(self) -> Self:
        """(I + W)/2, under the name lazy_NAME."""
        return replace(self, name=f"lazy_{self.name}", is_lazy=True)


@dataclass(frozen=True, kw_only=True)
class OneWeight(Mixing):
    """W = I - Laplacian/divisor: one weight on all edges."""

    divisor: Callable[[Network], float]

    def matrix(self, graph: Network) -> sparse.csr_array:
        """See :meth:`Mixing.matrix`."""
        return sparse.eye_array(graph.nodes, format="csr") - graph.laplacian() / self._of(graph)

    def eigenvalues(self, graph: Network) -> tuple[float, float]:
        """See :meth:`Mixing.eigenvalues`."""
        divisor = self._of(graph)
        return 1 - graph.lambda_2() / divisor, 1 - graph.lambda_max() / divisor

    def _of(self, graph: Network) -> float:
        return (2 if self.is_lazy else 1) * self.divisor(graph)


@dataclass(frozen=True, kw_only=True)
class OwnWeights(Mixing):
    """W = I - B diag(w) B^T, B the incidence matrix: each edge its weight, of any sign."""

    weights: Callable[[Network], np.ndarray]

    def matrix(self, graph: Network) -> sparse.csr_array:
        """See :meth:`Mixing.matrix`."""
        count = len(graph.edges)
        signs, each = np.repeat([1.0, -1.0], count), np.tile(np.arange(count), 2)
        place = graph.edges.T.ravel(), each
        B = sparse.coo_array((signs, place), shape=(graph.nodes, count)).tocsr()
        laplacian = B @ sparse.diags_array(self._of(graph)) @ B.T
        return sparse.csr_array(sparse.eye_array(graph.nodes) - laplacian)

    def eigenvalues(self, graph: Network) -> tuple[float, float]:
        """See :meth:`Mixing.eigenvalues`."""
        weights = self._of(graph)
        if (weights > 0).all():
            return 1 - graph.lambda_2(weights), 1 - graph.lambda_max(weights)
        values = np.linalg.eigvalsh(self.matrix(graph).toarray())
        return float(values[-2]), float(values[0])

    def _of(self, graph: Network) -> np.ndarray:
        return self.weights(graph) / (2 if self.is_lazy else 1)
