"""ADOM+, with and without multi-consensus: accelerated, synchronous, for time-varying graphs.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex; the graph may change in
    every round.
State
    per node x, y, z, m and the extrapolated x_f, y_f, z_f (which start at x, y, z).
Step (rows of the nodes stacked)
    x_g = tau1 x + (1-tau1) x_f,  y_g = sigma1 y + (1-sigma1) y_f,  z_g = sigma1 z + (1-sigma1) z_f,
    G = grad F(x_g)
    y+ = [y + theta beta (G - nu x_g) - (theta/nu)(y_g + z_g)
            - theta c (x + eta alpha x_g - eta (G - nu x_g))] / (1 + theta beta + theta eta c)
    x+ = c (x + eta alpha x_g - eta (G - nu x_g - y+))
    P = (gamma/nu)(y_g + z_g) + m;  z+ = z + gamma delta (z_g - z) - (I - M) P;  m+ = M P
    x_f = x_g + tau2 (x+ - x),  y_f = y_g + sigma2 (y+ - y),  z_f = z_g - zeta (I - M)(y_g + z_g)
Gossip
    M = (I - L_{k+T-1}) ... (I - L_k) over the T rounds of the step, in the order of time: the graph
    of its first round acts first. L_q is the Laplacian of the graph of round q divided by its
    lambda_max. T = 1, or T = ceil(chi ln 2) with multi-consensus, chi = max_q lambda_max/lambda_2.
    The authors' program multiplies the other way round; on a fixed graph that is the same.
Constants
    with chi := 2 where T > 1: tau1 = 1/(sqrt(L/mu) + 1/2), tau2 = sqrt(mu/L),
    sigma2 = tau2/(16 chi), sigma1 = 1/(1/sigma2 + 1/2), eta = 1/(L tau2), alpha = mu/2,
    beta = 1/(2L), delta = 1/(17L), nu = mu/2, gamma = nu/(14 sigma2 chi^2),
    theta = nu/(4 sigma2), zeta = 1/2, c = 1/(1 + eta alpha).
Guarantee
    ||x_t - x*||^2 <= eps after O(chi sqrt(L/mu) log(1/eps)) steps (chi = 2 with multi-consensus).
Reference
    D. Kovalev, E. Gasanov, A. Gasnikov, P. Richtarik, "Lower bounds and optimal algorithms for
    smooth and strongly convex decentralized optimization over time-varying networks", NeurIPS 2021,
    Algorithm 2.
"""

import math
from dataclasses import replace

from dadao_sim.algorithms.contract.connectivity import rounds_of_multi_consensus
from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring, for the chi of the network."""
    for_chi(c, c.chi)


def constants_of_multi_consensus(c, problem, network):
    """After T = ceil(chi ln 2) rounds of gossip chi counts as 2."""
    T = c.whole("T", rounds_of_multi_consensus(c.chi))
    for_chi(c, 2.0 if T > 1 else c.chi)


def for_chi(c, chi):
    """The constants, in the order of the paper."""
    c.tau1 = 1 / (math.sqrt(c.L / c.mu) + 1 / 2)
    c.tau2 = math.sqrt(c.mu / c.L)
    c.sigma2 = c.tau2 / (16 * chi)
    c.sigma1 = 1 / (1 / c.sigma2 + 1 / 2)
    c.eta = 1 / (c.L * c.tau2)
    c.alpha, c.beta, c.delta, c.nu = c.mu / 2, 1 / (2 * c.L), 1 / (17 * c.L), c.mu / 2
    c.gamma = c.nu / (14 * c.sigma2 * chi**2)
    c.theta = c.nu / (4 * c.sigma2)
    c.zeta = 1 / 2
    c.c = 1 / (1 + c.eta * c.alpha)


def prepare(s, c, nodes, W):
    """The extrapolated blocks start at x, y, z."""
    s.x_f, s.y_f, s.z_f = s.x.copy(), s.y.copy(), s.z.copy()


def step(s, c, nodes, W, rounds=1):
    """The step of the module's docstring: n gradients, ``rounds`` of gossip of two vectors."""
    x_g = c.tau1 * s.x + (1 - c.tau1) * s.x_f
    y_g = c.sigma1 * s.y + (1 - c.sigma1) * s.y_f
    z_g = c.sigma1 * s.z + (1 - c.sigma1) * s.z_f
    G = nodes.gradients(x_g)

    forward = s.x + c.eta * c.alpha * x_g - c.eta * (G - c.nu * x_g)
    y = (
        s.y
        + c.theta * c.beta * (G - c.nu * x_g)
        - (c.theta / c.nu) * (y_g + z_g)
        - c.theta * c.c * forward
    ) / (1 + c.theta * c.beta + c.theta * c.eta * c.c)
    x = c.c * (forward + c.eta * y)

    P = (c.gamma / c.nu) * (y_g + z_g) + s.m
    s.m, mixed = W(P, y_g + z_g, rounds=rounds)
    z = s.z + c.gamma * c.delta * (z_g - s.z) - (P - s.m)

    s.x_f = x_g + c.tau2 * (x - s.x)
    s.y_f = y_g + c.sigma2 * (y - s.y)
    s.z_f = z_g - c.zeta * (y_g + z_g - mixed)
    s.x, s.y, s.z = x, y, z


def step_of_multi_consensus(s, c, nodes, W):
    """The same with T rounds of gossip."""
    step(s, c, nodes, W, rounds=c.T)


def fixed_point(x, g, mean, c):
    """x = x*, y = grad f_i(x*) - nu x*, z = -grad f_i(x*); m only drifts by its mean."""
    y, z = g - c.nu * x, -g
    return {"x": x, "x_f": x, "y": y, "y_f": y, "z": z, "z_f": z}


def guarantee(c, start, star, P):
    """Psi_x + Psi_yz of the paper falls, D(X_f) the divergence of F - nu ||.||^2/2 from X*, at most
    (L - nu)/2 ||X_f - X*||^2, M' = M without mean:
    Psi_x = (1/eta + alpha) ||X||^2 + (2/tau2) D(X_f),
    Psi_yz = (1/theta + beta/2) ||Y||^2 + (beta/(2 sigma2)) ||Y_f||^2 + ||Z - M'||^2/gamma
    + (4/(3 gamma)) ||M'||^2 + ||Y_f + Z_f||^2/(nu sigma2).
    """
    gap = {block: getattr(start, block) - getattr(star, block) for block in vars(star)}
    m = start.m - start.m.mean(axis=0)
    first = (1 / c.eta + c.alpha) * square(gap["x"])
    first += (c.L - c.nu) / c.tau2 * square(gap["x_f"])
    first += (1 / c.theta + c.beta / 2) * square(gap["y"])
    first += c.beta / (2 * c.sigma2) * square(gap["y_f"])
    first += square(gap["z"] - m) / c.gamma + 4 / (3 * c.gamma) * square(m)
    first += square(gap["y_f"] + gap["z_f"]) / (c.nu * c.sigma2)
    chi = c.tau2 / (16 * c.sigma2)
    factor = 1 - math.sqrt(c.mu / c.L) / (32 * chi)
    theorem = "Kovalev et al. 2021, Theorem 4"
    return Guarantee.of_factor(theorem, factor, first / (1 / c.eta + c.alpha))


METHOD = RoundMethod(
    name="adom_plus",
    title="ADOM+",
    family="accelerated",
    look="vermilion dotted D",
    reference="kovalev2021lower",
    blocks=("x", "y", "z", "m", "x_f", "y_f", "z_f"),
    invariant=("z", "z_f"),
    drifting=("m",),
    time_varying=True,
    guarantee=guarantee,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)

MULTI_CONSENSUS = replace(
    METHOD,
    name="adom_plus_multi_consensus",
    title="ADOM+ (multi-consensus)",
    look="purple long v",
    constants=constants_of_multi_consensus,
    tunes=("L", "mu"),
    step=step_of_multi_consensus,
)
