"""Graphs by name: ``GRAPHS`` holds the declarations, ``build`` makes a network from one.

A new graph is one class below :class:`Graph`, in a file of this package or of a user's.
"""

from numbers import Integral, Real
from typing import Annotated, Any

import numpy as np

from dadao_sim.memory import require_room
from dadao_sim.networks.graphs.graph import Graph
from dadao_sim.registration import Registry
from dadao_sim.strict import ByKind, checked, kinds_of

__all__ = ["GRAPHS", "Graph", "build"]

GRAPHS: Registry[type[Graph]] = Registry("graph", __name__, kinds_of(Graph, "graph"))
_ANY_GRAPH = Annotated[Graph, ByKind(GRAPHS, "graph")]


def build(graph: str, nodes: int | None, rng: np.random.Generator, /, **options: Any) -> Any:
    """The graph of this name with ``nodes`` nodes; None where its options tell how many: a Network,
    or a DirectedNetwork or DirectedSequence of a directed one.

    Options that are None count as not given. Raises InputError for a name that is not registered,
    an option the graph does not take, a node count the graph cannot have, and more nodes or edges
    than there is memory for.
    """
    given = {key: _plain(value) for key, value in {"nodes": nodes, **options}.items()}
    given = {key: value for key, value in given.items() if value is not None}
    declaration: Graph = checked(_ANY_GRAPH, {"graph": graph, **given})
    require_room(declaration.need())
    return declaration.build(rng)


def _plain(value: Any) -> Any:
    """Python's own number for one of NumPy's."""
    if isinstance(value, np.generic) and isinstance(value, Integral | Real):
        return value.item()
    return value
