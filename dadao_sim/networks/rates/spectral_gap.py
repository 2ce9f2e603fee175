"""Certificates of large graphs whose factors are full, expanders: two bounds of one constant each.

For rates w of cost 1, f(w)^2 = lambda_2(w) C(w), and each factor has a bound of its own. By
Foster's theorem sum_e w_e R_e = n - 1, so that C <= 1/((n - 1) c), c the price of the cheapest
exchange: expanders come within a few percent of it at even rates, all their resistances being
alike. And for any X >= 0 with X 1 = 0,

    lambda_2(w) tr X <= <X, L_w> = sum_g w_g b_g^T X b_g <= max_g b_g^T X b_g / cost_g.

The X that bring this near are of high rank, hundreds in expanders, where so many eigenvalues lie
near the smallest. Here L-BFGS in w = u^2 minimises (1/r) log sum_k lambda_k^-r for r = 8, 16, ...;
minus its gradient is b_g^T X b_g for X = sum_k lambda_k^(-r-1) v_k v_k^T, so that where the descent
ends these are even. The lowest eigenpairs come from iterated subspaces, filtered by Chebyshev
polynomials of L, each from the one before. How good they are decides how good the bound is, not
whether it is one: X is one for any vectors v_k.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.networks.network import Network
from dadao_sim.networks.rates.dual import ROUNDING
from dadao_sim.networks.rates.problem import RateProblem

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_NODES = 50_000  # some ten minutes
STAGES = ((8, 8), (16, 12), (32, 15), (64, 15))  # exponents, and steps of L-BFGS at each
GOAL = 0.01  # relative distance of lambda_2 from its bound at which the descent ends
VECTORS = 2.0  # in sqrt(2 |E|): so many eigenvalues meet at the optimum, by counting constraints
LEAST_VECTORS, MOST_VECTORS = 16, 512
DEGREE = 16  # of the filter
FIRST_ROUNDS = 6  # of filtering, from random vectors
SMALLEST = 1e-5  # u, relative to that of even spending
BLOCK = 8192  # edges at a time
NOTHING = 1e-14  # eigenvalue, relative to the largest: that of rounding


def widest_gap(problem: RateProblem, deadline: float) -> tuple[np.ndarray, float]:
    """Rates (m,) of cost 1 of nearly the largest lambda_2, the least over the graphs, and an upper
    bound of the lambda_2 of all rates of cost 1.

    Stops at ``deadline`` (of time.perf_counter); the bound is infinite if that leaves no time.
    """
    from scipy.optimize import minimize

    descent = _Descent(problem, deadline)
    u = np.ones(problem.size)
    try:
        for exponent, steps in STAGES:
            descent.exponent = exponent
            found = minimize(
                descent,
                u,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": steps, "maxcor": 20, "ftol": 0.0, "gtol": 0.0},
            )
            u = np.maximum(np.abs(found.x), SMALLEST)
            u /= np.sqrt(np.mean(u**2))
    except _Enough:
        pass
    return descent.best, descent.bound


def bound_by_lambda_2(problem: RateProblem, largest: float) -> float:
    """A lower bound on the least total cost, from an upper one of lambda_2 over rates of cost 1."""
    cheapest = float((problem.cost / problem.share).min())
    return (1 - ROUNDING) * math.sqrt((problem.nodes - 1) * cheapest / largest)


class _Enough(Exception):
    """The deadline has come, or the gap is closed."""


class _Descent:
    """The smoothed objective and its gradient in u at the present exponent, w = u^2 times the rates
    that are as dear everywhere; remembers the best rates and the best bound.
    """

    def __init__(self, problem: RateProblem, deadline: float):
        self.problem, self.deadline = problem, deadline
        self.exponent = 1.0
        self.unit = problem.even()
        self.subspaces = [LowSubspace(graph) for graph in problem.graphs]
        self.best, self.largest, self.bound = self.unit, 0.0, math.inf

    def __call__(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        if time.perf_counter() > self.deadline:
            raise _Enough
        from scipy.special import logsumexp

        problem, r = self.problem, self.exponent
        u = np.maximum(np.abs(u), SMALLEST) * np.where(u < 0, -1, 1)
        w = self.unit * u**2
        w /= problem.total(w)
        low = [
            space.at(rates)
            for space, rates in zip(self.subspaces, problem.by_graph(w), strict=True)
        ]
        log_sum = float(logsumexp(np.concatenate([-r * np.log(values) for values, _ in low])))
        x, trace = np.zeros(problem.size), 0.0
        for graph, ids, (values, vectors) in zip(problem.graphs, problem.members, low, strict=True):
            weight = np.exp(-r * np.log(values) - log_sum) / values
            trace += float((vectors**2).sum(axis=0) @ weight)
            x[ids] += loads(vectors * np.sqrt(weight), graph.edges)
        if np.isfinite(x).all() and trace > 0:
            self.bound = min(self.bound, (1 + ROUNDING) * float((x / problem.cost).max()) / trace)
        smallest = min(float(values[0]) for values, _ in low)
        if smallest > self.largest:
            self.best, self.largest = w, smallest
        if self.bound <= (1 + GOAL) * self.largest:
            raise _Enough
        return log_sum / r, 2 * w * (problem.cost * (x @ w) - x) / u


def loads(factor: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """b_g^T X b_g of every edge, (|E|,), for X = factor factor^T (n, k)."""
    found = np.empty(len(edges))
    for first in range(0, len(edges), BLOCK):
        i, j = edges[first : first + BLOCK].T
        found[first : first + BLOCK] = ((factor[i] - factor[j]) ** 2).sum(axis=1)
    return found


class LowSubspace:
    """The lowest eigenpairs of a connected graph's Laplacian off 1, from rates to rates."""

    def __init__(self, graph: Network):
        self.graph = graph
        wanted = int(VECTORS * math.sqrt(2 * len(graph.edges)))
        count = min(graph.nodes - 1, max(LEAST_VECTORS, min(wanted, MOST_VECTORS)))
        self._vectors = np.random.default_rng(0).standard_normal((graph.nodes, count))
        self._highest: float | None = None  # of the eigenvalues, per unit of the bound of all

    def at(self, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Approximate eigenvalues (k,) > 0, ascending, and vectors (n, k) of mean zero."""
        laplacian = self.graph.laplacian(rates)
        degree = laplacian.diagonal()
        i, j = self.graph.edges.T
        largest = float((degree[i] + degree[j]).max())  # Anderson and Morley
        fresh = self._highest is None
        for _ in range(FIRST_ROUNDS if fresh else 1):
            low = largest * (0.1 if self._highest is None else min(self._highest, 0.9))
            filtered = _filtered(laplacian, self._vectors, low, largest)
            filtered -= filtered.mean(axis=0)
            values, self._vectors = _rayleigh_ritz(laplacian, filtered)
            self._highest = float(values[-1]) / largest
        return np.maximum(values, NOTHING * largest), self._vectors


def _filtered(laplacian: csr_array, vectors: np.ndarray, low: float, high: float) -> np.ndarray:
    """T_k((2 L - low - high)/(high - low)) of the vectors (n, k): what is below ``low`` grows."""
    scale, shift = 2 / (high - low), (high + low) / (high - low)
    before, now = vectors, scale * (laplacian @ vectors) - shift * vectors
    for _ in range(DEGREE - 1):
        before, now = now, 2 * (scale * (laplacian @ now) - shift * now) - before
    return now


def _rayleigh_ritz(laplacian: csr_array, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ritz values, ascending, and orthonormal vectors of the span of the vectors (n, k)."""
    vectors, _ = np.linalg.qr(vectors / np.linalg.norm(vectors, axis=0))
    vectors -= vectors.mean(axis=0)
    values, basis = np.linalg.eigh(vectors.T @ (laplacian @ vectors))
    return values, vectors @ basis
