"""``optimal_rates``: rates of least cost with chi1 chi2 = 1/2, and how far from least they are."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.network import Network, in_range
from dadao_sim.networks.rates import cache as disk
from dadao_sim.networks.rates.costs import Costs, costs_of
from dadao_sim.networks.rates.methods import RATE_METHODS, Options, bound_of, solvers
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.sequence import GraphSequence
from dadao_sim.strict import suggestion
from dadao_sim.text.cards import Card, Carded

if TYPE_CHECKING:
    import networkx

OPTIMAL = "optimal"  # another name of auto, as scenarios call it


@dataclass(frozen=True, eq=False, repr=False)
class RatesFound(Carded):
    """Gossip rates of a network, with a certificate.

    - rates: (m,) actual rates lambda_e > 0, in events per unit of time, of least cost with
      chi1 chi2 = 1/2 in their proportions: one per edge of ``network``. A sequence has one per
      edge of the union (``shared``), or those of its graphs one after the other.
    - by_graph: the rates of each graph's edges; of a fixed network (rates,).
    - chi1, chi2: of these rates, the worst over the graphs.
    - total_rate: their sum; for a sequence the mean over its graphs of the sum over their edges.
    - total_cost: their cost per unit of time, in the same way; the total rate without costs.
    - lower_bound: no rates on this network, of whatever proportions, have a smaller total_cost.
    - method, solver: what was asked for, and what computed it.
    - seconds: that the computation took, when it was made.
    - network: the network (or sequence), with these rates as its own.
    - kept: with pruning, the ids in the given network of the edges of ``network``; else None.
    - unpruned_total: with pruning, the total cost without it; else None.
    - costs: per graph, what an exchange over each of its edges costs; None if all cost 1.

    ``lower_bound`` of a pruned network speaks of the edges that were kept.
    """

    rates: np.ndarray
    by_graph: tuple[np.ndarray, ...]
    chi1: float
    chi2: float
    total_rate: float
    total_cost: float
    lower_bound: float
    method: str
    solver: str
    seconds: float
    network: Network | GraphSequence
    kept: np.ndarray | None = None
    unpruned_total: float | None = None
    costs: Costs | None = None

    def card(self) -> Card:
        """See :class:`Carded`."""
        what = "total rate" if self.costs is None else "cost per unit of time"
        facts = {
            what: f"{self.total_cost:.6g}, at least {self.lower_bound:.6g} (gap {self.gap:.1e})",
            "rates": f"{in_range(self.rates)} on {len(self.rates):,} edges",
            "chi1, chi2": f"{self.chi1:.4g}, {self.chi2:.4g}",
            "solver": self.solver,
        }
        if self.kept is not None:
            saved = f"{self.pruning_gain:.2%} of the cost saved"
            facts["pruned"] = f"{len(self.kept):,} edges kept, {saved}"
        return Card(f"Rates of {self.network.name} by {self.method}", facts)

    @property
    def gap(self) -> float:
        """total_cost / lower_bound - 1: certified distance from the optimum, relative."""
        return self.total_cost / self.lower_bound - 1 if self.lower_bound > 0 else math.inf

    @property
    def pruning_gain(self) -> float:
        """Part of the total cost that pruning saved; 0 without it."""
        return 0.0 if self.unpruned_total is None else 1 - self.total_cost / self.unpruned_total


def optimal_rates(
    network: Network | GraphSequence | networkx.Graph,
    method: str = "auto",
    *,
    cost: str | ArrayLike | None = None,
    solver: str | None = None,
    time_limit: float | None = None,
    prune: bool = False,
    tolerance: float = 1e-6,
    shared: bool = True,
    cache: bool = True,
) -> RatesFound:
    """Rates by a method of RATE_METHODS, scaled to the least cost with chi1 chi2 = 1/2.

    The guarantee is what is held, and with it the time to any accuracy: the rates are those of
    least cost per unit of time, however many exchanges that is. They do not depend on the unit of
    the costs.

    Args:
        network: a network, a sequence, or a graph of networkx; its own rates are not looked at.
        method: a name in RATE_METHODS; by default the optimum, which ``optimal`` is, too.
        cost: what an exchange over each edge costs, finite and > 0: the name of an edge attribute
            of the network, or (|E|,) numbers in the order of its ``edges``. Without it every one
            costs 1. The methods in closed form look at no costs; what they come to is reported.
        solver: for ``exact``: interior_point (our own), or an installed solver of cvxpy.
        time_limit: seconds after which a method returns the best rates it has, with their gap.
        prune: drop edges of negligible rate and solve again (see pruning.py); not for a sequence.
        tolerance: relative gap at which ``exact`` stops.
        shared: for a sequence, one rate per edge for all graphs; else rates for each graph.
        cache: keep and reuse results on disk (see cache.py); time-limited ones never are.

    Raises InputError for an unknown method or solver, a time limit or tolerance that is not
    positive, edges without a cost or with one that is not finite and > 0, pruning of a sequence,
    and graphs too large for ``exact``.

    """
    network = as_network(network)
    method = "auto" if isinstance(method, str) and method == OPTIMAL else method
    _check(network, method, solver, time_limit, tolerance, prune)
    costs = None if cost is None else costs_of(network, cost)
    problem = RateProblem.of(network, shared, costs)
    rates = _cached(network, problem, method, solver, time_limit, tolerance, cache)
    rates = replace(rates, costs=costs)
    if not prune:
        return rates
    from dadao_sim.networks.rates.pruning import pruned

    def solve(smaller: Network, kept: np.ndarray) -> RatesFound:
        return optimal_rates(
            smaller,
            method,
            cost=None if costs is None else costs[0][kept],
            solver=solver,
            time_limit=time_limit,
            tolerance=tolerance,
            cache=cache,
        )

    return pruned(rates, solve)


def compare_rates(
    network: Network | GraphSequence | networkx.Graph,
    methods: Iterable[str] = RATE_METHODS,
    *,
    cost: str | ArrayLike | None = None,
    time_limit: float | None = None,
    cache: bool = True,
) -> list[RatesFound]:
    """``optimal_rates`` by several methods, all against the best of their lower bounds."""
    network = as_network(network)
    found = [
        optimal_rates(network, m, cost=cost, time_limit=time_limit, cache=cache) for m in methods
    ]
    best = max((rates.lower_bound for rates in found), default=0.0)
    return [replace(rates, lower_bound=best) for rates in found]


def _cached(
    network: Network | GraphSequence,
    problem: RateProblem,
    method: str,
    solver: str | None,
    time_limit: float | None,
    tolerance: float,
    cache: bool,
) -> RatesFound:
    cache = cache and time_limit is None
    name = disk.key(problem, method=method, solver=solver, tolerance=tolerance) if cache else ""
    stored = disk.load(name) if cache else None
    if stored is None:
        start = time.perf_counter()
        deadline = start + (math.inf if time_limit is None else time_limit)
        options = Options(solver, deadline, tolerance)
        with threadpool_limits(limits=1, user_api="blas"):  # the same bits whatever the load
            outcome = RATE_METHODS[method](problem, options)
            bound = outcome.lower_bound
            if bound is None:
                bound = bound_of(problem, outcome.rates, deadline)
        seconds = time.perf_counter() - start
        stored = {
            "rates": problem.least(outcome.rates),
            "lower_bound": bound,
            "solver": outcome.solver,
            "seconds": seconds,
        }
        if cache and seconds >= disk.WORTH_KEEPING:
            disk.store(name, **stored)
    rates = stored["rates"]
    chi1, chi2 = problem.connectivity(rates)
    graphs = problem.with_rates(rates)
    return RatesFound(
        rates=rates,
        by_graph=problem.by_graph(rates),
        chi1=chi1,
        chi2=chi2,
        total_rate=problem.communications(rates),
        total_cost=problem.total(rates) * problem.unit,
        lower_bound=float(stored["lower_bound"]) * problem.unit,
        method=method,
        solver=str(stored["solver"]),
        seconds=float(stored["seconds"]),
        network=graphs[0]
        if isinstance(network, Network)
        else GraphSequence(graphs, name=network.name),
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _check(
    network: Network | GraphSequence,
    method: str,
    solver: str | None,
    time_limit: float | None,
    tolerance: float,
    prune: bool,
) -> None:
    if not isinstance(method, str) or method not in RATE_METHODS:
        known = suggestion(str(method), RATE_METHODS)
        raise InputError("method", f"{method!r} is unknown{known}")
    if solver is not None:
        if method != "exact":
            raise InputError("solver", f"{method} takes none", "use method exact")
        if solver not in solvers():
            known = suggestion(str(solver), solvers())
            raise InputError("solver", f"{solver!r} is not installed or cannot solve this{known}")
    if time_limit is not None and not (_is_number(time_limit) and time_limit > 0):
        raise InputError("time_limit", f"{time_limit!r} seconds", "it must be positive, or None")
    if not (_is_number(tolerance) and 0 < tolerance < 1):
        raise InputError("tolerance", repr(tolerance), "it must lie between 0 and 1")
    if prune and isinstance(network, GraphSequence):
        raise InputError("prune", "a sequence cannot be pruned", "leave it out")
