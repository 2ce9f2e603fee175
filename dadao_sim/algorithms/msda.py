"""MSDA, the multi-step dual accelerated method, and SSDA, with a single step of gossip.

Problem
    minimise (1/n) sum_i f_i(x); node i can compute grad f_i*(y) = argmax_x <x, y> - f_i(x).
State
    per node the dual x, y (both start at 0), and t = grad f_i*(x_i), the estimate of x*.
Step (X, Y, T stack the rows of the nodes)
    Y+ = X - eta AccGossip(T);  X+ = (1 + mom) Y+ - mom Y;  T+_i = grad f_i*(X+_i)
    T_0 is computed, and charged, before the first step.
    AccGossip(v), Chebyshev acceleration over K rounds of gossip:
    a_0 = 1, a_1 = c2, v_0 = v, v_1 = c2 (v - c3 W v); a_{k+1} = 2 c2 a_k - a_{k-1},
    v_{k+1} = 2 c2 (v_k - c3 W v_k) - v_{k-1};  v - v_K/a_K
Constants
    W the Laplacian, g = lambda_2/lambda_max, c1 = (1 - sqrt g)/(1 + sqrt g), c2 = (1 + g)/(1 - g),
    c3 = 2/((1 + g) lambda_max), K = floor(1/sqrt g), eta = mu (1 + c1^{2K})/(1 + c1^K)^2,
    mom = ((1 + c1^K) sqrt kappa - 1 + c1^K)/((1 + c1^K) sqrt kappa + 1 - c1^K).
    Where K = 1, AccGossip(v) = c3 W v: c2 is infinite on a complete graph.
    SSDA has W v for AccGossip(v), eta = mu/lambda_max, mom = (1 - q)/(1 + q), q = sqrt(g/kappa).
Guarantee
    ||x_t - x*|| = O((1 - 1/(2 sqrt kappa))^t) with K |E| communications a step (Theorem 4),
    of SSDA O((1 - sqrt(g/kappa))^t) with |E| (Theorem 2).
Reference
    K. Scaman, F. Bach, S. Bubeck, Y. T. Lee, L. Massoulie, "Optimal algorithms for smooth and
    strongly convex distributed optimization in networks", ICML 2017, Algorithms 1 and 2.
"""

import math
from dataclasses import replace

from dadao_sim.algorithms.contract.gossip import laplacian
from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring."""
    c.g = 1 / c.chi
    c.c1 = (1 - math.sqrt(c.g)) / (1 + math.sqrt(c.g))
    c.c2 = (1 + c.g) / (1 - c.g) if c.g < 1 else math.inf
    c.c3 = 2 / ((1 + c.g) * c.lambda_max)
    K = c.whole("K", max(1, math.floor(1 / math.sqrt(c.g) + 1e-9)))
    kappa, c1K = c.L / c.mu, c.c1**K
    c.eta = c.mu * (1 + c1K**2) / (1 + c1K) ** 2
    root = (1 + c1K) * math.sqrt(kappa)
    c.momentum = (root - 1 + c1K) / (root + 1 - c1K)


def accelerated_gossip(v, c, W):
    """AccGossip(v) of the module's docstring: K rounds of gossip."""
    if c.K == 1:
        return c.c3 * W(v)
    a_before, a = 1.0, c.c2
    v_before, v_now = v, c.c2 * (v - c.c3 * W(v))
    for _ in range(c.K - 1):
        a_before, a = a, 2 * c.c2 * a - a_before
        v_before, v_now = v_now, 2 * c.c2 * (v_now - c.c3 * W(v_now)) - v_before
    return v - v_now / a


def prepare(s, c, nodes, W):
    """T_i = grad f_i*(X_i), the estimate of x* at the start."""
    s.t = nodes.conjugate_gradients(s.x)


def step(s, c, nodes, W):
    """Y+ = X - eta AccGossip(T);  X+ = (1 + mom) Y+ - mom Y;  T+_i = grad f_i*(X+_i)."""
    y = s.x - c.eta * accelerated_gossip(s.t, c, W)
    s.x = (1 + c.momentum) * y - c.momentum * s.y
    s.y = y
    s.t = nodes.conjugate_gradients(s.x)


def constants_of_ssda(c, problem, network):
    """One round of gossip."""
    c.q = math.sqrt(c.mu / (c.L * c.chi))
    c.eta = c.mu / c.lambda_max
    c.momentum = (1 - c.q) / (1 + c.q)


def step_of_ssda(s, c, nodes, W):
    """Y+ = X - eta W T;  X+ = (1 + mom) Y+ - mom Y;  T+_i = grad f_i*(X+_i)."""
    y = s.x - c.eta * W(s.t)
    s.x = (1 + c.momentum) * y - c.momentum * s.y
    s.y = y
    s.t = nodes.conjugate_gradients(s.x)


def fixed_point(x, g, mean, c):
    """x_i = y_i = grad f_i(x*), t_i = x*."""
    return {"x": g, "y": g, "t": x}


def guarantee(c, start, star, P):
    """Of Nesterov's method on the dual, with the eigenvalues of AccGossip."""
    rho = 2 * c.c1**c.K / (1 + c.c1 ** (2 * c.K))
    apart = square(start.x - star.x) / (1 - rho)
    theorem = "Scaman et al. 2017, Theorem 4"
    return of_dual(theorem, c, 1 - rho, 1 + rho, square(start.x - star.x), apart)


def guarantee_of_ssda(c, start, star, P):
    """Of Nesterov's method on the dual."""
    off = start.x - star.x
    theorem = "Scaman et al. 2017, Theorem 2"
    return of_dual(theorem, c, P.least, P.largest, square(off), P.inverse(off))


def of_dual(theorem, c, least, largest, distance, apart):
    """D - D* + (m/2) ||Lambda - Lambda*||^2 falls by 1 - sqrt(m/M), m = ``least``/L and M =
    ``largest``/mu the constants of the dual. At the start D - D* is at most ``distance``/(2 mu) and
    ||Lambda||^2 is ``apart``; at a point of which it is V, ||x - x*||^2 <= 2 M V/(mu m).
    """
    m, M = least / c.L, largest / c.mu
    first = 2 * M / (c.mu * m) * (distance / (2 * c.mu) + m / 2 * apart)
    return Guarantee.of_factor(theorem, 1 - math.sqrt(m / M), first)


MSDA = RoundMethod(
    name="msda",
    title="MSDA",
    family="accelerated",
    look="black dash-dot ^",
    reference="scaman2017optimal",
    blocks=("x", "y", "t"),
    start_block=None,
    invariant=("x", "y"),
    needs_conjugate=True,
    no_composite="its rate rests on smooth f_i + r; use dual_proximal_gradient",
    estimate="t",
    weights=laplacian,
    guarantee=guarantee,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)

SSDA = replace(
    MSDA,
    name="ssda",
    title="SSDA",
    look="black dotted ^",
    guarantee=guarantee_of_ssda,
    constants=constants_of_ssda,
    tunes=("L", "mu"),
    step=step_of_ssda,
)
