"""Lower bounds on the least total rate from dual points, by direct arithmetic.

For every graph let X >= 0 with X 1 = 0, p >= 0 over some of its edges, and a potential phi_e with
b_e^T phi_e = 1 for each of those; Phi = sum_e p_e phi_e phi_e^T. For rates w of cost 1,
lambda_2(L_w) tr X <= <X, L_w>, and C_e(w) <= phi_e^T L_w phi_e (Thomson: C_e is its minimum over
the potentials). Hence with t = min lambda_2 and s = min C over the graphs, sums over the graphs and

    2 sqrt(t tr X) sqrt(s sum p) <= t tr X + s sum p <= sum_g w_g (b_g^T X b_g + b_g^T Phi b_g),

so that f* <= max_g (b_g^T X b_g + b_g^T Phi b_g) / cost_g / (2 sqrt(tr X sum p)), for *any* such
point; the least total rate is 1/f*. Scaling X by rho and p by 1/rho gives the best of a family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.selected_inverse import SelectedInverse

ROUNDING = 1e-10  # allowance for floating point, relative
DOUBT = 1e-6  # error of a sum at which its terms are not believed
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

    def trace_and_loads(self, edges: np.ndarray) -> tuple[float, np.ndarray]:
        """tr X, and b_g^T X b_g of every edge g of the graph, (|E|,)."""
        return _trace_and_loads(self.factor, edges)

    def mass_and_energies(self, edges: np.ndarray) -> tuple[float, np.ndarray]:
        """sum p, and b_g^T Phi b_g of every edge g of the graph, (|E|,)."""
        p = np.maximum(self.p, 0)
        return float(p.sum()), _energies(edges, self.edges, p, self.potentials)


@dataclass(frozen=True, eq=False)
class SparseDualPoint:
    """X = factor factor^T (n, k), and p (|E|,) with the potentials L_w^+ b_e of the rates w (|E|,).

    Exact potentials, of all edges, that are never written down: see ``SelectedInverse``. What
    their sums should be tells whether rounding has spoilt them: then the point says nothing.
    """

    factor: np.ndarray
    p: np.ndarray
    rates: np.ndarray
    inverse: SelectedInverse

    def trace_and_loads(self, edges: np.ndarray) -> tuple[float, np.ndarray]:
        """As those of a DualPoint."""
        return _trace_and_loads(self.factor, edges)

    def mass_and_energies(self, edges: np.ndarray) -> tuple[float, np.ndarray]:
        """As those of a DualPoint."""
        p, w = np.maximum(self.p, 0), self.rates
        resistances = self.inverse.resistances(w)
        energies = self.inverse.energies(w, p / resistances**2)
        return float(p.sum()), believed(self.inverse.nodes, energies, w, p, resistances)


AnyDualPoint: TypeAlias = DualPoint | SparseDualPoint


def believed(
    nodes: int, energies: np.ndarray, w: np.ndarray, p: np.ndarray, resistances: np.ndarray
) -> np.ndarray:
    """The energies of ``SelectedInverse`` for p over the rates w, a little larger; nan if in doubt.

    sum_g w_g R_g = n - 1 (Foster), and sum_g w_g b_g^T Phi b_g = sum_e p_e / R_e.
    """
    if not (resistances > 0).all():
        return np.full(len(energies), np.nan)
    wrong = abs(w @ resistances / (nodes - 1) - 1)
    wrong += abs(w @ energies / (p / resistances).sum() - 1)
    return energies * (1 + 10 * wrong) if wrong < DOUBT else np.full(len(energies), np.nan)


def lower_bound(problem: RateProblem, points: Sequence[AnyDualPoint]) -> float:
    """A lower bound on the least total rate, from one dual point per graph; 0 if it says nothing.

    The scales of X and of p matter from graph to graph, not against each other.
    """
    x, phi = np.zeros(problem.size), np.zeros(problem.size)
    trace = mass = 0.0
    for graph, ids, point in zip(problem.graphs, problem.members, points, strict=True):
        more, loads = point.trace_and_loads(graph.edges)
        trace += more
        x[ids] += loads
        more, loads = point.mass_and_energies(graph.edges)
        mass += more
        phi[ids] += loads
    return bound_of_loads(problem, trace, x, mass, phi)


def bound_of_loads(
    problem: RateProblem, trace: float, x: np.ndarray, mass: float, phi: np.ndarray
) -> float:
    """The bound of points with these sums: x = b_g^T X b_g and phi = b_g^T Phi b_g, (m,) each."""
    if not (trace > 0 and mass > 0 and np.isfinite(x).all() and np.isfinite(phi).all()):
        return 0.0
    bound = _best_scaling(x / trace / problem.cost, phi / mass / problem.cost)
    return (1 - ROUNDING) / bound


def _trace_and_loads(factor: np.ndarray, edges: np.ndarray) -> tuple[float, np.ndarray]:
    factor = factor - factor.mean(axis=0)
    i, j = edges.T
    return float((factor**2).sum()), ((factor[i] - factor[j]) ** 2).sum(axis=1)


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
