r"""SONATA with linearised surrogates (SONATA-L): gradient tracking with a proximal step.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth, F mu-strongly convex; the graph may
    change in every round.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and h = y - g, where y is the
    node's estimate of the mean gradient; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, H, G stack the rows of the nodes)
    Xhat = prox_{r/tau}(X - Y/tau);  X+ = W (X + gamma (Xhat - X));
    Y+ = W (Y + grad F(X+) - grad F(X)), that is G+ = grad F(X+), H+ = W (H + G+) - G+
Constants
    W = I - Laplacian/lambda_max with unit weights, symmetric and doubly stochastic. tau = L,
    gamma = sqrt(lambda_2/lambda_max)/2, on a sequence with the worst graph (our choice: it makes
    gamma/tau the default step of gradient tracking).
Guarantee
    Linear to x* for gamma small enough; the proven bound is far smaller than what works.
    The mean over the nodes of y is always that of the gradients: sum_i h_i = 0.
Reference
    Y. Sun, G. Scutari, A. Daneshmand, "Distributed Optimization Based on Gradient Tracking
    Revisited: Enhancing Convergence Rate via Surrogation", SIAM Journal on Optimization 32(2),
    2022, Algorithm 1.

A step counts as one round of gossip whose messages carry two vectors, the second of which can be
sent only when the first has arrived.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.connectivity import condition_number
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import one_round_per_step
from dadao_sim.algorithms.contract.method import Costs, SynchronousMethod, Tuning
from dadao_sim.engine.node import State


class Params(NamedTuple):
    """The constants of the module's docstring."""

    tau: float
    gamma: float


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("sonata", overrides)
    c.measure(L=lambda: problem.L)
    c.chi = condition_number(network)
    c.tau = c.L
    c.gamma = 1 / (2 * math.sqrt(c.chi))
    c.positive("tau", "gamma")
    return one_round_per_step(network, c, c.fill(Params), prox_step=1 / c.tau)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients, and one round of gossip of two vectors."""
    p = tuning.params
    x, h, g = (state.values[:, block] for block in range(3))
    if k == 0:
        g[:] = rows.gradients(objective, x, ~mark & (2**64 - 1))
    x_hat = rows.prox(objective, x - (h + g) / p.tau, 1 / p.tau)
    (x[:],) = tuning.gossip.apply(k, x + p.gamma * (x_hat - x))
    g[:] = rows.gradients(objective, x, mark)
    (mixed,) = tuning.gossip.apply(k, h + g)
    h[:] = mixed - g


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, y = grad F(x*): h_i = (grad F - grad f_i)(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    return {"x": x, "h": gradients.mean(axis=0) - gradients, "g": gradients}


METHOD = SynchronousMethod(
    name="sonata",
    title="SONATA",
    family="tracking",
    look="black long P",
    blocks=("x", "h", "g"),
    start_block="x",
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    composite="proven",
    costs=Costs(vectors=2, in_sequence=2),
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="sun2022distributed",
)
