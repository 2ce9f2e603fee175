r"""BEER: gradient tracking whose messages are compressed differences.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth; the f_i need not be convex.
State
    per node x and the tracker v, what its neighbours know of them, h and k, and hw = W h, kw = W k;
    and the gradient g = grad f_i(x_i) it computed last, and r = v - g. All but x and g start at 0.
Step (X, V, H, K, Hw, Kw, G stack the rows of the nodes)
    X+ = X + gamma (Hw - H) - eta V;  H+ = H + compressed(X+ - H);  G+ = grad F(X+);
    V+ = V + gamma (Kw - K) + G+ - G;  K+ = K + compressed(V+ - K);
    both differences travel in one message, which makes Hw+ and Kw+.
Compression
    Any contraction. Its own is ``top_k`` of a tenth of the numbers, of one at least.
Constants
    gamma = 0.3, eta = 0.1/L (our choice; the theorem asks for gamma = O(delta w) and
    eta = O(gamma delta^2/L), w the constant of the compression, delta the gap of W).
Guarantee
    Linear to x* for strongly convex F, and where F has the Polyak-Lojasiewicz property; to a
    stationary point at the rate 1/k in any case. sum_i (v_i - g_i) = 0.
Reference
    H. Zhao, B. Li, Z. Li, P. Richtarik, Y. Chi, "BEER: Fast O(1/T) Rate for Decentralized Nonconvex
    Optimization with Communication Compression", NeurIPS 2022, Algorithm 1.

The gradients at X_0 are computed, and charged, before the first round.
"""

from dadao_sim.algorithms.choco import compressor
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Our choice."""
    c.gamma, c.eta = 0.3, 0.1 / c.L


def prepare(s, c, nodes, W):
    """V_0 = grad F(X_0)."""
    s.g = nodes.gradients(s.x)


def step(s, c, nodes, W):
    """The step of the module's docstring, with R = V - G in the place of V."""
    s.x = s.x + c.gamma * (s.hw - s.h) - c.eta * (s.r + s.g)
    p = nodes.compressed(s.x - s.h)
    s.g = nodes.gradients(s.x)
    s.r += c.gamma * (s.kw - s.k)
    q = nodes.compressed(s.r + s.g - s.k)
    mixed_p, mixed_q = W(p, q)
    s.h += p.rows
    s.hw += mixed_p
    s.k += q.rows
    s.kw += mixed_q


def fixed_point(x, g, mean, c):
    """x = h = hw = x*, v = k = kw = grad F(x*) = 0."""
    return {"x": x, "h": x, "hw": x, "r": mean - g, "g": g}


METHOD = RoundMethod(
    name="beer",
    title="BEER",
    family="compressed",
    look="sky dash-dot-dot D",
    reference="zhao2022beer",
    blocks=("x", "h", "hw", "r", "g", "k", "kw"),
    invariant=("r",),
    stochastic=True,
    steps=("eta",),
    compression="any",
    compressor=compressor,
    solves={"convex": "proven", "non-convex": "proven"},
    constants=constants,
    tunes=("eta", "gamma"),
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
