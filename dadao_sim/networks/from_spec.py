"""The network a scenario asks for."""

from dataclasses import replace
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
    as for ``with_rates``, or holds the edge ``attribute`` of the file to take them from.
    Raises InputError naming the field at fault.
    """
    rates = getattr(spec, "rates", "uniform")
    attribute = _option(rates, "attribute")
    sequence = getattr(spec, "sequence", None)
    file = getattr(spec, "file", None)
    if file is not None:
        network: Network | GraphSequence = read_graphml(Path(file), attribute)
    elif attribute is not None:
        raise InputError(
            f"network.rates: the attribute {attribute!r} needs a file to be read from; "
            "use network.file or rates: uniform"
        )
    elif sequence is not None:
        network = _sequence(sequence, rng)
    else:
        network = build(spec.graph, spec.nodes, rng, **spec.options)
    return network if attribute is not None else with_rates(network, rates)


def with_rates(network: Network | GraphSequence, rates: Any) -> Network | GraphSequence:
    """The network with its edges' rates chosen: "uniform", "optimal", or with a ``method``.

    A ``method`` comes with the options of ``optimal_rates``. InputError for anything else.
    """
    if rates == "uniform":
        return _uniform(network)
    method = "auto" if rates == "optimal" else _option(rates, "method")
    if method is None:
        raise InputError(
            f"network.rates: {rates!r} is not known; use uniform, optimal, method: NAME or "
            "attribute: NAME"
        )
    from dadao_sim.networks.rates import optimal_rates

    given = {name: _option(rates, name) for name in ("solver", "time_limit", "prune", "shared")}
    options = {name: value for name, value in given.items() if value is not None}
    return optimal_rates(network, method, **options).network


def _uniform(network: Network | GraphSequence) -> Network | GraphSequence:
    if isinstance(network, GraphSequence):
        graphs = [replace(g, rates=np.ones(len(g.edges))) for g in network.graphs]
        return GraphSequence(graphs, network.name)
    even = (network.rates == 1).all()
    return network if even else replace(network, rates=np.ones(len(network.edges)))


def _sequence(spec: Any, rng: np.random.Generator) -> GraphSequence:
    files = getattr(spec, "files", None)
    if files is not None:
        return GraphSequence([read_graphml(Path(file)) for file in files])
    if spec.length < 1:
        raise InputError(f"network.sequence.length: {spec.length} is not possible; use at least 1")
    graphs = [build(spec.graph, spec.nodes, rng, **spec.options) for _ in range(spec.length)]
    return GraphSequence(graphs, name=f"{spec.graph} x {spec.length}")


def _option(rates: Any, name: str) -> Any:
    """An attribute or key of ``rates``; None where it has none."""
    return rates.get(name) if isinstance(rates, dict) else getattr(rates, name, None)
