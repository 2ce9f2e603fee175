"""Clocks that several methods ask for."""

from typing import Any

import numpy as np

from dadao_sim.events.asked import PoissonRates


def exchanges_only(c: Any, problem: Any, network: Any) -> PoissonRates:
    """One clock of rate ``c.total_rate`` for all edges, shared as the network's rates say; no node
    has one.
    """
    return PoissonRates(
        nodes=np.zeros(problem.nodes), edges=c.total_rate * network.rates / network.rates.sum()
    )


def half_an_exchange_per_gradient(c: Any, problem: Any, network: Any) -> PoissonRates:
    """Rate 1 at every node, and ``c.total_rate`` for all edges together, shared as the network's
    rates say: n/2 lets a node take part in one exchange per gradient on average.
    """
    return PoissonRates(
        nodes=np.ones(problem.nodes), edges=c.total_rate * network.rates / network.rates.sum()
    )
