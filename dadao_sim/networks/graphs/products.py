"""Products of paths, of cycles, of edges: lattices and hypercubes."""

import math
from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.networks.graphs.arrays import on_lattice, pairs
from dadao_sim.networks.graphs.graph import Graph, Size, SizedByOptions, impossible
from dadao_sim.networks.network import Network
from dadao_sim.strict import Count


class Lattice(SizedByOptions):
    """Nodes in rows and columns, row by row: ``nodes`` a perfect square, or ``rows`` and
    ``columns``.
    """

    rows: Count | None = Field(default=None, description="rows; the root of nodes if absent")
    columns: Count | None = Field(default=None, description="columns; the root of nodes if absent")

    def sides(self, least: int) -> tuple[int, int]:
        """Rows and columns; InputError unless there are at least ``least`` of both."""
        if (self.rows is None) != (self.columns is None):
            raise InputError("rows", "only one side is given", "give rows and columns, or nodes")
        if self.rows is None or self.columns is None:
            n = self.required_nodes(least=max(4, least**2))
            side = math.isqrt(n)
            if side**2 != n:
                squares = [side**2, (side + 1) ** 2]
                raise impossible(n, "a square lattice has rows x columns", squares)
            return side, side
        rows, columns = self.rows, self.columns
        self.check_nodes(rows * columns, f"rows x columns = {rows * columns}")
        if min(rows, columns) < least:
            raise InputError(
                "rows", f"{rows} x {columns} is too small", f"use at least {least} x {least}"
            )
        return rows, columns


class Grid2D(Lattice):
    """Square lattice."""

    graph: Literal["grid_2d"] = Field(description="a square lattice")

    def size(self) -> Size:
        """Two edges per node, but for the border."""
        rows, columns = self.sides(least=1)
        return Size(rows * columns, 2 * rows * columns)

    def build(self, rng: np.random.Generator) -> Network:
        """Row by row."""
        rows, columns = self.sides(least=1)
        place = np.arange(rows * columns).reshape(rows, columns)
        edges = np.vstack([pairs(place[:, :-1], place[:, 1:]), pairs(place[:-1], place[1:])])
        positions = on_lattice(rows, columns)
        return Network(rows * columns, edges, name=self.graph, positions=positions)


class Torus2D(Lattice):
    """Square lattice closed in both directions, at least 3 x 3."""

    graph: Literal["torus_2d"] = Field(description="a square lattice closed in both directions")

    def size(self) -> Size:
        """Two edges per node."""
        rows, columns = self.sides(least=3)
        return Size(rows * columns, 2 * rows * columns)

    def build(self, rng: np.random.Generator) -> Network:
        """Row by row."""
        rows, columns = self.sides(least=3)
        place = np.arange(rows * columns).reshape(rows, columns)
        right, down = np.roll(place, -1, axis=1), np.roll(place, -1, axis=0)
        edges = np.vstack([pairs(place, right), pairs(place, down)])
        positions = on_lattice(rows, columns)
        return Network(rows * columns, edges, name=self.graph, positions=positions)


class Hypercube(Graph):
    """Nodes joined if their numbers differ in one bit; ``nodes`` a power of two."""

    graph: Literal["hypercube"] = Field(description="nodes joined that differ in one bit")

    def size(self) -> Size:
        """Half as many edges per node as there are bits."""
        return Size(self.nodes, self.nodes * (self.nodes.bit_length() - 1) // 2)

    def build(self, rng: np.random.Generator) -> Network:
        """Bit by bit."""
        n = self.nodes
        dimension = n.bit_length() - 1
        if n != 2**dimension:
            powers = [2**dimension, 2 ** (dimension + 1)]
            raise impossible(n, "a hypercube has a power of two", powers)
        every = np.arange(n)
        along = [
            pairs(every[every & bit == 0], every[every & bit == 0] | bit)
            for bit in 2 ** every[:dimension]
        ]
        return Network(n, np.vstack(along), name=self.graph)
