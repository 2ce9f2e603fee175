r"""APM-C: the accelerated penalty method with consensus, whose rounds of gossip grow.

Problem
    minimise (1/n) sum_i f_i(x), each f_i L-smooth and mu-strongly convex.
State
    per node x and x of the step before, x_before.
Step k = 0, 1, ... (X, Y, Z stack the rows of the nodes)
    Y = X + ((L theta - mu)(1 - theta)/((L - mu) theta)) (X - X-);  Z = Y - grad F(Y)/L;
    X+ = (L vartheta Z + beta0 FastMix_{T_k}(Z))/(L vartheta + beta0), vartheta = (1 - theta)^{k+1}
    FastMix_T: V_{q+1} = (1 + h) W V_q - h V_{q-1}, V_{-1} = V_0, T rounds of gossip.
Constants
    theta = sqrt(mu/L), T_k = ceil(k theta/sqrt(1 - l2)) + 1, l2 = lambda_2(W),
    h = (1 - sqrt(1 - l2^2))/(1 + sqrt(1 - l2^2)), beta0 = L. W has no negative eigenvalue.
Guarantee
    Linear to x* in the steps, (1 - sqrt(mu/L))^k; their rounds of gossip grow linearly. The penalty
    grows for ever: there is no fixed point.
Reference
    H. Li, C. Fang, W. Yin, Z. Lin, "Decentralized Accelerated Gradient Methods With Increasing
    Penalty Parameters", IEEE Transactions on Signal Processing 68, 2020, Algorithm 3.
"""

import math

from dadao_sim.algorithms.contract.fast_mix import fast_mix, momentum
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring; ``growth`` is theta/sqrt(1 - l2)."""
    c.may_be_zero("h")
    c.theta = math.sqrt(c.mu / c.L)
    c.beta0 = c.L
    c.h = momentum(c.l2)
    c.growth = c.theta / math.sqrt(1 - c.l2)
    # Where mu = L a step finds the minimum: there is nothing to extrapolate.
    apart = c.L > c.mu
    c.may_be_zero("extrapolation")
    c.extrapolation = (
        (c.L * c.theta - c.mu) * (1 - c.theta) / ((c.L - c.mu) * c.theta) if apart else 0.0
    )


def prepare(s, c, nodes, W):
    """X- = X_0."""
    s.x_before = s.x.copy()


def step(s, c, nodes, W):
    """The step of the module's docstring."""
    k = nodes.round
    y = s.x + c.extrapolation * (s.x - s.x_before)
    z = y - nodes.gradients(y) / c.L
    mixed = fast_mix(z, math.ceil(k * c.growth) + 1, c.h, W)
    weight = c.L * (1 - c.theta) ** (k + 1)
    s.x_before = s.x
    s.x = (weight * z + c.beta0 * mixed) / (weight + c.beta0)


METHOD = RoundMethod(
    name="apm_c",
    title="APM-C",
    family="accelerated",
    look="purple dash-dot-dot v",
    reference="li2020decentralized",
    blocks=("x", "x_before"),
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    step=step,
)
