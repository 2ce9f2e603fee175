r"""AD-PSGD: asynchronous decentralised parallel stochastic gradient descent.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth, held by node i of a connected graph.
State
    per node x, from x0; nothing moves between events.
Gradient event at i (Poisson, rate 1 per node)
    x_i -= s grad f_i(x_i)
Gossip event at e = (i, j)
    m = x_i - x_j;  x_i -= alpha m  (opposite sign at j): with alpha = 1/2 both take their mean
Constants
    ``step`` is s, 1/(16L) by default. The total rate of exchanges is n/2, that of A2CiD2, which is
    this method with a momentum: a node takes part in one exchange per gradient on average.
Guarantee
    For smooth f_i the mean squared gradient norm at the average decays as 1/sqrt(gradients) with a
    step that decays accordingly. With a constant step and different f_i it stops at a plateau,
    which grows with s and with the differences between the nodes' rates.
Reference
    X. Lian, W. Zhang, C. Zhang, J. Liu, "Asynchronous Decentralized Parallel Stochastic Gradient
    Descent", ICML 2018, Algorithm 1.
"""

from typing import NamedTuple

from dadao_sim.algorithms.contract.clocks import half_an_exchange_per_gradient
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles


class Params(NamedTuple):
    """The constants of the module's docstring."""

    step: float
    alpha: float


def constants(c, problem, network):
    """Total rate n/2; ``rate_factor`` multiplies it."""
    c.may_be_zero("step")
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2
    c.step = 1 / (16 * c.L)
    c.alpha = 1 / 2


def gradient(state, p, objective, i, mark, out):
    """g = grad f_i(x)."""
    oracles.gradient(objective, i, state.values[i, 0], mark, out)


def apply_gradient(state, p, i, g):
    """x -= s g."""
    for k in range(g.shape[0]):
        state.values[i, 0, k] -= p.step * g[k]


def apply_message(state, p, e, i, m):
    """x -= alpha m."""
    for k in range(m.shape[0]):
        state.values[i, 0, k] -= p.alpha * m[k]


METHOD = AsynchronousMethod(
    name="ad_psgd",
    title="AD-PSGD",
    family="stochastic",
    look="sky dashed <",
    invariant=("x",),
    stochastic=True,
    params=Params,
    constants=constants,
    tunes=("step", "total_rate"),
    clock=half_an_exchange_per_gradient,
    gradient=gradient,
    apply_gradient=apply_gradient,
    apply_message=apply_message,
    solves={"convex": "proven", "non-convex": "proven"},
    reference="lian2018asynchronous",
)
