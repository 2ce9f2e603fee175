"""Gossip rates by several methods, side by side."""

from collections.abc import Sequence
from typing import Any

from dadao_sim.networks import Network
from dadao_sim.networks.convert import as_one_network
from dadao_sim.networks.rates import RatesFound, compare_rates, optimal_rates

COMPARED = (
    *("uniform", "metropolis", "degree", "effective_resistance"),
    *("max_lambda2", "min_resistance", "auto"),
)


def compare_methods(
    network: Network,
    method: str | None,
    *,
    solver: str | None = None,
    time_limit: float | None = None,
    prune: bool = False,
) -> list[RatesFound]:
    """The rates of the usual methods and the optimum; or of ``method`` alone, beside uniform.

    The last is the one asked for: the optimum by default. Raises InputError as ``optimal_rates``.
    """
    network = as_one_network(network)
    last = method or "auto"
    options: dict[str, Any] = {"solver": solver, "time_limit": time_limit, "prune": prune}
    best = optimal_rates(network, last, **options)
    others = COMPARED[:-1] if method is None else tuple({"uniform"} - {last})
    return [*compare_rates(network, others, time_limit=time_limit), best]


def rates_report(network: Network, found: Sequence[RatesFound]) -> dict[str, Any]:
    """Name and size of the network; per method what it found. Rates are per unit of time.

    ``lower_bound`` is that of the method's own graph, which pruning makes smaller.
    """
    network = as_one_network(network)
    bound = max((rates.lower_bound for rates in found if rates.kept is None), default=0.0)
    methods = {}
    for rates in found:
        lower = bound if rates.kept is None else rates.lower_bound
        methods[rates.method] = {
            "total_rate": rates.total_rate,
            "lower_bound": lower,
            "gap": rates.total_rate / lower - 1,
            "chi1": rates.chi1,
            "chi2": rates.chi2,
            "seconds": rates.seconds,
            "edges": len(rates.rates),
        }
        if rates.unpruned_total is not None:
            methods[rates.method]["unpruned_total"] = rates.unpruned_total
    return {
        "name": network.name,
        "n": network.nodes,
        "edges": len(network.edges),
        "methods": methods,
    }
