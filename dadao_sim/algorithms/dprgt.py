r"""DPRGD and DPRGT: decentralised projected Riemannian gradient descent, and with tracking.

Problem
    minimise (1/n) sum_i f_i(X) over X (d, p) with X^T X = I, each f_i smooth.
State
    per node X. DPRGT: its own Riemannian gradient r = P_X(grad f_i(X_i)), and h = y - r, where y is
    the node's estimate of the mean; h starts at 0.
Step (X, Y, R, H stack the matrices of the nodes; P_X(G) = G - X sym(X^T G))
    DPRGD: X+ = polar(W^t X - b_k R(X)), b_k = b/sqrt(k + 1), k = 0, 1, ...
    DPRGT: X+ = polar(W^t X - b P_X(Y));  Y+ = W^t Y + R(X+) - R(X)
Constants
    ``step`` is b, 1/(2 L) of DPRGD and sqrt(1 - lambda_2(W)^t)/(2 L) of DPRGT by default (our
    choice), and ``rounds`` t = 1.
Guarantee
    DPRGD: O(1/sqrt(K)) to a stationary point; DPRGT: O(1/K). For nodes near each other, t large
    enough and b small enough: those here are tried. sum_i h_i = 0.
Reference
    K. Deng, J. Hu, "Decentralized Projected Riemannian Gradient Method for Smooth Optimization on
    Compact Submanifolds", arXiv:2304.08241, 2023.

Both matrices of a node of DPRGT travel in one message. The gradients at X_0 of DPRGT are computed,
and charged, before the first round.
"""

import math
from dataclasses import replace

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.drgta import METHOD as DRGTA
from dadao_sim.algorithms.drgta import prepare, projected, retracted
from dadao_sim.algorithms.landing import matrices


def constants_of_descent(c, problem, network):
    """The first step."""
    matrices(c, problem)
    c.step = 1 / (2 * c.L)


def step_of_descent(s, c, nodes, W):
    """X+ = polar(W^t X - b/sqrt(k + 1) P_X(grad F(X)))."""
    r = projected(s.x, nodes.gradients(s.x), c)
    s.x = retracted(W(s.x, rounds=c.rounds) - c.step / math.sqrt(nodes.round + 1) * r, c)


def step(s, c, nodes, W):
    """X+ = polar(W^t X - b P_X(H + R));  H+ = W^t (H + R) - R;  R+ = P_X+(grad F(X+))."""
    y = s.h + s.r
    mixed, s.h = W(s.x, y, rounds=c.rounds)
    s.h = s.h - s.r
    s.x = retracted(mixed - c.step * projected(s.x, y, c), c)
    prepare(s, c, nodes, W)


DPRGD = RoundMethod(
    name="dprgd",
    title="DPRGD",
    family="inexact",
    look="black dotted D",
    solves={"orthogonal": "experimental"},
    reference="deng2023decentralized",
    blocks=("x",),
    steps=("step",),
    constants=constants_of_descent,
    step=step_of_descent,
)

DPRGT = replace(
    DRGTA,
    name="dprgt",
    title="DPRGT",
    look="black solid s",
    reference="deng2023decentralized",
    step=step,
)
