r"""NIDS: network-independent steps; a node's own step depends on its own f_i alone.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i convex and L_i-smooth.
State
    per node x, the z of which x is the prox, and the dual d, which starts at 0.
Step (X, Z, D stack the rows of the nodes; A = diag(a_i))
    S = 2 X - Z - A (grad F(X) + D);  D+ = D + c (I - W) S;
    Z+ = X - A (grad F(X) + D+);  X+ = prox_{A r}(Z+).  In the first step D stays.
    This is Z+ = Z - X + What (2 X - X- - A (grad F(X) - grad F(X-))) of the paper, minus signs
    marking the step before, What = I - c A (I - W).
Constants
    W = I - Laplacian/lambda_max with unit weights. ``step`` is the step of a node whose L_i is the
    largest, 1/L by default; the others take a_i = step L/L_i, or where ``own_steps`` is 0 all take
    ``step``. c = 1/(max a_i (1 - lambda_n(W))), the largest of the theorem, which asks for
    a_i < 2/L_i besides; that of the paper's experiments, 1/(2 max a_i), takes twice the rounds
    where the network is what limits.
Guarantee
    To x*, at the rate o(1/k) of the optimality conditions' residual; linear where r = 0 and the f_i
    are strongly convex, network and f_i apart: O(max(L_i/mu_i, 1/(1 - lambda_2(W))) log(1/eps)).
    sum_i d_i = 0.
Reference
    Z. Li, W. Shi, M. Yan, "A Decentralized Proximal-Gradient Method With Network Independent
    Step-Sizes and Separated Convergence Rates", IEEE Transactions on Signal Processing 67(17),
    2019, Algorithm 1.

The fixed point of an operator that is no prox of one r at all steps (``LocalStep.exact`` false)
depends on the step: all nodes then take the same.
"""

import numpy as np

from dadao_sim.algorithms.contract.guarantee import ONE_THEOREM, Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """A step per node, and one coupling."""
    exact = problem.local_step is None or problem.local_step.exact
    c.step = 1 / c.L
    own_steps = c.whole("own_steps", int(exact), least=0, most=1)
    if own_steps and not exact:
        raise InputError(
            "nids: parameter 'own_steps' must be 0 with a local step that is not exact: its fixed "
            "point depends on the step"
        )
    if own_steps and not (problem.node_L > 0).all():
        idle = int(np.flatnonzero(problem.node_L == 0)[0])
        raise InputError(f"nids: node {idle} has L_i = 0 and no step of its own; set own_steps: 0")
    c.of_nodes(a=c.step * c.L / problem.node_L if own_steps else np.full(problem.nodes, c.step))
    c.c = 1 / (c.a.max() * (1 - c.ln))


def step(s, c, nodes, W):
    """S = 2 X - Z - A (grad F(X) + D);  D+ = D + c (I - W) S;
    Z+ = X - A (grad F(X) + D+);  X+ = prox_{A r}(Z+).
    """
    forward = s.x - c.a * nodes.gradients(s.x)
    if nodes.round == 0:
        s.z = s.x + forward - c.a * s.d  # S = 0: the paper begins without gossip
    difference = s.x + forward - s.z - c.a * s.d
    s.d += c.c * (difference - W(difference))
    s.z = forward - c.a * s.d
    s.x = nodes.prox(s.z, c.a)


def fixed_point(x, g, mean, c):
    """x = x*, d_i = (grad F - grad f_i)(x*), z_i = x* - a_i grad F(x*)."""
    return {"x": x, "z": x - c.a * mean, "d": mean - g}


def guarantee(c, start, star, P):
    """||X||^2 in the norm of A^-1 and ||D||^2 in that of (c (I - W))^+ fall together from round 1,
    where X_1 = X_0 - A (grad F(X_0) + D_0) is at most ||X_0 - X*|| + ||A (D_0 - D*)|| off.
    """
    slow = 1 - c.a * c.mu * (2 - c.a * c.node_L)
    factor = max(float(slow.max()), 1 - c.c * float(c.a.min()) * P.least)
    if c.c * float(c.a.max()) * P.largest > 1 + 1e-9 or not 0 < factor < 1:
        return None
    x = 2 * square((start.x - star.x) / np.sqrt(c.a)) + 2 * square(
        np.sqrt(c.a) * (start.d - star.d)
    )
    first = float(c.a.max()) * (x + P.inverse(start.d - star.d) / c.c)
    return Guarantee.of_factor(ONE_THEOREM, factor, first / factor)


METHOD = RoundMethod(
    name="nids",
    title="NIDS",
    family="exact",
    look="orange solid s",
    reference="li2019decentralized",
    blocks=("x", "z", "d"),
    invariant=("d",),
    stochastic=True,
    composite="proven",
    guarantee=guarantee,
    theorem_leaves=("step", "c", "own_steps"),
    constants=constants,
    tunes=("step",),
    step=step,
    fixed_point=fixed_point,
)
