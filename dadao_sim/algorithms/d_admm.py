r"""D-ADMM: the decentralised alternating direction method of multipliers.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex; node i can minimise f_i + r plus a
    quadratic.
State
    per node x and the multiplier alpha, which starts at 0.
Step (N_i the neighbours of node i, deg_i their number)
    alpha_i+ = alpha_i + c sum_{j in N_i} (x_i - x_j);
    x_i+ = argmin_x f_i(x) + r(x) + c deg_i ||x||^2
                    - <x, c sum_{j in N_i} (x_i + x_j) - alpha_i+>
    The paper writes alpha after x, and its alpha_0 = 0 is here where the nodes start together.
Constants
    ``c`` = sqrt(mu L/(lambda_2 lambda_max)) of the Laplacian with unit weights by default (our
    choice: near the best on paths, stars, cycles and grids); any c > 0 converges. mu is needed for
    this default only.
Guarantee
    Linear to x* where r = 0 and the f_i are strongly convex and smooth, at a rate that improves
    with sqrt(mu/L) and the graph's connectivity; to x* in any case. sum_i alpha_i = 0.
Reference
    W. Shi, Q. Ling, K. Yuan, G. Wu, W. Yin, "On the Linear Convergence of the ADMM in Decentralized
    Consensus Optimization", IEEE Transactions on Signal Processing 62(7), 2014.

A local solve is counted as one conjugate gradient: it is that of f_i + r + c deg_i ||.||^2. It is
done by accelerated proximal gradient steps from the node's last x, to rounding, at steps
1/(L_i + 2 c deg_i); where the operator of r is not exact all nodes take the smallest of these.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.method import Costs, SynchronousMethod, Tuning
from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError

X, ALPHA = range(2)
TOLERANCE = 1e-15
"""Of a local step, relative to what it is the sum of; 1/q times this remains in x at worst, q the
inverse condition of the local problem.
"""
MOST_STEPS = 10**6
NO_MARK = np.uint64(0)


class Params(NamedTuple):
    """The penalty c, and per node (n,) 2 c deg_i, the local step, the momentum of the local solve
    and its largest number of steps.
    """

    c: float
    curvature: np.ndarray
    step: np.ndarray
    momentum: np.ndarray
    limit: np.ndarray


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose edges all have weight 1."""
    c = Constants("d_admm", overrides)
    c.measure(lambda_max=network.lambda_max, lambda_2=network.lambda_2)
    c.measure(L=lambda: problem.L)
    if "c" not in overrides:
        try:
            c.measure(mu=lambda: problem.mu)
        except InputError as error:
            reason = f"its c needs mu; give one by parameters: {{c: ...}} ({error})"
            raise InputError(f"algorithms: d_admm: {reason}") from error
    c.measure(c=lambda: math.sqrt(c.mu * c.L / (c.lambda_2 * c.lambda_max)))
    c.positive("c")
    laplacian = network.laplacian()
    curvature = 2 * c.c * laplacian.diagonal()
    step = 1 / (problem.node_L + curvature)
    if problem.local_step is not None and not problem.local_step.exact:
        step[:] = step.min()
    root = np.sqrt(step * curvature)
    edges = len(network.edges)
    return Tuning(
        params=c.fill(
            Params,
            curvature=curvature,
            step=step,
            momentum=(1 - root) / (1 + root),
            # (1 - root)^k bounds the error of the value, relative.
            limit=np.minimum(-2 * math.log(TOLERANCE) / root, MOST_STEPS).astype(np.int64),
        ),
        constants=c.values,
        communications=edges,
        design_rate=edges,
        gossip=laplacian,
        prox_step=float(step.min()),
    )


def solve(objective, p, V, X, work):
    """Row i of X (n, d) becomes argmin f_i + r + curvature_i ||.||^2/2 - <V_i, .>, starting from
    itself; ``work`` (4, d) is scratch.
    """
    g, y, forward, after = work[0], work[1], work[2], work[3]
    for i in range(X.shape[0]):
        x, v, step = X[i], V[i], p.step[i]
        for k in range(x.shape[0]):
            y[k] = x[k]
        for _ in range(p.limit[i]):
            oracles.gradient(objective, i, y, NO_MARK, g)
            size, moved = 0.0, 0.0
            for k in range(x.shape[0]):
                forward[k] = y[k] - step * (g[k] + p.curvature[i] * y[k] - v[k])
                size = max(size, abs(y[k]), step * abs(g[k]), step * abs(v[k]))
            oracles.prox(objective, step, forward, after)
            for k in range(x.shape[0]):
                moved = max(moved, abs(after[k] - y[k]))
                y[k] = after[k] + p.momentum[i] * (after[k] - x[k])
                x[k] = after[k]
            if not moved > TOLERANCE * size:
                break


_compiled_solve = kernel(solve)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: one round of gossip, and a local solve at every node."""
    p = tuning.params
    x, alpha = state.values[:, X], state.values[:, ALPHA]
    difference = tuning.gossip @ x
    alpha += p.c * difference
    v = p.curvature[:, None] * x - p.c * difference - alpha
    run = _compiled_solve if isinstance(objective, tuple) else solve
    run(objective, p, v, x, np.empty((4, x.shape[1])))


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, X].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, alpha_i = (grad F - grad f_i)(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    return {"x": x, "alpha": gradients.mean(axis=0) - gradients}


METHOD = SynchronousMethod(
    name="d_admm",
    title="D-ADMM",
    family="dual",
    look="vermilion solid p",
    blocks=("x", "alpha"),
    start_block="x",
    invariant=("alpha",),
    composite="proven",
    costs=Costs(gradients=0.0, conjugates=1.0),
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="shi2014linear",
)
