"""What the declaration of a graph is: a name, a number of nodes, options, and how it is built."""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.strict import StrictModel

Nodes = Annotated[int, Field(ge=2, description="number of nodes n")]


class Graph(StrictModel):
    """A graph by name.

    One below this declares ``graph: Literal[...]``, its name, and its options as described fields;
    scenarios, the command line and ``build`` find it by them.
    """

    graph: str = Field(description="name of the graph")
    nodes: Nodes

    def build(self, rng: np.random.Generator) -> Network:
        """The network; what is random of it comes from ``rng``.

        Raises InputError, of the field at fault, for what the graph cannot be.
        """
        raise NotImplementedError


class SizedByOptions(Graph):
    """A graph whose options may tell the number of nodes."""

    nodes: Annotated[int, Field(ge=2)] | None = Field(  # type: ignore[assignment]
        default=None, description="number of nodes n; what the options make it, if absent"
    )

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
