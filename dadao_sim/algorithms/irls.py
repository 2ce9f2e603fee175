r"""IRLS: iteratively reweighted least squares of nodes that agree by D-ADMM between reweightings.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i quadratic with Hessian H_i and c_i = -grad f_i(0);
    r lies below a square that touches it: r(y) <= r(x) + <y, S(x) y>/2 - <x, S(x) x>/2 with
    S(x) x = grad r(x), as nearly |x|^p does for p <= 1.
State
    per node x and the multiplier d, which starts at 0.
Step (N_i the neighbours of node i, deg_i their number)
    S_i = S(x_i), frozen; then ``gossip_rounds`` times
    d_i+ = d_i + rho sum_{j in N_i} (x_i - x_j);
    x_i+ = argmin_x f_i(x) + <x, S_i x>/2 + rho deg_i ||x||^2
                    - <x, rho sum_{j in N_i} (x_i + x_j) - d_i+>
    by ``cg_steps`` conjugate gradients from x_i, which ask for a gradient more than there are.
Constants
    ``rho`` = .15 tr(H)/d, H the mean of the H_i, its trace by eight probes; ``gossip_rounds`` =
    3 sqrt(chi), rounded up, 6 at least; ``cg_steps`` = 3. r has its epsilon after ``stages`` = 8
    values, of ``each`` = 5 steps, that fall to it from ``first_epsilon`` = 1, in the units of x.
    All are our choice.
Guarantee
    None: r is not convex, and the S_i differ. On one machine each step makes F + r fall. Here it is
    seen to end where that does; with too little gossip it is on wrong coordinates for long before,
    and says so where F + r rose after the stages. sum_i d_i = 0.
Reference
    I. Koshelev, S. Lefkimmiatis, "Iterative Reweighted Least Squares Networks With Convergence
    Guarantees for Solving Inverse Imaging Problems", arXiv:2308.05745, 2023, on one machine; the
    decentralised form is ours, with D-ADMM between two reweightings.
"""

import math

import numpy as np

from dadao_sim.algorithms.contract.gossip import laplacian
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.engine import operators
from dadao_sim.local_steps.reweighting import (
    FIRST_EPSILON,
    STAGES,
    STEPS_OF_STAGE,
    conjugate_gradients,
    epsilon_of_step,
)

PROBES = 8
RISE = 1e-10
"""Relative, above which F + r has risen: less is rounding."""


def constants(c, problem, network):
    """Those of the module's docstring; per node the curvature 2 rho deg_i."""
    c.measure(rho=lambda: 0.15 * mean_curvature(problem))
    c.whole("gossip_rounds", enough_gossip(c.chi))
    c.whole("cg_steps", 3)
    c.whole("stages", STAGES)
    c.whole("each", STEPS_OF_STAGE)
    c.first_epsilon = FIRST_EPSILON
    c.of_nodes(curvature=2 * c.rho * network.laplacian().diagonal())


def enough_gossip(chi):
    """3 sqrt(chi), rounded up, and 6 at least."""
    return max(6, math.ceil(3 * math.sqrt(chi)))


def mean_curvature(problem):
    """tr(H)/d of the mean Hessian of quadratic f_i, from its products with vectors of signs."""
    n, d = problem.nodes, problem.dimension
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, d))
    at_zero = problem.gradients(np.zeros((n, d))).mean(axis=0)
    images = [problem.gradients(np.tile(v, (n, 1))).mean(axis=0) - at_zero for v in signs]
    return float(np.mean([v @ image for v, image in zip(signs, images, strict=True)]) / d)


def step(s, c, nodes, W):
    """S = S(X), then d+ = d + rho W X;  x_i+ = argmin f_i(x) + <x, S_i x>/2 + rho deg_i ||x||^2
    - <x, v_i>, V = 2 rho Deg X - rho W X - d+, W the Laplacian Deg - Adjacency.
    """
    at_zero = nodes.gradients(np.zeros_like(s.x))
    r = annealed(c, nodes)
    S = None if r is None else r.majoriser(s.x)
    watched = nodes.round >= c.stages * c.each  # while epsilon is annealed the nodes still meet
    before = value(s, nodes, r, at_zero) if watched else 0.0

    def apply(V):
        image = nodes.gradients(V) - at_zero + c.curvature * V
        return image if S is None else image + S(V)

    for _ in range(c.gossip_rounds):
        difference = c.rho * W(s.x)
        s.d += difference
        v = c.curvature * s.x - difference - s.d
        s.x = conjugate_gradients(apply, v - at_zero, s.x, c.cg_steps)
    if watched:
        rise = value(s, nodes, r, at_zero) - before
        nodes.notes["steps"] = nodes.notes.get("steps", 0) + 1
        nodes.notes["rises"] = nodes.notes.get("rises", 0) + bool(rise > RISE * abs(before))


def annealed(c, nodes):
    """r with the epsilon of this step; None where there is none."""
    if nodes.term is None:
        return None
    steps = nodes.round, c.first_epsilon, nodes.term.epsilon, c.stages, c.each
    return nodes.term.with_epsilon(epsilon_of_step(*steps))


def value(s, nodes, r, at_zero):
    """F + r at the mean of the nodes, less F(0): <x, grad F(x) + grad F(0)>/2 + r(x)."""
    x = s.x.mean(axis=0)
    of_f = x @ (nodes.seen_gradient(x) + at_zero.mean(axis=0)) / 2
    return of_f if r is None else of_f + operators.value(r, x)


def remark(c, notes):
    """Of too little gossip, where F + r rose more than once: a coordinate may still come to 0."""
    if notes.get("rises", 0) < 2:
        return ""
    rose = f"irls: J rose in {notes['rises']} of {notes['steps']} steps"
    enough = enough_gossip(c.chi)
    needed = enough if c.gossip_rounds < enough else 2 * c.gossip_rounds
    few = f"gossip_rounds: {c.gossip_rounds} is too few for it to fall on this network"
    return f"{rose}; {few}, about {needed} are needed"


def fixed_point(x, g, mean, c):
    """x = x*, d_i = (grad F - grad f_i)(x*), once epsilon is annealed."""
    return {"x": x, "d": mean - g}


METHOD = RoundMethod(
    name="irls",
    title="IRLS",
    family="dual",
    look="black dash-dot s",
    reference="koshelev2023iterative",
    blocks=("x", "d"),
    invariant=("d",),
    composite="experimental",
    reweights=True,
    weights=laplacian,
    constants=constants,
    tunes=("rho",),
    step=step,
    remark=remark,
    broadcasts=False,
    fixed_point=fixed_point,
)
