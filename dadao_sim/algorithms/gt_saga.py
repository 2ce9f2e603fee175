r"""GT-SAGA: gradient tracking on gradients of single samples, made exact by a table of them.

Problem
    minimise (1/n) sum_i f_i(x), f_i the mean of m_i samples f_is, each L_s-smooth.
State
    per node x, its estimate g of grad f_i(x_i), h = y - g, where y is the node's estimate of the
    mean gradient, and a table T_is of the gradient of every sample; g and h start at 0, the table
    at T_is = grad f_is(x_i).
Step (X, Y, G, H stack the rows of the nodes)
    a sample s is drawn at every node:  g_i+ = grad f_is(x_i) - T_is + mean_s T_is,
    then T_is = grad f_is(x_i);
    Y+ = W (Y + G+ - G), that is H+ = W (H + G+) - G+;  X+ = W (X - a Y+)
    Of a minibatch the mean over its samples is taken, and the table learns all of them. Y+ has to
    arrive before X+ can be sent: two messages.
Constants
    W = I - Laplacian/lambda_max with unit weights, which has no negative eigenvalue. ``step`` is a,
    0.1/L_s by default (our choice), L_s the largest of all samples.
Guarantee
    Linear to x*, where the f_i are strongly convex and a is small enough. sum_i h_i = 0.
Reference
    R. Xin, U. A. Khan, S. Kar, "Variance-Reduced Decentralized Stochastic Optimization With
    Accelerated Convergence", IEEE Transactions on Signal Processing 68, 2020.

The table is computed before the first round, at the price of a gradient, and takes as much memory
as the data: a row for each sample.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gradient_tracking import fixed_point


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = 0.1 / c.sample_L


def prepare(s, c, nodes, W):
    """T_is = grad f_is(x_i)."""
    nodes.tabulate(s.x)


def step(s, c, nodes, W):
    """g_i+ = grad f_is(x_i) - T_is + mean T_i;  T_is = grad f_is(x_i);
    H+ = W (H + G+) - G+;  X+ = W (X - a (H+ + G+)).
    """
    draw = nodes.draw()
    new = nodes.sample_gradients(s.x, draw)
    s.g = (new - nodes.table[draw]).mean(axis=1) + nodes.table.mean
    nodes.table[draw] = new
    track(s, c, W)


def track(s, c, W):
    """H+ = W (H + G) - G;  X+ = W (X - a (H+ + G)), from the G of this round."""
    y = W(s.h + s.g)
    s.x, s.h = W.again(s.x - c.step * y), y - s.g


METHOD = RoundMethod(
    name="gt_saga",
    title="GT-SAGA",
    family="stochastic",
    look="green dotted P",
    reference="xin2020variance",
    blocks=("x", "h", "g"),
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    steps=("step",),
    broadcasts=False,  # one table of gradients
    samples=True,
    table=True,
    least_eigenvalue=0.0,
    constants=constants,
    prepare=prepare,
    step=step,
    fixed_point=fixed_point,
)
