r"""Push-Pull and AB: gradient tracking over directed graphs, with a row- and a column-stochastic
matrix and no division.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex; the graph may change in
    every round, and be strongly connected over several only.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and h = y - g, where the sum over
    the nodes of y is that of the gradients; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, H, G stack the rows of the nodes)
    Push-Pull:  X+ = R (X - a Y)
    AB:         X+ = R X - a Y
    both:       Y+ = C Y + grad F(X+) - grad F(X), that is G+ = grad F(X+),  H+ = C (H + G) - G
    R_ij = 1/(1 + indegree of i) for each arc j -> i and for j = i, row-stochastic;
    C_ji = 1/(1 + outdegree of i) for each arc i -> j and for j = i, column-stochastic.
Constants
    ``step`` is a. The nodes' mean, weighted by p, moves by a n (p.pi) grad F, with C pi = pi and
    p^T R = p^T: by default a n (p.pi) L is 1/4 for Push-Pull and 1/10 for AB, on a sequence with
    the largest p.pi; less where that is not stable, as on directed rings (``contract/tracked.py``).
    Our choice: it held on all digraphs that were tried.
Guarantee
    Linear to x* for a small enough; the proven bound is far smaller than what works.
    1^T (Y - G) stays: sum_i h_i = 0.
Reference
    S. Pu, W. Shi, J. Xu, A. Nedic, "Push-Pull Gradient Methods for Distributed Optimization in
    Networks", IEEE Transactions on Automatic Control 66(1), 2021. AB: R. Xin, U. A. Khan, "A Linear
    Algorithm for Optimization over Directed Graphs with Geometric Convergence", IEEE Control
    Systems Letters 2(3), 2018.

One message goes along every arc, of two vectors. The gradients at X_0 are computed, and charged,
before the first round.
"""

from dataclasses import replace

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tracked import moves, stable_step


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = stable_step(network, "push_pull", 0.25 / moves(network)) / c.L


def constants_of_ab(c, problem, network):
    """One step for all nodes."""
    c.step = stable_step(network, "ab", 0.1 / moves(network)) / c.L


def prepare(s, c, nodes, W):
    """Y_0 = grad F(X_0)."""
    s.g = nodes.gradients(s.x)


def step(s, c, nodes, W):
    """X+ = R (X - a Y),  Y+ = C Y + grad F(X+) - grad F(X)."""
    y = s.h + s.g
    s.x, pushed = W.RC(s.x - c.step * y, y)
    s.h = pushed - s.g
    s.g = nodes.gradients(s.x)


def step_of_ab(s, c, nodes, W):
    """X+ = R X - a Y,  Y+ = C Y + grad F(X+) - grad F(X)."""
    y = s.h + s.g
    pulled, pushed = W.RC(s.x, y)
    s.x = pulled - c.step * y
    s.h = pushed - s.g
    s.g = nodes.gradients(s.x)


def fixed_point(x, g, mean, c):
    """x = x*, y = 0."""
    return {"x": x, "h": -g, "g": g}


PUSH_PULL = RoundMethod(
    name="push_pull",
    title="Push-Pull",
    family="tracking",
    look="vermilion solid <",
    reference="pu2021pushpull",
    blocks=("x", "h", "g"),
    invariant=("h",),
    directed=True,
    time_varying=True,
    stochastic=True,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)

AB = replace(
    PUSH_PULL,
    name="ab",
    title="AB",
    look="sky dashed o",
    reference="xin2018linear",
    constants=constants_of_ab,
    step=step_of_ab,
)
