r"""Mudag: multi-consensus decentralised accelerated gradient descent, and DAPG, with a prox.

Problem
    minimise F(x) + r(x), F = (1/n) sum_i f_i, each f_i L-smooth, F mu-strongly convex; every node
    knows the same r.
State
    per node x, y, which starts at x, and t = x - y- + grad f_i(y-)/L of the step before, which
    starts at 0.
Step (X, Y, T stack the rows of the nodes)
    X+ = FastMix_K(Y + (X - Y-) - (grad F(Y) - grad F(Y-))/L), that is of Y + T - grad F(Y)/L;
    DAPG: X+ = prox_{r/L}(that).  T+ = FastMix_K(that) - Y + grad F(Y)/L;
    Y+ = X+ + ((1 - alpha)/(1 + alpha)) (X+ - X)
    FastMix_K: V_{k+1} = (1 + h) W V_k - h V_{k-1}, V_{-1} = V_0, K rounds of gossip.
Constants
    alpha = sqrt(mu/L), h = (1 - sqrt(1 - l2^2))/(1 + sqrt(1 - l2^2)), l2 = lambda_2(W), and
    K = ceil(log(10 L/mu)/sqrt(1 - l2)). L is the largest L_i and mu the least mu_i, which bound
    those of F. W has no negative eigenvalue.
Guarantee
    O(sqrt(L/mu) log(1/eps)) steps to x* for K of the order above. sum_i t_i = 0.
Reference
    Mudag: H. Ye, L. Luo, Z. Zhou, T. Zhang, "Multi-consensus Decentralized Accelerated Gradient
    Descent", Journal of Machine Learning Research 24, 2023, Algorithm 1.
"""

import math

from dadao_sim.algorithms.contract.fast_mix import fast_mix, momentum
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """Those of the module's docstring."""
    c.may_be_zero("h")
    c.alpha = math.sqrt(c.mu / c.L)
    c.h = momentum(c.l2)
    c.whole("K", math.ceil(math.log(10 * c.L / c.mu) / math.sqrt(1 - c.l2)))


def prepare(s, c, nodes, W):
    """Y_0 = X_0."""
    s.y = s.x.copy()


def step(s, c, nodes, W):
    """X+ = FastMix_K(Y + T - grad F(Y)/L);  T+ = X+ - Y + grad F(Y)/L;
    Y+ = X+ + ((1 - alpha)/(1 + alpha)) (X+ - X).
    """
    down = nodes.gradients(s.y) / c.L
    x = fast_mix(s.y + s.t - down, c.K, c.h, W)
    s.t = x - s.y + down
    s.y = x + (1 - c.alpha) / (1 + c.alpha) * (x - s.x)
    s.x = x


def fixed_point(x, g, mean, c):
    """x = y = x*, t_i = grad f_i(x*)/L."""
    return {"x": x, "y": x, "t": (g - mean) / c.L}


METHOD = RoundMethod(
    name="mudag",
    title="Mudag",
    family="accelerated",
    look="blue dash-dot ^",
    reference="ye2023multi",
    blocks=("x", "y", "t"),
    invariant=("t",),
    least_eigenvalue=0.0,
    constants=constants,
    tunes=("L", "mu"),
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)
