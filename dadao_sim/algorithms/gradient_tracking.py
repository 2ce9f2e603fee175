r"""Gradient tracking: DIGing in its adapt-then-combine (ATC) form.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and h = y - g, where y is the
    node's estimate of the mean gradient; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, H stack the rows of the nodes)
    X+ = W (X - a Y);  Y+ = W (Y + grad F(X+) - grad F(X)).  In terms of h:
    X+ = W (X - a (H + G)),  G+ = grad F(X+),  H+ = W (H + G+) - G+
Constants
    W = I - Laplacian/lambda_max with unit weights, symmetric and doubly stochastic. ``step`` is
    a, sqrt(lambda_2/lambda_max)/(2L) by default (our choice: near the best on paths, stars,
    cycles and grids), on a sequence with the worst graph.
Guarantee
    Linear to x* for steps small enough; the proven bound is far smaller than what works.
    The mean over the nodes of y is always that of the gradients: sum_i h_i = 0.
Reference
    A. Nedic, A. Olshevsky, W. Shi, "Achieving Geometric Convergence for Distributed Optimization
    over Time-Varying Graphs", SIAM Journal on Optimization 27(4), 2017. ATC: J. Xu, S. Zhu,
    Y. C. Soh, L. Xie, "Augmented Distributed Gradient Methods for Multi-Agent Optimization under
    Uncoordinated Constant Stepsizes", CDC 2015.

A step counts as one round of gossip whose messages carry two vectors. The second can be sent only
when the first has arrived: on a network with latency that is twice the latency per step.
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

    step: float


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("gradient_tracking", overrides)
    c.measure(L=lambda: problem.L)
    c.chi = condition_number(network)
    c.step = 1 / (2 * c.L * math.sqrt(c.chi))
    return one_round_per_step(network, c, c.fill(Params))


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients, and one round of gossip of two vectors."""
    x, h, g = (state.values[:, block] for block in range(3))
    if k == 0:
        g[:] = rows.gradients(objective, x, ~mark & (2**64 - 1))
    (x[:],) = tuning.gossip.apply(k, x - tuning.params.step * (h + g))
    g[:] = rows.gradients(objective, x, mark)
    (mixed,) = tuning.gossip.apply(k, h + g)
    h[:] = mixed - g


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, y = 0: h_i = -grad f_i(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    return {"x": x, "h": -gradients, "g": gradients}


METHOD = SynchronousMethod(
    name="gradient_tracking",
    title="Gradient tracking",
    family="tracking",
    look="green dash-dot >",
    blocks=("x", "h", "g"),
    start_block="x",
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    no_composite="its form with one is the method sonata",
    costs=Costs(vectors=2, in_sequence=2),
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="nedic2017achieving",
)
