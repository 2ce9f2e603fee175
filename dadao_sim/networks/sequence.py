"""A cycle of networks on the same nodes: the graph that changes with time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError
from dadao_sim.networks.edges import edge_keys, find_edges
from dadao_sim.networks.network import Network


@dataclass(frozen=True, eq=False)
class GraphSequence:
    """Networks q = 0..K-1 on the same nodes, gone through in a cycle; each of them connected.

    Made from ``graphs``:

    - nodes: number of nodes n, the same in every graph.
    - edges: (|E|, 2) int32, the union of the graphs' edges, sorted as in a Network.
    - members: per graph, the ids in ``edges`` of its own edges, in its own order.
    - rates: ones (|E|,); the relative rates of a graph's edges are those of that graph.

    Raises InputError for no graph at all and for graphs that differ in their number of nodes.
    """

    graphs: tuple[Network, ...]
    name: str = "sequence"
    nodes: int = field(init=False)
    edges: np.ndarray = field(init=False)
    members: tuple[np.ndarray, ...] = field(init=False)
    rates: np.ndarray = field(init=False)

    def __init__(self, graphs: Sequence[Network], name: str = "sequence"):
        if len(graphs) == 0:
            raise InputError("graphs", "there is none", "give at least one")
        counts = sorted({graph.nodes for graph in graphs})
        if len(counts) > 1:
            raise InputError(
                "graphs",
                f"they have {', '.join(map(str, counts))} nodes",
                "every graph must have the same number of nodes",
            )
        nodes = counts[0]
        keys = np.unique(np.concatenate([edge_keys(graph.edges, nodes) for graph in graphs]))
        edges = np.column_stack(np.divmod(keys, nodes)).astype(np.int32)
        members = tuple(np.searchsorted(keys, edge_keys(graph.edges, nodes)) for graph in graphs)
        rates = np.ones(len(edges))
        arrays: list[np.ndarray] = [edges, rates, *members]
        for array in arrays:
            array.flags.writeable = False
        object.__setattr__(self, "graphs", tuple(graphs))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "rates", rates)

    @cached_property
    def _keys(self) -> np.ndarray:
        return edge_keys(self.edges, self.nodes)

    @property
    def positions(self) -> np.ndarray | None:
        """Where to draw the nodes: as in the first graph."""
        return self.graphs[0].positions

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the nodes: as in the first graph."""
        return self.graphs[0].labels

    def edge_indices(self, i: ArrayLike, j: ArrayLike) -> np.ndarray:
        """Ids in the union of the edges {i, j}, in either order; InputError if there is none."""
        return find_edges(self._keys, self.nodes, i, j)

    def relabelled(self, order: ArrayLike) -> "GraphSequence":
        """The same sequence with node ``order[k]`` renamed k."""
        return GraphSequence([graph.relabelled(order) for graph in self.graphs], self.name)
