"""Gossip rates by several methods, side by side."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from dadao_sim.networks import Network
from dadao_sim.networks.convert import as_one_network
from dadao_sim.networks.rates import RatesFound, compare_rates, optimal_rates
from dadao_sim.networks.rates.costs import costs_of
from dadao_sim.networks.rates.methods import CLOSED_FORMS
from dadao_sim.networks.rates.optimal import OPTIMAL
from dadao_sim.reports.critical import KAPPA, critical_factor

COMPARED = (
    *("uniform", "metropolis", "degree", "effective_resistance"),
    *("max_lambda2", "min_resistance", "auto"),
)
BLIND = ", blind to costs"  # what is added to a method's name that did not know them


def compare_methods(
    network: Network,
    method: str | None,
    *,
    cost: str | ArrayLike | None = None,
    solver: str | None = None,
    time_limit: float | None = None,
    prune: bool = False,
) -> list[RatesFound]:
    """The rates of the usual methods and the optimum; or of ``method`` alone, beside uniform.

    The last is the one asked for: the optimum by default. With a ``cost`` (of ``optimal_rates``)
    the one before it is the same method without, and what that costs, unless it looks at no costs
    anyway. Raises InputError as
    ``optimal_rates``.
    """
    network = as_one_network(network)
    last = "auto" if method in (None, OPTIMAL) else method
    assert last is not None
    options: dict[str, Any] = {"solver": solver, "time_limit": time_limit, "prune": prune}
    best = optimal_rates(network, last, cost=cost, **options)
    others = COMPARED[:-1] if method is None else tuple({"uniform"} - {last})
    found = compare_rates(network, others, cost=cost, time_limit=time_limit)
    if cost is not None and last not in CLOSED_FORMS:
        found.append(_priced(optimal_rates(network, last, **options), best, network, cost))
    return [*found, best]


def _priced(
    blind: RatesFound, best: RatesFound, network: Network, cost: str | ArrayLike
) -> RatesFound:
    """Rates that were chosen without the costs of ``best``, at these costs."""
    (costs,) = costs_of(network, cost)
    costs = costs if blind.kept is None else costs[blind.kept]
    return replace(
        blind,
        method=blind.method + BLIND,
        total_cost=float(costs @ blind.rates),
        unpruned_total=None,
        costs=(costs,),
        lower_bound=best.lower_bound if blind.kept is None else 0.0,
    )


def rates_report(
    network: Network, found: Sequence[RatesFound], kappa: float = KAPPA
) -> dict[str, Any]:
    """Name and size of the network; per method what it found. Rates are per unit of time.

    ``lower_bound`` is that of the method's own graph, which pruning makes smaller (0: unknown), and
    bounds the ``total_cost``, which is the ``total_rate`` where all edges cost 1. ``saved_cost`` is
    the part of the cost of each other method that the last one saves. ``critical_factor`` is that
    of ``critical.critical_factor`` at ``kappa``; None, and ``critical_left_out`` says why, where it
    is left out.
    """
    network = as_one_network(network)
    bound = max((rates.lower_bound for rates in found if rates.kept is None), default=0.0)
    methods: dict[str, dict[str, Any]] = {}
    left_out = ""
    for rates in found:
        lower = bound if rates.kept is None else rates.lower_bound
        methods[rates.method] = {
            "total_rate": rates.total_rate,
            "lower_bound": lower,
            "gap": replace(rates, lower_bound=lower).gap,
            "chi1": rates.chi1,
            "chi2": rates.chi2,
            "seconds": rates.seconds,
            "edges": len(rates.rates),
            "critical_factor": None,
        }
        if isinstance(rates.network, Network):
            critical = critical_factor(rates.network, kappa)
            methods[rates.method]["critical_factor"] = critical.factor
            left_out = left_out or critical.why
        if rates.costs is not None:
            methods[rates.method]["total_cost"] = rates.total_cost
        if rates.unpruned_total is not None:
            methods[rates.method]["unpruned_total"] = rates.unpruned_total
    report = {
        "name": network.name,
        "n": network.nodes,
        "edges": len(network.edges),
        "kappa": kappa,
        "critical_left_out": left_out,
        "methods": methods,
    }
    last = found[-1] if found else None
    if last is not None and last.costs is not None:
        report["saved_cost"] = {
            rates.method: 1 - last.total_cost / rates.total_cost for rates in found[:-1]
        }
    return report
