"""Optimal rates by descent on a smoothed objective: no second derivatives, for large graphs.

    F(v) = log(cost @ w) + ((1 - theta)/r) log sum_k lambda_k^-r + (theta/r) log sum_e R_e^r

over w = exp(v), theta = 1/2 for the least total rate, is minimised for r = 4, 8, ..., 256 by
L-BFGS, each time from the minimiser before. It does not change with the scale of w, so that this
is a descent on softmax(v). The sums run over all graphs.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dadao_sim.networks.network import DENSE_NODES
from dadao_sim.networks.rates.dual import AnyDualPoint, lower_bound
from dadao_sim.networks.rates.first_order_sparse import is_sparse, sparse_points_at
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.smooth import Point, SparsePoint, point_at

EXPONENTS = (4, 8, 16, 32, 64, 128, 256)
STEPS = 60  # of L-BFGS at each exponent
EXPONENTS_LARGE = (8, 32, 128)
STEPS_LARGE = 12
LARGEST = 8000  # nodes, for the sake of memory: three n x n matrices
WIDEST = 20.0  # of log w about its mean: exp(-40) of the largest rate is none
DUAL_EXPONENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class _Enough(Exception):
    """The deadline has come."""


def first_order(problem: RateProblem, deadline: float, theta: float = 0.5) -> np.ndarray:
    """Relative rates (m,), the best of all that the descent saw (uniform rates are among them).

    Stops at ``deadline`` (of time.perf_counter). For graphs of at most LARGEST nodes.
    """
    from scipy.optimize import minimize

    large = problem.nodes > DENSE_NODES
    descent = _Descent(problem, deadline, theta)
    v = np.log(problem.even())
    v = np.clip(v - v[0], -WIDEST, WIDEST)  # zeros without costs
    for exponent in EXPONENTS_LARGE if large else EXPONENTS:
        descent.exponent = exponent
        try:
            found = minimize(
                descent,
                v,
                jac=True,
                method="L-BFGS-B",
                bounds=[(-WIDEST, WIDEST)] * problem.size,
                options={"maxiter": STEPS_LARGE if large else STEPS, "maxcor": 20},
            )
        except _Enough:
            break
        v = np.clip(found.x - found.x.mean(), -WIDEST, WIDEST)
    return np.exp(descent.best)


class _Descent:
    """F and its gradient at the present exponent; remembers the best v by the exact objective."""

    def __init__(self, problem: RateProblem, deadline: float, theta: float):
        self.problem, self.deadline, self.theta = problem, deadline, theta
        self.exponent = 1.0
        self.best, self.least = np.zeros(problem.size), np.inf

    def __call__(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        if time.perf_counter() > self.deadline:
            raise _Enough
        problem, r, theta = self.problem, self.exponent, self.theta
        w = np.exp(v)
        cost = problem.total(w)
        points = points_at(problem, w)
        if points is None:  # far too uneven: send the line search back
            return 1e10, np.zeros(problem.size)
        chi1 = 1 / min(p.eigenvalues[0] for p in points)
        exact = cost * chi1 ** (1 - theta) * max(p.resistances.max() for p in points) ** theta
        if exact < self.least:
            self.best, self.least = v.copy(), exact
        sums = np.array([point.power_sums(r) for point in points])
        totals = (float(np.logaddexp.reduce(sums[:, 0])), float(np.logaddexp.reduce(sums[:, 1])))
        gradient = problem.cost / cost
        for ids, point in zip(problem.members, points, strict=True):
            of_chi1, of_resistance = point.gradients(r, totals)
            gradient[ids] += (1 - theta) * of_chi1 + theta * of_resistance
        smooth = ((1 - theta) * totals[0] + theta * totals[1]) / r
        return np.log(cost) + smooth, gradient * w


def points_at(problem: RateProblem, w: np.ndarray) -> list[Point] | None:
    """Every graph at its rates; None if rounding leaves one of them indefinite."""
    points = []
    for graph, rates in zip(problem.graphs, problem.by_graph(w), strict=True):
        point = point_at(graph, rates)
        if point is None:
            return None
        points.append(point)
    return points


def smooth_dual(problem: RateProblem, w: np.ndarray) -> Sequence[AnyDualPoint]:
    """The dual points of the power means at w, with the exponent of the best bound."""
    points: Sequence[Point] | Sequence[SparsePoint] | None
    points = sparse_points_at(problem, w) if is_sparse(problem) else points_at(problem, w)
    if points is None:
        return []
    eigenvalue = min(p.eigenvalues[0] for p in points)
    resistance = max(p.resistances.max() for p in points)

    def dual(exponent: float) -> list[AnyDualPoint]:
        return [_weighted(p, exponent, eigenvalue, resistance) for p in points]

    return max((dual(r) for r in DUAL_EXPONENTS), key=lambda found: lower_bound(problem, found))


def _weighted(
    point: Point | SparsePoint, exponent: float, eigenvalue: float, resistance: float
) -> AnyDualPoint:
    """The graph's dual point at its weight among the graphs: the worst ones carry the bound."""
    own = point.dual_point(exponent)
    by_eigenvalue = (eigenvalue / point.eigenvalues[0]) ** ((exponent + 1) / 2)
    by_resistance = (point.resistances.max() / resistance) ** (exponent + 1)
    return replace(own, factor=own.factor * by_eigenvalue, p=own.p * by_resistance)
