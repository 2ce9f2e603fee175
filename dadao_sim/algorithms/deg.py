r"""DEG: the decentralised extragradient method, with accelerated gossip in place of a mean.

Problem
    find z with 0 in (1/n) sum_i F_i(z) + the subdifferential of r at z, each F_i L-Lipschitz and
    monotone: the operators of a game, or gradients. All nodes know the same r.
State
    per node x, which stands for z.
Step (X stacks the rows of the nodes)
    Xh = prox_{a r}(FastMix_K(X - a F(X)));  X+ = prox_{a r}(FastMix_K(X - a F(Xh)))
    FastMix_K: V_{k+1} = (1 + h) W V_k - h V_{k-1}, V_{-1} = V_0, K rounds of gossip.
Constants
    W = I - Laplacian/lambda_max with unit weights. ``step`` is a = 1/(4 L), h = (1 -
    sqrt(1 - l2^2))/(1 + sqrt(1 - l2^2)), l2 = lambda_2(W), and K = 10/sqrt(1 - l2), rounded (our
    choice). The paper's is O(log(1/eps)/sqrt(1 - l2)) for an accuracy eps.
Guarantee
    Linear, for strongly monotone F_i, to a point that is not the zero: the error there falls
    with K, as K h^{K/2}, and on affine F_i it is the solution of one linear system. With a mean in
    place of FastMix these are extragradient steps of one machine, which end at the zero.
Reference
    A. Beznosikov, V. Samokhin, A. Gasnikov, "Distributed Saddle-Point Problems: Lower Bounds,
    Near-Optimal and Robust Algorithms", arXiv:2010.13112, 2020, with projections; with another r
    it is ours.
"""

import math

from dadao_sim.algorithms.contract.fast_mix import fast_mix, momentum
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring."""
    c.may_be_zero("h")
    c.step = 1 / (4 * c.L)
    c.h = momentum(c.l2)
    c.whole("K", round(10 / math.sqrt(1 - c.l2)))


def step(s, c, nodes, W):
    """Xh = prox_{a r}(FastMix_K(X - a F(X)));  X+ = prox_{a r}(FastMix_K(X - a F(Xh)))."""
    half = nodes.prox(fast_mix(s.x - c.step * nodes.gradients(s.x), c.K, c.h, W), c.step)
    s.x = nodes.prox(fast_mix(s.x - c.step * nodes.gradients(half), c.K, c.h, W), c.step)


METHOD = RoundMethod(
    name="deg",
    title="DEG",
    family="inexact",
    look="black dotted s",
    solves={"convex": "proven", "operator": "proven"},
    reference="beznosikov2020distributed",
    least_eigenvalue=0.0,
    composite="experimental",
    steps=("step",),
    constants=constants,
    step=step,
)
