r"""NIDS: network-independent steps; a node's own step depends on its own f_i alone.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex and L_i-smooth.
State
    per node x, the z of which x is the prox, and the dual d, which starts at 0.
Step (X, Z, D stack the rows of the nodes; A = diag(a_i))
    S = 2 X - Z - A (grad F(X) + D);  D+ = D + c (I - W) S;
    Z+ = X - A (grad F(X) + D+);  X+ = prox_{A r}(Z+).  In the first step D stays.
    This is Z+ = Z - X + What (2 X - X- - A (grad F(X) - grad F(X-))) of the paper, minus signs
    marking the step before, What = I - c A (I - W).
Constants
    W = I - Laplacian/lambda_max with unit weights. ``step`` is the step of a node whose L_i is the
    largest, 1/L by default; the others take a_i = step L/L_i, or where ``own_steps`` is 0 all take
    ``step``. c = 1/(2 max a_i). The theorem asks for a_i < 2/L_i and, since I - W <= I here,
    c <= 1/max a_i, which takes half the rounds where the network is what limits.
Guarantee
    To x*, at the rate o(1/k) of the optimality conditions' residual; linear where r = 0 and the f_i
    are strongly convex, network and f_i apart: O(max(L_i/mu_i, 1/(1 - lambda_2(W))) log(1/eps)).
    sum_i d_i = 0.
Reference
    Z. Li, W. Shi, M. Yan, "A Decentralized Proximal-Gradient Method With Network Independent
    Step-Sizes and Separated Convergence Rates", IEEE Transactions on Signal Processing 67(17),
    2019, Algorithm 1.

The fixed point of an operator that is no prox of one r at all steps (``LocalStep.exact`` false)
depends on the step: all nodes then take the same.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import one_round_per_step
from dadao_sim.algorithms.contract.method import SynchronousMethod, Tuning
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError


class Params(NamedTuple):
    """The constants of the module's docstring; ``a`` (n,) holds the a_i."""

    c: float
    a: np.ndarray


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("nids", overrides)
    exact = problem.local_step is None or problem.local_step.exact
    c.measure(L=lambda: problem.L)
    c.step = 1 / c.L
    c.positive("step")
    own_steps = c.whole("own_steps", int(exact), least=0, most=1)
    if own_steps and not exact:
        raise InputError(
            "algorithms: nids: parameter 'own_steps' must be 0 with a local step that is not "
            "exact: its fixed point depends on the step"
        )
    a = c.step * c.L / problem.node_L if own_steps else np.full(problem.nodes, c.step)
    c.c = 1 / (2 * a.max())
    c.positive("c")
    return one_round_per_step(network, c, c.fill(Params, a=a), prox_step=c.step)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients and one round of gossip."""
    p = tuning.params
    a = p.a[:, None]
    x, z, d = (state.values[:, block] for block in range(3))
    forward = x - a * rows.gradients(objective, x, mark)
    if k == 0:
        z[:] = x + forward - a * d  # S = 0: the paper begins without gossip
    s = x + forward - z - a * d
    (mixed,) = tuning.gossip.apply(k, s)
    d += p.c * (s - mixed)
    z[:] = forward - a * d
    x[:] = rows.prox(objective, z, p.a)


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, d_i = (grad F - grad f_i)(x*), z_i = x* - a_i grad F(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    mean = gradients.mean(axis=0)
    return {"x": x, "z": x - tuning.params.a[:, None] * mean, "d": mean - gradients}


METHOD = SynchronousMethod(
    name="nids",
    title="NIDS",
    family="exact",
    look="orange solid h",
    blocks=("x", "z", "d"),
    start_block="x",
    invariant=("d",),
    stochastic=True,
    composite="proven",
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="li2019decentralized",
)
