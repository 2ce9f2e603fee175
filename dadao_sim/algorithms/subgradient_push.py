r"""Subgradient-push, and stochastic gradient push (SGP), the same with the gossip after the step:
DGD over directed graphs.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex and L-smooth; the graph may change in every round,
    and be strongly connected over several only.
State
    per node the sum x, its weight w, which starts at 1, and the estimate z.
Step (X, w, Z stack the rows of the nodes)
    subgradient-push:  U = C X,  w+ = C w,  Z+ = U/w+,  X+ = U - a grad F(Z+)
    SGP:               X+ = C (X - a grad F(Z)),  w+ = C w,  Z+ = X+/w+
    C_ji = 1/(1 + outdegree of i) for each arc i -> j and for j = i: column-stochastic.
Constants
    ``step`` is a, n min pi/(2L) by default, C pi = pi (our choice), on a sequence the least pi.
Guarantee
    To x* with steps that fall as 1/k (``schedule``). With a constant one, on a fixed graph, linear
    to the point at which (I - C) diag(n pi) Z + a C grad F(Z) = 0, the same for both, at an error
    O(a) from x*. 1^T w stays.
Reference
    A. Nedic, A. Olshevsky, "Distributed Optimization over Time-Varying Directed Graphs", IEEE
    Transactions on Automatic Control 60(3), 2015. SGP: M. Assran, N. Loizou, N. Ballas, M. Rabbat,
    "Stochastic Gradient Push for Distributed Deep Learning", ICML 2019.

One message goes along every arc, of a vector and a number.
"""

from dataclasses import replace

from dadao_sim.algorithms.contract.directed import over_weights
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.push_sum import prepare
from dadao_sim.networks.directed import perron_vectors


def constants(c, problem, network):
    """One step for all nodes."""
    pi, _ = perron_vectors(network)
    c.step = network.nodes * pi.min() / (2 * c.L)


def step(s, c, nodes, W):
    """U = C X,  w+ = C w,  Z+ = U/w+,  X+ = U - a grad F(Z+)."""
    u, s.w = W.C(s.x, s.w)
    s.z = over_weights(u, s.w)
    s.x = u - c.step * nodes.gradients(s.z)


def step_of_sgp(s, c, nodes, W):
    """X+ = C (X - a grad F(Z)),  w+ = C w,  Z+ = X+/w+."""
    z = over_weights(s.x, s.w)
    s.x, s.w = W.C(s.x - c.step * nodes.gradients(z), s.w)
    s.z = over_weights(s.x, s.w)


SUBGRADIENT_PUSH = RoundMethod(
    name="subgradient_push",
    title="Subgradient-push",
    family="inexact",
    look="orange dash-dot v",
    reference="nedic2015distributed",
    blocks=("x", "w", "z"),
    widths={"w": 1},
    estimate="z",
    directed=True,
    time_varying=True,
    stochastic=True,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    step=step,
)

SGP = replace(
    SUBGRADIENT_PUSH,
    name="sgp",
    title="SGP",
    family="stochastic",
    look="black dotted v",
    reference="assran2019stochastic",
    solves={"convex": "proven", "non-convex": "proven"},
    step=step_of_sgp,
)
