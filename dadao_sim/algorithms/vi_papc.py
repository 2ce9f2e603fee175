r"""VI-PAPC: the optimal method for decentralised variational inequalities, with full operators.

Problem
    find z with 0 in (1/n) sum_i F_i(z) + the subdifferential of r at z, each F_i L-Lipschitz and
    mu-strongly monotone: the operators of a game, or gradients. All nodes know the same r.
State
    per node x, which stands for z, the dual y, which starts at 0, the F_i(x_i) it computed last, g,
    and e = F_i - y_i of the round before.
Step (X, Y, G, E stack the rows of the nodes; P = (I - W)/lambda_P)
    D = G - Y + alpha (G - Y - E);  E+ = G - Y;
    X+ = prox_{eta r}(X - eta D);  G+ = F(X+);  Y+ = Y - theta P (X+ - beta (G+ - Y))
Constants
    lambda_P the largest eigenvalue of I - W, chi_P = lambda_P/(its least positive one), q =
    sqrt(chi_P). beta = mu/L^2, theta = min(1/(2 beta), L q/3), eta = 1/(3 L q),
    alpha = 1 - min(1/(1 + 3 L q/mu), 1/(2 chi_P)).
Guarantee
    The squared error falls by alpha in every round. sum_i y_i = 0.
Reference
    D. Kovalev, A. Beznosikov, A. Sadiev, M. Persiianov, P. Richtarik, A. Gasnikov, "Optimal
    Algorithms for Decentralized Stochastic Variational Inequalities", NeurIPS 2022, Algorithm 1
    without variance reduction; with an r it is ours.

Operators that are not strongly monotone have no mu; the method ``rapp`` makes problems of them that
do. The operators at X_0 are computed, and charged, before the first round.
"""

import math

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gradient_tracking import prepare as renew
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """Those of the module's docstring."""
    try:
        mu = c.mu
    except InputError as error:
        raise InputError(f"vi_papc: needs strong monotonicity; {error}; use rapp") from None
    c.lambda_P, c.q = 1 - c.ln, math.sqrt((1 - c.ln) / (1 - c.l2))
    c.beta, c.theta, c.eta, c.alpha = papc(mu, c.L, c.q)


def papc(mu, L, q):
    """beta, theta, eta and alpha."""
    beta = mu / L**2
    rate = min(1 / (1 + 3 * L * q / mu), 1 / (2 * q**2))
    return beta, min(1 / (2 * beta), L * q / 3), 1 / (3 * L * q), 1 - rate


def prepare(s, c, nodes, W):
    """G = F(X_0), and E as if it had been so before."""
    renew(s, c, nodes, W)
    s.e = s.g - s.y


def step(s, c, nodes, W):
    """The step of the module's docstring."""
    e = s.g - s.y
    s.x = nodes.prox(s.x - c.eta * (e + c.alpha * (e - s.e)), c.eta)
    s.g = nodes.gradients(s.x)
    v = s.x - c.beta * (s.g - s.y)
    s.y -= c.theta / c.lambda_P * (v - W(v))
    s.e = e


def fixed_point(x, g, mean, c):
    """x = x*, y_i = F_i(x*) - F(x*), e = F(x*)."""
    return {"x": x, "y": g - mean, "g": g, "e": mean}


METHOD = RoundMethod(
    name="vi_papc",
    title="VI-PAPC",
    family="accelerated",
    look="black dashed D",
    solves={"convex": "proven", "operator": "proven"},
    reference="kovalev2022optimal",
    blocks=("x", "y", "g", "e"),
    invariant=("y",),
    composite="experimental",
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    renew=renew,
    step=step,
    fixed_point=fixed_point,
)
