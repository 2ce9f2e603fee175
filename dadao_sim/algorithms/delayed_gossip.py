r"""Delayed gossip: pairs of neighbours that move towards each other, by what they were a while ago.

Problem
    the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2, one at each node of a connected graph.
State
    per node x, which starts at c_i; nothing moves between events.
Exchange over e = (i, j) (Poisson, rate p_e)
    both ends are read, m = x_i - x_j, and tau later it acts:  x_i -= (K_e/p_e) m  (opposite sign at
    j), on what x_i and x_j are by then.
Constants
    ``delay`` is tau, 1 by default. By the clocks of the paper it is what messages take; in a world
    they take what the links say, and tau is what the method reckons with.
    K_e = p_e/(2 (1 + sum_f p_f (tau + e tau))), over the f that share a node with e, e itself
    included. The 1/2 is ours: without delay it is randomised gossip. The p_e have the total n/2: a
    node takes part in one exchange per unit of time on average.
Guarantee
    E||x - x*||^2 goes to 0 for any tau, and the mean of x is conserved but for what is on its way.
    Plain gossip diverges from some tau on. Measured, it decays at about 2 lambda_2 of the Laplacian
    of the K_e.
Reference
    M. Even, H. Hendrikx, L. Massoulie, "Asynchronous speedup in decentralized optimization", IEEE
    Transactions on Automatic Control, 2024 (arXiv:2106.03585).
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.clocks import exchanges_only
from dadao_sim.algorithms.contract.method import AsynchronousMethod


class Params(NamedTuple):
    """K_e/p_e of each edge (|E|,)."""

    gain: np.ndarray


def constants(c, problem, network):
    """Total rate n/2, which ``rate_factor`` multiplies; the gains."""
    c.may_be_zero("delay")
    c.rate_factor = 1.0
    c.total_rate = c.rate_factor * problem.nodes / 2
    c.delay = 1.0
    p = c.total_rate * network.rates / network.rates.sum()
    at_nodes = np.bincount(network.edges.ravel(), np.repeat(p, 2), network.nodes)
    nearby = at_nodes[network.edges].sum(axis=1) - p  # e is at both of its ends
    c.of_edges(gain=1 / (2 * (1 + nearby * c.delay * (1 + math.e))))


def clock(c, problem, network):
    """The edges' clocks; what is exchanged takes ``delay``."""
    return replace(exchanges_only(c, problem, network), delay=c.delay)


def apply_message(state, p, e, i, m):
    """x -= (K_e/p_e) m."""
    for k in range(m.shape[0]):
        state.values[i, 0, k] -= p.gain[e] * m[k]


def fixed_point(x, g, mean, p):
    """x = x*."""
    return {"x": x}


METHOD = AsynchronousMethod(
    name="delayed_gossip",
    title="Delayed gossip",
    family="gossip",
    look="black dotted P",
    needs_averaging=True,
    no_composite="it only takes means",
    invariant=("x",),
    params=Params,
    constants=constants,
    tunes=("delay",),
    clock=clock,
    fixed_point=fixed_point,
    apply_message=apply_message,
    reference="even2021asynchronous",
)
