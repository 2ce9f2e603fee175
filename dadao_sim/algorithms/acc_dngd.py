r"""Acc-DNGD-SC: Nesterov's gradient descent with gradient tracking, for strongly convex f_i.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x, v, y, which start together, the gradient g = grad f_i(y_i) it computed last, and
    the tracker's part h = s - g, which starts at 0, that is S_0 = grad F(Y_0).
Step (X, V, Y, S stack the rows of the nodes)
    X+ = W Y - eta S;  V+ = (1 - alpha) W V + alpha W Y - (eta/alpha) S;
    Y+ = (X+ + alpha V+)/(1 + alpha);  S+ = W S + grad F(Y+) - grad F(Y)
Constants
    alpha = sqrt(mu eta). ``eta`` is min((1 - lambda_2(W))^2, 1/4)/L by default (our choice: the
    paper's bound is too small to be used). W has no negative eigenvalue.
Guarantee
    Linear to x* for eta small enough, at 1 - O((mu/L)^{5/7}) a step with the eta of the paper.
    sum_i h_i = 0.
Reference
    G. Qu, N. Li, "Accelerated Distributed Nesterov Gradient Descent", IEEE Transactions on
    Automatic Control 65(6), 2020, Algorithm 2.

The gradients at Y_0 are computed, and charged, before the first round.
"""

import math

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The step, and alpha, which follows from it."""
    c.eta = min((1 - c.l2) ** 2, 1 / 4) / c.L
    c.alpha = math.sqrt(c.mu * c.eta)


def prepare(s, c, nodes, W):
    """V_0 = Y_0 = X_0, S_0 = grad F(Y_0)."""
    s.v, s.y = s.x.copy(), s.x.copy()
    renew(s, c, nodes, W)


def renew(s, c, nodes, W):
    """G = grad F(Y)."""
    s.g = nodes.gradients(s.y)


def step(s, c, nodes, W):
    """S = H + G;  X+ = W Y - eta S;  V+ = (1 - alpha) W V + alpha W Y - (eta/alpha) S;
    Y+ = (X+ + alpha V+)/(1 + alpha);  G+ = grad F(Y+),  H+ = W S - G.
    """
    tracker = s.h + s.g
    y, v, mixed = W(s.y, s.v, tracker)
    s.x = y - c.eta * tracker
    s.v = (1 - c.alpha) * v + c.alpha * y - c.eta / c.alpha * tracker
    s.y = (s.x + c.alpha * s.v) / (1 + c.alpha)
    s.h = mixed - s.g
    s.g = nodes.gradients(s.y)


def fixed_point(x, g, mean, c):
    """x = v = y = x*, s = grad F(x*)."""
    return {"x": x, "v": x, "y": x, "h": mean - g, "g": g}


METHOD = RoundMethod(
    name="acc_dngd_sc",
    title="Acc-DNGD-SC",
    family="accelerated",
    look="sky long >",
    reference="qu2020accelerated",
    blocks=("x", "v", "y", "h", "g"),
    invariant=("h",),
    estimate="y",
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("eta", "mu"),
    prepare=prepare,
    renew=renew,
    step=step,
    fixed_point=fixed_point,
)
