r"""APAPC, the accelerated proximal alternating predictor-corrector, and OPAPC, optimal in both.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x and xf, which start together, and the dual y, which starts at 0.
Step (X, Xf, Xg, Y stack the rows of the nodes)
    Xg = tau X + (1 - tau) Xf,  G = grad F(Xg)
    H = (X - eta (G - mu Xg + Y))/(1 + eta mu);  Y+ = Y + theta P H;
    X+ = (X - eta (G - mu Xg + Y+))/(1 + eta mu);  Xf+ = Xg + (2 tau/(2 - tau)) (X+ - X)
Constants
    P = I - W, its largest eigenvalue lambda_P and chi_P = lambda_P/(its least positive one).
    tau = min(1, sqrt(chi_P/kappa)/2), kappa = L/mu, eta = 1/(4 tau L), theta = 1/(eta lambda_P).
    OPAPC is APAPC with K = floor(sqrt(chi)) rounds of Chebyshev gossip for each of W.
Guarantee
    A Lyapunov function falls by 1/(1 + min(1/sqrt(kappa chi_P), 1/chi_P)/4) each step (Theorem 1);
    the chi_P of OPAPC is at most 4 (Corollary 2). sum_i y_i = 0.
Reference
    D. Kovalev, A. Salim, P. Richtarik, "Optimal and Practical Algorithms for Smooth and Strongly
    Convex Decentralized Optimization", NeurIPS 2020, Algorithms 1 and 2.
"""

import math
from dataclasses import replace

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring."""
    c.lambda_P = 1 - c.ln
    c.chi_P = c.lambda_P / (1 - c.l2)
    c.tau = min(1.0, math.sqrt(c.chi_P * c.mu / c.L) / 2)
    c.eta = 1 / (4 * c.tau * c.L)
    c.theta = 1 / (c.eta * c.lambda_P)


def prepare(s, c, nodes, W):
    """Xf_0 = X_0."""
    s.xf = s.x.copy()


def step(s, c, nodes, W):
    """The step of the module's docstring."""
    xg = c.tau * s.x + (1 - c.tau) * s.xf
    forward = s.x - c.eta * (nodes.gradients(xg) - c.mu * xg)
    h = (forward - c.eta * s.y) / (1 + c.eta * c.mu)
    s.y += c.theta * (h - W(h))
    x = (forward - c.eta * s.y) / (1 + c.eta * c.mu)
    s.xf = xg + 2 * c.tau / (2 - c.tau) * (x - s.x)
    s.x = x


def fixed_point(x, g, mean, c):
    """x = xf = x*, y_i = -grad f_i(x*)."""
    return {"x": x, "xf": x, "y": mean - g}


def guarantee(c, start, star, P):
    """||X||^2/eta + (2 (1 - tau)/tau) D(Xf) + ||Y||^2/theta in the norm of P^+ less
    eta ||Y||^2/(1 + eta mu) falls, D the divergence of F - mu ||.||^2/2 from X*.
    """
    chi = P.largest / P.least
    factor = 1 / (1 + min(1 / math.sqrt(c.L / c.mu * chi), 1 / chi) / 4)
    y = start.y - star.y
    first = square(start.x - star.x) / c.eta
    first += (1 - c.tau) / c.tau * (c.L - c.mu) * square(start.xf - star.xf)
    first += P.inverse(y) / c.theta - c.eta / (1 + c.eta * c.mu) * square(y)
    return Guarantee.of_factor("Kovalev et al. 2020, Theorem 1", factor, c.eta * first)


APAPC = RoundMethod(
    name="apapc",
    title="APAPC",
    family="accelerated",
    look="black dashed h",
    reference="kovalev2020optimal",
    blocks=("x", "xf", "y"),
    invariant=("y",),
    no_composite="its rate rests on a smooth objective",
    guarantee=guarantee,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)

OPAPC = replace(APAPC, name="opapc", title="OPAPC", look="black solid h", chebyshev="auto")
