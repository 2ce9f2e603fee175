"""The border with networkx and with files: the only place where a graph is not an array."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.networks.directed import AnyNetwork, Digraph, DirectedNetwork, DirectedSequence
from dadao_sim.networks.ids import in_quotes, numbered, unique
from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence

if TYPE_CHECKING:
    import networkx

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|infinity|nan)", re.I | re.A)


@dataclass(frozen=True)
class Declared:
    """A graph as a file or networkx declares it: its nodes by their ids and its edges by their
    ends' places among them, each with its attributes by name.
    """

    ids: Sequence[str]
    nodes: Sequence[Mapping[str, Any]]
    edges: Sequence[tuple[int, int]]
    of_edges: Sequence[Mapping[str, Any]]
    directed: bool = False

    def edge_called(self, e: int) -> str:
        """Edge number e in a message."""
        join = "->" if self.directed else "-"
        return join.join(in_quotes(self.ids[k]) for k in self.edges[e])


def as_network(value: Any, where: str = "network") -> Network | GraphSequence:
    """A network or sequence itself; the network of a networkx graph, whose weights are not read.

    Raises InputError, of the argument ``where``, for anything else.
    """
    if not isinstance(value, Digraph):  # which need not be strongly connected
        found = as_any_network(value, where)
        if isinstance(found, Network | GraphSequence):
            return found
        value = found
    right = "give an undirected one, such as its undirected"
    raise InputError(where, f"{value.name} is directed, and this is of undirected networks", right)


def as_any_network(value: Any, where: str = "network") -> AnyNetwork:
    """The same, and directed networks and sequences of such besides."""
    if isinstance(value, Network | GraphSequence | DirectedNetwork | DirectedSequence):
        return value
    if isinstance(value, Digraph):
        with within(where):
            return strongly_connected(value)
    if is_networkx(value):
        graph: Any = value
        with within(where):
            if graph.is_directed():
                return from_directed_networkx(graph)
            return Network.from_networkx(graph)
    wanted = "a Network, a GraphSequence or a networkx graph is needed"
    raise InputError(where, f"{wanted}, not a {type(value).__name__}")


def as_digraph(value: Any, where: str) -> Digraph:
    """A digraph itself; that of a directed graph of networkx, which need not be connected."""
    if isinstance(value, Digraph):
        return value
    graph: Any = value
    if is_networkx(value) and graph.is_directed():
        with within(where):
            return _digraph_of_networkx(graph, None)
    wanted = "a Digraph, a DirectedNetwork or a networkx.DiGraph is needed"
    raise InputError(where, f"{wanted}, not a {type(value).__name__}")


def strongly_connected(graph: Digraph) -> DirectedNetwork:
    """The network of a digraph. InputError for one that is not strongly connected."""
    if isinstance(graph, DirectedNetwork):
        return graph
    return DirectedNetwork(**{each.name: getattr(graph, each.name) for each in fields(graph)})


def as_one_network(value: Any, where: str = "network") -> Network:
    """The same where a sequence makes no sense."""
    network = as_network(value, where)
    if isinstance(network, GraphSequence):
        raise InputError(where, "one Network is needed, not a GraphSequence", "take one of graphs")
    return network


def is_networkx(value: Any) -> TypeGuard[networkx.Graph]:
    """Whether it is a graph of networkx, which is imported only if somebody else has."""
    import sys

    nx = sys.modules.get("networkx")
    return nx is not None and isinstance(value, nx.Graph)


def from_networkx(
    graph: networkx.Graph, rates: str | None = None, name: str | None = None
) -> Network:
    """See ``Network.from_networkx``."""
    if not is_networkx(graph):
        raise InputError("graph", f"a networkx graph is needed, not a {type(graph).__name__}")
    if graph.is_directed():
        raise InputError(
            "the graph is directed; give it to DirectedNetwork.from_networkx, or its "
            "graph.to_undirected()"
        )
    return network_of(_declared(graph), rates, name or str(graph.name) or "network")


def from_directed_networkx(graph: networkx.DiGraph, name: str | None = None) -> DirectedNetwork:
    """See ``DirectedNetwork.from_networkx``."""
    return strongly_connected(_digraph_of_networkx(graph, name))


def _digraph_of_networkx(graph: networkx.DiGraph, name: str | None) -> Digraph:
    if not is_networkx(graph) or not graph.is_directed():
        raise InputError("graph", f"a networkx.DiGraph is needed, not a {type(graph).__name__}")
    return digraph_of(_declared(graph), name or str(graph.name) or "network")


def _declared(graph: networkx.Graph) -> Declared:
    if graph.is_multigraph():
        kind = "networkx.DiGraph(g)" if graph.is_directed() else "networkx.Graph(g)"
        raise InputError(f"the graph is a multigraph; a simple graph is needed: {kind}")
    number = {node: k for k, node in enumerate(graph)}
    return Declared(
        ids=[str(node) for node in graph],
        nodes=[data for _, data in graph.nodes(data=True)],
        edges=[(number[u], number[v]) for u, v in graph.edges],
        of_edges=[data for _, _, data in graph.edges(data=True)],
        directed=graph.is_directed(),
    )


def network_of(declared: Declared, rates: str | None, name: str) -> Network:
    """The network of what is declared; ``rates`` is the edge attribute of its relative rates.

    Nodes whose ids are the numbers 0..n-1 come in the order of these, others as declared.
    """
    about = _about(declared)
    values = None if rates is None else _edge_values(declared, rates, required=True)
    return Network(
        edges=about.pop("pairs"),
        rates=values,  # type: ignore[arg-type]
        name=name,
        edge_attributes=_edge_attributes(declared),
        **about,
    )


def digraph_of(declared: Declared, name: str) -> Digraph:
    """The same of arcs, which have no rates; it need not be connected."""
    about = _about(declared)
    arcs, attributes = about.pop("pairs"), _edge_attributes(declared)
    return Digraph(arcs=arcs, name=name, arc_attributes=attributes, **about)


def _about(declared: Declared) -> dict[str, Any]:
    """What is declared but for rates and attributes, by its name in a network; ``pairs`` (m, 2) are
    the edges or arcs.
    """
    if not declared.ids:
        raise InputError("the graph is empty; at least 2 nodes are needed")
    unique(declared.ids)
    order = numbered(declared.ids)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    positions = _positions(declared)
    labels = [str(d.get("label", v)) for v, d in zip(declared.ids, declared.nodes, strict=True)]
    return {
        "nodes": len(order),
        "pairs": rank[np.array(declared.edges, dtype=np.int64).reshape(-1, 2)],
        "positions": None if positions is None else positions[order],
        "labels": tuple(labels[k] for k in order),
        "lengths_km": _edge_values(declared, "length_km", required=False),
        "ids": tuple(declared.ids[k] for k in order),
    }


def to_networkx(network: Network) -> networkx.Graph:
    """See ``Network.to_networkx``."""
    import networkx as nx

    known_to_us = {"gossip_rate": network.rates, "length_km": network.lengths_km}
    attributes = {**network.edge_attributes, **known_to_us}
    return _with_all(nx.Graph(name=network.name), network, network.edges, attributes)


def to_directed_networkx(network: Digraph) -> networkx.DiGraph:
    """See ``DirectedNetwork.to_networkx``."""
    import networkx as nx

    attributes = {**network.arc_attributes, "length_km": network.lengths_km}
    return _with_all(nx.DiGraph(name=network.name), network, network.arcs, attributes)


def _with_all(
    graph: Any, network: Network | Digraph, ends: np.ndarray, attributes: Mapping[str, Any]
) -> Any:
    """``graph`` with the nodes of a network, its edges or arcs, and all their attributes."""
    import networkx as nx

    names: Sequence[Any] = range(network.nodes) if network.ids is None else network.ids
    graph.add_nodes_from(names)
    pairs = [(names[i], names[j]) for i, j in ends.tolist()]
    graph.add_edges_from(pairs)
    for key, per_edge in attributes.items():
        if per_edge is not None:
            known = {
                pair: value
                for pair, value in zip(pairs, per_edge.tolist(), strict=True)
                if not math.isnan(value)
            }
            nx.set_edge_attributes(graph, known, key)
    if network.labels is not None:
        nx.set_node_attributes(graph, dict(zip(names, network.labels, strict=True)), "label")
    if network.positions is not None:
        places = {
            name: tuple(place)
            for name, place in zip(names, network.positions.tolist(), strict=True)
            if not any(map(math.isnan, place))
        }
        nx.set_node_attributes(graph, places, "pos")
    return graph


def _positions(declared: Declared) -> np.ndarray | None:
    """(longitude, latitude), else ``pos``, of every node; nan where missing, None if all are."""
    positions = np.full((len(declared.ids), 2), np.nan)
    for k, data in enumerate(declared.nodes):
        node = f"node {in_quotes(declared.ids[k])}"
        given = [key for key in ("longitude", "latitude") if data.get(key) is not None]
        if len(given) == 1:
            raise InputError(node, f"it has a {given[0]} alone", "give both or none")
        if given:
            for axis, key in enumerate(given):
                positions[k, axis] = _number(data[key], node, key)
        elif data.get("pos") is not None:
            positions[k] = _place(data["pos"], node)
    return None if np.isnan(positions).all() else positions


def _place(pos: Any, node: str) -> list[float]:
    try:
        x, y = pos
    except (TypeError, ValueError):
        raise InputError(node, "its pos is no pair of numbers", "give (x, y)") from None
    return [_number(value, node, "pos") for value in (x, y)]


def _edge_values(declared: Declared, key: str, required: bool) -> np.ndarray | None:
    """The edge attribute ``key`` as floats, nan where missing; None if no edge has it."""
    values = [data.get(key) for data in declared.of_edges]
    missing = [e for e, value in enumerate(values) if value is None]
    if required and missing:
        known = sorted({attribute for data in declared.of_edges for attribute in data})
        listed = ", ".join(in_quotes(attribute) for attribute in known[:6])
        raise InputError(
            "rates",
            f"{len(missing)} of {len(values)} edges have no attribute {in_quotes(key)}, "
            f"the first is {declared.edge_called(missing[0])}",
            f"the edges have {listed or 'no attributes'}{', ...' if len(known) > 6 else ''}",
        )
    if len(missing) == len(values):
        return None
    numbers = np.full(len(values), np.nan)
    for e, value in enumerate(values):
        if value is not None:
            numbers[e] = _number(value, f"edge {declared.edge_called(e)}", key)
    return numbers


def _edge_attributes(declared: Declared) -> dict[str, np.ndarray]:
    """The edge attributes that are numbers, but for those with a place of their own in a network;
    nan where an edge has none. One without any number is left out.
    """
    names = {name: None for data in declared.of_edges for name in data if isinstance(name, str)}
    found = {}
    for name in names:
        if name in ("length_km", "gossip_rate"):
            continue
        numbers = [_number_or_nan(data.get(name)) for data in declared.of_edges]
        if not all(map(math.isnan, numbers)):
            found[name] = np.array(numbers)
    return found


def _number_or_nan(value: Any) -> float:
    try:
        return _number(value, "", "")
    except InputError:
        return math.nan


def _number(value: Any, thing: str, key: str) -> float:
    """The value of the attribute ``key`` of ``thing``, a number or the text of one, as a float."""
    if isinstance(value, str):
        if NUMBER.fullmatch(value.strip()):
            return float(value)
    elif isinstance(value, Real) and not isinstance(value, bool | np.bool_):
        try:
            return float(value)
        except OverflowError:
            pass
    shown = in_quotes(value) if isinstance(value, str) else f"a {type(value).__name__}"
    wrong = f"its attribute {in_quotes(key)} is {shown}, which is no number"
    raise InputError(thing, wrong, "leave it out where it is not known")
