r"""Exact diffusion, its form D^2 for stochastic gradients, and Prox-ED, with a proximal step.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth and mu-strongly convex; every node knows
    the same r. Exact diffusion and D^2 without r.
State
    per node x and the dual y, which starts at 0.
Step (X, Y, Z stack the rows of the nodes)
    Z = X - a grad F(X) - Y;  Y+ = Y + (I - Wt) Z;  X+ = prox_{a r}(Wt Z),  Wt = (I + W)/2
    D^2 has W in the place of Wt.
    This is Z = Wt Z- + (X - a grad F(X)) - (X- - a grad F(X-)) of the papers, minus signs marking
    the step before. Y_0 = 0 is Z_0 = X_0 - a grad F(X_0): a Y_0 whose mean over the nodes is not 0
    leads elsewhere.
Constants
    W = I - Laplacian/lambda_max with unit weights, whose eigenvalues are not negative (D^2 needs
    them above -1/3). ``step`` is a, 1/L by default; the theorems ask for a < 2/L.
Guarantee
    Linear to x*, with the r that all nodes share; with minibatches to a neighbourhood of x* whose
    size does not depend on how the f_i differ. sum_i y_i = 0. Of steps that a schedule makes fall y
    follows, -a grad f_i(x*), and x is still led to x*.
Reference
    K. Yuan, B. Ying, X. Zhao, A. H. Sayed, "Exact Diffusion for Distributed Optimization and
    Learning, Part I", IEEE Transactions on Signal Processing 67(3), 2019. D^2: H. Tang, X. Lian,
    M. Yan, C. Zhang, J. Liu, "D^2: Decentralized Training over Decentralized Data", ICML 2018.
    Prox-ED: S. A. Alghunaim, E. K. Ryu, K. Yuan, A. H. Sayed, "Decentralized Proximal Gradient
    Algorithms With Linear Convergence Rates", IEEE Transactions on Automatic Control 66(6), 2021.
"""

from dataclasses import replace

from dadao_sim.algorithms.contract.guarantee import ONE_THEOREM, Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.extra import fixed_point


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = 1 / c.L


def step(s, c, nodes, W):
    """Z = X - a grad F(X) - Y;  Y+ = Y + (I - W) Z/2;  X+ = prox_{a r}(Wt Z), Wt = (I + W)/2."""
    z = s.x - c.step * nodes.gradients(s.x) - s.y
    mixed = W(z)
    s.y += (z - mixed) / 2
    s.x = nodes.prox((z + mixed) / 2, c.step)


def step_of_d2(s, c, nodes, W):
    """Z = X - a grad F(X) - Y;  Y+ = Y + (I - W) Z;  X+ = W Z."""
    z = s.x - c.step * nodes.gradients(s.x) - s.y
    s.x = W(z)
    s.y += z - s.x


def guarantee(c, start, star, P):
    """||X||^2 + ||B^+ Y||^2 falls, B^2 = (I - W)/2."""
    factor = max(1 - c.step * c.mu * (2 - c.step * c.L), 1 - P.least / 2)
    y = 2 * P.inverse(start.y - star.y)
    return Guarantee.of_factor(ONE_THEOREM, factor, square(start.x - star.x) + y)


def guarantee_of_d2(c, start, star, P):
    """||X||^2 + ||B^+ Y||^2 falls, B^2 = I - W."""
    factor = max(1 - c.step * c.mu * (2 - c.step * c.L), 1 - P.least)
    y = P.inverse(start.y - star.y)
    return Guarantee.of_factor(ONE_THEOREM, factor, square(start.x - star.x) + y)


PROX_ED = RoundMethod(
    name="prox_ed",
    title="Prox-ED",
    family="exact",
    look="green long s",
    reference="alghunaim2021decentralized",
    blocks=("x", "y"),
    invariant=("y",),
    stochastic=True,
    composite="proven",
    solves={"convex": "proven", "non-convex": "experimental"},
    guarantee=guarantee,
    theorem_leaves=("step",),
    constants=constants,
    tunes=("step",),
    step=step,
    fixed_point=fixed_point,
)

EXACT_DIFFUSION = replace(
    PROX_ED,
    name="exact_diffusion",
    title="Exact diffusion",
    look="green dash-dot-dot s",
    reference="yuan2019exact",
    composite="none",
    no_composite="its form with one is the method prox_ed",
    same_as="prox_ed",
    solves={"convex": "proven", "operator": "experimental"},
    steps=("step",),
)

D2 = replace(
    EXACT_DIFFUSION,
    name="d2",
    title="D2",
    look="purple dash-dot s",
    reference="tang2018d2",
    step=step_of_d2,
    guarantee=guarantee_of_d2,
    least_eigenvalue=0.0,
    same_as=None,
)
