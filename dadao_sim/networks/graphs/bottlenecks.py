"""Cliques with a bottleneck."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.networks.graphs.arrays import clique, on_circle, pairs
from dadao_sim.networks.graphs.graph import Size, SizedByOptions, impossible
from dadao_sim.networks.network import Network
from dadao_sim.strict import Count


class Barbell(SizedByOptions):
    """Two cliques of ``clique`` nodes joined by a path with ``bridge`` nodes inside.

    nodes = 2 clique + bridge. With bridge = 0 one edge joins the cliques.
    """

    graph: Literal["barbell"] = Field(description="two cliques joined by a path")
    clique: Count | None = Field(
        default=None, description="nodes of a clique; half of those off the bridge if absent"
    )
    bridge: Annotated[int, Field(ge=0)] = Field(
        default=0, description="nodes between the two cliques"
    )

    def size(self) -> Size:
        """Two cliques and the path."""
        size = self._size()
        return Size(2 * size + self.bridge, size * (size - 1) + self.bridge + 1)

    def build(self, rng: np.random.Generator) -> Network:
        """A clique, the bridge, a clique."""
        size, bridge = self._size(), self.bridge
        n = 2 * size + bridge
        self.check_nodes(n, f"2 clique + bridge = {n}")
        line = np.arange(size - 1, size + bridge + 1)
        edges = np.vstack([clique(0, size), pairs(line[:-1], line[1:]), clique(size + bridge, n)])
        radius = (size + 1) / np.pi / 2
        between = np.column_stack([np.arange(1, bridge + 1), np.zeros(bridge)])
        left = radius * on_circle(size, last_at=0.0) - (radius, 0)
        right = radius * on_circle(size, first_at=np.pi) + (radius + bridge + 1, 0)
        return Network(n, edges, name=self.graph, positions=np.vstack([left, between, right]))

    def _size(self) -> int:
        if self.clique is not None:
            return self.clique
        n = self.required_nodes(least=4 + self.bridge)
        if (n - self.bridge) % 2:
            formula = f"a barbell with bridge {self.bridge} has 2 clique + bridge"
            raise impossible(n, formula, [n - 1, n + 1])
        return (n - self.bridge) // 2


class Lollipop(SizedByOptions):
    """A clique of ``clique`` nodes with a path of ``tail`` more nodes hanging from it.

    nodes = clique + tail.
    """

    graph: Literal["lollipop"] = Field(description="a clique with a path hanging from it")
    clique: Count | None = Field(
        default=None, description="nodes of the clique; half of the nodes if absent"
    )
    tail: Count | None = Field(default=None, description="nodes of the tail; the rest if absent")

    def size(self) -> Size:
        """The clique and the tail."""
        size, tail = self._sizes()
        return Size(size + tail, size * (size - 1) // 2 + tail)

    def build(self, rng: np.random.Generator) -> Network:
        """The clique, then the tail."""
        size, tail = self._sizes()
        n = size + tail
        self.check_nodes(n, f"clique + tail = {n}")
        line = np.arange(size - 1, n)
        edges = np.vstack([clique(0, size), pairs(line[:-1], line[1:])])
        radius = (size + 1) / np.pi / 2
        head = radius * on_circle(size, last_at=0.0) - (radius, 0)
        stick = np.column_stack([np.arange(1, tail + 1), np.zeros(tail)])
        return Network(n, edges, name=self.graph, positions=np.vstack([head, stick]))

    def _sizes(self) -> tuple[int, int]:
        size, tail = self.clique, self.tail
        if size is None or tail is None:
            n = self.required_nodes(least=2)
            if size is None:
                size = -(-n // 2) if tail is None else n - tail
            tail = n - size if tail is None else tail
        if size < 1 or tail < 0:
            raise InputError(
                "nodes", f"{self.nodes} is less than clique or tail", "use clique + tail"
            )
        return size, tail
