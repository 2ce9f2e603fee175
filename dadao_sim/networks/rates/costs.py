"""What an exchange over each edge costs: an edge attribute, or numbers given in Python."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError, within
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network, real_numbers
from dadao_sim.networks.sequence import GraphSequence

FARTHEST = 1e12
"""By which costs may differ: beyond it rounding decides."""
Costs = tuple[np.ndarray, ...]  # per graph, (|E|,) > 0


def costs_of(network: Network | GraphSequence, cost: str | ArrayLike) -> Costs:
    """The cost of every edge of each graph: of the edge attribute ``cost``, or ``cost`` itself as
    (|E|,) numbers in the order of ``network.edges``.

    Raises InputError for edges without one, for costs that are not finite and > 0 or differ by
    more than ``FARTHEST``, and for a wrong number of them.
    """
    if isinstance(cost, str):
        costs = tuple(_attribute(graph, cost) for graph in network.graphs)
    else:
        numbers = real_numbers("cost", cost)
        if numbers.shape != (len(network.edges),):
            one = f"one per edge is needed, shape ({len(network.edges)},)"
            raise InputError("cost", f"{one}, not {numbers.shape}")
        costs = (numbers,)
        if isinstance(network, GraphSequence):
            costs = tuple(numbers[ids] for ids in network.members)
    with within("cost"):
        for graph, values in zip(network.graphs, costs, strict=True):
            _check_positive(graph, values)
    return costs


def has_attribute(network: Network | GraphSequence, name: str) -> bool:
    """Whether edges of every graph have a number as this attribute."""
    return all(name in _attributes(graph) for graph in network.graphs)


def cost_record(network: Network | GraphSequence, attribute: str) -> dict[str, Any]:
    """What tells the costs of one network from others: their digest, edge by edge, and range."""
    costs = costs_of(network, attribute)
    digest = hashlib.sha256()
    for graph, values in zip(network.graphs, costs, strict=True):
        digest.update(graph.edges.tobytes() + values.tobytes())
    every = np.concatenate(costs)
    return {
        "sha256": digest.hexdigest(),
        "least": float(every.min()),
        "mean": float(every.mean()),
        "largest": float(every.max()),
    }


def _attributes(graph: Network) -> dict[str, np.ndarray]:
    lengths = {} if graph.lengths_km is None else {"length_km": graph.lengths_km}
    return {**graph.edge_attributes, **lengths}


def _attribute(graph: Network, name: str) -> np.ndarray:
    known = _attributes(graph)
    if name not in known:
        listed = ", ".join(in_quotes(one) for one in sorted(known)[:6])
        more = ", ..." if len(known) > 6 else ""
        raise InputError(
            "cost",
            f"no edge of {graph.name} has a number as attribute {in_quotes(name)}",
            f"the edges have {listed + more if known else 'no attributes that are numbers'}",
        )
    values = known[name]
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        edges = ", ".join(graph.edge_called(*graph.edges[e]) for e in missing[:3])
        raise InputError(
            "cost",
            f"{len(missing)} of {len(values)} edges have no number as attribute {in_quotes(name)}: "
            f"{edges}{', ...' if len(missing) > 3 else ''}",
            "give every edge its cost",
        )
    return values


def _check_positive(graph: Network, values: np.ndarray) -> None:
    bad = np.flatnonzero(~((values > 0) & np.isfinite(values)))
    if len(bad):
        edge = graph.edge_called(*graph.edges[bad[0]])
        raise InputError(f"edge {edge}", f"it costs {values[bad[0]]:g}", "costs are finite and > 0")
    dear, cheap = int(values.argmax()), int(values.argmin())
    if values[dear] / FARTHEST > values[cheap]:
        raise InputError(
            f"edge {graph.edge_called(*graph.edges[dear])}",
            f"it costs {values[dear]:g}, and another {values[cheap]:g}",
            f"costs differ by a factor of {FARTHEST:g} at most",
        )
