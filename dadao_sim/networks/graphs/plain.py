"""Graphs of one rule: a star, a path, a cycle, everything, powers of two."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dadao_sim.networks.graphs.arrays import clique, on_circle, pairs
from dadao_sim.networks.graphs.graph import Graph, Size
from dadao_sim.networks.network import Network


class Star(Graph):
    """Node 0 joined to every other."""

    graph: Literal["star"] = Field(description="one node joined to every other")

    def build(self, rng: np.random.Generator) -> Network:
        """Around node 0."""
        n = self.nodes
        leaves = np.arange(1, n)
        edges = pairs(np.zeros(n - 1, dtype=int), leaves)
        positions = np.vstack([np.zeros((1, 2)), on_circle(n - 1)])
        return Network(n, edges, name=self.graph, positions=positions)


class Path(Graph):
    """Node k joined to k + 1."""

    graph: Literal["path"] = Field(description="one node after the other")

    def build(self, rng: np.random.Generator) -> Network:
        """On a line."""
        line = np.arange(self.nodes)
        positions = np.column_stack([line, np.zeros(self.nodes)])
        return Network(self.nodes, pairs(line[:-1], line[1:]), name=self.graph, positions=positions)


class Cycle(Graph):
    """Node k joined to k + 1 modulo n; at least 3 nodes."""

    graph: Literal["cycle"] = Field(description="a path that is closed")
    nodes: Annotated[int, Field(ge=3, description="number of nodes n")]

    def build(self, rng: np.random.Generator) -> Network:
        """On a circle."""
        n = self.nodes
        ring = np.arange(n)
        edges = pairs(ring, (ring + 1) % n)
        return Network(n, edges, name=self.graph, positions=on_circle(n))


class Complete(Graph):
    """Every two nodes joined."""

    graph: Literal["complete"] = Field(description="every two nodes joined")

    def size(self) -> Size:
        """Every pair."""
        return Size(self.nodes, self.nodes * (self.nodes - 1) // 2)

    def build(self, rng: np.random.Generator) -> Network:
        """On a circle."""
        n = self.nodes
        return Network(n, clique(0, n), name=self.graph, positions=on_circle(n))


class Exponential(Graph):
    """Static exponential graph: node i joined to i + 2^k modulo n, for every 2^k < n."""

    graph: Literal["exponential"] = Field(description="nodes at distances of powers of two joined")

    def size(self) -> Size:
        """As many edges per node as there are distances."""
        return Size(self.nodes, self.nodes * (self.nodes - 1).bit_length())

    def build(self, rng: np.random.Generator) -> Network:
        """On a circle."""
        n = self.nodes
        every = np.arange(n)
        hops = 2 ** np.arange((n - 1).bit_length())
        chords = np.vstack([pairs(every, (every + hop) % n) for hop in hops])
        edges = np.unique(np.sort(chords, axis=1), axis=0)
        return Network(n, edges, name=self.graph, positions=on_circle(n))
