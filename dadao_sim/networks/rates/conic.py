"""Optimal rates by a conic solver, through cvxpy: an independent way to the same optimum.

In the conic form L_w - s b_e b_e^T >= 0 says s R_e <= 1, and by Thomson's principle that there is a
flow y of strength s along e, B y = s b_e, of energy sum_g y_g^2 / w_g <= s. The flows make small
second-order cones instead of a large matrix cone per edge. Only the edges whose resistance comes
near the largest need one: they are found by solving again with those that were violated.
"""

import time
import warnings
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.networks.rates.dense import laplacian, over_edges, pseudo_inverse
from dadao_sim.networks.rates.dual import DualPoint
from dadao_sim.networks.rates.problem import RateProblem

MOST_NODES = 100  # the matrix inequality has n^2/2 rows, and the solvers factorise its square
ROUNDS = 12
NEAR = 0.98  # of the largest resistance: edges that are bounded at first
VIOLATED = 1e-7
LEAST_SHARE = 1e-10  # of the mean rate: rates are > 0
TIME_LIMITS = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}
ACCURACY = {"CLARABEL": {"tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10}}


def conic_solvers() -> list[str]:
    """Names of the installed solvers that take matrix inequalities."""
    import cvxpy as cp
    from cvxpy.reductions.solvers.defines import SOLVER_MAP_CONIC

    return [
        name
        for name in cp.installed_solvers()
        if name in SOLVER_MAP_CONIC
        and any("PSD" in cone.__name__ for cone in SOLVER_MAP_CONIC[name].SUPPORTED_CONSTRAINTS)
    ]


def conic(
    problem: RateProblem, start: np.ndarray, solver: str, deadline: float
) -> tuple[list[np.ndarray], list[list[DualPoint]]]:
    """Relative rates (m,) and dual points that the solver found on its way, both perhaps none.

    ``start`` (m,) is good relative rates: they tell which edges have large resistances. The caller
    evaluates all that comes back; the solver's status and objective are not looked at.
    Raises InputError for more than MOST_NODES nodes.
    """
    if problem.nodes > MOST_NODES:
        raise InputError(
            "solver",
            f"{solver} takes at most {MOST_NODES} nodes, not {problem.nodes}",
            "leave the solver out, or use interior_point",
        )
    rates: list[np.ndarray] = []
    duals: list[list[DualPoint]] = []
    resistances = _resistances(problem, start)
    largest = max(map(np.max, resistances))
    bounded = [np.flatnonzero(each >= NEAR * largest) for each in resistances]
    for _ in range(ROUNDS):
        seconds = deadline - time.perf_counter()
        found = _solve(problem, bounded, solver, seconds) if seconds > 0 else None
        if found is None:
            break
        w, dual, s = found
        rates.append(w)
        duals.append(dual)
        resistances = _resistances(problem, w)
        larger = [np.flatnonzero(each * s > 1 + VIOLATED) for each in resistances]
        wanted = [np.union1d(old, new) for old, new in zip(bounded, larger, strict=True)]
        if all(len(old) == len(new) for old, new in zip(bounded, wanted, strict=True)):
            break
        bounded = wanted
    return rates, duals


def _solve(
    problem: RateProblem, bounded: list[np.ndarray], solver: str, seconds: float
) -> tuple[np.ndarray, list[DualPoint], float] | None:
    """One conic program; its rates, its dual point and s. None if the solver gave no point."""
    import cvxpy as cp

    # In units of rates of cost 1 that are as dear on every edge: everything is of order one.
    unit = problem.even()
    weight = problem.cost * unit / unit.mean()
    unit_s = 1 / max(map(np.max, _resistances(problem, unit)))
    unit_t = min(
        float(np.linalg.eigvalsh(laplacian(g.nodes, g.edges, part))[1])
        for g, part in zip(problem.graphs, problem.by_graph(unit), strict=True)
    )
    w, t, s = cp.Variable(problem.size, nonneg=True), cp.Variable(), cp.Variable()
    cones = [
        _Cones(
            graph,
            chosen,
            cp.multiply(unit[ids] / unit_t, w[ids]),
            t,
            cp.multiply(unit[ids] / unit_s, w[ids]),
            s,
        )
        for graph, ids, chosen in zip(problem.graphs, problem.members, bounded, strict=True)
    ]
    task = cp.Problem(
        cp.Maximize(cp.geo_mean(cp.hstack([t, s]))),
        [weight @ w == weight.sum(), *(c for cone in cones for c in cone.constraints)],
    )
    limit = {TIME_LIMITS[solver]: min(seconds, 1e9)} if solver in TIME_LIMITS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "may be inaccurate": the rates are evaluated by us
        try:
            task.solve(solver=solver, **limit, **ACCURACY.get(solver, {}))
        except (cp.error.SolverError, ArithmeticError, ValueError):
            return None
    if w.value is None or s.value is None or not np.isfinite(w.value).all():
        return None
    rates = np.maximum(w.value, LEAST_SHARE) * unit
    parts = zip(cones, problem.by_graph(rates), strict=True)
    return rates, [cone.dual_point(part) for cone, part in parts], float(s.value) * unit_s


class _Cones:
    """The constraints of one graph: L_w >= t P, and s R_e <= 1 for the ``chosen`` edges.

    ``in_t`` and ``in_s`` are its rates in the units of t and of s.
    """

    def __init__(self, graph: Network, chosen: np.ndarray, in_t: Any, t: Any, in_s: Any, s: Any):
        import cvxpy as cp

        self.graph, self.chosen = graph, chosen
        n, count = graph.nodes, len(graph.edges)
        drops = np.diff(_complement(n)[graph.edges], axis=1)[:, 0]
        squares = (drops[:, :, None] * drops[:, None, :]).reshape(count, -1)
        laplacian_minus = cp.reshape(squares.T @ in_t, (n - 1, n - 1), order="C") - t * np.eye(
            n - 1
        )
        self.matrix = laplacian_minus >> 0
        self.constraints: list[Any] = [self.matrix]
        self.energies: Any = None
        if not len(chosen):
            return
        y, z = cp.Variable((count, len(chosen))), cp.Variable((count, len(chosen)))
        incidence = _incidence(graph)
        # The last row of the conservation of flow follows from the others.
        conserved = incidence[:-1] @ y == s * incidence[:-1, chosen]
        wide = in_s[:, None] @ np.ones((1, len(chosen)))
        sides = [cp.vec(part, order="C") for part in (wide - z, 2 * y)]
        self.energies = cp.sum(z, axis=0) <= s
        # y^2 <= w z, entry by entry
        entries = cp.SOC(cp.vec(wide + z, order="C"), cp.vstack(sides))
        self.constraints += [conserved, entries, self.energies]

    def dual_point(self, rates: np.ndarray) -> DualPoint:
        """The solver's multipliers, made feasible, with the potentials of its rates (|E|,)."""
        basis = _complement(self.graph.nodes)
        X = np.zeros((self.graph.nodes,) * 2)
        if self.matrix.dual_value is not None:
            X = basis @ self.matrix.dual_value @ basis.T
        p = np.zeros(len(self.chosen))
        if self.energies is not None and self.energies.dual_value is not None:
            p = np.maximum(self.energies.dual_value, 0)
        values, vectors = np.linalg.eigh(0.5 * (X + X.T))
        potentials = _inverse(self.graph, rates) @ _incidence(self.graph)[:, self.chosen]
        factor = vectors * np.sqrt(np.maximum(values, 0))
        return DualPoint(factor, p, self.chosen, potentials)


def _complement(nodes: int) -> np.ndarray:
    """Orthonormal basis of the complement of 1, (n, n-1)."""
    ones = np.ones((nodes, 1))
    return np.linalg.qr(np.hstack([ones, np.eye(nodes)[:, 1:]]))[0][:, 1:]


def _incidence(graph: Network) -> np.ndarray:
    """The columns b_e, (n, |E|)."""
    matrix = np.zeros((graph.nodes, len(graph.edges)))
    column = np.arange(len(graph.edges))
    matrix[graph.edges[:, 0], column] = 1.0
    matrix[graph.edges[:, 1], column] = -1.0
    return matrix


def _inverse(graph: Network, rates: np.ndarray) -> np.ndarray:
    inverse = pseudo_inverse(laplacian(graph.nodes, graph.edges, rates))
    return np.linalg.pinv(graph.laplacian(rates).toarray()) if inverse is None else inverse


def _resistances(problem: RateProblem, w: np.ndarray) -> list[np.ndarray]:
    """Per graph, the resistances at the relative rates w (m,) scaled to cost 1."""
    w = w / problem.total(w)
    return [
        over_edges(_inverse(graph, rates), graph.edges)
        for graph, rates in zip(problem.graphs, problem.by_graph(w), strict=True)
    ]
