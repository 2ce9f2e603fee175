r"""Local SGD, gradient descent with K local steps between two rounds of gossip.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex and L-smooth.
State
    per node x.
Step (X and Y stack the rows of the nodes)
    Y = X, then K times Y <- Y - a grad F(Y);  X+ = W Y
Constants
    ``K`` = 4 local steps of length ``a`` = 1/(2 K L) (our choice; K = 1 is ATC diffusion).
Guarantee
    Linear, for strongly convex f_i and a < 2/L, to a point that is not x* unless the f_i share
    their minimiser: the nodes drift to their own in between. On quadratics of Hessian H_i and
    minimiser m_i that point solves X = W (M + (I - a diag(H_i))^K (X - M)).
Reference
    S. U. Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019; over W:
    A. Koloskova, N. Loizou, S. Boreiri, M. Jaggi, S. U. Stich, "A Unified Theory of Decentralized
    SGD with Changing Topology and Local Updates", ICML 2020.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The number of local steps, and their length."""
    K = c.whole("K", 4)
    c.a = 1 / (2 * K * c.L)


def step(s, c, nodes, W):
    """K times Y <- Y - a grad F(Y), from X;  X+ = W Y."""
    local = s.x
    for _ in range(c.K):
        local = local - c.a * nodes.gradients(local)
    s.x = W(local)


METHOD = RoundMethod(
    name="local_sgd",
    title="Local SGD",
    family="local",
    look="black dotted p",
    reference="stich2019local",
    time_varying=True,
    stochastic=True,
    steps=("a",),
    constants=constants,
    step=step,
)
