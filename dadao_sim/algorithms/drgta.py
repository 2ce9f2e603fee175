r"""DRGTA: Riemannian gradient tracking on the Stiefel manifold.

Problem
    minimise (1/n) sum_i f_i(X) over X (d, p) with X^T X = I, each f_i smooth.
State
    per node X, its own Riemannian gradient r = P_X(grad f_i(X_i)), and h = y - r, where y is the
    node's estimate of the mean; h starts at 0.
Step (X, Y, R, H stack the matrices of the nodes; P_X(G) = G - X sym(X^T G))
    X+ = polar(X + P_X(W^t X - X) - b P_X(Y));  Y+ = W^t Y + R(X+) - R(X)
Constants
    ``step`` is b, sqrt(1 - lambda_2(W)^t)/(2 L) by default (our choice), and ``rounds`` t = 1.
Guarantee
    O(1/K) to a stationary point, for nodes near each other, t large enough and b small enough:
    those here are tried. sum_i h_i = 0.
Reference
    S. Chen, A. Garcia, M. Hong, S. Shahrampour, "Decentralized Riemannian Gradient Descent on the
    Stiefel Manifold", ICML 2021, Algorithm 2.

Both matrices of a node travel in one message. The gradients at X_0 are computed, and charged,
before the first round.
"""

import math

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.landing import as_matrices, matrices
from dadao_sim.problems.kinds.stiefel import polar, tangent


def constants(c, problem, network):
    """One step for all nodes."""
    matrices(c, problem)
    c.step = math.sqrt(1 - c.l2**c.rounds) / (2 * c.L)


def projected(x, v, c):
    """P_{X_i}(V_i)."""
    return tangent(as_matrices(x, c), as_matrices(v, c)).reshape(x.shape)


def retracted(v, c):
    """polar(V_i)."""
    return polar(as_matrices(v, c)).reshape(v.shape)


def prepare(s, c, nodes, W):
    """Y_0 = R(X_0)."""
    s.r = projected(s.x, nodes.gradients(s.x), c)


def step(s, c, nodes, W):
    """X+ = polar(X + P_X(W^t X - X - b (H + R)));  H+ = W^t (H + R) - R;  R+ = P_X+(grad F(X+))."""
    y = s.h + s.r
    mixed, s.h = W(s.x, y, rounds=c.rounds)
    s.h = s.h - s.r
    s.x = retracted(s.x + projected(s.x, mixed - s.x - c.step * y, c), c)
    prepare(s, c, nodes, W)


def fixed_point(x, g, mean, c):
    """X = X*, y = 0."""
    r = projected(x, g, c)
    return {"x": x, "h": -r, "r": r}


METHOD = RoundMethod(
    name="drgta",
    title="DRGTA",
    family="tracking",
    look="sky dash-dot-dot <",
    solves={"orthogonal": "experimental"},
    reference="chen2021decentralized",
    blocks=("x", "h", "r"),
    invariant=("h",),
    least_eigenvalue=0.0,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
