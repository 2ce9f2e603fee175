r"""Push-sum, the mean over a directed graph, on which no weights are doubly stochastic.

Problem
    the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2, one at each node of a strongly
    connected digraph; the graph may change in every round, and be connected over several only.
State
    per node the sum x, which starts at c_i, its weight w, which starts at 1, and the estimate
    z = x/w.
Step (X, w, Z stack the rows of the nodes)
    X+ = C X,  w+ = C w,  Z+ = X+/w+
    C_ji = 1/(1 + outdegree of i) for each arc i -> j and for j = i: column-stochastic.
Guarantee
    Linear: X -> n pi mean(c), w -> n pi with C pi = pi, so Z -> mean(c). 1^T X and 1^T w stay.
Reference
    D. Kempe, A. Dobra, J. Gehrke, "Gossip-Based Computation of Aggregate Information", FOCS 2003.

One message goes along every arc, of a vector and a number. A message that is lost takes its share
of the sums along: then Z goes to another point.
"""

import numpy as np

from dadao_sim.algorithms.contract.directed import over_weights
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """It has none but C."""


def prepare(s, c, nodes, W):
    """w_0 = 1, Z_0 = X_0."""
    s.w = np.ones_like(s.w)
    s.z = s.x.copy()


def step(s, c, nodes, W):
    """X+ = C X,  w+ = C w,  Z+ = X+/w+."""
    s.x, s.w = W.C(s.x, s.w)
    s.z = over_weights(s.x, s.w)


def fixed_point(x, g, mean, c):
    """w = n pi, x_i = n pi_i x*, z = x*."""
    return {"x": c.n_pi * x, "w": c.n_pi, "z": x}


METHOD = RoundMethod(
    name="push_sum",
    title="Push-sum",
    family="gossip",
    look="black dash-dot-dot s",
    reference="kempe2003gossip",
    blocks=("x", "w", "z"),
    widths={"w": 1},
    estimate="z",
    needs_averaging=True,
    no_composite="it only takes means",
    directed=True,
    time_varying=True,
    invariant=("x",),
    constants=constants,
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)
