r"""RAPP: the relaxed approximate proximal point, for games that are not monotone, decentralised.

Problem
    find z with 0 in (1/n) sum_i F_i(z) + the subdifferential of r at z, each F_i L-Lipschitz and
    their mean F rho-comonotone, <F(u) - F(v), u - v> >= rho ||F(u) - F(v)||^2, with a rho that may
    be negative. All nodes know the same r, which is convex.
State
    per node x, which stands for z, and of VI-PAPC w, the dual y, f = F_i(w_i) and e.
Step (X, W, Y, F, E stack the rows of the nodes, P = (I - gossip)/lambda_P)
    a round of VI-PAPC on the operators w -> w - x_i + g F_i(w), whose zero is the resolvent J(X):
    D = R + alpha (R - E), R = W - X + g F - Y;  E+ = R;
    W+ = prox_{eta g r}(W - eta D);  F+ = F(W+);  R' = W+ - X + g F+ - Y;
    Y+ = Y - theta P (W+ - beta R');
    after every ``inner`` rounds  X+ = (1 - lam) X + lam W, and E = W - X+ + g F - Y
Constants
    ``step`` is g = 0.8/L, ``lam`` = 1/2. The constants of VI-PAPC are those of L' = 1 + g L and
    mu' = 1 + g m, where m >= -L is the monotonicity of the F_i: the smallest eigenvalue of the
    symmetric part of their Jacobians, where it is known. ``inner`` = 6/(1 - alpha), rounded up (our
    choice).
Guarantee
    With resolvents that are exact X goes to a zero where g (2 - lam) > -2 rho, and on linear games
    nowhere else. That nodes solve for it together, by VI-PAPC from where they are, is ours, and in
    our experience costs nothing of it. sum_i y_i = 0.
Reference
    T. Pethick, W. Xie, V. Cevher, "Stable Nonconvex-Nonconcave Training via Linear Interpolation",
    NeurIPS 2023, Algorithm 1, whose inner iteration w+ = prox(x - g F(w)) is of one machine.
"""

import math

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.vi_papc import papc
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """Those of the module's docstring. InputError for a step and a lam that lead nowhere."""
    c.step = 0.8 / c.L
    c.lam = 0.5
    if math.isnan(c.L):  # other parameters were given, and no L
        raise InputError(f"rapp: {c.unknown}")
    monotonicity = known_monotonicity(c, problem)
    require_resolvent(c, problem, monotonicity)
    require_relaxed(c, problem.comonotonicity)
    c.q = math.sqrt((1 - c.ln) / (1 - c.l2))
    c.lambda_P = 1 - c.ln
    c.inner_mu = 1 + c.step * monotonicity
    c.inner_L = 1 + c.step * c.L
    c.beta, c.theta, c.eta, c.alpha = papc(c.inner_mu, c.inner_L, c.q)
    c.whole("inner", math.ceil(6 / (1 - c.alpha)))


def known_monotonicity(c, problem):
    """-L, or the better one that the problem knows."""
    try:
        return max(problem.monotonicity, -c.L)
    except InputError:
        return -c.L


def require_resolvent(c, problem, monotonicity):
    """InputError where w -> x - g F(w) is no contraction, unless a local step bounds w; and where
    the operators of VI-PAPC are not strongly monotone.
    """
    share = c.step * c.L
    if share > 1 and problem.local_step is None:
        said = f"step {share:.4g}/L makes the inner map no contraction"
        raise InputError(f"rapp: {said}; at most 1/L")
    if not 1 + c.step * monotonicity > 0:
        said = f"step {share:.4g}/L makes the inner operators not strongly monotone"
        raise InputError(f"rapp: {said}; below {-c.L / monotonicity:.4g}/L")


def require_relaxed(c, rho):
    """InputError where g (2 - lam) > -2 rho is known not to hold."""
    rho = 0.0 if rho is None else min(rho, 0.0)
    if c.step * (2 - c.lam) > -2 * rho:
        return
    most = 2 * (1 + rho / c.step)
    least = -c.step * c.L * (1 - c.lam / 2)
    said = f"lam {c.lam:.4g} with step {c.step * c.L:.4g}/L converges for rho L > {least:.4g} only"
    right = f"lam below {most:.3g}" if most > 0 else "a longer step"
    raise InputError(f"rapp: {said}, and rho L = {rho * c.L:.4g}; {right}")


def prepare(s, c, nodes, W):
    """W_0 = X_0, F = F(W_0), and E as if it had been so before."""
    s.w = s.x.copy()
    s.f = nodes.gradients(s.w)
    s.e = c.step * s.f - s.y


def renew(s, c, nodes, W):
    """F = F(W)."""
    s.f = nodes.gradients(s.w)


def step(s, c, nodes, W):
    """The step of the module's docstring."""
    r = s.w - s.x + c.step * s.f - s.y
    s.w = nodes.prox(s.w - c.eta * (r + c.alpha * (r - s.e)), c.eta * c.step)
    s.f = nodes.gradients(s.w)
    v = s.w - c.beta * (s.w - s.x + c.step * s.f - s.y)
    s.y -= c.theta / c.lambda_P * (v - W(v))
    s.e = r
    if (nodes.round + 1) % c.inner == 0:
        s.x = (1 - c.lam) * s.x + c.lam * s.w
        s.e = s.w - s.x + c.step * s.f - s.y


def fixed_point(x, g, mean, c):
    """x = w = x*, y_i = g (F_i - F)(x*), e = g F(x*)."""
    return {"x": x, "w": x, "y": c.step * (g - mean), "f": g, "e": c.step * mean}


METHOD = RoundMethod(
    name="rapp",
    title="RAPP",
    family="exact",
    look="blue dashed >",
    solves={"convex": "experimental", "operator": "experimental"},
    reference="pethick2023stable",
    blocks=("x", "w", "y", "f", "e"),
    invariant=("y",),
    composite="experimental",
    constants=constants,
    cycle="inner",
    tunes=("step",),
    prepare=prepare,
    renew=renew,
    step=step,
    fixed_point=fixed_point,
)
