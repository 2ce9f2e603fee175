"""A tight lower bound from near-optimal rates: a small conic problem for the dual point.

At the optimum X lives on the eigenspace of lambda_2 and p on the edges of largest resistance, with
the potentials of the optimal rates. So, from the rates at hand, with U the eigenvectors of the k
smallest eigenvalues and phi_e the potentials of the l edges of largest resistance, minimise

    max_g (b_g^T X b_g + b_g^T Phi b_g) / cost_g
    with X = U Y U^T / 2t  and  Phi = sum_e p_e phi_e phi_e^T / 2s

over Y >= 0, p >= 0 with geo_mean(tr Y, sum p) >= 1; t = lambda_2 and s = C put both at order one.
"""

import math
import time
import warnings
from typing import Any

import numpy as np

from dadao_sim.networks.network import DENSE_NODES
from dadao_sim.networks.rates.dual import ROUNDING, DualPoint, lower_bound
from dadao_sim.networks.rates.first_order import LARGEST, points_at, smooth_dual
from dadao_sim.networks.rates.first_order_sparse import is_sparse
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.smooth import Point

EIGENVECTORS = 30
POTENTIALS = 800
ROWS = 2000  # constraints at first; those violated are added
ROUNDS = 4
ENOUGH = 1e-3  # violation, relative, that ends the rounds


def certify(problem: RateProblem, w: np.ndarray, deadline: float) -> float:
    """The best lower bound on the least total rate that the rates w (m,) lead to.

    Both that of the smooth dual point and, if the deadline (of time.perf_counter) leaves time, that
    of the small conic problem. What the solver says of itself is not looked at. Above 1500 nodes
    the few eigenvectors at hand add nothing; beyond LARGEST the bound of any graph is all, unless
    factorisations are cheap.
    """
    if problem.nodes > LARGEST and not is_sparse(problem):
        return bound_of_any_graph(problem)
    w = w / problem.total(w)
    smooth = smooth_dual(problem, w)
    best = lower_bound(problem, smooth) if smooth else 0.0
    if problem.nodes > DENSE_NODES:
        return max(best, bound_of_any_graph(problem))
    points = points_at(problem, w)
    if points is None or time.perf_counter() > deadline:
        return best
    small = _SmallProblem(problem, points)
    for _ in range(ROUNDS):
        dual = small.solve(deadline - time.perf_counter())
        if dual is None:
            break
        best = max(best, lower_bound(problem, dual))
        if not small.add_violated() or time.perf_counter() > deadline:
            break
    return best


def bound_of_any_graph(problem: RateProblem) -> float:
    """(n - 1)/sqrt 2 exchanges at the price of the cheapest, reached by complete graphs: for rates
    of sum 1 the n - 1 positive eigenvalues sum to 2, and the conductances are at most 1/(n - 1) on
    the mean (Foster).
    """
    cheapest = float((problem.cost / problem.share).min())
    return (1 - ROUNDING) * cheapest * (problem.nodes - 1) / math.sqrt(2)


class _SmallProblem:
    """The conic problem over Y and p of every graph, on a subset ``rows`` of the constraints."""

    def __init__(self, problem: RateProblem, points: list[Point]):
        self.points = points
        t = min(point.eigenvalues[0] for point in points)
        s = 1 / max(point.resistances.max() for point in points)
        sizes_y = [min(EIGENVECTORS, point.vectors.shape[1]) for point in points]
        self.vectors = [p.vectors[:, :k] for p, k in zip(points, sizes_y, strict=True)]
        self.edges = [np.argsort(-p.resistances, kind="stable")[:POTENTIALS] for p in points]
        self.potentials, self.in_y, self.in_p = [], [], []
        for ids, point, U, chosen in zip(
            problem.members, points, self.vectors, self.edges, strict=True
        ):
            i, j = point.edges.T
            phi = point.inverse[:, i[chosen]] - point.inverse[:, j[chosen]]
            phi /= point.resistances[chosen]
            differences = U[i] - U[j]
            squares = (differences[:, :, None] * differences[:, None, :]).reshape(len(i), -1)
            in_y = np.zeros((problem.size, squares.shape[1]))
            in_p = np.zeros((problem.size, len(chosen)))
            in_y[ids] = squares / (2 * t)
            in_p[ids] = (phi[i] - phi[j]) ** 2 / (2 * s)
            self.potentials.append(phi)
            self.in_y.append(in_y / problem.cost[:, None])
            self.in_p.append(in_p / problem.cost[:, None])
        loads = sum(
            y.reshape(problem.size, k, k)[:, range(k), range(k)].sum(axis=1)
            for y, k in zip(self.in_y, sizes_y, strict=True)
        )
        self.rows = np.sort(np.argsort(-np.asarray(loads), kind="stable")[:ROWS])
        self.loads = np.zeros(problem.size)

    def solve(self, seconds: float) -> list[DualPoint] | None:
        """The solver's point as a dual point; None if it gave none."""
        import cvxpy as cp

        Y: list[Any] = [cp.Variable((U.shape[1],) * 2, PSD=True) for U in self.vectors]
        p: list[Any] = [cp.Variable(len(chosen), nonneg=True) for chosen in self.edges]
        load = sum(
            a[self.rows] @ cp.vec(y, order="C") + b[self.rows] @ q
            for a, b, y, q in zip(self.in_y, self.in_p, Y, p, strict=True)
        )
        trace, mass = sum(cp.trace(y) for y in Y), sum(cp.sum(q) for q in p)
        largest: Any = cp.Variable()
        task = cp.Problem(
            cp.Minimize(largest),
            [load <= largest, cp.geo_mean(cp.hstack([trace, mass])) >= 1],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "may be inaccurate": the bound is recomputed
            try:
                task.solve(solver=cp.CLARABEL, time_limit=max(min(seconds, 1e9), 0.1))
            except cp.error.SolverError:
                return None
        if any(v.value is None or not np.isfinite(v.value).all() for v in [*Y, *p, largest]):
            return None
        duals = []
        self.loads = np.zeros(len(self.loads))
        self.largest = float(largest.value)
        for k, U in enumerate(self.vectors):
            self.loads += self.in_y[k] @ Y[k].value.ravel() + self.in_p[k] @ p[k].value
            values, basis = np.linalg.eigh(Y[k].value)
            factor = U @ (basis * np.sqrt(np.maximum(values, 0)))
            duals.append(DualPoint(factor, p[k].value, self.edges[k], self.potentials[k]))
        return duals

    def add_violated(self) -> bool:
        """Add the constraints that the last solution violates; whether there were any."""
        violated = np.flatnonzero(self.loads > (1 + ENOUGH) * self.largest)
        worst = violated[np.argsort(-self.loads[violated], kind="stable")[: ROWS // 2]]
        before = len(self.rows)
        self.rows = np.union1d(self.rows, worst)
        return len(self.rows) > before
