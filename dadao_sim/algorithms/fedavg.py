r"""FedAvg and SCAFFOLD: local steps between two means over all nodes, which a server takes.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth.
State
    per node its copy of the server's x. SCAFFOLD: of its c too, and the node's own control d;
    both start at 0.
Step (X, C, D, Y stack the rows of the nodes, J is the mean over them)
    FedAvg:    Y = X, then K times Y <- Y - a grad F(Y);  X+ = J Y
    SCAFFOLD:  Y = X, then K times Y <- Y - a (grad F(Y) - D + C);
               D+ = D - C + (X - Y)/(K a);  C+ = C + J (D+ - D);  X+ = X + b (J Y - X)
    Y and D+ - D travel in one message. All nodes take part in every round.
Server
    The node in the middle of the network: sums go to it along a tree of shortest paths, means come
    back the same way. On a star it is the hub, and a round is a message up and one down.
Constants
    ``K`` = 4 local steps of length ``a`` = 1/(2 K L) (our choice), and SCAFFOLD's ``b`` = 1.
Guarantee
    FedAvg: to the point that local SGD reaches on a complete graph. SCAFFOLD: linear to x* where
    the f_i are strongly convex, a <= 1/(81 K L b) and b >= 1 in its Theorem III. C = J D.
Reference
    H. B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Aguera y Arcas, "Communication-Efficient
    Learning of Deep Networks from Decentralized Data", AISTATS 2017. S. P. Karimireddy, S. Kale,
    M. Mohri, S. J. Reddi, S. U. Stich, A. T. Suresh, "SCAFFOLD: Stochastic Controlled Averaging for
    Federated Learning", ICML 2020, Algorithm 1 with option II.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The number of local steps, and their length."""
    K = c.whole("K", 4)
    c.a = 1 / (2 * K * c.L)


def constants_of_scaffold(c, problem, network):
    """The same, and the server's step."""
    constants(c, problem, network)
    c.b = 1.0


def step(s, c, nodes, W):
    """K times Y <- Y - a grad F(Y), from X;  X+ = J Y."""
    local = s.x
    for _ in range(c.K):
        local = local - c.a * nodes.gradients(local)
    s.x = W.mean(local)


def step_of_scaffold(s, c, nodes, W):
    """K times Y <- Y - a (grad F(Y) - D + C), from X;  D+ = D - C + (X - Y)/(K a);
    C+ = C + J (D+ - D);  X+ = X + b (J Y - X).
    """
    local = s.x
    for _ in range(c.K):
        local = local - c.a * (nodes.gradients(local) - s.d + s.c)
    change = (s.x - local) / (c.K * c.a) - s.c
    mean, mean_change = W.mean(local, change)
    s.d += change
    s.c += mean_change
    s.x += c.b * (mean - s.x)


def fixed_point(x, g, mean, c):
    """x = x*, d_i = grad f_i(x*), c = grad F(x*) = 0."""
    return {"x": x, "d": g - mean}


FEDAVG = RoundMethod(
    name="fedavg",
    title="FedAvg",
    family="local",
    look="black long ^",
    reference="mcmahan2017communication",
    stochastic=True,
    steps=("a",),
    server=True,
    constants=constants,
    step=step,
)

SCAFFOLD = RoundMethod(
    name="scaffold",
    title="SCAFFOLD",
    family="local",
    look="vermilion dash-dot <",
    reference="karimireddy2020scaffold",
    blocks=("x", "c", "d"),
    stochastic=True,
    steps=("a",),
    server=True,
    constants=constants_of_scaffold,
    step=step_of_scaffold,
    fixed_point=fixed_point,
)
