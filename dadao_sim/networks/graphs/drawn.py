"""Random graphs, edge by edge. All are connected: drawn again until they are."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.networks.graphs.connected import first_connected
from dadao_sim.networks.graphs.graph import DRAWN_BYTES, Graph, Size, impossible
from dadao_sim.networks.network import Network
from dadao_sim.strict import Count

Probability = Annotated[float, Field(ge=0, le=1)]


class ErdosRenyi(Graph):
    """Every two nodes joined with ``probability``, by default min(1, 2 log(n) / n)."""

    graph: Literal["erdos_renyi"] = Field(description="every two nodes joined at random")
    probability: Probability | None = Field(
        default=None, description="of an edge; min(1, 2 log(n)/n) if absent"
    )

    def size(self) -> Size:
        """The mean; many of the pairs are drawn from a list of all."""
        pairs = self.nodes * (self.nodes - 1) // 2
        edges = int(self._p * pairs)
        return Size(self.nodes, edges, scratch=8 * pairs if 50 * edges > pairs else 0)

    @property
    def _p(self) -> float:
        if self.probability is not None:
            return self.probability
        return min(1.0, 2 * float(np.log(self.nodes)) / self.nodes)

    def build(self, rng: np.random.Generator) -> Network:
        """The number of edges, then which."""
        n, p = self.nodes, self._p
        every = n * (n - 1) // 2

        def draw() -> np.ndarray:
            count = int(rng.binomial(every, p))
            chosen = rng.choice(every, size=count, replace=False, shuffle=False)
            # Pair (i, j), i < j, has number j (j - 1) / 2 + i; the square root may be off by one.
            j = ((1 + np.sqrt(1 + 8 * chosen.astype(float))) / 2).astype(np.int64)
            j -= j * (j - 1) // 2 > chosen
            j += j * (j + 1) // 2 <= chosen
            return np.column_stack([chosen - j * (j - 1) // 2, j])

        edges = first_connected(self, draw, "probability", p)
        return Network(n, edges, name=self.graph)


class BarabasiAlbert(Graph):
    """Preferential attachment: every new node joined to ``attach`` old ones (networkx)."""

    graph: Literal["barabasi_albert"] = Field(description="new nodes joined to well-joined ones")
    attach: Count = Field(default=2, description="edges of each new node")

    def size(self) -> Size:
        """So many edges per node."""
        n, attach = self.nodes, self.attach
        if attach >= n:
            raise impossible(n, f"attach = {attach} needs more nodes than that", [attach + 1])
        return Size(n, n * attach, scratch=DRAWN_BYTES * n * attach)

    def build(self, rng: np.random.Generator) -> Network:
        """By networkx."""
        import networkx as nx

        n, attach = self.nodes, self.attach
        self.size()
        graph = nx.barabasi_albert_graph(n, attach, seed=_seed(rng))
        return Network(n, np.array(graph.edges), name=self.graph)


class WattsStrogatz(Graph):
    """Ring joined to ``neighbours`` (even) nearest nodes, ends rewired with ``probability``."""

    graph: Literal["watts_strogatz"] = Field(description="a ring of near nodes, partly rewired")
    probability: Probability = Field(default=0.1, description="of rewiring an edge")
    neighbours: Count = Field(default=4, description="neighbours in the ring before rewiring, even")

    def size(self) -> Size:
        """Those of the ring."""
        n, neighbours = self.nodes, self.neighbours
        if neighbours % 2:
            raise InputError(
                "neighbours",
                f"{neighbours} is odd; half of them lie on each side",
                f"use {neighbours - 1 or 2} or {neighbours + 1}",
            )
        if neighbours >= n:
            raise impossible(n, f"neighbours = {neighbours} needs more nodes", [neighbours + 1])
        edges = n * neighbours // 2
        return Size(n, edges, scratch=DRAWN_BYTES * edges)

    def build(self, rng: np.random.Generator) -> Network:
        """By networkx."""
        import networkx as nx

        n, neighbours = self.nodes, self.neighbours
        self.size()

        def draw() -> np.ndarray:
            ring = nx.watts_strogatz_graph(n, neighbours, self.probability, seed=_seed(rng))
            return np.array(ring.edges)

        edges = first_connected(self, draw, "neighbours", neighbours)
        return Network(n, edges, name=self.graph)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
