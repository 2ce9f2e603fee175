r"""GT-SVRG: gradient tracking on gradients of samples, made exact by a full one now and then.

Problem
    minimise (1/n) sum_i f_i(x), f_i the mean of m_i samples f_is, each L_s-smooth.
State
    per node x, its estimate g of grad f_i(x_i), h = y - g, where y is the node's estimate of the
    mean gradient, and z, where it last computed full = grad f_i(z_i); all but x start at 0.
Step (X, Y, G, H, Z stack the rows of the nodes)
    every ``period`` rounds, from the first on:  Z = X, G+ = grad F(X);  else a sample s is drawn at
    every node:  g_i+ = grad f_is(x_i) - grad f_is(z_i) + grad f_i(z_i);
    Y+ = W (Y + G+ - G), that is H+ = W (H + G+) - G+;  X+ = W (X - a Y+)
    Of a minibatch the mean over its samples is taken. Y+ has to arrive before X+ can be sent: two
    messages.
Constants
    W = I - Laplacian/lambda_max with unit weights, which has no negative eigenvalue. ``step`` is a,
    0.1/L_s by default, L_s the largest of all samples; ``period`` as many rounds as draw 2 m
    samples, m the most that a node has (both our choice).
Guarantee
    Linear to x*, where the f_i are strongly convex and a is small enough. sum_i h_i = 0.
Reference
    R. Xin, U. A. Khan, S. Kar, "Variance-Reduced Decentralized Stochastic Optimization With
    Accelerated Convergence", IEEE Transactions on Signal Processing 68, 2020.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gt_saga import track


def constants(c, problem, network):
    """One step for all nodes, and the rounds from one full gradient to the next."""
    c.step = 0.1 / c.sample_L
    c.whole("period", 2 * c.draws)


def step(s, c, nodes, W):
    """G+ = grad F(X), Z = X in the first of ``period`` rounds, else
    g_i+ = grad f_is(x_i) - grad f_is(z_i) + grad f_i(z_i);  then the step of GT-SAGA.
    """
    if nodes.round % c.period == 0:
        s.z, s.full = s.x.copy(), nodes.gradients(s.x)
        s.g = s.full.copy()
    else:
        draw = nodes.draw()
        at_x, at_z = nodes.sample_gradients(s.x, draw), nodes.sample_gradients(s.z, draw)
        s.g = (at_x - at_z).mean(axis=-2) + s.full
    track(s, c, W)


def fixed_point(x, g, mean, c):
    """x = z = x*, y = grad F(x*)."""
    return {"x": x, "h": mean - g, "g": g, "z": x, "full": g}


METHOD = RoundMethod(
    name="gt_svrg",
    title="GT-SVRG",
    family="stochastic",
    look="blue dash-dot P",
    reference="xin2020variance",
    blocks=("x", "h", "g", "z", "full"),
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    steps=("step",),
    samples=True,
    least_eigenvalue=0.0,
    cycle="period",
    constants=constants,
    step=step,
    fixed_point=fixed_point,
)
