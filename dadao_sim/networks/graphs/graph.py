"""What the declaration of a graph is: a name, a number of nodes, options, and how it is built."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.memory import Need
from dadao_sim.networks.directed import Directed
from dadao_sim.networks.network import Network
from dadao_sim.strict import StrictModel

Nodes = Annotated[int, Field(ge=2, description="number of nodes n")]

NODE_BYTES, EDGE_BYTES = 60, 100
"""What a node and an edge take while a network is made; `tests/networks/test_sizes.py` weighs."""
DRAWN_BYTES = 350
"""What networkx takes besides, per edge."""


class Size(NamedTuple):
    """How large a graph is: ``nodes``, about how many ``edges``, and the ``scratch`` bytes that
    making it takes besides.
    """

    nodes: int
    edges: int
    scratch: int = 0


class Graph(StrictModel):
    """A graph by name.

    One below this declares ``graph: Literal[...]``, its name, and its options as described fields;
    scenarios, the command line and ``build`` find it by them.
    """

    graph: str = Field(description="name of the graph")
    nodes: Nodes

    def build(self, rng: np.random.Generator) -> Network | Directed:
        """The network; what is random of it comes from ``rng``.

        Raises InputError, of the field at fault, for what the graph cannot be.
        """
        raise NotImplementedError

    def size(self) -> Size:
        """How large it will be, from the options alone: too large a one is not built.

        One that says nothing is taken for a tree. Raises InputError as :meth:`build`.
        """
        return Size(self.nodes, self.nodes)

    def need(self, copies: int = 1) -> Need:
        """The memory that the network takes, ``copies`` of them. InputError as :meth:`build`, and
        for more nodes or edges than can have numbers.
        """
        nodes, edges, scratch = self.size()
        if max(nodes, edges) >= 2**31:  # nodes and edges have numbers of 32 bits
            raise InputError(
                "nodes",
                f"{nodes:,} nodes and {edges:,} edges",
                f"at most {2**31 - 1:,} of each are possible",
            )
        several = f"{copies:,} graphs of " if copies > 1 else ""
        return Need(
            "nodes" if copies < nodes + edges else "length",
            f"{several}{nodes:,} nodes and {edges:,} edges",
            copies * (NODE_BYTES * nodes + EDGE_BYTES * edges) + scratch,
        )


class DirectedGraph(Graph):
    """A graph of arcs, of which it has as many as :meth:`size` says edges."""

    def build(self, rng: np.random.Generator) -> Directed:
        """See :meth:`Graph.build`."""
        raise NotImplementedError


class SizedByOptions(Graph):
    """A graph whose options may tell the number of nodes."""

    nodes: Annotated[int, Field(ge=2)] | None = Field(  # type: ignore[assignment]
        default=None, description="number of nodes n; what the options make it, if absent"
    )

    def size(self) -> Size:
        """See :meth:`Graph.size`; of as many nodes as are given."""
        nodes = self.required_nodes(least=2)
        return Size(nodes, nodes)

    def required_nodes(self, least: int) -> int:
        """The number of nodes where the options do not tell; InputError if there are too few."""
        if self.nodes is None:
            raise InputError("nodes", "the number of nodes is missing", f"give at least {least}")
        if self.nodes < least:
            raise impossible(self.nodes, f"the graph has at least {least} nodes", [least])
        return self.nodes

    def check_nodes(self, count: int, formula: str) -> None:
        """InputError where ``nodes`` is given and is not the ``count`` of the options."""
        if self.nodes is not None and self.nodes != count:
            raise impossible(self.nodes, f"the options give {formula}", [count])


def impossible(count: int, reason: str, possible: Iterable[int]) -> InputError:
    """The error for a node count a graph cannot have; names the nearest counts it can."""
    nearest = " or ".join(str(value) for value in possible)
    return InputError("nodes", f"{count} is not possible, {reason}", f"use {nearest}")
