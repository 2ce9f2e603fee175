r"""Randomised gossip: pairs of neighbours that take their mean.

Problem
    the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2, one at each node of a connected graph.
State
    per node x, which starts at c_i; nothing moves between events.
Gossip event at e = (i, j) (Poisson, rate lambda_e)
    m = x_i - x_j;  x_i -= alpha m  (opposite sign at j)
Constants
    alpha = 1/2: both take their mean. The rates lambda_e have the total n/2: a node takes part in
    one exchange per unit of time on average.
Guarantee
    E||x_t - x*||^2 decays at a rate from lambda_2/2 to lambda_2 of the Laplacian of the lambda_e.
    Where all edges are alike it is the root w in (lambda_2/2, lambda_2) of sum_k l_k^2/(l_k - w) =
    2 sum_k l_k, l_k the positive eigenvalues: lambda_2/2 on the complete graph, close to lambda_2
    on a long cycle. The mean of x is conserved.
Reference
    S. Boyd, A. Ghosh, B. Prabhakar, D. Shah, "Randomized Gossip Algorithms", IEEE Transactions on
    Information Theory 52(6), 2006.
"""

from typing import NamedTuple

from dadao_sim.algorithms.contract.clocks import exchanges_only
from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.method import AsynchronousMethod


class Params(NamedTuple):
    """The constant of the module's docstring."""

    alpha: float


def constants(c, problem, network):
    """Total rate n/2; ``rate_factor`` multiplies it."""
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2
    c.alpha = 1 / 2


def apply_message(state, p, e, i, m):
    """x -= alpha m."""
    for k in range(m.shape[0]):
        state.values[i, 0, k] -= p.alpha * m[k]


def fixed_point(x, g, mean, p):
    """x = x*."""
    return {"x": x}


def guarantee(c, start, star, P):
    """||X||^2 falls by <X, P X>/2 on average."""
    return Guarantee("Boyd et al. 2006", P.least / 2, square(start.x - star.x))


METHOD = AsynchronousMethod(
    name="randomised_gossip",
    title="Randomised gossip",
    family="gossip",
    look="black dash-dot o",
    needs_averaging=True,
    no_composite="it only takes means",
    invariant=("x",),
    guarantee=guarantee,
    params=Params,
    constants=constants,
    tunes=("alpha",),
    clock=exchanges_only,
    fixed_point=fixed_point,
    apply_message=apply_message,
    reference="boyd2006randomized",
)
