r"""DeFW: decentralised Frank-Wolfe, which tracks the gradient and never projects.

Problem
    minimise (1/n) sum_i f_i(x) over a convex, bounded set C, each f_i L-smooth, F convex or not; C
    is known by lmo(s) in argmin_{x in C} <s, x>.
State
    per node x, the mean of its neighbours' points (Xbar in the paper), and h = G - grad f_i(x),
    where G is the node's estimate of the mean gradient; h starts at 0.
Step (X, G stack the rows of the nodes; t = 1, 2, ...)
    G = W (G + grad F(X) - grad F(X_before)), at t = 1 G = W grad F(X);
    X+ = W ((1 - gamma_t) X + gamma_t lmo(G)), W^rounds in the place of W.  In terms of h:
    G = W (H + grad F(X)),  H = G - grad F(X)
Constants
    gamma_t = (t0/(t + t0 - 1))^power: 2/(t + 1) where F is convex (t0 = 2, power = 1), and t^-1/2
    where it is not. W = I - Laplacian/lambda_max; one with a negative entry is refused, for the
    nodes would leave C. ``rounds`` of gossip for each of the two vectors, 1.
Guarantee
    F of the nodes' mean goes to F* as 1/t where F is convex, and as 1/t^2 where it is strongly so
    and x* inside C. Where it is not convex, the least Frank-Wolfe gap so far falls as 1/sqrt(t).
    There is no fixed point: at x* the lmo is a vertex, and steps end with gamma_t. Every x is in C,
    if C has the start; the mean over the nodes of G is that of the gradients.
Reference
    H.-T. Wai, J. Lafond, A. Scaglione, E. Moulines, "Decentralized Frank-Wolfe Algorithm for Convex
    and Nonconvex Problems", IEEE Transactions on Automatic Control 62(11), 2017, Algorithm 1.

The nodes start at X_0 itself, where the paper takes its mean over neighbours first: the start does
not matter beyond round 1, for gamma_1 = 1. A node sends twice in a round; the second vector can be
sent only when the first has arrived.
"""

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """gamma_t = (t0/(t + t0 - 1))^power, and how many exchanges a mean takes."""
    c.t0, c.power = (2.0, 1.0) if problem.is_convex else (1.0, 0.5)
    c.whole("rounds", 1)


def step(s, c, nodes, W):
    """G = W (H + grad F(X)),  H+ = G - grad F(X),  X+ = W ((1 - gamma_t) X + gamma_t lmo(G))."""
    t = nodes.round + 1
    gamma = np.power(c.t0 / (t + c.t0 - 1), c.power)
    g = nodes.gradients(s.x)
    G = W(s.h + g, rounds=c.rounds)
    s.h = G - g
    s.x = over_again(W, (1 - gamma) * s.x + gamma * nodes.lmo(G), c.rounds)


def over_again(W, X, rounds):
    """W^rounds X over edges that have carried so many messages of this round before."""
    for _ in range(rounds):
        X = W.again(X)
    return X


METHOD = RoundMethod(
    name="defw",
    title="DeFW",
    family="projection-free",
    look="black dash-dot v",
    reference="wai2017decentralized",
    blocks=("x", "h"),
    invariant=("h",),
    needs_set=True,
    composite="proven",
    solves={"convex": "proven", "non-convex": "proven"},
    nonnegative_weights=True,
    constants=constants,
    tunes=("t0",),
    step=step,
)
