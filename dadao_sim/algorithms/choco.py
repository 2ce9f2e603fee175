r"""CHOCO-gossip and CHOCO-SGD: averaging, and gradient descent, by compressed differences.

Problem
    CHOCO-gossip: the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2.
    CHOCO-SGD: minimise (1/n) sum_i f_i(x), each f_i L-smooth.
State
    per node x, h, which its neighbours know of it, and hw = W h; x starts at c_i in CHOCO-gossip,
    h and hw start at 0.
Step (X, H, Hw, Q stack the rows of the nodes)
    CHOCO-SGD only: X <- X - eta grad F(X).
    Q = compressed(X - H), which is all that is sent;  H+ = H + Q;  Hw+ = Hw + W Q;
    X+ = X + gamma (Hw+ - H+)
Compression
    Any contraction. Its own is ``top_k`` of a tenth of the numbers, of one at least.
Constants
    gamma = delta^2 w/(16 delta + delta^2 + 4 b^2 + 2 delta b^2 - 8 delta w) of the theorem, w the
    constant of the compression, delta = 1 - max(|lambda_2|, |lambda_n|) and b = 1 - lambda_n of W:
    40 times as much was stable on all that was tried. CHOCO-SGD: gamma = 0.3, eta = 0.1/L (our
    choice).
Guarantee
    CHOCO-gossip: linear to the mean, E||X - J X||^2 falls by 1 - delta^2 w/82 each round (Theorem
    2); the mean of x is conserved. CHOCO-SGD: to the neighbourhood of x* that ATC diffusion with
    I - gamma (I - W) reaches.
Reference
    A. Koloskova, S. U. Stich, M. Jaggi, "Decentralized Stochastic Optimization and Gossip
    Algorithms with Compressed Communication", ICML 2019, Algorithms 1 and 2.
"""

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compression.sparsifiers import TopK


def constants(c, problem, network):
    """The gamma of the theorem."""
    gap, b, w = 1 - max(abs(c.l2), abs(c.ln)), 1 - c.ln, c.contraction
    c.gamma = gap**2 * w / (16 * gap + gap**2 + 4 * b**2 + 2 * gap * b**2 - 8 * gap * w)


def constants_of_sgd(c, problem, network):
    """Our choice."""
    c.gamma, c.eta = 0.3, 0.1 / c.L


def compressor(c, problem):
    """A tenth of the numbers."""
    return TopK(kind="top_k", k=max(1, problem.dimension // 10))


def step(s, c, nodes, W):
    """Q = compressed(X - H);  H+ = H + Q;  Hw+ = Hw + W Q;  X+ = X + gamma (Hw+ - H+)."""
    q = nodes.compressed(s.x - s.h)
    s.h += q.rows
    s.hw += W(q)
    s.x += c.gamma * (s.hw - s.h)


def step_of_sgd(s, c, nodes, W):
    """X <- X - eta grad F(X), and the same."""
    s.x -= c.eta * nodes.gradients(s.x)
    step(s, c, nodes, W)


def fixed_point(x, g, mean, c):
    """x = h = hw = x*."""
    return {"x": x, "h": x, "hw": x}


def guarantee(c, start, star, P):
    """E(||X - J X||^2 + ||X - H||^2) falls."""
    delta = 1 - max(1 - P.least, P.largest - 1)
    first = square(start.x - star.x) + square(start.x - start.h)
    theorem = "Koloskova et al. 2019, Theorem 2"
    return Guarantee.of_factor(theorem, 1 - delta**2 * c.contraction / 82, first)


CHOCO_GOSSIP = RoundMethod(
    name="choco_gossip",
    title="CHOCO-gossip",
    family="gossip",
    look="sky dashed ^",
    reference="koloskova2019choco",
    blocks=("x", "h", "hw"),
    invariant=("x",),
    needs_averaging=True,
    guarantee=guarantee,
    compression="any",
    compressor=compressor,
    constants=constants,
    tunes=("gamma",),
    step=step,
    fixed_point=fixed_point,
)

CHOCO_SGD = RoundMethod(
    name="choco_sgd",
    title="CHOCO-SGD",
    family="compressed",
    look="sky dash-dot D",
    reference="koloskova2019choco",
    blocks=("x", "h", "hw"),
    stochastic=True,
    steps=("eta",),
    compression="any",
    compressor=compressor,
    constants=constants_of_sgd,
    tunes=("eta", "gamma"),
    step=step_of_sgd,
)
