"""Gossip rates of least total, for any network, with a certified gap (see optimal.py)."""

from dadao_sim.networks.rates.chosen import with_rates
from dadao_sim.networks.rates.methods import RATE_METHODS, solvers
from dadao_sim.networks.rates.optimal import RatesFound, compare_rates, optimal_rates

__all__ = ["RATE_METHODS", "RatesFound", "compare_rates", "optimal_rates", "solvers", "with_rates"]
