r"""Scion: steps of fixed length along an lmo of the tracked momentum, decentralised.

Problem
    minimise (1/n) sum_i f_i(x), over a bounded convex set C where the local step is one, each f_i
    smooth, convex or not. lmo(s) in argmin <s, x> over C, or over a ball of the user's choice.
State
    per node x, the momentum m of its gradients, and h = V - M, where V is the node's estimate of
    the mean momentum; h and m start at 0.
Step (X, M, V, H stack the rows of the nodes; k = 1, 2, ...)
    M+ = (1 - alpha_k) M + alpha_k grad F(X),  V+ = W (V + M+ - M), at k = 1 M+ = grad F(X);
    X+ = W ((1 - gamma_k) X + gamma_k lmo(V+)) in a set C (constrained, SCG), gamma_k at most 1, and
    X+ = W (X + gamma_k lmo(V+)) with a ball (unconstrained, uSCG).  In terms of h:
    V = W (H + M+),  H+ = V - M+
Constants
    gamma_k = gamma/(k0 + k)^power, alpha_k = k^-memory. With full gradients k0 = 10, power = 1,
    memory = 0; with minibatches k0 = 0, power = 3/4, memory = 1/2. ``gamma`` is 2 in a set and 1
    with a ball: there the ball's radius, which has no default, is the unit of length of a step.
    A W with a negative entry is refused, for the nodes would leave C. ``rounds`` of gossip for each
    of the two vectors, 1.
Guarantee
    None is known for this form; with the spectral ball it is that of DeMuon but for its constants.
    There is no fixed point: steps have length gamma_k times the radius, and end with gamma_k. In a
    set every x stays in C that is there; from outside, its distance to C falls by 1 - gamma_k. The
    mean over the nodes of V is that of the momenta.
Reference
    T. Pethick, W. Xie, K. Antonakopoulos, Z. Zhu, A. Silveti-Falls, V. Cevher, "Training Deep
    Learning Models with Norm-Constrained LMOs", ICML 2025; decentralised as in C. He et al.,
    "DeMuon: A Decentralized Muon for Matrix Optimization over Graphs", arXiv:2510.01377.

A node sends twice in a round; the second vector can be sent only when the first has arrived.
"""

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.defw import over_again


def constants(c, problem, network):
    """Lengths that fall with k, and how fast what was is forgotten."""
    c.gamma = 1.0 if problem.local_step is None else 2.0
    c.may_be_zero("k0", "power", "memory")
    c.k0, c.power, c.memory = (0.0, 0.75, 0.5) if c.stochastic else (10.0, 1.0, 0.0)
    c.whole("rounds", 1)


def step(s, c, nodes, W):
    """M+ = (1 - alpha) M + alpha grad F(X),  V = W (H + M+),  H+ = V - M+,
    X+ = W ((1 - gamma) X + gamma lmo(V)) in a set, X+ = W (X + gamma lmo(V)) with a ball.
    """
    k = nodes.round + 1
    alpha, gamma = k**-c.memory, c.gamma * np.power(c.k0 + k, -c.power)
    if nodes.has_term:
        gamma = np.minimum(gamma, 1.0)
    s.m = (1 - alpha) * s.m + alpha * nodes.gradients(s.x)
    V = W(s.h + s.m, rounds=c.rounds)
    s.h = V - s.m
    kept = (1 - gamma) * s.x if nodes.has_term else s.x
    s.x = over_again(W, kept + gamma * nodes.lmo(V), c.rounds)


METHOD = RoundMethod(
    name="scion",
    title="Scion",
    family="projection-free",
    look="black long D",
    reference="pethick2025training",
    builds_on=("he2025demuon",),
    blocks=("x", "m", "h"),
    invariant=("h",),
    needs_set=True,
    takes_ball=True,
    composite="experimental",
    stochastic=True,
    solves={"convex": "experimental", "non-convex": "experimental"},
    nonnegative_weights=True,
    tunes=("gamma",),
    constants=constants,
    step=step,
)
