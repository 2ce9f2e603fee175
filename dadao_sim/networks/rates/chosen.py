"""A network with the rates that were chosen for its edges."""

from dataclasses import replace
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.network import Network
from dadao_sim.networks.rates.optimal import optimal_rates
from dadao_sim.networks.rates.spec import ComputedRates, Rates
from dadao_sim.networks.sequence import GraphSequence
from dadao_sim.strict import checked


def with_rates(network: Network | GraphSequence, rates: Any) -> Network | GraphSequence:
    """The network with its edges' rates chosen: "uniform", "optimal", or with a ``method``.

    A ``method`` comes with the options of ``optimal_rates``, as a mapping or a ``ComputedRates``.
    InputError for anything else.
    """
    network = as_network(network)
    chosen = checked(Rates, rates)
    if chosen == "uniform":
        return _uniform(network)
    if chosen == "optimal":
        return optimal_rates(network).network
    if not isinstance(chosen, ComputedRates):
        raise InputError("attribute", "a network has none any more", "read its file with it")
    return optimal_rates(network, **chosen.model_dump()).network


def _uniform(network: Network | GraphSequence) -> Network | GraphSequence:
    if isinstance(network, GraphSequence):
        graphs = [replace(g, rates=np.ones(len(g.edges))) for g in network.graphs]
        return GraphSequence(graphs, network.name)
    even = (network.rates == 1).all()
    return network if even else replace(network, rates=np.ones(len(network.edges)))
