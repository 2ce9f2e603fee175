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
    a, min(1, sqrt(kappa) (1 - lambda_2(W)))/L by default, kappa = L/mu (our choice: within 1.4 of
    the best step on paths, stars, barbells, cycles and grids), on a sequence with the worst graph.
Guarantee
    Linear to x*: for a < 2/L and a W >= 0 that stays, the squared error contracts by
    max(1 - a mu (2 - a L), 1 - (1 - lambda_2(W))^2).
    The mean over the nodes of y is always that of the gradients: sum_i h_i = 0.
Reference
    A. Nedic, A. Olshevsky, W. Shi, "Achieving Geometric Convergence for Distributed Optimization
    over Time-Varying Graphs", SIAM Journal on Optimization 27(4), 2017. ATC: J. Xu, S. Zhu,
    Y. C. Soh, L. Xie, "Augmented Distributed Gradient Methods for Multi-Agent Optimization under
    Uncoordinated Constant Stepsizes", CDC 2015.

A step is one round of gossip, in which a node sends twice. The second vector can be sent only when
the first has arrived: on a network with latency that is twice the latency per step. The gradients
at X_0 are computed, and charged, before the first round.
"""

import math

import numpy as np

from dadao_sim.algorithms.contract.guarantee import ONE_THEOREM, Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = share(c, problem) / c.L


def share(c, problem):
    """min(1, sqrt(kappa) (1 - lambda_2)) of the step 1/L; all of it where mu is 0."""
    try:
        _ = problem.mu
    except InputError:
        return 1.0
    return min(1.0, math.sqrt(c.L / c.mu) * (1 - c.l2))


def prepare(s, c, nodes, W):
    """Y_0 = grad F(X_0)."""
    s.g = nodes.gradients(s.x)


def step(s, c, nodes, W):
    """X+ = W (X - a (H + G)),  G+ = grad F(X+),  H+ = W (H + G+) - G+."""
    s.x = W(s.x - c.step * (s.h + s.g))
    s.g = nodes.gradients(s.x)
    s.h = W.again(s.h + s.g) - s.g


def fixed_point(x, g, mean, c):
    """x = x*, y = grad F(x*)."""
    return {"x": x, "h": mean - g, "g": g}


def guarantee(c, start, star, P):
    """||X||^2 + ||Y'||^2 falls from round 1 on, with X_1 = W U, U = X_0 - a G_0, and what Y' the
    one theorem's dual is: -U at round 1, -a (I - W)^+ grad F(X*) at the end, both without mean.
    """
    U = start.x - c.step * (start.g + start.h)
    factor = max(1 - c.step * c.mu * (2 - c.step * c.L), 1 - P.least**2)
    if P.largest > 1 + 1e-9:
        return None
    x = U - P.apply(U, lambda gap: gap) - star.x
    y = P.apply(U, np.ones_like) - c.step * P.apply(star.g, lambda gap: 1 / gap)
    return Guarantee.of_factor(ONE_THEOREM, factor, (square(x) + square(y)) / factor)


METHOD = RoundMethod(
    name="gradient_tracking",
    title="Gradient tracking",
    family="tracking",
    look="green dash-dot >",
    solves={"convex": "proven", "non-convex": "proven", "operator": "experimental"},
    reference="nedic2017achieving",
    blocks=("x", "h", "g"),
    invariant=("h",),
    time_varying=True,
    least_eigenvalue=0.0,
    stochastic=True,
    steps=("step",),
    no_composite="its form with one is the method sonata",
    guarantee=guarantee,
    theorem_leaves=("step",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
