r"""LEAD, exact diffusion whose messages are quantised to a few bits, and Prox-LEAD, with a prox.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth and mu-strongly convex; every node knows
    the same r.
State
    per node x, the dual d, h, which its neighbours know of it, and hw = W h; d, h and hw start at
    0.
Step (X, D, H, Hw, Z, Q stack the rows of the nodes)
    Z = X - eta (grad F(X) + D);  Q = compressed(Z - H), which is all that is sent;
    Zh = H + Q;  Zw = Hw + W Q;  H+ = H + alpha Q;  Hw+ = Hw + alpha W Q;
    D+ = D + gamma (Zh - Zw)/(2 eta);  X+ = prox_{eta r}(Z - gamma (Zh - Zw)/2)
Compression
    Unbiased. Its own is ``dither`` of ``bits`` on blocks of 256 numbers, another one is chosen by
    ``compression`` of a scenario.
Constants
    W = I - Laplacian/lambda_max with unit weights. eta = 1/L, gamma = 1, alpha = 1/2, bits = 2: the
    last three as in the experiments of LEAD, larger than what its theorem allows.
Guarantee
    E||x - x*||^2 falls linearly to 0, however coarse the quantiser, for eta < 2/(mu + L) and gamma
    and alpha small enough for it. sum_i d_i = 0; a D_0 whose mean over the nodes is not 0 leads
    elsewhere.
Reference
    LEAD: X. Liu, Y. Li, R. Wang, J. Tang, M. Yan, "Linear Convergent Decentralized Optimization
    with Compression", ICLR 2021. Prox-LEAD: Y. Li, X. Liu, J. Tang, M. Yan, K. Yuan,
    "Decentralized Composite Optimization with Compression", arXiv:2108.04448, 2021.
"""

from dataclasses import replace

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compression.quantisers import Dither

BITS = 2
MOST_BITS = 52  # of a double; its messages would be no shorter
BLOCK = 256


def constants(c, problem, network):
    """One step, the share of a gap that is closed, that of what is learnt of h, and the bits."""
    c.eta = 1 / c.L
    c.gamma, c.alpha = 1, 1 / 2
    c.whole("bits", BITS, most=MOST_BITS)


def step(s, c, nodes, W):
    """Z = X - eta (grad F(X) + D);  Q = compressed(Z - H);  Zh = H + Q;  Zw = Hw + W Q;
    H+ = H + alpha Q;  Hw+ = Hw + alpha W Q;
    D+ = D + gamma (Zh - Zw)/(2 eta);  X+ = prox_{eta r}(Z - gamma (Zh - Zw)/2).
    """
    z = s.x - c.eta * (nodes.gradients(s.x) + s.d)
    q = nodes.compressed(z - s.h)
    mixed = W(q)
    gap = c.gamma * (s.h + q.rows - s.hw - mixed) / 2
    s.h += c.alpha * q.rows
    s.hw += c.alpha * mixed
    s.d += gap / c.eta
    s.x = nodes.prox(z - gap, c.eta)


def fixed_point(x, g, mean, c):
    """x = x*, d_i = (grad F - grad f_i)(x*), h = hw = x* - eta grad F(x*)."""
    z = x - c.eta * mean
    return {"x": x, "d": mean - g, "h": z, "hw": z}


PROX_LEAD = RoundMethod(
    name="prox_lead",
    title="Prox-LEAD",
    family="compressed",
    look="sky solid D",
    reference="li2021decentralized",
    blocks=("x", "d", "h", "hw"),
    invariant=("d",),
    stochastic=True,
    composite="proven",
    compression="unbiased",
    compressor=lambda c, problem: Dither(kind="dither", bits_per_number=c.bits, block=BLOCK),
    theorem_needs_mu=True,
    constants=constants,
    tunes=("eta", "gamma"),
    step=step,
    fixed_point=fixed_point,
)

LEAD = replace(
    PROX_LEAD,
    name="lead",
    title="LEAD",
    look="sky long D",
    reference="liu2021linear",
    composite="none",
    no_composite="its form with one is the method prox_lead",
    same_as="prox_lead",
    steps=("eta",),
)
