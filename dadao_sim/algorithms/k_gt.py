r"""K-GT: gradient tracking with K local steps between two rounds of gossip.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth.
State
    per node x and the correction c, which starts at 0.
Step (X, C, Y, Z stack the rows of the nodes)
    Y = X, then K times Y <- Y - a (grad F(Y) + C);  Z = (X - Y)/(K a);
    C+ = C - Z + W Z;  X+ = W (X - K a b Z)
    Z and X are known together: both travel in one message.
Constants
    ``K`` = 4 local steps of length ``a`` = 1/(4 K L), and ``b`` = 1. W has no negative eigenvalue.
Guarantee
    Linear to x* where the f_i are strongly convex and a is small enough. sum_i c_i = 0.
Reference
    Y. Liu, T. Lin, A. Koloskova, S. U. Stich, "Decentralized Gradient Tracking with Local Steps",
    Optimization Methods and Software, 2024.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The number of local steps, their length, and the share of them that is taken over."""
    K = c.whole("K", 4)
    c.a = 1 / (4 * K * c.L)
    c.b = 1.0


def step(s, c, nodes, W):
    """K times Y <- Y - a (grad F(Y) + C), from X;  Z = (X - Y)/(K a);
    C+ = C - Z + W Z;  X+ = W (X - K a b Z).
    """
    local = s.x
    for _ in range(c.K):
        local = local - c.a * (nodes.gradients(local) + s.c)
    z = (s.x - local) / (c.K * c.a)
    s.x, mixed = W(s.x - c.K * c.a * c.b * z, z)
    s.c += mixed - z


def fixed_point(x, g, mean, c):
    """x = x*, c_i = -grad f_i(x*)."""
    return {"x": x, "c": mean - g}


METHOD = RoundMethod(
    name="k_gt",
    title="K-GT",
    family="local",
    look="purple dash-dot-dot P",
    reference="liu2024decentralized",
    blocks=("x", "c"),
    invariant=("c",),
    stochastic=True,
    steps=("a",),
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("a", "b"),
    step=step,
    fixed_point=fixed_point,
)
