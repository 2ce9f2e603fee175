"""The border with networkx: the only place where a graph is not an array."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError

if TYPE_CHECKING:
    import networkx

    from dadao_sim.networks.network import Network


def from_networkx(
    graph: networkx.Graph, rates: str | None = None, name: str | None = None
) -> Network:
    """See ``Network.from_networkx``."""
    from dadao_sim.networks.network import Network

    if graph.is_directed():
        raise InputError("the graph is directed; gossip needs an undirected graph")
    if graph.is_multigraph():
        raise InputError("the graph is a multigraph; a simple graph is needed")
    if len(graph) == 0:
        raise InputError("the graph is empty; at least 2 nodes are needed")
    number = {node: k for k, node in enumerate(graph)}
    pairs = [(number[u], number[v]) for u, v in graph.edges]
    values = None if rates is None else _edge_values(graph, rates, required=True)
    return Network(
        nodes=len(graph),
        edges=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        rates=values,  # type: ignore[arg-type]
        name=name or graph.name or "network",
        positions=_positions(graph),
        labels=tuple(str(data.get("label", node)) for node, data in graph.nodes(data=True)),
        lengths_km=_edge_values(graph, "length_km", required=False),
    )


def to_networkx(network: Network) -> networkx.Graph:
    """See ``Network.to_networkx``."""
    import networkx as nx

    graph: nx.Graph = nx.Graph(name=network.name)
    graph.add_nodes_from(range(network.nodes))
    graph.add_edges_from(network.edges.tolist())
    pairs = list(map(tuple, network.edges.tolist()))
    for key, per_edge in {"gossip_rate": network.rates, "length_km": network.lengths_km}.items():
        if per_edge is not None:
            known = {
                pair: value
                for pair, value in zip(pairs, per_edge.tolist(), strict=True)
                if not isnan(value)
            }
            nx.set_edge_attributes(graph, known, key)
    if network.labels is not None:
        nx.set_node_attributes(graph, dict(enumerate(network.labels)), "label")
    if network.positions is not None:
        nx.set_node_attributes(
            graph, dict(enumerate(map(tuple, network.positions.tolist()))), "pos"
        )
    return graph


def _positions(graph: networkx.Graph) -> np.ndarray | None:
    """(longitude, latitude), else ``pos``, of every node; nan where missing, None if all are."""
    every = [data for _, data in graph.nodes(data=True)]
    places = [
        (data["longitude"], data["latitude"])
        if "longitude" in data and "latitude" in data
        else data.get("pos", (np.nan, np.nan))
        for data in every
    ]
    positions = np.array(places, dtype=float)
    return None if np.isnan(positions).all() else positions


def _edge_values(graph: networkx.Graph, key: str, required: bool) -> np.ndarray | None:
    """The edge attribute ``key`` as floats, nan where missing; None if no edge has it."""
    values: list[Any] = [data.get(key) for _, _, data in graph.edges(data=True)]
    missing = sum(value is None for value in values)
    if required and missing:
        known = sorted({attribute for _, _, data in graph.edges(data=True) for attribute in data})
        raise InputError(
            "rates",
            f"{missing} of {len(values)} edges have no attribute {key!r}",
            f"the edges have {', '.join(known) or 'no attributes'}",
        )
    if missing == len(values):
        return None
    try:
        return np.array([np.nan if value is None else float(value) for value in values])
    except (TypeError, ValueError):
        raise InputError(f"the edge attribute {key!r} must be a number") from None
