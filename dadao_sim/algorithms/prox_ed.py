r"""Prox-ED: exact diffusion with a proximal step; exact diffusion (D^2) where there is no r.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth and mu-strongly convex; every node knows
    the same r.
State
    per node x and the dual y, which starts at 0.
Step (X, Y, Z stack the rows of the nodes)
    Z = X - a grad F(X) - Y;  Y+ = Y + (I - W) Z/2;  X+ = prox_{a r}(Wt Z)
    This is Z = Wt Z- + (X - a grad F(X)) - (X- - a grad F(X-)) of the paper, minus signs marking
    the step before, Wt = (I + W)/2. Y_0 = 0 is Z_0 = X_0 - a grad F(X_0): a Y_0 whose mean over the
    nodes is not 0 leads elsewhere.
Constants
    W = I - Laplacian/lambda_max with unit weights. ``step`` is a, 1/L by default; the theorem asks
    for a < 2/L.
Guarantee
    Linear to x*, with the r that all nodes share. sum_i y_i = 0.
Reference
    S. A. Alghunaim, E. K. Ryu, K. Yuan, A. H. Sayed, "Decentralized Proximal Gradient Algorithms
    With Linear Convergence Rates", IEEE Transactions on Automatic Control 66(6), 2021.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import one_round_per_step
from dadao_sim.algorithms.contract.method import SynchronousMethod, Tuning
from dadao_sim.engine.node import State


class Params(NamedTuple):
    """The constants of the module's docstring."""

    step: float


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("prox_ed", overrides)
    c.measure(L=lambda: problem.L)
    c.step = 1 / c.L
    c.positive("step")
    return one_round_per_step(network, c, c.fill(Params), prox_step=c.step)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients and one round of gossip."""
    step = tuning.params.step
    x, y = state.values[:, 0], state.values[:, 1]
    z = x - step * rows.gradients(objective, x, mark) - y
    (mixed,) = tuning.gossip.apply(k, z)
    y += (z - mixed) / 2
    x[:] = rows.prox(objective, (z + mixed) / 2, step)


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, y_i = a (grad F - grad f_i)(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    return {"x": x, "y": tuning.params.step * (gradients.mean(axis=0) - gradients)}


METHOD = SynchronousMethod(
    name="prox_ed",
    title="Prox-ED",
    family="exact",
    look="green long s",
    blocks=("x", "y"),
    start_block="x",
    invariant=("y",),
    stochastic=True,
    composite="proven",
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="alghunaim2021decentralized",
)
