r"""ADOM: accelerated, dual, for time-varying graphs.

Problem
    minimise (1/n) sum_i f_i(x); node i can compute grad f_i*(z) = argmax_x <x, z> - f_i(x). Each
    graph of a sequence is connected.
State
    per node z, zf and m, which start at 0, and t = grad f_i*(zg), the estimate of x*, at
    zg = tau z + (1 - tau) zf.
Step (Z, Zf, M, T stack the rows of the nodes; q the round)
    D = sigma (I - W_q)(M - eta T);  M+ = M - eta T - D;  Z+ = Z + eta alpha (Zg - Z) + D;
    Zf+ = Zg - theta (I - W_q) T;  T+ = grad F*(Zg+)
    T_0 is computed, and charged, before the first step.
Constants
    [a, b] holds the positive eigenvalues of all I - W_q. alpha = 1/(2L),
    eta = 2 a sqrt(mu L)/(7b), theta = mu/b, sigma = 1/b, tau = (a/(7b)) sqrt(mu/L).
Guarantee
    ||x_t - x*||^2 = O((1 - (a/(7b)) sqrt(mu/L))^t) (Theorem 1). sum_i z_i = 0; m drifts.
Reference
    D. Kovalev, E. Shulgin, P. Richtarik, A. Rogozin, A. Gasnikov, "ADOM: Accelerated Decentralized
    Optimization Method for Time-Varying Networks", ICML 2021, Algorithm 2.
"""

import math

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring."""
    c.a, c.b = 1 - c.l2, 1 - c.ln
    c.alpha = 1 / (2 * c.L)
    c.eta = 2 * c.a * math.sqrt(c.mu * c.L) / (7 * c.b)
    c.theta, c.sigma = c.mu / c.b, 1 / c.b
    c.tau = c.a / (7 * c.b) * math.sqrt(c.mu / c.L)


def prepare(s, c, nodes, W):
    """T_i = grad f_i*(zg_i), the estimate of x* at the start."""
    s.t = nodes.conjugate_gradients(c.tau * s.z + (1 - c.tau) * s.zf)


def step(s, c, nodes, W):
    """The step of the module's docstring."""
    zg = c.tau * s.z + (1 - c.tau) * s.zf
    forward = s.m - c.eta * s.t
    mixed, mixed_t = W(forward, s.t)
    change = c.sigma * (forward - mixed)
    s.m = forward - change
    s.z += c.eta * c.alpha * (zg - s.z) + change
    s.zf = zg - c.theta * (s.t - mixed_t)
    s.t = nodes.conjugate_gradients(c.tau * s.z + (1 - c.tau) * s.zf)


def fixed_point(x, g, mean, c):
    """z = zf = grad f_i(x*), t = x*; m drifts by -eta x* each step."""
    return {"z": g, "zf": g, "t": x}


def guarantee(c, start, star, P):
    """V = ||Z + M'||^2 + (2 eta (1 - eta alpha)/tau) D(Zf) + 6 ||M'||^2 falls, M' = M without mean
    and D the divergence of F* from Z*. At zg, ||t - x*||^2 <= ||zg - z*||^2/mu^2.
    """
    z, zf = start.z - star.z, start.zf - star.zf
    m = start.m - start.m.mean(axis=0)
    of_D = 2 * c.eta * (1 - c.eta * c.alpha) / c.tau
    V = square(z + m) + of_D * square(zf) / (2 * c.mu) + 6 * square(m)
    of_zg = c.tau * 7 / 6 + (1 - c.tau) * 2 * c.L / of_D
    return Guarantee.of_factor("Kovalev et al. 2021, Theorem 1", 1 - c.tau, of_zg * V / c.mu**2)


METHOD = RoundMethod(
    name="adom",
    title="ADOM",
    family="accelerated",
    look="vermilion dashed D",
    reference="kovalev2021adom",
    blocks=("z", "zf", "m", "t"),
    start_block=None,
    invariant=("z", "zf"),
    drifting=("m",),
    needs_conjugate=True,
    time_varying=True,
    no_composite="its rate rests on smooth f_i + r; use dual_proximal_gradient",
    estimate="t",
    guarantee=guarantee,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
