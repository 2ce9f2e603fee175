r"""Acc-GT: accelerated gradient tracking, also on graphs that change.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x and z, which start together, and h = W s - grad f_i(y_i) of the step before, the
    tracker's part, which starts at 0.
Step (X, Y, Z, S stack the rows of the nodes)
    Y = theta Z + (1 - theta) X;  S = W S- + grad F(Y) - grad F(Y-), at first S = grad F(Y);
    Z+ = (W (q Y + Z) - (a/theta) S)/(1 + q);  X+ = theta Z+ + (1 - theta) W X
Constants
    theta = sqrt(mu a)/2, q = mu a/theta. ``a`` is min((1 - lambda_2(W))^2, 1/4)/L by default (our
    choice: the paper's a, O((1 - lambda_2)^3/L), is too small to be used). W has no negative
    eigenvalue.
Guarantee
    Linear to x* for a small enough: O(sqrt(L/mu)/(1 - lambda_2)^{1.5} log(1/eps)) rounds with the a
    of the paper, with Chebyshev gossip O(sqrt(L/mu) log(1/eps)) steps. sum_i h_i = 0.
Reference
    H. Li, Z. Lin, "Accelerated Gradient Tracking over Time-varying Graphs for Decentralized
    Optimization", Journal of Machine Learning Research 25, 2024, Algorithm 1.

S is not known before the gradient at Y: it is mixed for the next step, in the same message.
"""

import math

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The step a, and what follows from it."""
    c.a = min((1 - c.l2) ** 2, 1 / 4) / c.L
    c.theta = math.sqrt(c.mu * c.a) / 2
    c.q = c.mu * c.a / c.theta


def prepare(s, c, nodes, W):
    """Z_0 = X_0."""
    s.z = s.x.copy()


def step(s, c, nodes, W):
    """Y = theta Z + (1 - theta) X;  S = H + grad F(Y);  Z+ = (W (q Y + Z) - (a/theta) S)/(1 + q);
    X+ = theta Z+ + (1 - theta) W X;  H+ = W S - grad F(Y).
    """
    y = c.theta * s.z + (1 - c.theta) * s.x
    g = nodes.gradients(y)
    tracker = s.h + g
    x, z, mixed = W(s.x, c.q * y + s.z, tracker)
    s.z = (z - c.a / c.theta * tracker) / (1 + c.q)
    s.x = c.theta * s.z + (1 - c.theta) * x
    s.h = mixed - g


def fixed_point(x, g, mean, c):
    """x = z = x*, s = grad F(x*)."""
    return {"x": x, "z": x, "h": mean - g}


METHOD = RoundMethod(
    name="acc_gt",
    title="Acc-GT",
    family="accelerated",
    look="green dotted <",
    reference="li2024accelerated",
    blocks=("x", "z", "h"),
    invariant=("h",),
    time_varying=True,
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("a", "mu"),
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)
