r"""Prox-ED: exact diffusion with a proximal step; exact diffusion (D^2) where there is no r.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth and mu-strongly convex; every node knows
    the same r.
State
    per node x and the dual y, which starts at 0.
Step (X, Y, Z stack the rows of the nodes)
    Z = X - a grad F(X) - Y;  Y+ = Y + (I - W) Z/2;  X+ = prox_{a r}(Wt Z)
    This is Z = Wt Z- + (X - a grad F(X)) - (X- - a grad F(X-)) of the paper, minus signs marking
    the step before, Wt = (I + W)/2. Y_0 = 0 is Z_0 = X_0 - a grad F(X_0): a Y_0 whose mean over the
    nodes is not 0 leads elsewhere.
Constants
    W = I - Laplacian/lambda_max with unit weights. ``step`` is a, 1/L by default; the theorem asks
    for a < 2/L.
Guarantee
    Linear to x*, with the r that all nodes share. sum_i y_i = 0.
Reference
    S. A. Alghunaim, E. K. Ryu, K. Yuan, A. H. Sayed, "Decentralized Proximal Gradient Algorithms
    With Linear Convergence Rates", IEEE Transactions on Automatic Control 66(6), 2021.
"""

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
    constants=constants,
    step=step,
    fixed_point=fixed_point,
)
