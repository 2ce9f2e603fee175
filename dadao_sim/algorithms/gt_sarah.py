r"""GT-SARAH: gradient tracking on recursive gradients of single samples, restarted now and then.

Problem
    minimise (1/n) sum_i f_i(x), f_i the mean of m_i samples f_is, each L_s-smooth.
State
    per node x and x-, the one before, its estimate v of grad f_i(x_i), and h = y - v, where y is
    the node's estimate of the mean gradient; all but x start at 0.
Step (X, Y, V, H stack the rows of the nodes, minus signs mark the step before)
    every ``period`` rounds, from the first on:  V+ = grad F(X);  else a sample s is drawn at every
    node:  v_i+ = v_i + grad f_is(x_i) - grad f_is(x_i-);
    Y+ = W Y + V+ - V, that is H+ = W (H + V) - V;  X+ = W X - a Y+
    Of a minibatch the mean over its samples is taken. X and Y travel in one message.
Constants
    ``step`` is a, 0.1/L_s by default, L_s the largest of all samples; ``period`` as many rounds as
    draw m samples, m the most that a node has (both our choice).
Guarantee
    To a stationary point at the rate of the paper; linear to x*, where the f_i are strongly convex,
    in our experience. sum_i h_i = 0.
Reference
    R. Xin, U. A. Khan, S. Kar, "Fast Decentralized Nonconvex Finite-Sum Optimization with Recursive
    Variance Reduction", SIAM Journal on Optimization 32(1), 2022.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """One step for all nodes, and the rounds from one full gradient to the next."""
    c.step = 0.1 / c.sample_L
    c.whole("period", c.draws)


def step(s, c, nodes, W):
    """V+ = grad F(X) in the first of ``period`` rounds, else
    v_i+ = v_i + grad f_is(x_i) - grad f_is(x_i-);
    Y = H + V;  H+ = W Y - V;  X+ = W X - a (H+ + V+).
    """
    x, y = W(s.x, s.h + s.v)
    s.h = y - s.v
    if nodes.round % c.period == 0:
        s.v = nodes.gradients(s.x)
    else:
        draw = nodes.draw()
        now, before = nodes.sample_gradients(s.x, draw), nodes.sample_gradients(s.before, draw)
        s.v += (now - before).mean(axis=-2)
    s.x, s.before = x - c.step * (s.h + s.v), s.x


def fixed_point(x, g, mean, c):
    """x = x- = x*, y = grad F(x*)."""
    return {"x": x, "h": mean - g, "v": g, "before": x}


METHOD = RoundMethod(
    name="gt_sarah",
    title="GT-SARAH",
    family="stochastic",
    look="black dashed P",
    reference="xin2022fast",
    blocks=("x", "h", "v", "before"),
    invariant=("h",),
    time_varying=True,
    stochastic=True,
    steps=("step",),
    samples=True,
    cycle="period",
    solves={"convex": "proven", "non-convex": "proven"},
    constants=constants,
    step=step,
    fixed_point=fixed_point,
)
