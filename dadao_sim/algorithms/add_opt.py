r"""ADD-OPT and Push-DIGing: gradient tracking over directed graphs, by push-sum.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex; the graph may change in
    every round, and be strongly connected over several only.
State
    per node the sum x, its weight w, which starts at 1, the estimate z = x/w, the gradient
    g = grad f_i(z_i) it computed last, and h = y - g, where the sum over the nodes of y is that of
    the gradients; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, w, Y, Z stack the rows of the nodes)
    ADD-OPT:      X+ = C X - a Y
    Push-DIGing:  X+ = C (X - a Y)
    both:         w+ = C w,  Z+ = X+/w+,  Y+ = C Y + grad F(Z+) - grad F(Z)
    In terms of h:  G+ = grad F(Z+),  H+ = C (H + G) - G
    C_ji = 1/(1 + outdegree of i) for each arc i -> j and for j = i: column-stochastic.
Constants
    ``step`` is a. By default n min pi/(4L) of ADD-OPT and min(1, n min pi)/L of Push-DIGing, where
    C pi = pi, on a sequence the least pi; less where that is not stable, as on directed rings
    (``contract/tracked.py``). Our choice: it held on all digraphs that were tried.
Guarantee
    Linear to x* for a small enough; the proven bound is far smaller than what works.
    1^T (Y - G) and 1^T w stay: sum_i h_i = 0.
Reference
    C. Xi, R. Xin, U. A. Khan, "ADD-OPT: Accelerated Distributed Directed Optimization", IEEE
    Transactions on Automatic Control 63(5), 2018. Push-DIGing: A. Nedic, A. Olshevsky, W. Shi,
    "Achieving Geometric Convergence for Distributed Optimization over Time-Varying Graphs", SIAM
    Journal on Optimization 27(4), 2017.

One message goes along every arc, of two vectors and a number. The gradients at X_0 are computed,
and charged, before the first round.
"""

from dataclasses import replace

import numpy as np

from dadao_sim.algorithms.contract.directed import over_weights
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tracked import stable_step
from dadao_sim.networks.directed import perron_vectors


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = stable_step(network, "add_opt", least_weight(network) / 4) / c.L


def constants_of_push_diging(c, problem, network):
    """One step for all nodes."""
    c.step = stable_step(network, "push_diging", min(1.0, least_weight(network))) / c.L


def least_weight(network):
    """n min pi: the least weight w that a node has in the end."""
    pi, _ = perron_vectors(network)
    return network.nodes * pi.min()


def prepare(s, c, nodes, W):
    """w_0 = 1, Z_0 = X_0, Y_0 = grad F(X_0)."""
    s.w = np.ones_like(s.w)
    renew(s, c, nodes, W)


def renew(s, c, nodes, W):
    """Z = X/w, G = grad F(Z)."""
    s.z = over_weights(s.x, s.w)
    s.g = nodes.gradients(s.z)


def step(s, c, nodes, W):
    """X+ = C X - a Y,  w+ = C w,  Z+ = X+/w+,  Y+ = C Y + grad F(Z+) - grad F(Z)."""
    y = s.h + s.g
    x, s.w, pushed = W.C(s.x, s.w, y)
    s.x = x - c.step * y
    s.h = pushed - s.g
    renew(s, c, nodes, W)


def step_of_push_diging(s, c, nodes, W):
    """X+ = C (X - a Y),  w+ = C w,  Z+ = X+/w+,  Y+ = C Y + grad F(Z+) - grad F(Z)."""
    y = s.h + s.g
    s.x, s.w, pushed = W.C(s.x - c.step * y, s.w, y)
    s.h = pushed - s.g
    renew(s, c, nodes, W)


def fixed_point(x, g, mean, c):
    """w = n pi, x_i = n pi_i x*, z = x*, y = 0."""
    return {"x": c.n_pi * x, "w": c.n_pi, "z": x, "h": -g, "g": g}


ADD_OPT = RoundMethod(
    name="add_opt",
    title="ADD-OPT",
    family="tracking",
    look="green dotted >",
    reference="xi2018addopt",
    blocks=("x", "w", "z", "h", "g"),
    widths={"w": 1},
    estimate="z",
    invariant=("h",),
    directed=True,
    time_varying=True,
    stochastic=True,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    renew=renew,
    step=step,
    fixed_point=fixed_point,
)

PUSH_DIGING = replace(
    ADD_OPT,
    name="push_diging",
    title="Push-DIGing",
    look="blue long ^",
    reference="nedic2017achieving",
    constants=constants_of_push_diging,
    step=step_of_push_diging,
)
