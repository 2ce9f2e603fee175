r"""Scaffnew, also known as ProxSkip: gradient steps with a correction, most of them without gossip.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x and the control h, which starts at 0.
Step (X, H, Z stack the rows of the nodes)
    Z = X - gam (grad F(X) - H);
    with probability p, for all nodes at once:  X+ = W Z;  H+ = H + (p/gam)(X+ - Z);
    otherwise:  X+ = Z
    The nodes share the seed of the coin, and no message says what it shows.
Constants
    ``gam`` = 1/L and ``p`` = min(1, 1/sqrt(kappa (1 - lambda_2(W)))): the fewest rounds of gossip
    that leave the rate of gradient descent. W has no negative eigenvalue.
Guarantee
    E(||X - X*||^2 + (gam/p)^2 ||H - H*||_P^2), P the pseudo-inverse of I - W, falls by
    1 - min(gam mu, p^2 (1 - lambda_2(W))) each step, for gam <= 1/L. sum_i h_i = 0. Where
    kappa (1 - lambda_2(W)) <= 1 every step gossips: p = 1, and it is NIDS with steps 1/L.
Reference
    K. Mishchenko, G. Malinovsky, S. Stich, P. Richtarik, "ProxSkip: Yes! Local Gradient Steps
    Provably Lead to Communication Acceleration! Finally!", ICML 2022; over W: its Section 5.
"""

import math

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The step, and the probability that a step gossips."""
    c.gam = 1 / c.L
    c.p = min(1.0, 1 / math.sqrt(c.L / c.mu * (1 - c.l2)))


def step(s, c, nodes, W):
    """Z = X - gam (grad F(X) - H);  heads: X+ = W Z, H+ = H + (p/gam)(X+ - Z);  tails: X+ = Z."""
    z = s.x - c.gam * (nodes.gradients(s.x) - s.h)
    s.x = z
    if nodes.heads:
        s.x = W(z)
        s.h += c.p / c.gam * (s.x - z)


def fixed_point(x, g, mean, c):
    """x = x*, h_i = grad f_i(x*)."""
    return {"x": x, "h": g - mean}


def guarantee(c, start, star, P):
    """What falls is in the module's docstring."""
    if c.gam * c.L > 1 + 1e-9 or P.largest > 1 + 1e-9:
        return None
    factor = 1 - min(c.gam * c.mu, c.p**2 * P.least)
    h = (c.gam / c.p) ** 2 * P.inverse(start.h - star.h)
    theorem = "Mishchenko et al. 2022, Theorem 5.7"
    return Guarantee.of_factor(theorem, factor, square(start.x - star.x) + h)


METHOD = RoundMethod(
    name="scaffnew",
    title="Scaffnew",
    family="local",
    look="vermilion long <",
    reference="mishchenko2022proxskip",
    blocks=("x", "h"),
    invariant=("h",),
    stochastic=True,
    least_eigenvalue=0.0,
    coin="p",
    guarantee=guarantee,
    theorem_leaves=("gam", "p"),
    constants=constants,
    tunes=("gam", "p"),
    step=step,
    fixed_point=fixed_point,
)
