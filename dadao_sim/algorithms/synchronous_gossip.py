r"""Synchronous gossip: rounds of W, fixed-matrix or Chebyshev gossip by its options.

Problem
    the mean of the centres c_i of f_i(x) = ||x - c_i||^2/2, one at each node of a connected graph.
State
    per node x, which starts at c_i.
Step (X stacks the rows of the nodes)
    X+ = W X
Mixing
    ``mixing`` chooses W; with ``chebyshev: K`` it is K rounds of Chebyshev gossip.
Guarantee
    ||X - X*|| falls by the factor max(|lambda_2|, |lambda_n|) of W each round. It is 1 - 1/chi with
    I - Laplacian/lambda_max, and a constant with about sqrt(chi) rounds of Chebyshev gossip. The
    mean of x is conserved.
Reference
    L. Xiao, S. Boyd, "Fast Linear Iterations for Distributed Averaging", Systems & Control Letters
    53(1), 2004.
"""

from dadao_sim.algorithms.contract.guarantee import Guarantee, square
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """It has none but W."""


def step(s, c, nodes, W):
    """X+ = W X."""
    s.x = W(s.x)


def fixed_point(x, g, mean, c):
    """x = x*."""
    return {"x": x}


def guarantee(c, start, star, P):
    """Symmetric W: its eigenvalues."""
    factor = max(1 - P.least, P.largest - 1) ** 2
    return Guarantee.of_factor("Xiao and Boyd 2004", factor, square(start.x - star.x))


METHOD = RoundMethod(
    name="synchronous_gossip",
    title="Synchronous gossip",
    family="gossip",
    look="black dash-dot-dot o",
    reference="xiao2004fast",
    needs_averaging=True,
    no_composite="it only takes means",
    time_varying=True,
    guarantee=guarantee,
    invariant=("x",),
    constants=constants,
    step=step,
    fixed_point=fixed_point,
)
