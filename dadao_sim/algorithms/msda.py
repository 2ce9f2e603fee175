"""MSDA: multi-step dual accelerated method (SSDA is K = 1).

Problem
    minimise (1/n) sum_i f_i(x); node i can compute grad f_i*(y) = argmax_x <x, y> - f_i(x).
State
    per node x, y (both start at 0); the estimate of x* is grad f_i*(x_i).
Step (X, Y, T stack the rows of the nodes)
    T_i = grad f_i*(X_i);  Y+ = X - eta AccGossip(T);  X+ = (1 + mom) Y+ - mom Y
    AccGossip(v), Chebyshev acceleration over K rounds of gossip:
    a_0 = 1, a_1 = c2, v_0 = v, v_1 = c2 (v - c3 W v); a_{k+1} = 2 c2 a_k - a_{k-1},
    v_{k+1} = 2 c2 (v_k - c3 W v_k) - v_{k-1};  v - v_K/a_K
Constants
    W the Laplacian, g = lambda_2/lambda_max, c1 = (1 - sqrt g)/(1 + sqrt g), c2 = (1 + g)/(1 - g),
    c3 = 2/((1 + g) lambda_max), K = floor(1/sqrt g), eta = mu (1 + c1^{2K})/(1 + c1^K)^2,
    mom = ((1 + c1^K) sqrt kappa - 1 + c1^K)/((1 + c1^K) sqrt kappa + 1 - c1^K).
    Where K = 1, AccGossip(v) = c3 W v: c2 is infinite on a complete graph.
Guarantee
    ||x_t - x*|| = O((1 - 1/(2 sqrt kappa))^t) with K |E| communications a step (Theorem 4).
Reference
    K. Scaman, F. Bach, S. Bubeck, Y. T. Lee, L. Massoulie, "Optimal algorithms for smooth and
    strongly convex distributed optimization in networks", ICML 2017, Algorithm 2.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.connectivity import condition_number
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.method import Costs, SynchronousMethod, Tuning
from dadao_sim.engine.node import State

X, Y = range(2)
BLOCKS = ("x", "y")


class Params(NamedTuple):
    """The constants of the module's docstring."""

    c2: float
    c3: float
    eta: float
    momentum: float


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("msda", overrides)
    c.measure(mu=lambda: problem.mu, L=lambda: problem.L)
    c.measure(g=lambda: 1 / condition_number(network), lambda_max=network.lambda_max)
    c.c1 = (1 - math.sqrt(c.g)) / (1 + math.sqrt(c.g))
    c.c2 = (1 + c.g) / (1 - c.g) if c.g < 1 else math.inf
    c.c3 = 2 / ((1 + c.g) * c.lambda_max)
    K = c.whole("K", max(1, math.floor(1 / math.sqrt(c.g) + 1e-9)))
    kappa, c1K = c.L / c.mu, c.c1**K
    c.eta = c.mu * (1 + c1K**2) / (1 + c1K) ** 2
    root = (1 + c1K) * math.sqrt(kappa)
    c.momentum = (root - 1 + c1K) / (root + 1 - c1K)
    communications = K * len(network.edges)
    return Tuning(
        params=c.fill(Params),
        constants=c.values,
        communications=communications,
        design_rate=communications,
        gossip_rounds=K,
        gossip=network.laplacian(),
    )


def accelerated_gossip(v: np.ndarray, tuning: Tuning) -> np.ndarray:
    """AccGossip(v) of the module's docstring, v (n, d)."""
    c2, c3, W = tuning.params.c2, tuning.params.c3, tuning.gossip
    if tuning.gossip_rounds == 1:
        return c3 * (W @ v)
    a_before, a = 1.0, c2
    v_before, v_now = v, c2 * (v - c3 * (W @ v))
    for _ in range(tuning.gossip_rounds - 1):
        a_before, a = a, 2 * c2 * a - a_before
        v_before, v_now = v_now, 2 * c2 * (v_now - c3 * (W @ v_now)) - v_before
    return v - v_now / a


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n conjugate gradients, then K rounds of gossip."""
    x, y = state.values[:, X], state.values[:, Y]
    y_new = x - tuning.params.eta * accelerated_gossip(observe(state, tuning, objective), tuning)
    x[:] = (1 + tuning.params.momentum) * y_new - tuning.params.momentum * y
    y[:] = y_new


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """grad f_i*(x_i) of every node, (n, d)."""
    return rows.conjugate_gradients(objective, state.values[:, X])


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x_i = y_i = grad f_i(x*)."""
    gradients = problem.gradients(np.tile(problem.x_star, (problem.nodes, 1)))
    return {"x": gradients, "y": gradients}


METHOD = SynchronousMethod(
    name="msda",
    title="MSDA",
    family="accelerated",
    look="black dash-dot ^",
    blocks=BLOCKS,
    invariant=BLOCKS,
    needs_conjugate=True,
    no_composite="its rate rests on smooth f_i + r; use dual_proximal_gradient",
    costs=Costs(gradients=0.0, conjugates=1.0),
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="scaman2017optimal",
)
