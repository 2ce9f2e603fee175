"""The methods by name: each takes the problem and its options to rates and a lower bound."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.network import DENSE_NODES, Network
from dadao_sim.networks.rates import closed_forms
from dadao_sim.networks.rates.certificate import bound_of_any_graph, certify
from dadao_sim.networks.rates.conic import MOST_NODES, conic, conic_solvers
from dadao_sim.networks.rates.dual import AnyDualPoint, lower_bound
from dadao_sim.networks.rates.first_order import LARGEST, first_order, smooth_dual
from dadao_sim.networks.rates.first_order_sparse import first_order_sparse, is_sparse
from dadao_sim.networks.rates.interior_point import interior_point
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.spectral_gap import MOST_NODES as LARGEST_EXPANDER
from dadao_sim.networks.rates.spectral_gap import bound_by_lambda_2, widest_gap

INTERIOR_POINT = "interior_point"
EXACT_EDGES = 4000  # the interior-point method takes minutes: an iteration costs their cube
MOST_EXACT_EDGES = 6000
CONIC_NODES, CONIC_EDGES = 50, 150  # up to here a conic solver needs a second or two
ONE_SIDED = 1e-6  # theta that stands for "lambda_2 alone"
CLOSED_FORMS = ("uniform", "metropolis", "degree", "effective_resistance")
MIXTURES = (0.1, 0.2, 0.4, 0.8)  # of a closed form with the rates of largest lambda_2
BOUND_TOLERANCE = 1e-5  # of a lower bound that is not the method's own


@dataclass(frozen=True)
class Options:
    """``deadline`` is a time of time.perf_counter, ``tolerance`` a relative gap."""

    solver: str | None
    deadline: float
    tolerance: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """Relative rates (m,), a lower bound on the least total rate (None: not sought), and what
    computed them.
    """

    rates: np.ndarray
    lower_bound: float | None
    solver: str


Computation = Callable[[RateProblem, Options], Outcome]


def in_closed_form(rates: Callable[[Network], np.ndarray]) -> Computation:
    """The method that gives every graph these relative rates (shared rates: their mean)."""

    def method(problem: RateProblem, options: Options) -> Outcome:
        return Outcome(problem.averaged([rates(g) for g in problem.graphs]), None, "closed form")

    return method


def max_lambda2(problem: RateProblem, options: Options) -> Outcome:
    """Largest lambda_2: the fastest mixing Markov process (Sun et al. 2006); E-optimal design."""
    return _one_sided(problem, options, ONE_SIDED)


def min_resistance(problem: RateProblem, options: Options) -> Outcome:
    """Smallest largest resistance over an edge: G-optimal design, n - 1 at total rate 1."""
    return _one_sided(problem, options, 1 - ONE_SIDED)


def exact(problem: RateProblem, options: Options) -> Outcome:
    """The optimum, by a conic solver where it is small and by our interior-point method beyond."""
    solver = options.solver
    if solver is None:
        small = problem.nodes <= CONIC_NODES and problem.constraints <= CONIC_EDGES
        solver = "CLARABEL" if small and "CLARABEL" in conic_solvers() else INTERIOR_POINT
    if solver != INTERIOR_POINT:
        return _by_conic_solver(problem, options, solver)
    if not fits(problem, MOST_EXACT_EDGES):
        raise InputError(
            "method",
            f"exact takes at most {MOST_EXACT_EDGES} edges and {DENSE_NODES} nodes, "
            f"not {problem.constraints} and {problem.nodes}",
            "use first_order",
        )
    w, points = interior_point(problem, options.tolerance, options.deadline)
    return Outcome(_better(problem, w), lower_bound(problem, points), INTERIOR_POINT)


def by_first_order(problem: RateProblem, options: Options) -> Outcome:
    """The optimum, nearly, by descent on a smoothed objective; certified by a small conic problem.

    Of a time limit, a quarter is kept for the certificate. Above DENSE_NODES nodes, where a
    sparse factorisation is cheap, every step brings a certificate; where it is not, that of
    ``spectral_gap`` counts, too, and above LARGEST nodes see ``for_expanders``.
    """
    if is_sparse(problem):
        w, bound = first_order_sparse(problem, options.deadline)
        bound = max(bound, bound_of_any_graph(problem))
        return Outcome(_better(problem, w), bound, "L-BFGS")
    if problem.nodes > LARGEST:
        return for_expanders(problem, options)
    now = time.perf_counter()
    w = _better(problem, first_order(problem, now + 0.75 * (options.deadline - now)))
    bound = certify(problem, w, options.deadline)
    if problem.nodes > DENSE_NODES:
        bound = max(bound, bound_by_lambda_2(problem, widest_gap(problem, options.deadline)[1]))
    return Outcome(w, bound, "L-BFGS")


def for_expanders(problem: RateProblem, options: Options) -> Outcome:
    """The best closed form, or its mixture with the rates of largest lambda_2, up to
    LARGEST_EXPANDER nodes; against the bounds of lambda_2 and of the resistances.
    """
    closed = [RATE_METHODS[name](problem, options) for name in CLOSED_FORMS]
    best = min(closed, key=lambda outcome: problem.least_total(outcome.rates))
    bound = bound_of_any_graph(problem)
    if problem.nodes > LARGEST_EXPANDER:
        return replace(best, lower_bound=bound)
    w, largest = widest_gap(problem, options.deadline)
    bound = max(bound, bound_by_lambda_2(problem, largest))
    from_here = best.rates / problem.total(best.rates)
    least = problem.least_total(best.rates)
    for share in MIXTURES:
        if time.perf_counter() > options.deadline:
            break
        mixed = (1 - share) * from_here + share * w
        total = problem.least_total(mixed)
        if total >= least:
            break
        best, least = Outcome(mixed, None, "L-BFGS"), total
    return replace(best, lower_bound=bound)


def auto(problem: RateProblem, options: Options) -> Outcome:
    """``exact`` by the interior-point method up to 4000 edges, ``first_order`` beyond."""
    if not fits(problem, EXACT_EDGES):
        return by_first_order(problem, options)
    return exact(problem, Options(INTERIOR_POINT, options.deadline, options.tolerance))


RATE_METHODS: dict[str, Computation] = {
    "uniform": in_closed_form(closed_forms.uniform),
    "metropolis": in_closed_form(closed_forms.metropolis),
    "degree": in_closed_form(closed_forms.degree),
    "effective_resistance": in_closed_form(closed_forms.effective_resistance),
    "max_lambda2": max_lambda2,
    "min_resistance": min_resistance,
    "exact": exact,
    "first_order": by_first_order,
    "auto": auto,
}


def solvers() -> list[str]:
    """What ``solver`` may be for ``exact``: our own, and the installed conic solvers."""
    return [INTERIOR_POINT, *conic_solvers()]


def fits(problem: RateProblem, most_edges: int) -> bool:
    """Whether the interior-point method can take the problem."""
    return problem.constraints <= most_edges and problem.nodes <= DENSE_NODES


def bound_of(problem: RateProblem, w: np.ndarray, deadline: float) -> float:
    """A lower bound for a method that brings none: the best of the graph, not of w (m,), as long as
    the interior-point method is fast.
    """
    if not fits(problem, EXACT_EDGES):
        return certify(problem, w, deadline)
    return lower_bound(problem, interior_point(problem, BOUND_TOLERANCE, deadline)[1])


def _by_conic_solver(problem: RateProblem, options: Options, solver: str) -> Outcome:
    start = np.ones(problem.size)
    if problem.nodes <= MOST_NODES:  # else `conic` refuses
        start = first_order(problem, options.deadline)
    found, by_solver = conic(problem, start, solver, options.deadline)
    w = min([*found, start, np.ones(problem.size)], key=problem.least_total)
    duals: list[Sequence[AnyDualPoint]] = [*by_solver, smooth_dual(problem, w)]
    return Outcome(w, max(lower_bound(problem, points) for points in duals), solver)


def _one_sided(problem: RateProblem, options: Options, theta: float) -> Outcome:
    if fits(problem, EXACT_EDGES):
        w, _ = interior_point(problem, options.tolerance, options.deadline, theta)
        return Outcome(w, None, INTERIOR_POINT)
    if problem.nodes > LARGEST:
        raise InputError(
            "method",
            f"max_lambda2 and min_resistance take at most {LARGEST} nodes, not {problem.nodes}",
            "use auto",
        )
    if is_sparse(problem):
        return Outcome(first_order_sparse(problem, options.deadline, theta)[0], None, "L-BFGS")
    return Outcome(first_order(problem, options.deadline, theta), None, "L-BFGS")


def _better(problem: RateProblem, w: np.ndarray) -> np.ndarray:
    """The rates w, or uniform rates if they are better: by the numbers that the simulation uses."""
    return min(w, np.ones(problem.size), key=problem.least_total)
