r"""EXTRA, the exact first-order algorithm, and PG-EXTRA, the same with a proximal step.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex and L-smooth.
State
    per node x and the dual y, which starts at 0.
Step (X, Y stack the rows of the nodes)
    X+ = prox_{a r}(W X - a grad F(X) - Y);  Y+ = Y + (I - W) X/2
    This is H+ = W X+ + H - Wt X - a (grad F(X+) - grad F(X)), X = prox_{a r}(H) of the paper with
    Wt = (I + W)/2 and H = W X - a grad F(X) - Y of the step before.
Constants
    ``step`` is a, 0.9 (1 + lambda_n(W))/L by default; the theorem asks for a < 2 lambda_n(Wt)/L =
    (1 + lambda_n(W))/L. lambda_n = 0 of W = I - Laplacian/lambda_max.
Guarantee
    To x*, at the rate o(1/k) of the optimality conditions' residual; linear where r = 0 and the f_i
    are strongly convex. sum_i y_i = 0.
Reference
    EXTRA: W. Shi, Q. Ling, G. Wu, W. Yin, "EXTRA: An Exact First-Order Algorithm for Decentralized
    Consensus Optimization", SIAM Journal on Optimization 25(2), 2015. PG-EXTRA: the same, "A
    Proximal Gradient Algorithm for Decentralized Composite Optimization", IEEE Transactions on
    Signal Processing 63(22), 2015, Algorithm 1.
"""

from dataclasses import replace

import numpy as np

from dadao_sim.algorithms.contract.guarantee import ONE_THEOREM, Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = 0.9 * (1 + c.ln) / c.L


def step(s, c, nodes, W):
    """X+ = prox_{a r}(W X - a grad F(X) - Y);  Y+ = Y + (I - W) X/2."""
    mixed = W(s.x)
    forward = mixed - c.step * nodes.gradients(s.x) - s.y
    s.y += (s.x - mixed) / 2
    s.x = nodes.prox(forward, c.step)


def fixed_point(x, g, mean, c):
    """x = x*, y_i = a (grad F - grad f_i)(x*)."""
    return {"x": x, "y": c.step * (mean - g)}


def guarantee(c, start, star, P):
    """||X||^2 in the norm of Wt, and ||B^+ (Y + B^2 X)||^2, fall together, B^2 = (I - W)/2."""
    low = 1 - P.largest / 2  # the least eigenvalue of Wt
    factor = max(1 - c.step * c.mu * (2 - c.step * c.L / low), 1 - P.least / 2)
    x = start.x - star.x
    y = start.y - star.y + P.apply(x, lambda gap: gap / 2)
    V = square(x) - square(P.apply(x, lambda gap: np.sqrt(gap / 2))) + 2 * P.inverse(y)
    return Guarantee.of_factor(ONE_THEOREM, factor, V / low)


PG_EXTRA = RoundMethod(
    name="pg_extra",
    title="PG-EXTRA",
    family="exact",
    look="sky dash-dot p",
    reference="shi2015proximal",
    blocks=("x", "y"),
    invariant=("y",),
    stochastic=True,
    composite="proven",
    solves={"convex": "proven", "non-convex": "experimental"},
    guarantee=guarantee,
    theorem_leaves=("step",),
    constants=constants,
    tunes=("step",),
    step=step,
    fixed_point=fixed_point,
)

EXTRA = replace(
    PG_EXTRA,
    name="extra",
    title="EXTRA",
    look="sky dotted p",
    reference="shi2015extra",
    composite="none",
    no_composite="its form with one is the method pg_extra",
    solves={"convex": "proven"},
    same_as="pg_extra",
)
