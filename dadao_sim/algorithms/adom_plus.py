"""ADOM+, with and without multi-consensus: accelerated, synchronous, for time-varying graphs.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex; the graph may change in
    every round.
State
    per node x, y, z, m and the extrapolated x_f, y_f, z_f (which start at x, y, z).
Step (rows of the nodes stacked)
    x_g = tau1 x + (1-tau1) x_f,  y_g = sigma1 y + (1-sigma1) y_f,  z_g = sigma1 z + (1-sigma1) z_f,
    G = grad F(x_g)
    y+ = [y + theta beta (G - nu x_g) - (theta/nu)(y_g + z_g)
            - theta c (x + eta alpha x_g - eta (G - nu x_g))] / (1 + theta beta + theta eta c)
    x+ = c (x + eta alpha x_g - eta (G - nu x_g - y+))
    P = (gamma/nu)(y_g + z_g) + m;  z+ = z + gamma delta (z_g - z) - (I - M) P;  m+ = M P
    x_f = x_g + tau2 (x+ - x),  y_f = y_g + sigma2 (y+ - y),  z_f = z_g - zeta (I - M)(y_g + z_g)
Gossip
    M = prod_q (I - L_q) over the T rounds of the step, L_q the Laplacian of the graph of round q
    divided by its lambda_max. T = 1, or T = ceil(chi ln 2) with multi-consensus,
    chi = max_q lambda_max/lambda_2.
Constants
    with chi := 2 where T > 1: tau1 = 1/(sqrt(L/mu) + 1/2), tau2 = sqrt(mu/L),
    sigma2 = tau2/(16 chi), sigma1 = 1/(1/sigma2 + 1/2), eta = 1/(L tau2), alpha = mu/2,
    beta = 1/(2L), delta = 1/(17L), nu = mu/2, gamma = nu/(14 sigma2 chi^2),
    theta = nu/(4 sigma2), zeta = 1/2, c = 1/(1 + eta alpha).
Guarantee
    ||x_t - x*||^2 <= eps after O(chi sqrt(L/mu) log(1/eps)) steps (chi = 2 with multi-consensus).
Reference
    D. Kovalev, E. Gasanov, A. Gasnikov, P. Richtarik, "Lower bounds and optimal algorithms for
    smooth and strongly convex decentralized optimization over time-varying networks", NeurIPS 2021,
    Algorithm 2.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.connectivity import condition_number, rounds_of_multi_consensus
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import Mixing
from dadao_sim.algorithms.contract.method import Costs, SynchronousMethod, Tuning
from dadao_sim.engine.node import State

BLOCKS = ("x", "y", "z", "m", "x_f", "y_f", "z_f")


class Params(NamedTuple):
    """The constants of the module's docstring."""

    tau1: float
    tau2: float
    sigma1: float
    sigma2: float
    eta: float
    alpha: float
    beta: float
    delta: float
    nu: float
    gamma: float
    theta: float
    zeta: float
    c: float


def tune(
    problem: Any, network: Any, overrides: Mapping[str, float], *, multi_consensus: bool
) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("adom_plus" + "_multi_consensus" * multi_consensus, overrides)
    c.measure(mu=lambda: problem.mu, L=lambda: problem.L, chi=lambda: condition_number(network))
    T = c.whole("T", rounds_of_multi_consensus(c.chi)) if multi_consensus else 1
    chi = 2.0 if T > 1 else c.chi
    c.tau1 = 1 / (math.sqrt(c.L / c.mu) + 1 / 2)
    c.tau2 = math.sqrt(c.mu / c.L)
    c.sigma2 = c.tau2 / (16 * chi)
    c.sigma1 = 1 / (1 / c.sigma2 + 1 / 2)
    c.eta = 1 / (c.L * c.tau2)
    c.alpha, c.beta, c.delta, c.nu = c.mu / 2, 1 / (2 * c.L), 1 / (17 * c.L), c.mu / 2
    c.gamma = c.nu / (14 * c.sigma2 * chi**2)
    c.theta = c.nu / (4 * c.sigma2)
    c.zeta = 1 / 2
    c.c = 1 / (1 + c.eta * c.alpha)
    edges = sum(len(graph.edges) for graph in network.graphs) / len(network.graphs)
    return Tuning(
        params=c.fill(Params),
        constants=c.values,
        communications=T * edges,
        design_rate=T * edges,
        gossip_rounds=T,
        gossip=Mixing.normalised_laplacians(network.graphs, rounds=T),
    )


def start(values: dict[str, np.ndarray]) -> None:
    """The extrapolated blocks start at x, y, z."""
    for name in "xyz":
        values[f"{name}_f"] = values[name]


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients, then T rounds of gossip of two vectors."""
    p = tuning.params
    x, y, z, m, x_f, y_f, z_f = (state.values[:, block] for block in range(len(BLOCKS)))
    x_g = p.tau1 * x + (1 - p.tau1) * x_f
    y_g = p.sigma1 * y + (1 - p.sigma1) * y_f
    z_g = p.sigma1 * z + (1 - p.sigma1) * z_f
    G = rows.gradients(objective, x_g, mark)

    forward = x + p.eta * p.alpha * x_g - p.eta * (G - p.nu * x_g)
    y_new = (
        y
        + p.theta * p.beta * (G - p.nu * x_g)
        - (p.theta / p.nu) * (y_g + z_g)
        - p.theta * p.c * forward
    ) / (1 + p.theta * p.beta + p.theta * p.eta * p.c)
    x_new = p.c * (forward + p.eta * y_new)

    P = (p.gamma / p.nu) * (y_g + z_g) + m
    mixed_P, mixed = tuning.gossip.apply(k, P, y_g + z_g)
    z_new = z + p.gamma * p.delta * (z_g - z) - (P - mixed_P)

    m[:] = mixed_P
    x_f[:] = x_g + p.tau2 * (x_new - x)
    y_f[:] = y_g + p.sigma2 * (y_new - y)
    z_f[:] = z_g - p.zeta * (y_g + z_g - mixed)
    x[:], y[:], z[:] = x_new, y_new, z_new


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, y = grad f_i(x*) - nu x*, z = -grad f_i(x*); m only drifts by its mean."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    values = {"x": x, "y": gradients - tuning.params.nu * x, "z": -gradients, "m": 0 * x}
    start(values)
    return values


def method(name: str, title: str, look: str, *, multi_consensus: bool) -> SynchronousMethod:
    """ADOM+ under one of its two names."""
    return SynchronousMethod(
        name=name,
        title=title,
        family="accelerated",
        look=look,
        blocks=BLOCKS,
        start_block="x",
        invariant=("z", "z_f"),
        drifting=("m",),
        time_varying=True,
        costs=Costs(vectors=2),
        tune=partial(tune, multi_consensus=multi_consensus),
        optimum=optimum,
        start=start,
        on_round=on_round,
        observe=observe,
        reference="kovalev2021lower",
    )


METHOD = method("adom_plus", "ADOM+", "vermilion dotted D", multi_consensus=False)
MULTI_CONSENSUS = method(
    "adom_plus_multi_consensus",
    "ADOM+ (multi-consensus)",
    "purple long v",
    multi_consensus=True,
)
