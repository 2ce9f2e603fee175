"""Lower bounds on the least total rate from dual points, by direct arithmetic.

For every graph let X >= 0 with X 1 = 0, p >= 0 over some of its edges, and a potential phi_e with
b_e^T phi_e = 1 for each of those; Phi = sum_e p_e phi_e phi_e^T. For rates w of cost 1,
lambda_2(L_w) tr X <= <X, L_w>, and C_e(w) <= phi_e^T L_w phi_e (Thomson: C_e is its minimum over
the potentials). Hence with t = min lambda_2 and s = min C over the graphs, sums over the graphs and

    2 sqrt(t tr X) sqrt(s sum p) <= t tr X + s sum p <= sum_g w_g (b_g^T X b_g + b_g^T Phi b_g),

so that f* <= max_g (b_g^T X b_g + b_g^T Phi b_g) / cost_g / (2 sqrt(tr X sum p)), for *any* such
point; the least total rate is 1/f*. Scaling X by rho and p by 1/rho gives the best of a family.
"""

from dataclasses import dataclass

import numpy as np

from dadao_sim.networks.rates.problem import RateProblem

ROUNDING = 1e-10  # allowance for floating point, relative
BLOCK = 512  # potentials at a time: their differences over all edges are a (|E|, BLOCK) array


@dataclass(frozen=True, eq=False)
class DualPoint:
    """X = factor factor^T (n, k), p (l,) and potentials (n, l), of one graph.

    Whatever the numbers are, they stand for a feasible point: ``lower_bound`` centres the factor,
    clips p at 0 and divides the potential of edge e = ``edges[k]`` by b_e^T phi_e.
    """

    factor: np.ndarray
    p: np.ndarray
    edges: np.ndarray
    potentials: np.ndarray


def lower_bound(problem: RateProblem, points: list[DualPoint]) -> float:
    """A lower bound on the least total rate, from one dual point per graph; 0 if it says nothing.

    The scales of X and of p matter from graph to graph, not against each other.
    """
    x, phi = np.zeros(problem.size), np.zeros(problem.size)
    trace = mass = 0.0
    for graph, ids, point in zip(problem.graphs, problem.members, points, strict=True):
        factor = point.factor - point.factor.mean(axis=0)
        trace += float((factor**2).sum())
        i, j = graph.edges.T
        x[ids] += ((factor[i] - factor[j]) ** 2).sum(axis=1)
        p = np.maximum(point.p, 0)
        mass += float(p.sum())
        phi[ids] += _energies(graph.edges, point.edges, p, point.potentials)
    if not (trace > 0 and mass > 0 and np.isfinite(x).all() and np.isfinite(phi).all()):
        return 0.0
    bound = _best_scaling(x / trace / problem.cost, phi / mass / problem.cost)
    return (1 - ROUNDING) / bound


def _energies(
    edges: np.ndarray, chosen: np.ndarray, p: np.ndarray, potentials: np.ndarray
) -> np.ndarray:
    """b_g^T Phi b_g of every edge g of the graph, (|E|,)."""
    i, j = edges.T
    energies = np.zeros(len(edges))
    for first in range(0, len(chosen), BLOCK):
        part = slice(first, first + BLOCK)
        each, ends = potentials[:, part], edges[chosen[part]]
        column = np.arange(each.shape[1])
        drop = each[ends[:, 0], column] - each[ends[:, 1], column]
        energies += (each[i] - each[j]) ** 2 @ (p[part] / drop**2)
    return energies


def _best_scaling(x: np.ndarray, phi: np.ndarray) -> float:
    """min over rho of max_g (rho x_g + phi_g / rho) / 2: convex in log rho."""
    from scipy.optimize import minimize_scalar

    centre = 0.5 * np.log(phi.max() / x.max())

    def bound(offset: float) -> float:
        rho = np.exp(centre + offset)
        return 0.5 * float((rho * x + phi / rho).max())

    best = minimize_scalar(bound, bounds=(-3, 3), method="bounded", options={"xatol": 1e-10})
    return min(bound(best.x), bound(0.0))
