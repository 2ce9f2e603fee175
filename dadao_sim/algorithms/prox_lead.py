r"""Prox-LEAD: Prox-ED whose messages are quantised to a few bits; LEAD where there is no r.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth and mu-strongly convex; every node knows
    the same r.
State
    per node x, the dual d, h, which its neighbours know of it, and hw = W h; d, h and hw start at
    0.
Step (X, D, H, Hw, Z, Q stack the rows of the nodes)
    Z = X - eta (grad F(X) + D);  Q = quantised(Z - H), which is all that is sent;
    Zh = H + Q;  Zw = Hw + W Q;  H+ = H + alpha Q;  Hw+ = Hw + alpha W Q;
    D+ = D + gamma (Zh - Zw)/(2 eta);  X+ = prox_{eta r}(Z - gamma (Zh - Zw)/2)
Quantiser, on blocks of 256 numbers, s = 2^{bits-1}
    v -> (||v||_inf/s) sign(v) floor(s |v|/||v||_inf + u), u uniform on [0, 1): unbiased, with
    2^bits + 1 symbols, that is bits + 1 bits a number in a code of fixed length, and 64 bits a
    block for its norm. u is drawn from the round's mark, each node its own.
Constants
    W = I - Laplacian/lambda_max with unit weights. eta = 1/L, gamma = 1, alpha = 1/2, bits = 2: the
    last three as in the experiments of LEAD, larger than what its theorem allows.
Guarantee
    E||x - x*||^2 falls linearly to 0, however coarse the quantiser, for eta < 2/(mu + L) and gamma
    and alpha small enough for it. sum_i d_i = 0; a D_0 whose mean over the nodes is not 0 leads
    elsewhere.
Reference
    Y. Li, X. Liu, J. Tang, M. Yan, K. Yuan, "Decentralized Composite Optimization with
    Compression", arXiv:2108.04448, 2021. LEAD: X. Liu, Y. Li, R. Wang, J. Tang, M. Yan, "Linear
    Convergent Decentralized Optimization with Compression", ICLR 2021.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract import rows
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import one_round_per_step
from dadao_sim.algorithms.contract.method import Costs, SynchronousMethod, Tuning
from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.engine.node import State

BITS = 2
MOST_BITS = 52  # of a double; its messages would be no shorter
BLOCK = 256


class Params(NamedTuple):
    """The constants of the module's docstring."""

    eta: float
    gamma: float
    alpha: float
    bits: float


def costs(bits: int) -> Costs:
    """What a message of quantised numbers takes."""
    return Costs(bits=bits + 1, block=BLOCK)


def tune(problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
    """Constants for ``problem`` on ``network``, whose gossip has unit weights."""
    c = Constants("prox_lead", overrides)
    c.measure(L=lambda: problem.L)
    c.eta = 1 / c.L
    c.gamma, c.alpha = 1, 1 / 2
    bits = c.whole("bits", BITS, most=MOST_BITS)
    c.positive("eta", "gamma", "alpha")
    return one_round_per_step(network, c, c.fill(Params), prox_step=c.eta, costs=costs(bits))


@kernel
def fill_uniform(mark, out):
    """Numbers of [0, 1) from ``mark`` (uint64), each row of ``out`` (n, d) its own."""
    for i in range(out.shape[0]):
        start = mark + np.uint64(i) * rows.NODE_STRIDE
        for k in range(out.shape[1]):
            out[i, k] = (splitmix64(start + np.uint64(k)) >> np.uint64(11)) * 2.0**-53


def quantised(v: np.ndarray, bits: float, mark: int) -> np.ndarray:
    """The quantiser of the module's docstring on every row of ``v`` (n, d)."""
    u = np.empty(v.shape)
    with np.errstate(over="ignore"):  # plain Python warns where uint64 wraps around
        fill_uniform(np.uint64(mark), u)
    size, levels = np.abs(v), 2 ** (bits - 1)
    starts = np.arange(0, v.shape[1], BLOCK)
    norms = np.maximum.reduceat(size, starts, axis=1)
    norm = np.repeat(norms, BLOCK, axis=1)[:, : v.shape[1]]
    relative = np.divide(size, norm, out=np.zeros(v.shape), where=norm > 0)
    symbols = np.minimum(np.floor(levels * relative + u), levels)  # levels + u may round up
    return np.copysign(norm / levels * symbols, v)


def on_round(state: State, tuning: Tuning, objective: Any, k: int, mark: int) -> None:
    """One step: n gradients and one round of gossip, of the quantised difference."""
    p = tuning.params
    x, d, h, hw = (state.values[:, block] for block in range(4))
    z = x - p.eta * (rows.gradients(objective, x, mark) + d)
    q = quantised(z - h, p.bits, ~mark & (2**64 - 1))
    (mixed,) = tuning.gossip.apply(k, q)
    gap = p.gamma * (h + q - hw - mixed) / 2
    h += p.alpha * q
    hw += p.alpha * mixed
    d += gap / p.eta
    x[:] = rows.prox(objective, z - gap, p.eta)


def observe(state: State, tuning: Tuning, objective: Any) -> np.ndarray:
    """x of every node, (n, d)."""
    return state.values[:, 0].copy()


def optimum(problem: Any, network: Any, tuning: Tuning) -> dict[str, np.ndarray]:
    """x = x*, d_i = (grad F - grad f_i)(x*), h = hw = x* - eta grad F(x*)."""
    x = np.tile(problem.x_star, (problem.nodes, 1))
    gradients = problem.gradients(x)
    mean = gradients.mean(axis=0)
    z = x - tuning.params.eta * mean
    return {"x": x, "d": mean - gradients, "h": z, "hw": z}


METHOD = SynchronousMethod(
    name="prox_lead",
    title="Prox-LEAD",
    family="compressed",
    look="sky solid D",
    blocks=("x", "d", "h", "hw"),
    start_block="x",
    invariant=("d",),
    stochastic=True,
    composite="proven",
    theorem_needs_mu=True,
    costs=costs(BITS),
    tune=tune,
    optimum=optimum,
    on_round=on_round,
    observe=observe,
    reference="li2021decentralized",
)
