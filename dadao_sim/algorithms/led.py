r"""LED: local exact diffusion, several local steps between two rounds of gossip.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth.
State
    per node x and the dual y, which starts at 0.
Step (X, Y, F stack the rows of the nodes)
    F = X, then K times F <- F - a grad F(F) - b Y;  X+ = W F;  Y+ = Y + F - X+
Constants
    ``K`` = 4 local steps, ``a`` = 1/(K L), ``b`` = 1/K. W has no negative eigenvalue.
Guarantee
    Linear to x* where the f_i are strongly convex and a is small enough; K = 1 is D2 (exact
    diffusion with W for (I + W)/2). sum_i y_i = 0. Of steps that a schedule makes fall y follows,
    -(a/b) grad f_i(x*), and x is still led to x*.
Reference
    S. A. Alghunaim, "Local Exact-Diffusion for Decentralized Optimization and Learning", IEEE
    Transactions on Automatic Control 69(11), 2024.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The number of local steps, their length, and the share of the dual in each."""
    K = c.whole("K", 4)
    c.a = 1 / (K * c.L)
    c.b = 1 / K


def step(s, c, nodes, W):
    """K times F <- F - a grad F(F) - b Y, from X;  X+ = W F;  Y+ = Y + F - X+."""
    local = s.x
    for _ in range(c.K):
        local = local - c.a * nodes.gradients(local) - c.b * s.y
    s.x = W(local)
    s.y += local - s.x


def fixed_point(x, g, mean, c):
    """x = x*, y_i = -(a/b) grad f_i(x*)."""
    return {"x": x, "y": c.a / c.b * (mean - g)}


METHOD = RoundMethod(
    name="led",
    title="LED",
    family="local",
    look="purple dashed P",
    reference="alghunaim2024local",
    blocks=("x", "y"),
    invariant=("y",),
    stochastic=True,
    steps=("a",),
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("a", "b"),
    step=step,
    fixed_point=fixed_point,
)
