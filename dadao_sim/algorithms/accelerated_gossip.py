r"""Accelerated gossip: pairs of neighbours that exchange, with a continuous momentum.

Problem
    the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2, one at each node of a connected graph.
State
    per node x and x~, its momentum; both start at c_i.
Flow (between the events of a node)
    x' = eta (x~ - x)          x~' = eta (x - x~)
Gossip event at e = (i, j) (Poisson, rate lambda_e)
    m = x_i - x_j;  x_i -= alpha m,  x~_i -= alpha~ m  (opposite signs at j)
Constants
    eta = 1/(2 sqrt(chi1 chi2)), alpha = 1/2, alpha~ = (1/2) sqrt(chi1/chi2), with chi1 and chi2 of
    the Laplacian of the lambda_e, whose total is n/2: a node takes part in one exchange per unit of
    time on average.
Guarantee
    E||x_t - x*||^2 decays at a rate of at least eta, where plain gossip has 1/(2 chi1): more by a
    factor sqrt(chi1/chi2), which is 1 on complete graphs. The means of x and x~ are conserved.
Reference
    M. Even, R. Berthier, F. Bach, N. Flammarion, P. Gaillard, H. Hendrikx, L. Massoulie, A. Taylor,
    "A Continuized View on Nesterov Acceleration for Stochastic Gradient Descent and Randomized
    Gossip", NeurIPS 2021, section on gossip. It is A2CiD2 without gradients.
"""

import math
from typing import NamedTuple

from dadao_sim.algorithms.a2cid2 import apply_message, flow, observe, start
from dadao_sim.algorithms.contract.clocks import exchanges_only
from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.method import AsynchronousMethod


class Params(NamedTuple):
    """The constants of the module's docstring."""

    eta: float
    alpha: float
    alpha_tilde: float


def constants(c, problem, network):
    """Total rate n/2; ``rate_factor`` multiplies it."""
    c.may_be_zero("eta")
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2
    c.chi1, c.chi2 = c.unit_chi1 / c.total_rate, c.unit_chi2 / c.total_rate
    c.eta = 1 / (2 * math.sqrt(c.chi1 * c.chi2))
    c.alpha, c.alpha_tilde = 1 / 2, math.sqrt(c.chi1 / c.chi2) / 2


def fixed_point(x, g, mean, p):
    """x = x~ = x*."""
    return {"x": x, "x_tilde": x}


def guarantee(c, start, star, P):
    """||X||^2 + ||X~||^2/chi1 in the norm of P^+ falls as e^{-eta t}."""
    x, xt = start.x - star.x, start.x_tilde - star.x_tilde
    first = square(x) + P.inverse(xt) / c.chi1
    return Guarantee("Even et al. 2021, gossip", c.eta, first)


METHOD = AsynchronousMethod(
    name="accelerated_gossip",
    title="Accelerated gossip",
    family="gossip",
    look="blue long o",
    needs_averaging=True,
    no_composite="it only takes means",
    blocks=("x", "x_tilde"),
    start=start,
    invariant=("x", "x_tilde"),
    guarantee=guarantee,
    params=Params,
    constants=constants,
    tunes=("eta",),
    clock=exchanges_only,
    fixed_point=fixed_point,
    flow=flow,
    apply_message=apply_message,
    observe=observe,
    reference="even2021continuized",
)
