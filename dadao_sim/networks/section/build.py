"""The network a scenario asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.memory import require_room
from dadao_sim.networks.directed import AnyNetwork, Digraph, DirectedNetwork, DirectedSequence
from dadao_sim.networks.graphml import read_graph, read_graphml
from dadao_sim.networks.graphs import Graph
from dadao_sim.networks.network import Network
from dadao_sim.networks.rates.chosen import with_rates
from dadao_sim.networks.rates.spec import EdgeAttribute
from dadao_sim.networks.section.spec import (
    BuiltNetwork,
    FileNetwork,
    FileSequence,
    NetworkSpec,
    SequenceNetwork,
)
from dadao_sim.networks.sequence import GraphSequence, in_the_order_of_the_first
from dadao_sim.networks.tables import with_edge_table
from dadao_sim.strict import checked
from dadao_sim.text.lines import listed, written


def build_network(section: Any, rng: np.random.Generator) -> AnyNetwork:
    """The network of the ``network`` section of a scenario, as a NetworkSpec or a mapping.

    What is random of it comes from ``rng``. Raises InputError naming the key at fault.
    """
    spec = checked(NetworkSpec, section)
    attribute = spec.rates.attribute if isinstance(spec.rates, EdgeAttribute) else None
    if isinstance(spec, FileNetwork) and spec.edge_table is None and attribute is not None:
        return read_graphml(spec.file, attribute)
    network = _without_rates(spec, rng)
    if isinstance(network, DirectedNetwork | DirectedSequence):
        if spec.rates != "uniform":
            wrong = f"{network.name} is directed, and gossip rates are of undirected edges"
            raise InputError("rates", wrong, "leave rates out")
        return network
    if attribute is not None and isinstance(network, Network):
        with within("rates"):
            return _with_rates_of(network, attribute)
    with within("rates"):
        return with_rates(network, spec.rates)


def _without_rates(
    spec: BuiltNetwork | FileNetwork | SequenceNetwork, rng: np.random.Generator
) -> AnyNetwork:
    if isinstance(spec, FileNetwork):
        return _with_table(read_graphml(spec.file), spec)
    if isinstance(spec, Graph):
        require_room(spec.need())
        return _with_table(_with_ids(spec.build(rng), spec), spec)
    assert isinstance(spec, SequenceNetwork), "there is no other"
    with within("sequence"):
        sequence = spec.sequence
        if isinstance(sequence, FileSequence):
            return _of_files(sequence.files)
        assert isinstance(sequence, Graph), "there is no other"
        require_room(sequence.need(sequence.length))
        built = [sequence.build(rng) for _ in range(sequence.length)]
        several = [graph.name for graph in built if isinstance(graph, DirectedSequence)]
        if several:
            wrong = f"{several[0]} is a sequence already"
            raise InputError("graph", wrong, "give it to network itself")
        return _sequence(built, f"{sequence.graph} x {sequence.length}")


def _of_files(files: Sequence[Any]) -> GraphSequence | DirectedSequence:
    graphs = [read_graph(file) for file in files]
    directed = [isinstance(graph, Digraph) for graph in graphs]
    if len(set(directed)) > 1:
        one, other = files[directed.index(True)], files[directed.index(False)]
        wrong = f"{one} is directed and {other} is not"
        raise InputError("files", wrong, "give directed ones or undirected ones")
    with within("files"):
        return _sequence(in_the_order_of_the_first(graphs, files), "sequence")


def _sequence(graphs: list[Any], name: str) -> GraphSequence | DirectedSequence:
    if isinstance(graphs[0], Digraph):
        return DirectedSequence(graphs, name)
    return GraphSequence(graphs, name)


def _with_ids(network: Any, spec: Any) -> Any:
    if spec.ids is None:
        return network
    if isinstance(network, DirectedSequence):
        return DirectedSequence([_with_ids(g, spec) for g in network.graphs], network.name)
    return replace(network, ids=spec.ids)


def _with_table(network: Any, spec: Any) -> Any:
    if spec.edge_table is None:
        return network
    with within("edge_table"):
        if not isinstance(network, Network):
            raise InputError(f"{network.name} is directed; the table is of undirected edges")
        return with_edge_table(network, spec.edge_table)


def _with_rates_of(network: Network, attribute: str) -> Network:
    """The network with an edge attribute as its rates."""
    attributes = {**network.edge_attributes}
    if network.lengths_km is not None:
        attributes["length_km"] = network.lengths_km
    if attribute not in attributes:
        wrong = f"the edges have no {written(attribute)}"
        raise InputError("attribute", wrong, f"they have {listed(attributes, 100)}")
    rates = attributes[attribute]
    missing = np.isnan(rates)
    if missing.any():
        edge = network.edge_called(*network.edges[int(missing.argmax())])
        raise InputError("attribute", f"edge {edge} has no {written(attribute)}", "give every one")
    return replace(network, rates=rates)
