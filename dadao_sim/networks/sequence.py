"""A cycle of networks on the same nodes: the graph that changes with time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError, within
from dadao_sim.networks.edges import edge_keys, find_edges
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network, in_range
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import listed

if TYPE_CHECKING:
    import networkx

    from dadao_sim.networks.directed import Digraph


@dataclass(frozen=True, eq=False, repr=False)
class GraphSequence(Carded):
    """Networks q = 0..K-1 on the same nodes, gone through in a cycle; each of them connected.

    Made from ``graphs``, networks or graphs of networkx, whose nodes are matched by their ids:

    - graphs: the networks, their nodes in the order of the first one's.

    - nodes: number of nodes n, the same in every graph.
    - edges: (|E|, 2) int32, the union of the graphs' edges, sorted as in a Network.
    - members: per graph, the ids in ``edges`` of its own edges, in its own order.
    - rates: ones (|E|,); the relative rates of a graph's edges are those of that graph.

    Raises InputError for no graph at all and for graphs that differ in their nodes.
    """

    graphs: tuple[Network, ...]
    name: str = "sequence"
    nodes: int = field(init=False)
    edges: np.ndarray = field(init=False)
    members: tuple[np.ndarray, ...] = field(init=False)
    rates: np.ndarray = field(init=False)

    def __init__(self, graphs: "Sequence[Network | networkx.Graph]", name: str = "sequence"):
        from dadao_sim.networks.convert import as_one_network, is_networkx

        if is_networkx(graphs) or not isinstance(graphs, Iterable):
            raise InputError("graphs", f"a list is needed, not a {type(graphs).__name__}")
        given = [as_one_network(graph, f"graphs.{k}") for k, graph in enumerate(graphs)]
        if len(given) == 0:
            raise InputError("graphs", "there is none", "give at least one")
        names = [f"graph {k} ({graph.name})" for k, graph in enumerate(given)]
        with within("graphs"):
            networks = in_the_order_of_the_first(given, names)
        nodes = networks[0].nodes
        keys = np.unique(np.concatenate([edge_keys(graph.edges, nodes) for graph in networks]))
        edges = np.column_stack(np.divmod(keys, nodes)).astype(np.int32)
        members = tuple(np.searchsorted(keys, edge_keys(graph.edges, nodes)) for graph in networks)
        rates = np.ones(len(edges))
        arrays: list[np.ndarray] = [edges, rates, *members]
        for array in arrays:
            array.flags.writeable = False
        object.__setattr__(self, "graphs", tuple(networks))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "rates", rates)

    @cached_property
    def _keys(self) -> np.ndarray:
        return edge_keys(self.edges, self.nodes)

    def card(self) -> Card:
        """See :class:`Carded`."""
        edges = np.array([len(graph.edges) for graph in self.graphs])
        facts = {
            "graphs": listed((graph.name for graph in self.graphs), 60),
            "edges": f"{in_range(edges)} in each, {len(self.edges):,} in all",
        }
        title = f"GraphSequence {self.name}: {len(self.graphs):,} graphs on {self.nodes:,} nodes"
        return Card(title, facts)

    @property
    def ids(self) -> tuple[str, ...] | None:
        """What the nodes are called: see Network."""
        return self.graphs[0].ids

    @property
    def added_edges(self) -> int:
        """How many edges were added to connect the graphs, in all of them."""
        return sum(graph.added_edges for graph in self.graphs)

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
        return find_edges(self._keys, self.nodes, i, j, self.graphs[0].called)

    def relabelled(self, order: ArrayLike) -> "GraphSequence":
        """The same sequence with node ``order[k]`` renamed k."""
        return GraphSequence([graph.relabelled(order) for graph in self.graphs], self.name)


G = TypeVar("G", bound="Network | Digraph")


def in_the_order_of_the_first(graphs: Sequence[G], names: Sequence[str]) -> list[G]:
    """The graphs, their nodes matched by id and numbered as in the first.

    Raises InputError, with the ``names`` of two graphs, where they are not over the same nodes.
    """
    first = graphs[0]
    place = {name: k for k, name in enumerate(_ids(first))}
    matched = [first]
    for graph, name in zip(graphs[1:], names[1:], strict=True):
        if graph.ids == first.ids and graph.nodes == first.nodes:
            matched.append(graph)
            continue
        ours, theirs = _ids(first), _ids(graph)
        missing, more = set(ours) - set(theirs), set(theirs) - set(ours)
        if missing or more:
            odd = min(missing, key=ours.index) if missing else min(more, key=theirs.index)
            has, lacks = (names[0], name) if missing else (name, names[0])
            raise InputError(
                f"{lacks} has no node {in_quotes(odd)}, which {has} has; "
                "every graph must have the same nodes, by their ids"
            )
        order = np.argsort([place[one] for one in theirs])
        matched.append(cast(G, graph.relabelled(order)))
    return matched


def _ids(graph: "Network | Digraph") -> Sequence[str]:
    return tuple(map(str, range(graph.nodes))) if graph.ids is None else graph.ids
