"""Optimal rates of large sparse graphs, with the bound that comes with them.

The same descent as ``first_order``, in w = u^2, whose metric lets small rates shrink and grow as
fast as large ones. All that it needs of a graph are its resistances, a few eigenvectors and sums
over its edges, exactly, from sparse factorisations (``selected_inverse``): a hundredth of a second
for thousands of nodes. Minus the gradients are the loads of a dual point, so that every step brings
a lower bound, and the descent ends where the two meet.

An edge's load answers to its own rate the more, the more of what flows between its ends it carries:
w_e R_e, between 0 and 1. At each exponent r the variables are scaled by what evens that.

Where the descent is slow the loads of single edges swing about their costs. Loads of several dual
points may be mixed: the best mixture of the last ones, a linear program, evens that out.
"""

import time

import numpy as np

from dadao_sim.networks.network import DENSE_NODES
from dadao_sim.networks.rates.dual import bound_of_loads
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.rates.smooth import SparsePoint, sparse_point_at
from dadao_sim.networks.selected_inverse import selected_inverse

# Exponents with their steps of L-BFGS: the most where the dual points are at their best. With
# larger ones the loads are too stiff to even; what gains then are the rates.
STAGES = ((4, 20), (8, 30), (16, 60), (32, 120), (64, 60), (128, 40), (256, 40))
STIFFNESS = 2.0  # of an edge's load against its own rate, per exponent and w_e R_e
GOAL = 5e-3  # relative gap at which the descent ends
GOAL_LARGE = 2e-2  # and where a step takes seconds
LARGE = 20_000  # nodes
SMALLEST = 1e-5  # u, relative to that of rates as dear everywhere: 1e-10 of the rate
MIXED = 60  # dual points in the mixture
MIXED_FROM = 16  # exponent: before, the dual points are too far from the best
MIXED_PER_STAGE = 20
ROWS = 2000  # constraints at first; those violated are added
ROUNDS = 12
ENOUGH = 1e-4  # violation, relative, that ends the rounds


def is_sparse(problem: RateProblem) -> bool:
    """Whether the graphs are large and their factorisations cheap."""
    large = problem.nodes > DENSE_NODES
    return large and all(selected_inverse(graph) is not None for graph in problem.graphs)


def sparse_points_at(problem: RateProblem, w: np.ndarray) -> list[SparsePoint] | None:
    """Every graph at its rates; None if rounding leaves one of them indefinite."""
    points = []
    for graph, rates in zip(problem.graphs, problem.by_graph(w), strict=True):
        point = sparse_point_at(graph, rates)
        if point is None:
            return None
        points.append(point)
    return points


def first_order_sparse(
    problem: RateProblem, deadline: float, theta: float = 0.5
) -> tuple[np.ndarray, float]:
    """Relative rates (m,), the best that the descent saw, and the best lower bound on the least
    total rate; with a ``theta`` as in ``first_order``, the bound is only good for 1/2.

    Stops at ``deadline`` (of time.perf_counter). For problems that are ``is_sparse``.
    """
    from scipy.optimize import minimize

    descent = _Descent(problem, deadline, theta)
    u = np.ones(problem.size)
    try:
        for exponent, steps in STAGES:
            descent.exponent = exponent
            scale = descent.scale(u)

            def scaled(v: np.ndarray, scale: np.ndarray = scale) -> tuple[float, np.ndarray]:
                value, slope = descent(scale * v)
                return value, scale * slope

            found = minimize(
                scaled,
                u / scale,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": steps, "maxcor": 30, "ftol": 0.0, "gtol": 0.0},
            )
            u = np.maximum(np.abs(scale * found.x), SMALLEST)
            u /= np.sqrt(np.mean(u**2))
            descent.mix()
    except _Enough:
        pass
    return descent.best, descent.bound


class _Enough(Exception):
    """The deadline has come, or the gap is closed."""


class _Descent:
    """F of ``first_order`` and its gradient in u at the present exponent, w = u^2 times the rates
    that are as dear everywhere; remembers the best rates, the best bound and the last loads.
    """

    def __init__(self, problem: RateProblem, deadline: float, theta: float):
        self.problem, self.deadline, self.theta = problem, deadline, theta
        self.exponent = 1.0
        self.unit = problem.even()
        self.best, self.least, self.bound = self.unit, np.inf, 0.0
        self.goal = GOAL_LARGE if problem.nodes > LARGE else GOAL
        self.last: list[tuple[np.ndarray, np.ndarray]] = []
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        if time.perf_counter() > self.deadline:
            raise _Enough
        problem, r, theta = self.problem, self.exponent, self.theta
        u = np.maximum(np.abs(u), SMALLEST) * np.where(u < 0, -1, 1)
        w = self.unit * u**2
        cost = problem.total(w)
        w /= cost
        points = sparse_points_at(problem, w)
        if points is None:  # far too uneven: send the line search back
            return 1e10, np.zeros(problem.size)
        eigenvalue = min(p.eigenvalues[0] for p in points)
        resistance = max(p.resistances.max() for p in points)
        exact = float(resistance**theta / eigenvalue ** (1 - theta))
        if exact < self.least:
            self.best, self.least = w, exact
        sums = np.array([point.power_sums(r) for point in points])
        totals = (float(np.logaddexp.reduce(sums[:, 0])), float(np.logaddexp.reduce(sums[:, 1])))
        x, phi, trace, mass = np.zeros(problem.size), np.zeros(problem.size), 0.0, 0.0
        for ids, point in zip(problem.members, points, strict=True):
            more_trace, more_x, more_mass, more_phi = point.loads(r, totals)
            trace, mass = trace + more_trace, mass + more_mass
            x[ids] += more_x
            phi[ids] += more_phi
        self.bound = max(self.bound, bound_of_loads(problem, trace, x, mass, phi))
        if np.isfinite(phi).all():
            self.last = [*self.last, (x / trace, phi / mass)][-MIXED_PER_STAGE:]
        self._stop_at_goal()
        slope = w * (problem.cost - (1 - theta) * x - theta * phi)
        smooth = ((1 - theta) * totals[0] + theta * totals[1]) / r
        return smooth, 2 * slope / u

    def scale(self, u: np.ndarray) -> np.ndarray:
        """(m,) of u at the present exponent, in which changes of all its edges' loads are alike."""
        w = self.unit * u**2
        points = sparse_points_at(self.problem, w)
        if points is None:
            return np.ones(len(u))
        share = np.zeros(len(u))
        for ids, point in zip(self.problem.members, points, strict=True):
            share[ids] = np.maximum(share[ids], w[ids] * point.resistances)
        return 1 / np.sqrt(1 + STIFFNESS * self.exponent * share)

    def mix(self) -> None:
        """The bound of the best mixture of the dual points of this exponent and of those before."""
        self.kept = [*self.kept, *self.last][-MIXED:]
        self.last = []
        if self.theta == 0.5 and self.kept and self.exponent >= MIXED_FROM:
            self.bound = max(self.bound, bound_of_mixture(self.problem, self.kept))
            self._stop_at_goal()

    def _stop_at_goal(self) -> None:
        if self.theta == 0.5 and self.least <= (1 + self.goal) * self.bound:
            raise _Enough


def bound_of_mixture(problem: RateProblem, loads: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The best bound of sum_k a_k X_k and sum_k b_k p_k, a and b >= 0, of dual points with trace
    and mass 1 and the ``loads`` (x, phi), (m,) each. What the solver says is not looked at.
    """
    from scipy.optimize import linprog

    x, phi = (np.column_stack(each) for each in zip(*loads, strict=True))
    scale = [float((each / problem.cost[:, None]).max(axis=0).min()) for each in (x, phi)]
    matrix = np.hstack([x / scale[0], phi / scale[1]]) / problem.cost[:, None]
    count, best = len(loads), 0.0
    rows = np.sort(np.argsort(-matrix.sum(axis=1), kind="stable")[:ROWS])
    for _ in range(ROUNDS):
        found = linprog(-np.ones(2 * count), A_ub=matrix[rows], b_ub=np.ones(len(rows)))
        if found.x is None:
            break
        mixture = np.maximum(found.x, 0)
        a, b = mixture[:count] / scale[0], mixture[count:] / scale[1]
        bound = bound_of_loads(problem, float(a.sum()), x @ a, float(b.sum()), phi @ b)
        best = max(best, bound)
        load = matrix @ mixture
        violated = np.flatnonzero(load > 1 + ENOUGH)
        worst = violated[np.argsort(-load[violated], kind="stable")[: ROWS // 2]]
        if not len(np.setdiff1d(worst, rows)):
            break
        rows = np.union1d(rows, worst)
    return best
