r"""EG-GT: extragradient steps with gradient tracking, for saddle points and other operators.

Problem
    find z with 0 in (1/n) sum_i F_i(z) + the subdifferential of r at z, each F_i L-Lipschitz: the
    operators of a game, or gradients. All nodes know the same r.
State
    per node x, which stands for z, the F_i(x_i) it computed last, g, and h = s - g, where s is the
    node's estimate of the mean operator; h starts at 0, that is S_0 = F(X_0).
Step (X, S, H, G stack the rows of the nodes)
    Xh = prox_{eta r}(X - eta S);  Sh = S + F(Xh) - F(X);
    X+ = prox_{eta r}(W X - eta Sh);  S+ = W S + F(X+) - F(X), that is
    G+ = F(X+),  H+ = W (H + G) - G
    X and S are known together: both travel in one message. A step computes two operators.
Constants
    W = I - Laplacian/lambda_max with unit weights. ``eta`` = 0.3/L (our choice: near the best on
    rings, paths, stars and complete graphs of 8; that of the theorem, (1 - lambda_2)^2/(22 L) or
    less, is hundreds of times smaller).
Guarantee
    Linear to the zero of strongly monotone F_i, for eta small enough. sum_i h_i = 0.
Reference
    S. Mukherjee, M. Chakraborty, "A Decentralized Algorithm for Large Scale Min-Max Problems",
    CDC 2020; without r, with which it is ours.

Where the mean is not monotone it goes to a cycle, or to infinity: see ``rapp`` and the lookahead.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gradient_tracking import fixed_point, prepare


def constants(c, problem, network):
    """One step for all nodes."""
    c.eta = 0.3 / c.L


def step(s, c, nodes, W):
    """Xh = prox_{eta r}(X - eta S);  Sh = S + F(Xh) - F(X);  X+ = prox_{eta r}(W X - eta Sh);
    G+ = F(X+),  H+ = W (H + G) - G.
    """
    tracker = s.h + s.g
    half = nodes.prox(s.x - c.eta * tracker, c.eta)
    ahead = tracker + nodes.gradients(half) - s.g
    mixed, tracker = W(s.x, tracker)
    s.x, s.h = nodes.prox(mixed - c.eta * ahead, c.eta), tracker - s.g
    s.g = nodes.gradients(s.x)


METHOD = RoundMethod(
    name="eg_gt",
    title="EG-GT",
    family="tracking",
    look="black long v",
    solves={"convex": "proven", "operator": "proven"},
    reference="mukherjee2020decentralized",
    blocks=("x", "h", "g"),
    invariant=("h",),
    least_eigenvalue=0.0,
    composite="experimental",
    steps=("eta",),
    constants=constants,
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
