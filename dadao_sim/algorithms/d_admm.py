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

A local solve is done by accelerated proximal gradient steps from the node's last x, to rounding, at
steps 1/(L_i + 2 c deg_i); where the operator of r is not exact all nodes take the smallest.
"""

import math

import numpy as np

from dadao_sim.algorithms.contract.gossip import laplacian
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """The penalty, and per node the curvature 2 c deg_i and the step of its local solves."""
    c.measure(c=lambda: penalty("d_admm", c))
    c.of_nodes(**of_local_solves(problem, 2 * c.c * network.laplacian().diagonal()))


def of_local_solves(problem, curvature):
    """The ``curvature`` (n,) that a method adds, and the ``step`` of the local solves with it."""
    step = 1 / (problem.node_L + curvature)
    if problem.local_step is not None and not problem.local_step.exact:
        step = np.full(problem.nodes, step.min())
    return {"curvature": curvature, "step": step}


def penalty(method, c):
    """sqrt(mu L/(lambda_2 lambda_max)); InputError where there is no mu."""
    try:
        return math.sqrt(c.mu * c.L / (c.lambda_2 * c.lambda_max))
    except InputError as error:
        reason = f"its c needs mu; give one by parameters: {{c: ...}} ({error})"
        raise InputError(f"{method}: {reason}") from error


def step(s, c, nodes, W):
    """alpha+ = alpha + c W X;  x_i+ = argmin f_i(x) + r(x) + c deg_i ||x||^2 - <x, v_i>,
    V = 2 c Deg X - c W X - alpha+, W the Laplacian Deg - Adjacency.
    """
    difference = c.c * W(s.x)
    s.alpha += difference
    v = c.curvature * s.x - difference - s.alpha
    s.x = nodes.local_solves(v, c.curvature, c.step, start=s.x)


def fixed_point(x, g, mean, c):
    """x = x*, alpha_i = (grad F - grad f_i)(x*)."""
    return {"x": x, "alpha": mean - g}


METHOD = RoundMethod(
    name="d_admm",
    title="D-ADMM",
    family="dual",
    look="vermilion solid ^",
    reference="shi2014linear",
    blocks=("x", "alpha"),
    invariant=("alpha",),
    composite="proven",
    weights=laplacian,
    constants=constants,
    tunes=("c",),
    step=step,
    fixed_point=fixed_point,
)
