r"""Landing with gradient tracking: minimisation over orthonormal columns without retractions.

Problem
    minimise (1/n) sum_i f_i(X) over X (d, p) with X^T X = I, each f_i L-smooth.
State
    per node X, its own relative gradient f = Skew(grad f_i(X_i) X_i^T) X_i, Skew(A) = (A - A^T)/2,
    and h = y - f, where y is the node's estimate of the mean of all f; h starts at 0. Of
    landing_tracked the normal term is a part of f.
Step (X, Y, F, H stack the matrices of the nodes; N(X) = X (X^T X - I))
    landing: X+ = W (X - a (Y + lam N(X)));  Y+ = W (Y + F(X+) - F(X)),
    F = Skew(G X^T) X = (G X^T X - X G^T X)/2, G = grad f_i(X_i).
    landing_tracked: X+ = W (X - a Y);  Y+ = W (Y + F(X+) - F(X)),  F = Skew(G X^T) X + lam N(X).
Constants
    ``step`` is a, at most sqrt(1 - lambda_2(W)^t)/L for t ``rounds`` of gossip, and lam = L/2, of
    landing_tracked L/10: more of it is slower there. A node within eps = 1/2 of the
    manifold takes a step after which it still is, before it gossips (``safe_step``); farther away
    one of at most 1/(2 lam).
Guarantee
    O(1/K) for the squared field, linear under a local Polyak-Lojasiewicz condition, both for steps
    that are small enough: these here are tried. For principal components the distance falls by
    1 - a (w_p - w_{p+1})/2 + O(a^3) a round in the end, w the eigenvalues. sum_i h_i = 0.
Reference
    The field: P. Ablin, G. Peyre, "Fast and Accurate Optimization on the Orthogonal Manifold
    without Retraction", AISTATS 2022. With tracking: Y. Sun, S. Chen, A. Garcia, S. Shahrampour,
    "Global Convergence of Decentralized Retraction-Free Optimization on the Stiefel Manifold",
    arXiv:2405.11590, 2024. The safe step under tracking is ours.

The normal term is the same function at all nodes and zero at the solution: it need not be tracked,
and it then allows a larger lam. Which of the two forms the paper has was not found. The two terms
are orthogonal to each other, so that the normal one alone decides how X^T X changes to first order.
A step is one round of gossip, in which a node sends twice, as in gradient tracking; with ``rounds``
above 1 every matrix goes through so many. The gradients at X_0 are computed, and charged, before
the first round.
"""

import math
from dataclasses import replace

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.problems.kinds.stiefel import (
    normal,
    off_identity,
    relative_gradient,
    transposed,
)

ROUNDING = 1e-9
"""By which a node that took a safe step may be beyond eps, relative."""


def constants(c, problem, network):
    """One step for all nodes."""
    matrices(c, problem)
    c.step = math.sqrt(1 - c.l2**c.rounds) / c.L
    c.lam = c.L / 2
    c.eps = 0.5
    c.at_most("eps", 1)  # beyond, the normal term may lead away


def constants_tracked(c, problem, network):
    """With less of the normal term."""
    constants(c, problem, network)
    c.lam = c.L / 10


def matrices(c, problem):
    """The columns p of the problem, and the rounds of gossip of a step."""
    c.whole("p", problem.columns, least=problem.columns, most=problem.columns)
    c.whole("rounds", 1)


def as_matrices(V, c):
    """Rows (..., d p) as matrices (..., d, p)."""
    return V.reshape(*V.shape[:-1], -1, c.p)


def relative(x, nodes, c):
    """Skew(grad f_i(X_i) X_i^T) X_i."""
    G = as_matrices(nodes.gradients(x), c)
    return relative_gradient(as_matrices(x, c), G).reshape(x.shape)


def normal_term(x, c):
    """lam N(X_i)."""
    return c.lam * normal(as_matrices(x, c)).reshape(x.shape)


def safe_step(x, v, c):
    """The largest step a (..., 1), at most 1/(2 lam), after which X - a V is sure to be within eps
    of the manifold, for rows of X that are; 1/(2 lam) for those that are not.

    With V = Y + lam N(X), D = X^T X - I, delta = ||D|| <= eps and S = X^T Y + Y^T X, which is 0
    where Y = Skew(.) X, the distance of X - a V, ||D - 2 a lam (D + D^2) - a S + a^2 V^T V||, is at
    most delta - 2 a lam delta (1 - delta) + a ||S|| + a^2 ||V||^2 while 2 a lam <= 1.
    """
    X = as_matrices(x, c)
    S = transposed(X) @ as_matrices(v - normal_term(x, c), c)
    delta, s, g = (
        np.linalg.norm(M.reshape(*x.shape[:-1], -1), axis=-1, keepdims=True)
        for M in (off_identity(X), S + transposed(S), v)
    )
    b = c.lam * delta * (1 - delta) - s / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        a = (b / g + np.sqrt((b / g) ** 2 + np.maximum(c.eps - delta, 0.0))) / g
    most = 1 / (2 * c.lam)
    near = delta <= c.eps * (1 + ROUNDING)
    return np.where(near & (g > 0), np.minimum(a, most), most)


def moved(x, v, c):
    """X - a V, with a step of every node that is safe."""
    return x - np.minimum(c.step, safe_step(x, v, c)) * v


def prepare(s, c, nodes, W):
    """Y_0 = F(X_0)."""
    s.f = relative(s.x, nodes, c)


def step(s, c, nodes, W):
    """X+ = W (X - a (H + F + lam N(X)));  F+ = F(X+);  H+ = W (H + F+) - F+."""
    v = s.h + s.f + normal_term(s.x, c)
    s.x = W(moved(s.x, v, c), rounds=c.rounds)
    s.f = relative(s.x, nodes, c)
    s.h = W.again(s.h + s.f, rounds=c.rounds) - s.f


def prepare_tracked(s, c, nodes, W):
    """Y_0 = F(X_0), of the whole field."""
    s.f = relative(s.x, nodes, c) + normal_term(s.x, c)


def step_tracked(s, c, nodes, W):
    """X+ = W (X - a (H + F));  F+ = F(X+);  H+ = W (H + F+) - F+."""
    s.x = W(moved(s.x, s.h + s.f, c), rounds=c.rounds)
    s.f = relative(s.x, nodes, c) + normal_term(s.x, c)
    s.h = W.again(s.h + s.f, rounds=c.rounds) - s.f


def fixed_point(x, g, mean, c):
    """X = X*, y = 0."""
    f = relative_gradient(as_matrices(x, c), as_matrices(g, c)).reshape(x.shape)
    return {"x": x, "h": -f, "f": f}


METHOD = RoundMethod(
    name="landing",
    title="Landing",
    family="tracking",
    look="vermilion long P",
    solves={"orthogonal": "experimental"},
    reference="sun2024global",
    builds_on=("ablin2022fast",),
    blocks=("x", "h", "f"),
    invariant=("h",),
    least_eigenvalue=0.0,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)

TRACKED = replace(
    METHOD,
    name="landing_tracked",
    title="Landing, all tracked",
    look="purple dotted ^",
    constants=constants_tracked,
    prepare=prepare_tracked,
    renew=prepare_tracked,
    step=step_tracked,
)
