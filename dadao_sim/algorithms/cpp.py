r"""CPP: Push-Pull over directed graphs whose messages are compressed differences.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and r = y - g, where the sum over
    the nodes of y is that of the gradients; h and k, what those it sends to know of x and y; and
    hr = R h, kc = C k, what it knows of those it hears. All but x and g start at 0.
Step (X, Y, H, K, Hr, Kc, P, Q, G stack the rows of the nodes)
    P = compressed(X - H),  Q = compressed(Y - K),  which are all that is sent, in one message;
    X+ = X - gamma (H + P - Hr - R P) - a Y;
    Y+ = Y - gamma (K + Q - Kc - C Q) + G+ - G,  G+ = grad F(X+);
    H+ = H + alpha P,  Hr+ = Hr + alpha R P,  K+ = K + alpha Q,  Kc+ = Kc + alpha C Q
    R and C as in Push-Pull.
Compression
    Any. Its own is ``dither`` of 2 bits on blocks of 256 numbers, as LEAD's. With ``top_k`` of a
    tenth of the numbers it took gamma = 0.1 and half the step on what was tried, and diverged with
    the default.
Constants
    gamma = 1, alpha = 1/2, as in the experiments of LEAD. ``step`` is a, that of AB: a n (p.pi) L
    is 1/10, with C pi = pi and p^T R = p^T, or less where that is not stable
    (``contract/tracked.py``). Our choice.
Guarantee
    E||x - x*||^2 falls linearly to 0 for an unbiased compression, and steps that are small enough
    for it; the proven ones are far smaller than what works. sum_i (y_i - g_i) = 0.
Reference
    Z. Song, L. Shi, S. Pu, M. Yan, "Compressed Gradient Tracking for Decentralized Optimization
    Over General Directed Networks", IEEE Transactions on Signal Processing 70, 2022. With R = C
    doubly stochastic it is C-GT: Y. Liao, Z. Li, K. Huang, S. Pu, "A Compressed Gradient Tracking
    Method for Decentralized Optimization with Linear Convergence", IEEE Transactions on Automatic
    Control 67(10), 2022, in whose form it is written down here.

With ``identity`` it is AB. The gradients at X_0 are computed, and charged, before the
first round.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tracked import moves, stable_step
from dadao_sim.compression.quantisers import Dither


def constants(c, problem, network):
    """Our choice."""
    c.gamma, c.alpha = 1, 1 / 2
    c.step = stable_step(network, "ab", 0.1 / moves(network)) / c.L


def prepare(s, c, nodes, W):
    """Y_0 = grad F(X_0)."""
    s.g = nodes.gradients(s.x)


def step(s, c, nodes, W):
    """The step of the module's docstring, with R = Y - G in the place of Y."""
    y = s.r + s.g
    p, q = nodes.compressed(s.x - s.h), nodes.compressed(y - s.k)
    pulled, pushed = W.RC(p, q)
    s.x = s.x - c.gamma * (s.h + p.rows - s.hr - pulled) - c.step * y
    s.r = s.r - c.gamma * (s.k + q.rows - s.kc - pushed)
    s.g = nodes.gradients(s.x)
    s.h += c.alpha * p.rows
    s.hr += c.alpha * pulled
    s.k += c.alpha * q.rows
    s.kc += c.alpha * pushed


def fixed_point(x, g, mean, c):
    """x = h = hr = x*, y = k = kc = 0."""
    return {"x": x, "h": x, "hr": x, "r": -g, "g": g}


METHOD = RoundMethod(
    name="cpp",
    title="CPP",
    family="compressed",
    look="black dash-dot-dot D",
    reference="song2022compressed",
    builds_on=("liao2022compressed",),
    blocks=("x", "r", "g", "h", "hr", "k", "kc"),
    invariant=("r",),
    directed=True,
    stochastic=True,
    steps=("step",),
    compression="any",
    compressor=lambda c, problem: Dither(kind="dither"),
    constants=constants,
    tunes=("step", "gamma"),
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
