r"""DIGing: gradient tracking that combines, then adapts (CTA).

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and h = y - g, where y is the
    node's estimate of the mean gradient; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, H, G stack the rows of the nodes)
    X+ = W X - a Y;  Y+ = W Y + grad F(X+) - grad F(X), that is
    G+ = grad F(X+),  H+ = W (H + G) - G
    Semi-ATC has X+ = W (X - a Y). Y is known with X: both travel in one message.
Constants
    The W of DIGing is lazy Metropolis by default, whose eigenvalues are positive. ``step`` is a,
    lambda_n(W)^2/L of DIGing, min(1, sqrt(kappa) (1 - lambda_2(W)))/L of semi-ATC, kappa = L/mu,
    whose W has no negative eigenvalue.
Guarantee
    Linear to x*: for a < 2 lambda_n(W)^2/L the squared error contracts by
    max(1 - a mu (2 - a L/lambda_n^2), 1 - (1 - lambda_2)^2), lambda_2 and lambda_n of W.
    Semi-ATC tracking: Linear to x* for a small enough; no theorem with a usable a is known.
    The mean over the nodes of y is always that of the gradients: sum_i h_i = 0.
Reference
    A. Nedic, A. Olshevsky, W. Shi, "Achieving Geometric Convergence for Distributed Optimization
    over Time-Varying Graphs", SIAM Journal on Optimization 27(4), 2017. Semi-ATC: P. Di Lorenzo,
    G. Scutari, "NEXT: In-Network Nonconvex Optimization", IEEE Transactions on Signal and
    Information Processing over Networks 2(2), 2016.

The gradients at X_0 are computed, and charged, before the first round.
"""

from dadao_sim.algorithms.contract.guarantee import ONE_THEOREM, Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gradient_tracking import constants as constants_of_atc
from dadao_sim.algorithms.gradient_tracking import fixed_point, prepare


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = c.ln**2 / c.L


def step(s, c, nodes, W):
    """Y = H + G;  X+ = W X - a Y;  G+ = grad F(X+),  H+ = W Y - G."""
    y = s.h + s.g
    x, mixed = W(s.x, y)
    s.x, s.h = x - c.step * y, mixed - s.g
    s.g = nodes.gradients(s.x)


def step_of_semi_atc(s, c, nodes, W):
    """Y = H + G;  X+ = W (X - a Y);  G+ = grad F(X+),  H+ = W Y - G."""
    y = s.h + s.g
    s.x, mixed = W(s.x - c.step * y, y)
    s.h = mixed - s.g
    s.g = nodes.gradients(s.x)


def guarantee(c, start, star, P):
    """||W X||^2 + ||Y'||^2 falls, Y' the one theorem's dual: -W X_0 - a (I - W)^+ H_0 without mean
    at the start, -a (I - W)^+ grad F(X*) at the end.
    """
    low = (1 - P.largest) ** 2
    if not 0 < 1 - P.largest or c.step * c.L >= 2 * low:
        return None
    factor = max(1 - c.step * c.mu * (2 - c.step * c.L / low), 1 - P.least**2)
    off = start.x - star.x
    x = off - P.apply(off, lambda gap: gap)
    y = P.apply(start.x, lambda gap: 1 - gap)
    y += c.step * P.apply(start.h + star.h, lambda gap: 1 / gap)
    return Guarantee.of_factor(ONE_THEOREM, factor, (square(x) + square(y)) / low)


DIGING = RoundMethod(
    name="diging",
    title="DIGing",
    family="tracking",
    look="green dash-dot-dot >",
    reference="nedic2017achieving",
    blocks=("x", "h", "g"),
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    steps=("step",),
    no_composite="its form with one is the method sonata",
    mixing="lazy_metropolis",
    guarantee=guarantee,
    theorem_leaves=("step",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)

SEMI_ATC = RoundMethod(
    name="semi_atc",
    title="Semi-ATC tracking",
    family="tracking",
    look="green solid >",
    reference="dilorenzo2016next",
    blocks=("x", "h", "g"),
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    steps=("step",),
    no_composite="its form with one is the method sonata",
    least_eigenvalue=0.0,
    solves={"convex": "proven", "non-convex": "proven"},
    constants=constants_of_atc,
    prepare=prepare,
    renew=prepare,
    step=step_of_semi_atc,
    fixed_point=fixed_point,
)
