"""The network a scenario asks for."""

from typing import Any

import numpy as np

from dadao_sim.errors import within
from dadao_sim.memory import require_room
from dadao_sim.networks.graphml import read_graphml
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
from dadao_sim.strict import checked


def build_network(section: Any, rng: np.random.Generator) -> Network | GraphSequence:
    """The network of the ``network`` section of a scenario, as a NetworkSpec or a mapping.

    What is random of it comes from ``rng``. Raises InputError naming the key at fault.
    """
    spec = checked(NetworkSpec, section)
    if isinstance(spec, FileNetwork) and isinstance(spec.rates, EdgeAttribute):
        return read_graphml(spec.file, spec.rates.attribute)
    network = _without_rates(spec, rng)
    with within("rates"):
        return with_rates(network, spec.rates)


def _without_rates(
    spec: BuiltNetwork | FileNetwork | SequenceNetwork, rng: np.random.Generator
) -> Network | GraphSequence:
    if isinstance(spec, FileNetwork):
        return read_graphml(spec.file)
    if isinstance(spec, Graph):
        require_room(spec.need())
        return spec.build(rng)
    assert isinstance(spec, SequenceNetwork), "there is no other"
    with within("sequence"):
        sequence = spec.sequence
        if isinstance(sequence, FileSequence):
            graphs = [read_graphml(file) for file in sequence.files]
            with within("files"):
                graphs = in_the_order_of_the_first(graphs, sequence.files)
            return GraphSequence(graphs)
        assert isinstance(sequence, Graph), "there is no other"
        require_room(sequence.need(sequence.length))
        graphs = [sequence.build(rng) for _ in range(sequence.length)]
        return GraphSequence(graphs, name=f"{sequence.graph} x {sequence.length}")
