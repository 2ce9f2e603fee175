r"""PG-EXTRA: the exact first-order method EXTRA with a proximal step; EXTRA where there is no r.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex and L-smooth.
State
    per node x and the dual y, which starts at 0.
Step (X, Y stack the rows of the nodes)
    X+ = prox_{a r}(W X - a grad F(X) - Y);  Y+ = Y + (I - W) X/2
    This is H+ = W X+ + H - Wt X - a (grad F(X+) - grad F(X)), X = prox_{a r}(H) of the paper with
    Wt = (I + W)/2 and H = W X - a grad F(X) - Y of the step before.
Constants
    W = I - Laplacian/lambda_max with unit weights, so that lambda_min(Wt) = 1/2. ``step`` is a,
    0.9/L by default; the theorem asks for a < 2 lambda_min(Wt)/L = 1/L.
Guarantee
    To x*, at the rate o(1/k) of the optimality conditions' residual; linear where r = 0 and the f_i
    are strongly convex. sum_i y_i = 0.
Reference
    W. Shi, Q. Ling, G. Wu, W. Yin, "A Proximal Gradient Algorithm for Decentralized Composite
    Optimization", IEEE Transactions on Signal Processing 63(22), 2015, Algorithm 1.
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
    c = Constants("pg_extra", overrides)
    c.measure(L=lambda: problem.L)
    c.step = 0.9 / c.L
    c.positive("step")
    return one_round_per_step(network, c, c.fill(Params), prox_step=c.step)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients and one round of gossip."""
    step = tuning.params.step
    x, y = state.values[:, 0], state.values[:, 1]
    (mixed,) = tuning.gossip.apply(k, x)
    forward = mixed - step * rows.gradients(objective, x, mark) - y
    y += (x - mixed) / 2
    x[:] = rows.prox(objective, forward, step)


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, y_i = a (grad F - grad f_i)(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    return {"x": x, "y": tuning.params.step * (gradients.mean(axis=0) - gradients)}


METHOD = SynchronousMethod(
    name="pg_extra",
    title="PG-EXTRA",
    family="exact",
    look="sky dash-dot p",
    blocks=("x", "y"),
    start_block="x",
    invariant=("y",),
    stochastic=True,
    composite="proven",
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="shi2015proximal",
)
