"""Directed networks: arcs from a sender to a receiver, and what is stochastic over them.

An arc (s, r) lies on the edge {s, r} of the undirected network of the same nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError, within
from dadao_sim.networks.edges import canonical_arcs, edge_keys
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network, checked_lengths, in_range, numbers_by_name
from dadao_sim.networks.sequence import GraphSequence, in_the_order_of_the_first
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import listed

if TYPE_CHECKING:
    import networkx
    from scipy.sparse import csr_array

SHOWN_PERRON = 300  # nodes, up to which what is printed of a network has its eigenvectors
SOLVED_PERRON = 2000  # nodes, up to which they come of a linear system
MOST_STEPS = 100_000  # of the power iteration beyond that
PRECISION = 1e-13


@dataclass(frozen=True, eq=False, repr=False)
class Digraph(Carded):
    """Arcs between the nodes 0..n-1 of a connected network, some of it or all.

    A graph of a :class:`DirectedSequence`, in which a node need not reach every other one.

    - nodes: number of nodes n, at least 2.
    - arcs: (m, 2) int32, (sender, receiver), sorted, none twice; both directions may be there.
    - name, positions, labels, ids: as of a :class:`~dadao_sim.networks.Network`.
    - lengths_km, arc_attributes: (m,) numbers of the arcs, in their order (nan where unknown). They
      are those of the edges they lie on: two arcs of one edge have the same, or one has none.

    Raises InputError for anything else.
    """

    nodes: int
    arcs: np.ndarray
    name: str = "network"
    positions: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    lengths_km: np.ndarray | None = None
    arc_attributes: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bare = self._bare
        for name in ("positions", "labels", "ids"):
            object.__setattr__(self, name, getattr(bare, name))
        arcs, order = canonical_arcs(self.nodes, self.arcs, bare.called)
        arcs.flags.writeable = False
        object.__setattr__(self, "arcs", arcs)
        attributes = numbers_by_name("arc_attributes", self.arc_attributes, order, "arc")
        object.__setattr__(self, "arc_attributes", attributes)
        if self.lengths_km is not None:
            lengths = checked_lengths(
                self.lengths_km, order, lambda k: f"arc {self.arc_called(*arcs[k])}", "arc"
            )
            object.__setattr__(self, "lengths_km", lengths)
            self._of_edges("lengths_km", lengths)
        for name, values in attributes.items():
            self._of_edges(name, values)

    @cached_property
    def _bare(self) -> Network:
        """The nodes and what belongs to them, which a Network checks, on a star."""
        leaves = np.arange(1, self.nodes if isinstance(self.nodes, Integral) else 1)
        star = np.column_stack([np.zeros_like(leaves), leaves])
        about: Any = {"positions": self.positions, "labels": self.labels, "ids": self.ids}
        return Network(self.nodes, star, **about)

    def _of_edges(self, name: str, values: np.ndarray) -> np.ndarray:
        """What the arcs say of their edges, (|E|,). InputError where two arcs differ."""
        known = ~np.isnan(values)
        found = np.full(len(self.edges), np.nan)
        found[self.edge_of_arc[known]] = values[known]
        differs = known & (found[self.edge_of_arc] != values)
        if differs.any():
            s, r = self.arcs[int(differs.argmax())]
            one, other = self.arc_called(s, r), self.arc_called(r, s)
            raise InputError(f"arc {one}: it has another {name} than {other}; one edge has one")
        return found

    def card(self) -> Card:
        """See :class:`Carded`; the eigenvectors where they take no time."""
        one_way = 2 * len(self.edges) - len(self.arcs)
        facts = {
            "out-degree": in_range(self.out_degrees),
            "in-degree": in_range(self.in_degrees),
            "one-way": f"{one_way:,} of {len(self.edges):,} edges",
            **self._facts(),
        }
        facts |= {} if self.ids is None else {"ids": listed(self.ids, 60)}
        kind = type(self).__name__
        return Card(f"{kind} {self.name}: {self.nodes:,} nodes, {len(self.arcs):,} arcs", facts)

    def _facts(self) -> dict[str, str]:
        return {}

    @cached_property
    def edges(self) -> np.ndarray:
        """The edges that the arcs lie on, (|E|, 2) int32 as those of a Network."""
        edges = np.unique(np.sort(self.arcs, axis=1), axis=0)
        edges.flags.writeable = False
        return edges

    @cached_property
    def edge_of_arc(self) -> np.ndarray:
        """The number of the edge that each arc lies on, (m,)."""
        keys = edge_keys(self.edges, self.nodes)
        return np.searchsorted(keys, edge_keys(np.sort(self.arcs, axis=1), self.nodes))

    @cached_property
    def out_degrees(self) -> np.ndarray:
        """To how many nodes each sends, (n,)."""
        return np.bincount(self.arcs[:, 0], minlength=self.nodes)

    @cached_property
    def in_degrees(self) -> np.ndarray:
        """Of how many nodes each hears, (n,)."""
        return np.bincount(self.arcs[:, 1], minlength=self.nodes)

    def node(self, name: int | str) -> int:
        """The number of the node with this id: see ``Network.node``."""
        return self._bare.node(name)

    def called(self, node: int) -> str:
        """What a message calls node number ``node``: its id in quotes, or the number."""
        return str(node) if self.ids is None else in_quotes(self.ids[node])

    def arc_called(self, sender: int, receiver: int) -> str:
        """What a message calls the arc between nodes number ``sender`` and ``receiver``."""
        return f"{self.called(int(sender))}->{self.called(int(receiver))}"

    def relabelled(self, order: ArrayLike) -> Self:
        """The same graph with node ``order[k]`` as number k; ``order`` is a permutation."""
        bare = self._bare.relabelled(order)  # checks the order
        rank = np.empty(self.nodes, dtype=np.int32)
        rank[np.asarray(order)] = np.arange(self.nodes)
        about: Any = {"positions": bare.positions, "labels": bare.labels, "ids": bare.ids}
        return replace(self, arcs=rank[self.arcs], **about)


@dataclass(frozen=True, eq=False, repr=False)
class DirectedNetwork(Digraph):
    """A strongly connected directed network: from every node the arcs lead to every other.

    Raises InputError, which names a node that does not reach another, for one that is not.
    """

    added_edges = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_strongly_connected(self.arcs, self.nodes, self.called, "the graph")

    @property
    def graphs(self) -> tuple[DirectedNetwork, ...]:
        """The graphs the network goes through: itself."""
        return (self,)

    @property
    def rates(self) -> np.ndarray:
        """Those of the edges, (|E|,): all 1."""
        return self.undirected.rates

    @cached_property
    def undirected(self) -> Network:
        """The network of the edges that the arcs lie on, with what is known of them."""
        attributes = {
            name: self._of_edges(name, values) for name, values in self.arc_attributes.items()
        }
        lengths = self.lengths_km
        return Network(
            self.nodes,
            self.edges,
            name=self.name,
            positions=self.positions,
            labels=self.labels,
            ids=self.ids,
            lengths_km=None if lengths is None else self._of_edges("lengths_km", lengths),
            edge_attributes=attributes,
        )

    def edge_indices(self, i: ArrayLike, j: ArrayLike) -> np.ndarray:
        """Ids of the edges {i, j}, in either order; InputError if there is no such edge."""
        return self.undirected.edge_indices(i, j)

    @cached_property
    def C(self) -> csr_array:
        """See :func:`push_weights`."""
        return push_weights(self)

    @cached_property
    def R(self) -> csr_array:
        """See :func:`pull_weights`."""
        return pull_weights(self)

    @cached_property
    def pi(self) -> np.ndarray:
        """The positive vector of sum 1 with C pi = pi, (n,)."""
        return perron_vectors(self)[0][0]

    @cached_property
    def p(self) -> np.ndarray:
        """The positive vector of sum 1 with p^T R = p^T, (n,)."""
        return perron_vectors(self)[1][0]

    def _facts(self) -> dict[str, str]:
        if self.nodes > SHOWN_PERRON:
            return {}
        return {"n pi": in_range(self.nodes * self.pi), "n p": in_range(self.nodes * self.p)}

    @classmethod
    def from_networkx(cls, graph: networkx.DiGraph, name: str | None = None) -> DirectedNetwork:
        """The network of a directed networkx graph, whose edges u -> v are its arcs; what is kept
        is what ``Network.from_networkx`` keeps, but for the rates.
        """
        from dadao_sim.networks.convert import from_directed_networkx

        return from_directed_networkx(graph, name)

    def to_networkx(self) -> networkx.DiGraph:
        """A directed networkx graph on the ids, or 0..n-1: see ``Network.to_networkx``."""
        from dadao_sim.networks.convert import to_directed_networkx

        return to_directed_networkx(self)


@dataclass(frozen=True, eq=False, repr=False)
class DirectedSequence(Carded):
    """Digraphs q = 0..K-1 on the same nodes, gone through in a cycle, together strongly connected.

    Made from ``graphs``, digraphs or directed graphs of networkx, whose nodes are matched by their
    ids. One of them alone need not be strongly connected.

    - graphs: their nodes in the order of the first one's.
    - nodes: number of nodes n, the same in every graph.
    - union: the network of all their arcs.

    Raises InputError for no graph at all, for graphs that differ in their nodes, and where their
    arcs together do not lead from every node to every other.
    """

    graphs: tuple[Digraph, ...]
    name: str = "sequence"
    nodes: int = field(init=False)
    union: DirectedNetwork = field(init=False)
    added_edges = 0

    def __init__(self, graphs: Sequence[Digraph | networkx.DiGraph], name: str = "sequence"):
        from dadao_sim.networks.convert import as_digraph, is_networkx

        if is_networkx(graphs) or not isinstance(graphs, Iterable):
            raise InputError("graphs", f"a list is needed, not a {type(graphs).__name__}")
        given = [as_digraph(graph, f"graphs.{k}") for k, graph in enumerate(graphs)]
        if not given:
            raise InputError("graphs", "there is none", "give at least one")
        names = [f"graph {k} ({graph.name})" for k, graph in enumerate(given)]
        with within("graphs"):
            digraphs = in_the_order_of_the_first(given, names)
            first = digraphs[0]
            arcs = np.unique(np.concatenate([graph.arcs for graph in digraphs]), axis=0)
            together = f"the {len(digraphs)} graphs together"
            require_strongly_connected(arcs, first.nodes, first.called, together)
            union = DirectedNetwork(
                *(first.nodes, arcs, name, first.positions, first.labels, first.ids)
            )
        object.__setattr__(self, "graphs", tuple(digraphs))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "nodes", first.nodes)
        object.__setattr__(self, "union", union)

    def card(self) -> Card:
        """See :class:`Carded`."""
        arcs = np.array([len(graph.arcs) for graph in self.graphs])
        facts = {
            "graphs": listed((graph.name for graph in self.graphs), 60),
            "arcs": f"{in_range(arcs)} in each, {len(self.union.arcs):,} in all",
        }
        title = f"DirectedSequence {self.name}: {len(self.graphs):,} graphs on {self.nodes:,} nodes"
        return Card(title, facts)

    @property
    def arcs(self) -> np.ndarray:
        """The arcs of all graphs, (m, 2)."""
        return self.union.arcs

    @property
    def undirected(self) -> Network:
        """The network of the edges that the arcs of all graphs lie on."""
        return self.union.undirected

    @property
    def edges(self) -> np.ndarray:
        """The edges that the arcs of all graphs lie on, (|E|, 2)."""
        return self.union.edges

    @property
    def rates(self) -> np.ndarray:
        """Those of the edges, (|E|,): all 1."""
        return self.union.rates

    @property
    def ids(self) -> tuple[str, ...] | None:
        """What the nodes are called: see Network."""
        return self.union.ids

    @property
    def positions(self) -> np.ndarray | None:
        """Where to draw the nodes: as in the first graph."""
        return self.union.positions

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Names of the nodes: as in the first graph."""
        return self.union.labels

    def edge_indices(self, i: ArrayLike, j: ArrayLike) -> np.ndarray:
        """Ids of the edges {i, j} of all graphs; InputError if there is none."""
        return self.undirected.edge_indices(i, j)

    def relabelled(self, order: ArrayLike) -> DirectedSequence:
        """The same sequence with node ``order[k]`` renamed k."""
        return DirectedSequence([graph.relabelled(order) for graph in self.graphs], self.name)


Directed: TypeAlias = DirectedNetwork | DirectedSequence
AnyNetwork: TypeAlias = Network | GraphSequence | DirectedNetwork | DirectedSequence


def in_turn(network: DirectedNetwork, turns: int) -> DirectedSequence:
    """The arcs of a network dealt out to ``turns`` graphs that come one after the other: arc number
    e, in their order, to graph e mod ``turns``. InputError for more graphs than arcs.
    """
    if turns > len(network.arcs):
        right = f"at most {len(network.arcs)}"
        raise InputError("turns", f"{turns} graphs for {len(network.arcs)} arcs", right)
    about = (network.positions, network.labels, network.ids)
    graphs = [
        Digraph(network.nodes, network.arcs[q::turns], f"{network.name} {q}", *about)
        for q in range(turns)
    ]
    return DirectedSequence(graphs, name=f"{network.name} in {turns} turns")


def arcs_of(graph: Any) -> np.ndarray:
    """The arcs of a digraph, (m, 2), (sender, receiver); of an undirected one both of each edge."""
    if isinstance(graph, Digraph):
        return graph.arcs
    both = np.vstack([graph.edges, graph.edges[:, ::-1]])
    return both[np.lexsort(both.T[::-1])]


def push_weights(graph: Any) -> csr_array:
    """C (n, n): column-stochastic, C_ji = C_ii = 1/(1 + out-degree of i) for each arc i -> j."""
    arcs = arcs_of(graph)
    shares = 1 / (1.0 + np.bincount(arcs[:, 0], minlength=graph.nodes))
    return _weighted(graph.nodes, arcs, shares, shares[arcs[:, 0]])


def pull_weights(graph: Any) -> csr_array:
    """R (n, n): row-stochastic, R_ij = R_ii = 1/(1 + in-degree of i) for each arc j -> i."""
    arcs = arcs_of(graph)
    shares = 1 / (1.0 + np.bincount(arcs[:, 1], minlength=graph.nodes))
    return _weighted(graph.nodes, arcs, shares, shares[arcs[:, 1]])


def _weighted(nodes: int, arcs: np.ndarray, own: np.ndarray, of_arcs: np.ndarray) -> csr_array:
    from scipy.sparse import coo_array

    every = np.arange(nodes, dtype=np.int32)
    rows, columns = np.concatenate([arcs[:, 1], every]), np.concatenate([arcs[:, 0], every])
    values = np.concatenate([of_arcs, own])
    return coo_array((values, (rows, columns)), shape=(nodes, nodes)).tocsr()


def perron_vectors(network: Any) -> tuple[np.ndarray, np.ndarray]:
    """pi and p, (K, n) each: of the graph that comes k-th of K, positive rows of sum 1 with
    C_k pi_k = pi_{k+1} and p_{k+1}^T R_k = p_k^T, in a cycle.

    Of a fixed network K is 1, C pi = pi and p^T R = p^T. InputError where a network is so large,
    and mixes so slowly, that they are not found.
    """
    C = [push_weights(graph) for graph in network.graphs]
    R_backwards = [pull_weights(graph).T.tocsr() for graph in network.graphs[::-1]]
    pi, p = _cyclic(C), _cyclic(R_backwards)
    # p_k^T = p_{k+1}^T R_k goes the cycle backwards, and what comes first is p_K = p_0.
    return pi, np.roll(p[::-1], 1, axis=0)


def _cyclic(matrices: Sequence[csr_array]) -> np.ndarray:
    """v (K, n) with M_k v_k = v_{k+1}, in a cycle; each M_k column-stochastic."""
    count, nodes = len(matrices), matrices[0].shape[0]
    v = np.full((count, nodes), 1 / nodes)
    v[0] = _stationary(matrices) if nodes <= SOLVED_PERRON else _iterated(matrices)
    for k in range(1, count):
        v[k] = matrices[k - 1] @ v[k - 1]
    return v


def _stationary(matrices: Sequence[csr_array]) -> np.ndarray:
    """v_0 by elimination: (I - M) v = 0 with one equation replaced by the sum."""
    product = np.eye(matrices[0].shape[0])
    for matrix in matrices:
        product = matrix @ product
    system = np.eye(len(product)) - product
    system[-1] = 1.0
    wanted = np.zeros(len(product))
    wanted[-1] = 1.0
    return np.linalg.solve(system, wanted)


def _iterated(matrices: Sequence[csr_array]) -> np.ndarray:
    """v_0 by turns of the cycle until nothing moves."""
    v = np.full(matrices[0].shape[0], 1 / matrices[0].shape[0])
    for _ in range(MOST_STEPS):
        before = v
        for matrix in matrices:
            v = matrix @ v
        if np.abs(v - before).max() <= PRECISION * v.min():
            return v / v.sum()
    raise InputError("network", "it mixes too slowly for so many nodes", "take fewer nodes")


def require_strongly_connected(arcs: np.ndarray, nodes: int, called: Any, what: str) -> None:
    """InputError, which names two nodes, where one does not reach the other over ``arcs``."""
    unreached = not_reached(arcs, nodes)
    if unreached is not None:
        one, other = map(called, unreached)
        raise InputError(
            f"{what}: no way leads from node {one} to node {other}; "
            "directed networks must be strongly connected, add arcs"
        )


def not_reached(arcs: np.ndarray, nodes: int) -> tuple[int, int] | None:
    """Two nodes of which the first does not reach the second; None where every one reaches all."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    ones = np.ones(len(arcs), dtype=np.int8)
    graph = coo_array((ones, (arcs[:, 0], arcs[:, 1])), shape=(nodes, nodes)).tocsr()
    for there, matrix in ((True, graph), (False, graph.T.tocsr())):
        reached = breadth_first_order(matrix, 0, return_predecessors=False)
        if len(reached) < nodes:
            other = int(np.setdiff1d(np.arange(nodes), reached)[0])
            return (0, other) if there else (other, 0)
    return None
