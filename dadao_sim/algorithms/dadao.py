r"""DADAO: Decoupled Accelerated Decentralized Asynchronous Optimization.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex, held by node i of a
    connected graph.
State
    per node x, x~ (primal pair), y, y~ (dual of the gradients), z, z~ (dual of the consensus).
Flow (between the events of a node)
    x' = eta (x~ - x)          x~' = eta~ (x - x~)
    y' = alpha (y~ - y)        y~' = -theta (y + z + nu x~)
    z' = alpha (z~ - z)        z~' = alpha~ (z - z~)
Gradient event at i (Poisson, rate 1 per node)
    g = grad f_i(x_i) - nu x_i - y~_i;
    x_i -= gamma g,  x~_i -= gamma~ g,  y~_i += (delta + delta~) g
Gossip event at e = (i, j) (Poisson, rate lambda_e)
    m = (y_i + z_i) - (y_j + z_j);   z_i -= beta m,  z~_i -= beta~ m  (opposite signs at j)
Constants
    nu = mu/2, r = sqrt(nu/L), eta = eta~ = r/8, alpha = r/4, alpha~ = r/8, theta = 1/(2r),
    beta = 1/2, beta~ = 2 chi1/r, delta = r/4, delta~ = 1, gamma = 1/(4L),
    gamma~ = 1/(4 sqrt(L nu)).
    chi1, chi2 belong to the Laplacian of the actual rates; the least total rate is that with
    chi1 chi2 = 1/2. On a sequence of graphs both are the worst over the sequence.
    The sets ``fast``, ``frugal``, ``patient`` and ``latency`` multiply them, total rate included,
    by the factors below; no theorem covers them. ``fast`` and ``frugal`` were found by search on
    the exact rate for quadratics, worst over curvatures, kappa from 10 to 1e6 and five kinds of
    graphs, with a margin to instability and for gradients that come late; ``patient`` by search on
    runs in which messages take 0.3 or 1 mean gradient intervals, on eighteen graphs and problems.
    ``latency`` has factors for each load of the links of a world, the largest eigenvalue of the
    Laplacian of latencies times rates, found by search on the exact rate with messages that are
    late. See docs/constant-sets.md.
Guarantee
    E||x_t - x*||^2 decays exponentially, at a rate proportional to sqrt(mu/L), where
    chi1 chi2 <= 1/2.
Reference
    A. Nabli, E. Oyallon, "DADAO: Decoupled Accelerated Decentralized Asynchronous Optimization",
    ICML 2023.

With a term r that all nodes share (experimental: no theorem covers it) the gradient event takes the
gradient mapping D = (x_i - prox_{gamma r}(x_i - gamma g))/gamma in the place of g. Its fixed point
is the minimiser of F + r. (Applying the prox to x after the event instead ends elsewhere.) A local
step that is a direction v(x, g, t) takes D = -v.

With averaging the estimate is a running average of x: ``events`` averages x_i as it stood just
before each event of node i, as the authors do; ``time`` averages the flowed value over time.
"""

import math
from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from dadao_sim.algorithms.contract.by_load import ByLoad
from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.method import AVERAGINGS, AsynchronousMethod
from dadao_sim.engine import oracles
from dadao_sim.events.asked import PoissonRates

X, XT, Y, YT, Z, ZT, AVERAGE = range(7)
BLOCKS = ("x", "x_tilde", "y", "y_tilde", "z", "z_tilde")
NO_AVERAGE, EVENT_AVERAGE, TIME_AVERAGE = range(len(AVERAGINGS))


class Params(NamedTuple):
    """The constants of the module's docstring, and those of the flow's closed form (see
    ``solve_flow``).
    """

    nu: float
    eta: float
    eta_tilde: float
    alpha: float
    alpha_tilde: float
    theta: float
    beta: float
    beta_tilde: float
    delta: float
    delta_tilde: float
    gamma: float
    gamma_tilde: float
    k_x: float
    k_z: float
    share_x: float
    share_xt: float
    share_z: float
    share_zt: float
    omega: float
    y_x: float
    yt_x: float
    y_z: float
    yt_z: float
    averaging: int


def constants(c, problem, network):
    """``rate_factor`` multiplies the least total rate; ``switching`` is the number of graphs of a
    sequence that pass in a unit of time.
    """
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * math.sqrt(2 * c.unit_chi1 * c.unit_chi2)
    c.scale("total_rate")
    c.chi1, c.chi2 = c.unit_chi1 / c.total_rate, c.unit_chi2 / c.total_rate
    c.nu = c.mu / 2
    c.r = math.sqrt(c.nu / c.L)
    c.eta = c.eta_tilde = c.r / 8
    c.alpha, c.alpha_tilde = c.r / 4, c.r / 8
    c.theta = 1 / (2 * c.r)
    c.beta, c.beta_tilde = 1 / 2, 2 * c.chi1 / c.r
    c.delta, c.delta_tilde = c.r / 4, 1.0
    c.gamma, c.gamma_tilde = 1 / (4 * c.L), 1 / (4 * math.sqrt(c.L * c.nu))
    c.scale("nu", "eta", "eta_tilde", "alpha", "alpha_tilde", "theta", "beta", "beta_tilde")
    c.scale("delta", "delta_tilde", "gamma", "gamma_tilde")
    # How many graphs of a sequence pass in a unit of time: as in the authors' program.
    c.may_be_zero("switching")
    c.switching = c.unit_chi1 if len(network.graphs) > 1 else 0.0
    solve_flow(c)


def clock(c, problem, network):
    """Rate 1 at every node; the edges share ``total_rate`` as the network says."""
    return PoissonRates(
        nodes=np.ones(problem.nodes),
        edges=c.total_rate * network.rates / network.rates.sum(),
        switching=c.switching,
    )


def solve_flow(c):
    """Add the constants of the flow's closed form to ``c``.

    The drive q = z + nu x~ of (y, y~) is a sum of modes q_k e^{-k t}, k in {0, k_x, k_z}, each with
    the particular solution (Y_k, Y~_k) q_k, Y_k = -alpha theta/D, Y~_k = (k - alpha) theta/D, D =
    (k - alpha) k + alpha theta; the homogeneous part turns with frequency omega and decays as
    e^{-alpha t/2}.
    """
    c.k_x = c.eta + c.eta_tilde
    c.k_z = c.alpha + c.alpha_tilde
    c.share_x, c.share_xt = c.eta_tilde / c.k_x, c.eta / c.k_x
    c.share_z, c.share_zt = c.alpha / c.k_z, c.alpha_tilde / c.k_z
    c.omega = math.sqrt(c.alpha * c.theta - c.alpha**2 / 4)
    determinant = (c.k_x - c.alpha) * c.k_x + c.alpha * c.theta
    c.y_x, c.yt_x = -c.alpha * c.theta / determinant, (c.k_x - c.alpha) * c.theta / determinant
    determinant = (c.k_z - c.alpha) * c.k_z + c.alpha * c.theta
    c.y_z, c.yt_z = -c.alpha * c.theta / determinant, (c.k_z - c.alpha) * c.theta / determinant


def flow(state, p, i, t):
    """The six blocks of node i from its last event to time t, in closed form (see
    ``solve_flow``).
    """
    h = t - state.last[i]
    s = state.values[i]
    if p.averaging != NO_AVERAGE:
        update_average(s, p, h, t, state.seen[i])
    if h <= 0.0:
        return
    decay_x = math.exp(-p.k_x * h)
    decay_z = math.exp(-p.k_z * h)
    decay_y = math.exp(-p.alpha * h / 2)
    c = decay_y * math.cos(p.omega * h)
    u = decay_y * math.sin(p.omega * h) / p.omega
    y_from_y, y_from_yt = c - p.alpha * u / 2, p.alpha * u
    yt_from_y, yt_from_yt = -p.theta * u, c + p.alpha * u / 2
    for k in range(s.shape[1]):
        x_mean = p.share_x * s[X, k] + p.share_xt * s[XT, k]
        x_gap = s[XT, k] - s[X, k]
        z_mean = p.share_zt * s[Z, k] + p.share_z * s[ZT, k]
        z_gap = s[Z, k] - s[ZT, k]
        q0 = z_mean + p.nu * x_mean
        qx = p.nu * p.share_x * x_gap
        qz = p.share_z * z_gap
        y = s[Y, k] + q0 - p.y_x * qx - p.y_z * qz
        yt = s[YT, k] + q0 - p.yt_x * qx - p.yt_z * qz
        qx *= decay_x
        qz *= decay_z
        s[Y, k] = y_from_y * y + y_from_yt * yt - q0 + p.y_x * qx + p.y_z * qz
        s[YT, k] = yt_from_y * y + yt_from_yt * yt - q0 + p.yt_x * qx + p.yt_z * qz
        x_gap *= decay_x
        z_gap *= decay_z
        s[X, k] = x_mean - p.share_xt * x_gap
        s[XT, k] = x_mean + p.share_x * x_gap
        s[Z, k] = z_mean + p.share_z * z_gap
        s[ZT, k] = z_mean - p.share_zt * z_gap


@register_jitable
def update_average(s, p, h, t, seen):
    """Bring the running average of one node's x from its last event to the present one, at time
    t.
    """
    if p.averaging == EVENT_AVERAGE:
        for k in range(s.shape[1]):
            s[AVERAGE, k] += (s[X, k] - s[AVERAGE, k]) / seen
    elif h > 0.0:
        for k in range(s.shape[1]):
            s[AVERAGE, k] += h / t * (mean_x(s, p, h, k) - s[AVERAGE, k])


@register_jitable
def mean_x(s, p, h, k):
    """The mean of coordinate k of x over a flow of length h."""
    x_mean = p.share_x * s[X, k] + p.share_xt * s[XT, k]
    x_gap = s[XT, k] - s[X, k]
    return x_mean + p.share_xt * x_gap * math.expm1(-p.k_x * h) / (p.k_x * h)


def gradient(state, p, objective, i, mark, out):
    """g = grad f_i(x) - nu x - y~; where there is a local step, its direction at step gamma."""
    s = state.values[i]
    oracles.gradient(objective, i, s[X], mark, out)
    for k in range(out.shape[0]):
        out[k] -= p.nu * s[X, k] + s[YT, k]
    oracles.local_direction(objective, p.gamma, s[X], out, state.last[i])


def apply_gradient(state, p, i, g):
    """x -= gamma g,  x~ -= gamma~ g,  y~ += (delta + delta~) g."""
    s = state.values[i]
    for k in range(g.shape[0]):
        s[X, k] -= p.gamma * g[k]
        s[XT, k] -= p.gamma_tilde * g[k]
        s[YT, k] += (p.delta + p.delta_tilde) * g[k]


def message(state, p, objective, i, out):
    """Y + z."""
    s = state.values[i]
    for k in range(out.shape[0]):
        out[k] = s[Y, k] + s[Z, k]


def apply_message(state, p, e, i, m):
    """z -= beta m,  z~ -= beta~ m."""
    s = state.values[i]
    for k in range(m.shape[0]):
        s[Z, k] -= p.beta * m[k]
        s[ZT, k] -= p.beta_tilde * m[k]


def observe(state, p, objective, i, t, work, out):
    """x flowed to time t, or its running average."""
    h = t - state.last[i]
    s = state.values[i]
    if p.averaging == EVENT_AVERAGE or (p.averaging == TIME_AVERAGE and h <= 0.0):
        for k in range(out.shape[0]):
            out[k] = s[AVERAGE, k]
    elif p.averaging == TIME_AVERAGE:
        for k in range(out.shape[0]):
            out[k] = s[AVERAGE, k] + h / t * (mean_x(s, p, h, k) - s[AVERAGE, k])
    else:
        decay_x = math.exp(-p.k_x * h)
        for k in range(out.shape[0]):
            x_mean = p.share_x * s[X, k] + p.share_xt * s[XT, k]
            out[k] = x_mean - p.share_xt * decay_x * (s[XT, k] - s[X, k])


def fixed_point(x, g, mean, p):
    """x = x~ = x*, y = y~ = g_i - G - nu x*, z = z~ = G - g_i: g_i = grad f_i(x*), G their mean (0
    without r).
    """
    y, z = g - mean - p.nu * x, mean - g
    return dict(zip(BLOCKS, (x, x, y, y, z, z), strict=True))


def guarantee(c, start, star, P):
    """V = 2 nu D(X) + (nu^2/2) ||X~||^2 + (r^2/8) ||Y||^2 + (r^2/4) ||Y~||^2 + ||Y + Z||^2/2
    + (r^2/(16 chi1)) ||Z~||^2 in the norm of P^+ falls as e^{-eta t}, D the divergence of F - nu
    ||.||^2/2 from X*, at least (nu/2) ||X||^2 and at most ((L - nu)/2) ||X||^2. The proof is in
    docs/exact-rates.md.
    """
    if c.chi1 * c.chi2 > 0.5 * (1 + 1e-9):
        return None
    x, xt, y, yt, z, zt = (getattr(start, block) - getattr(star, block) for block in BLOCKS)
    V = c.nu * (c.L - c.nu) * square(x) + c.nu**2 / 2 * square(xt) + square(y + z) / 2
    V += c.r**2 * (square(y) / 8 + square(yt) / 4 + P.inverse(zt) / (16 * c.chi1))
    return Guarantee("Nabli and Oyallon 2023 (docs/exact-rates.md)", c.eta, V / c.nu**2)


# Factors of the constants of the paper, found by search: see the module's docstring.
FAST = {
    **{"nu": 0.9, "eta": 6.9, "eta_tilde": 0.092, "alpha": 1.55, "alpha_tilde": 0.046},
    **{"theta": 2.6, "beta": 0.98, "beta_tilde": 0.57, "delta": 0.83, "delta_tilde": 0.83},
    **{"gamma": 2.2, "gamma_tilde": 1.37},
}
FRUGAL = {
    **{"total_rate": 0.272, "nu": 1.12, "eta": 8.4, "eta_tilde": 0.96, "alpha": 0.78},
    **{"alpha_tilde": 0.0113, "theta": 1.43, "beta": 0.88, "beta_tilde": 0.088},
    **{"delta": 0.55, "delta_tilde": 0.55, "gamma": 2.65, "gamma_tilde": 1.56},
}
PATIENT = {
    **{"total_rate": 0.96, "nu": 1.95, "eta": 10.5, "eta_tilde": 0.36, "alpha": 0.21},
    **{"alpha_tilde": 0.0094, "theta": 0.96, "beta": 0.06, "beta_tilde": 0.021},
    **{"delta": 0.61, "delta_tilde": 0.61, "gamma": 3.3, "gamma_tilde": 1.1},
}

# Those for messages that take time, by the load of the links; without any they are ``fast``.
LATENCY = ByLoad(
    (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    {
        "total_rate": (1.0, 0.999, 0.937, 0.971, 0.838, 0.633),
        "nu": (0.9, 0.777, 1.12, 1.09, 1.44, 2.15),
        "eta": (6.9, 7.55, 6.29, 7.88, 14.4, 6.74),
        "eta_tilde": (0.092, 0.083, 0.0594, 0.134, 0.527, 0.745),
        "alpha": (1.55, 1.27, 1.09, 1.03, 0.451, 0.282),
        "alpha_tilde": (0.046, 0.0338, 0.0723, 0.0782, 0.0082, 0.0093),
        "theta": (2.6, 1.93, 1.83, 1.65, 0.754, 1.04),
        "beta": (0.98, 0.51, 0.561, 0.332, 0.161, 0.081),
        "beta_tilde": (0.57, 0.494, 0.276, 0.142, 0.0497, 0.0114),
        "delta": (0.83, 0.791, 0.823, 0.733, 0.621, 0.655),
        "delta_tilde": (0.83, 0.791, 0.823, 0.733, 0.621, 0.655),
        "gamma": (2.2, 2.24, 1.73, 1.7, 4.21, 3.84),
        "gamma_tilde": (1.37, 1.53, 1.31, 0.939, 0.856, 0.864),
    },
)

METHOD = AsynchronousMethod(
    name="dadao",
    title="DADAO",
    family="accelerated",
    look="blue solid o",
    blocks=BLOCKS,
    invariant=("z", "z_tilde"),
    time_varying=True,
    stochastic=True,
    averaging=True,
    composite="experimental",
    directions=True,
    constant_sets={"fast": FAST, "frugal": FRUGAL, "patient": PATIENT, "latency": LATENCY},
    guarantee=guarantee,
    params=Params,
    constants=constants,
    tunes=("L", "mu"),
    clock=clock,
    fixed_point=fixed_point,
    flow=flow,
    gradient=gradient,
    apply_gradient=apply_gradient,
    message=message,
    apply_message=apply_message,
    observe=observe,
    solves={"convex": "proven", "non-convex": "experimental"},
    reference="nabli2023dadao",
)
