"""Rounds of gossip in a synchronous step: products of I - L_q over the graphs of a sequence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.method import Tuning

DENSE_NODES = 1500


@dataclass(frozen=True)
class Mixing:
    """M_k = prod (I - L_q) over the ``rounds`` rounds of step k, the graphs taken in turn,
    cyclically.

    Up to ``DENSE_NODES`` nodes the product of many rounds is multiplied out once for each place in
    the cycle at which a step begins; the communications count all the same.
    """

    laplacians: tuple[Any, ...]
    rounds: int
    products: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def normalised_laplacians(cls, graphs: Sequence[Any], rounds: int) -> "Mixing":
        """L_q = Laplacian of graph q with unit weights, divided by its lambda_max."""
        return cls(tuple(g.laplacian() / g.lambda_max() for g in graphs), rounds)

    def apply(self, step: int, *parts: np.ndarray) -> list[np.ndarray]:
        """M_step times each of ``parts`` (n, d), mixed together in one pass."""
        stacked = np.hstack(parts)
        first = (step * self.rounds) % len(self.laplacians)
        if self.rounds > 1 and len(stacked) <= DENSE_NODES:
            if first not in self.products:
                self.products[first] = self.product(first, len(stacked))
            mixed = self.products[first] @ stacked
        else:
            mixed = self.mix(first, self.rounds, stacked)
        return np.split(mixed, len(parts), axis=1)

    def mix(self, first: int, rounds: int, v: np.ndarray) -> np.ndarray:
        """``rounds`` rounds on ``v`` (n, d), starting with graph ``first``."""
        for q in range(first, first + rounds):
            v = v - self.laplacians[q % len(self.laplacians)] @ v
        return v

    def product(self, first: int, nodes: int) -> np.ndarray:
        """The step's whole product (n, n): a power of one turn of the cycle, then what is left."""
        cycle = len(self.laplacians)
        turns, rest = divmod(self.rounds, cycle)
        one_turn = self.mix(first, cycle, np.eye(nodes))
        return self.mix(first, rest, np.linalg.matrix_power(one_turn, turns))


def one_round_per_step(network: Any, c: Constants, params: Any, **more: Any) -> Tuning:
    """The tuning of a method whose steps have one round of gossip with unit weights each."""
    edges = sum(len(graph.edges) for graph in network.graphs) / len(network.graphs)
    return Tuning(
        params=params,
        constants=c.values,
        communications=edges,
        design_rate=edges,
        gossip=Mixing.normalised_laplacians(network.graphs, rounds=1),
        **more,
    )
