"""Optimal rates by a primal-dual interior-point method: exact, up to a few thousand edges.

As f is homogeneous, its maximum over rates w of cost 1 is that of an unconstrained sum: minimise

    cost @ w - (1 - theta) log t - theta log s   over   L_w - t P >= 0,  C_e(w) - s >= 0,  w >= 0

(P the projector onto the complement of 1), with theta = 1/2; theta near 0 maximises lambda_2 alone
and theta near 1 the least conductance alone. C_e = 1/(b_e^T L_w^+ b_e) is concave, so the matrix
inequalities of the conic form, one per edge, are m scalar ones here. All derivatives come from
M = B^T L_w^+ B:

    dC_e/dw_g = C_e^2 M_ge^2,   d2C_e/dw_g dw_h = 2 C_e^3 M_ge^2 M_he^2 - 2 C_e^2 M_eg M_gh M_he,

and an iteration costs a few products of m x m matrices. The iterates (w, t, s) are feasible, the
dual ones (X, p, z) need not be: any X >= 0 and p >= 0 give a lower bound (see dual.py).
Directions are those of Helmberg et al. (1996) with Mehrotra's predictor and corrector.
"""

import time

import numpy as np

from dadao_sim.networks.rates.dual import DualPoint
from dadao_sim.networks.rates.interior_point_graph import GraphTerms, step_length
from dadao_sim.networks.rates.problem import RateProblem

ITERATIONS = 100
PATIENCE = 6  # iterations without progress of the gap: rounding is all that is left
PROGRESS = 0.9
TO_BOUNDARY = 0.95
SHORTEST_STEP = 1e-10


def interior_point(
    problem: RateProblem, tolerance: float, deadline: float, theta: float = 0.5
) -> tuple[np.ndarray, list[DualPoint]]:
    """Rates (m,), up to a factor, and one dual point per graph, within the relative ``tolerance``.

    Stops at ``deadline`` (of time.perf_counter) with the best point so far.
    """
    w = problem.even()
    graphs = [
        GraphTerms(graph.nodes, graph.edges, ids)
        for graph, ids in zip(problem.graphs, problem.members, strict=True)
    ]
    t = 0.5 * min(g.lambda_2(w) for g in graphs)
    s = 0.5 * min(g.least_conductance(w) for g in graphs)
    mu_t = (1 - theta) / t / sum(g.start_matrix(w, t) for g in graphs)
    mu_s = theta / s / sum(g.start_conductances(w, s) for g in graphs)
    for g in graphs:
        g.X *= mu_t
        g.p *= mu_s
    z = max(mu_t, mu_s) / w
    best_w, best_value, best_bound = w, 0.0, np.inf
    points, gap_at_best, stalled = [], np.inf, 0
    for _ in range(ITERATIONS):
        for g in graphs:
            g.refresh(w, t, s)
        value = _value(graphs, theta) / problem.total(w)
        if value > best_value:
            best_w, best_value = w, value
        bound = _bound(problem, graphs, theta)
        if bound < best_bound:
            best_bound = bound
            points = [g.dual_point() for g in graphs]
        gap = best_bound / best_value - 1
        stalled = 0 if gap < PROGRESS * gap_at_best else stalled + 1
        gap_at_best = min(gap, gap_at_best)
        if gap <= tolerance or stalled > PATIENCE or time.perf_counter() > deadline:
            break
        step = _step(problem, graphs, w, t, s, z, theta)
        if step is None:
            break
        w, t, s, z = step
    return best_w / problem.total(best_w), points


def _value(graphs: list[GraphTerms], theta: float) -> float:
    """lambda_2^(1-theta) C^theta of the present rates, worst over the graphs."""
    lambda_2 = min(g.eigenvalue for g in graphs)
    return float(lambda_2 ** (1 - theta) * min(g.C.min() for g in graphs) ** theta)


def _bound(problem: RateProblem, graphs: list[GraphTerms], theta: float) -> float:
    """Upper bound of the value over all rates of cost 1, by the arithmetic of dual.py.

    Approximate only in that rounding may leave X slightly indefinite: it decides when to stop.
    """
    load = np.zeros(problem.size)
    for g in graphs:
        load[g.ids] += g.over_edges(g.X) + g.dC @ g.p
    trace, mass = sum(np.trace(g.X) for g in graphs), sum(g.p.sum() for g in graphs)
    scale = ((1 - theta) / trace) ** (1 - theta) * (theta / mass) ** theta
    return float((load / problem.cost).max() * scale)


def _step(
    problem: RateProblem,
    graphs: list[GraphTerms],
    w: np.ndarray,
    t: float,
    s: float,
    z: np.ndarray,
    theta: float,
) -> tuple[np.ndarray, float, float, np.ndarray] | None:
    """One iteration from (w, t, s, z), X and p in ``graphs``; None where rounding ends it."""
    from scipy.linalg import cho_solve
    from scipy.linalg.lapack import dpotrf

    m = problem.size
    hessian = np.zeros((m + 2, m + 2))
    hessian[range(m), range(m)] = z / w
    hessian[m, m], hessian[m + 1, m + 1] = (1 - theta) / t**2, theta / s**2
    for g in graphs:
        g.add_hessian(hessian)
    scale = np.concatenate([w, [t, s]])  # in relative changes the system is well conditioned
    hessian *= scale
    hessian *= scale[:, None]
    factor, failed = dpotrf(hessian, lower=1)
    if failed:
        return None

    def direction(centre: float, previous: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Changes of (w, t, s) and of z towards the point of the central path at ``centre``;
        second-order terms as if the changes were the ``previous`` ones.
        """
        z_aim = centre / w
        if previous is not None:
            z_aim = z_aim - previous[m + 2 :] * previous[:m] / w
        gradient = np.concatenate([problem.cost - z_aim, [-(1 - theta) / t, -theta / s]])
        for g in graphs:
            g.aim(centre, second_order=previous is not None)
            g.add_gradient(gradient)
        change = -scale * cho_solve((factor, True), scale * gradient)
        for g in graphs:
            g.follow(change)
        return change, z_aim - z * change[:m] / w - z

    def lengths(change: np.ndarray, dz: np.ndarray, most: float) -> tuple[float, float]:
        primal = step_length(scale, change, most)
        primal = min(primal, *(g.primal_length(most) for g in graphs))
        # C is concave: its linear model promises more than there is.
        while primal > SHORTEST_STEP and not _inside(graphs, scale + primal * change):
            primal *= 0.9
        return primal, min(step_length(z, dz, most), *(g.dual_length(most) for g in graphs))

    count = m + sum(g.count for g in graphs)
    mu = (z @ w + sum(g.complementarity(0.0, 0.0) for g in graphs)) / count
    change, dz = direction(0.0, None)
    primal, dual = lengths(change, dz, 1.0)
    ahead = (z + dual * dz) @ (w + primal * change[:m])
    ahead = (ahead + sum(g.complementarity(primal, dual) for g in graphs)) / count
    sigma = min(1.0, max(1e-6, (max(ahead, 0.0) / mu) ** 3))
    change, dz = direction(sigma * mu, np.concatenate([change, dz]))
    primal, dual = lengths(change, dz, TO_BOUNDARY)
    if max(primal, dual) <= SHORTEST_STEP:
        return None
    for g in graphs:
        g.X = g.X + dual * g.dX
        g.p = g.p + dual * g.dp
    ahead_point = scale + primal * change
    return ahead_point[:m], float(ahead_point[m]), float(ahead_point[m + 1]), z + dual * dz


def _inside(graphs: list[GraphTerms], point: np.ndarray) -> bool:
    return all(g.is_inside(point[:-2], point[-2], point[-1]) for g in graphs)
