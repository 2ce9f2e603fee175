r"""FROST (Xi-row): gradient tracking over directed graphs with row-stochastic weights alone.

No node has to know to how many others it sends.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex; a fixed graph.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, n numbers e, which start as row i
    of I and go to the left eigenvector p of R, and h = y - g/e_i, where y is the node's tracker; h
    starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, E, H, G stack the rows of the nodes; D = diag(E))
    X+ = R X - a Y,  E+ = R E,  Y+ = R Y + grad F(X+)/D+ - grad F(X)/D
    In terms of h:  G+ = grad F(X+),  H+ = R (H + G/D) - G/D
    R_ij = 1/(1 + indegree of i) for each arc j -> i and for j = i, row-stochastic.
Constants
    ``step`` is a, min p/(5L) by default, p^T R = p^T; less where that is not stable, as on directed
    rings (``contract/tracked.py``). Our choice: 1/(10 n L) diverged on some digraphs. The nodes'
    mean, weighted by p, moves by a n grad F.
Guarantee
    Linear to x* for a small enough; the proven bound is far smaller than what works.
    p^T (Y - G/D) stays: sum_i p_i h_i = 0. Where messages take long to come back to their sender, D
    falls far below p first (on a directed ring of 30 to 2^-29), and no step is small enough.
Reference
    R. Xin, C. Xi, U. A. Khan, "FROST: Fast Row-Stochastic Optimization with Uncoordinated
    Step-Sizes", EURASIP Journal on Advances in Signal Processing 2019(1).

One message goes along every arc, of two vectors and n numbers. The gradients at X_0 are computed,
and charged, before the first round.
"""

import numpy as np

from dadao_sim.algorithms.contract.directed import over_weights
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tracked import MOST_NODES, stable_step
from dadao_sim.networks.directed import perron_vectors, pull_weights

FAR = 0.01  # of p, below which D makes trouble


def constants(c, problem, network):
    """One step for all nodes."""
    _, p = perron_vectors(network)
    c.step = stable_step(network, "frost", p.min() / 5) / c.L


def warning(c, network):
    """What is to be known where diag(E) falls far below p before it goes there."""
    _, (p,) = perron_vectors(network)
    R = pull_weights(network)
    E, least = np.eye(network.nodes), 1.0
    for _ in range(network.nodes if network.nodes <= MOST_NODES else 0):
        E = R @ E
        least = min(least, float((E.diagonal() / p).min()))
    if least >= FAR:
        return ""
    return (
        f"on the way to p the numbers that gradients are divided by fall to {least:.0e} of it, and "
        "the method may diverge; Push-Pull divides by none"
    )


def prepare(s, c, nodes, W):
    """E_0 = I, Y_0 = grad F(X_0)."""
    s.e = np.eye(nodes.count) + np.zeros_like(s.e)
    renew(s, c, nodes, W)


def renew(s, c, nodes, W):
    """G = grad F(X)."""
    s.g = nodes.gradients(s.x)


def step(s, c, nodes, W):
    """X+ = R X - a Y,  E+ = R E,  Y+ = R Y + grad F(X+)/D+ - grad F(X)/D,  D = diag(E)."""
    scaled = over_weights(s.g, diagonal(s.e))  # G/D
    y = s.h + scaled
    x, pulled, s.e = W.R(s.x, y, s.e)
    s.x = x - c.step * y
    s.h = pulled - scaled
    renew(s, c, nodes, W)


def diagonal(E):
    """diag(E) as a column, (n, 1)."""
    return np.diagonal(E, axis1=-2, axis2=-1)[..., None]


def fixed_point(x, g, mean, c):
    """x = x*, e_i = p, y = 0."""
    return {"x": x, "e": c.p.T, "h": -g / c.p, "g": g}


METHOD = RoundMethod(
    name="frost",
    title="FROST",
    family="tracking",
    look="purple dash-dot-dot ^",
    reference="xin2019frost",
    blocks=("x", "h", "e", "g"),
    widths={"e": "nodes"},
    directed=True,
    stochastic=True,
    steps=("step",),
    constants=constants,
    prepare=prepare,
    renew=renew,
    warning=warning,
    step=step,
    fixed_point=fixed_point,
)
