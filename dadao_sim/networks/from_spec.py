"""The network a scenario asks for."""

from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.builders import build
from dadao_sim.networks.graphml import read_graphml
from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence


def build_network(spec: Any, rng: np.random.Generator) -> Network | GraphSequence:
    """The network of the scenario's ``network`` section.

    ``spec`` has either ``graph``, ``nodes`` and ``options`` (a mapping), or ``file`` (GraphML), or
    ``sequence``: a list ``files``, or a graph drawn ``length`` times, independently. ``rates`` is
    "uniform" or holds the edge ``attribute`` of the file to take them from.
    Raises InputError naming the field at fault.
    """
    attribute = _rate_attribute(getattr(spec, "rates", "uniform"))
    sequence = getattr(spec, "sequence", None)
    file = getattr(spec, "file", None)
    if file is not None:
        return read_graphml(Path(file), attribute)
    if attribute is not None:
        raise InputError(
            f"network.rates: the attribute {attribute!r} needs a file to be read from; "
            "use network.file or rates: uniform"
        )
    if sequence is not None:
        return _sequence(sequence, rng)
    return build(spec.graph, spec.nodes, rng, **spec.options)


def _sequence(spec: Any, rng: np.random.Generator) -> GraphSequence:
    files = getattr(spec, "files", None)
    if files is not None:
        return GraphSequence([read_graphml(Path(file)) for file in files])
    if spec.length < 1:
        raise InputError(f"network.sequence.length: {spec.length} is not possible; use at least 1")
    graphs = [build(spec.graph, spec.nodes, rng, **spec.options) for _ in range(spec.length)]
    return GraphSequence(graphs, name=f"{spec.graph} x {spec.length}")


def _rate_attribute(rates: Any) -> str | None:
    """Name of the edge attribute that holds the rates; None if they are uniform."""
    if rates == "uniform":
        return None
    attribute = (
        rates.get("attribute") if isinstance(rates, dict) else getattr(rates, "attribute", None)
    )
    if attribute is None:
        raise InputError(f"network.rates: {rates!r} is not known; use uniform or attribute: NAME")
    return attribute
