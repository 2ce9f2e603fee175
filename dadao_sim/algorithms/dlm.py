r"""DLM: the decentralised linearised alternating direction method of multipliers.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex and L-smooth.
State
    per node x and the multiplier alpha, which starts at 0.
Step (X, A stack the rows of the nodes; Lap the Laplacian with unit weights, deg_i the degrees)
    x_i+ = x_i - (grad f_i(x_i) + c (Lap X)_i + alpha_i)/(2 c deg_i + rho);  A+ = A + c Lap X+
    Lap X is sent once: A keeps c Lap X of the present X, A_0 = 0 where the nodes start together.
Constants
    ``rho`` = L and ``c`` = L/4, from kappa = 30 on L/32, by default (our choice: the best c falls
    as kappa grows). It converges for every c > 0 and rho > L/2.
Guarantee
    Linear to x* where the f_i are strongly convex. sum_i alpha_i = 0.
Reference
    Q. Ling, W. Shi, G. Wu, A. Ribeiro, "DLM: Decentralized Linearized Alternating Direction Method
    of Multipliers", IEEE Transactions on Signal Processing 63(15), 2015.
"""

from dadao_sim.algorithms.contract.gossip import laplacian
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The penalty, the curvature of the linearisation, and each node's divisor."""
    c.rho = c.L
    c.c = c.L / (4 if c.L < 30 * c.mu else 32)
    c.of_nodes(divisor=2 * c.c * network.laplacian().diagonal() + c.rho)


def step(s, c, nodes, W):
    """A+ = A + c W X;  x_i+ = x_i - (grad f_i(x_i) + c (W X)_i + alpha_i+)/(2 c deg_i + rho)."""
    difference = c.c * W(s.x)
    s.alpha += difference
    s.x = s.x - (nodes.gradients(s.x) + difference + s.alpha) / c.divisor


def fixed_point(x, g, mean, c):
    """x = x*, alpha_i = -grad f_i(x*)."""
    return {"x": x, "alpha": mean - g}


METHOD = RoundMethod(
    name="dlm",
    title="DLM",
    family="dual",
    look="vermilion dash-dot-dot p",
    reference="ling2015dlm",
    blocks=("x", "alpha"),
    invariant=("alpha",),
    weights=laplacian,
    constants=constants,
    tunes=("c", "rho"),
    step=step,
    fixed_point=fixed_point,
)
