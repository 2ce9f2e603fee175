r"""DESTRESS: recursive gradients of samples within a tracked full gradient, and extra mixing.

Problem
    minimise (1/n) sum_i f_i(x), f_i the mean of m_i samples f_is, each L_s-smooth.
State
    per node x, g = grad f_i(x_i) of the round before, and h = s - g, where s is the node's estimate
    of the mean gradient; g and h start at 0.
Step (X, S, G, H, U, V stack the rows of the nodes)
    S+ = W_out (S + grad F(X) - G), G+ = grad F(X), that is H+ = W_out (H + G+) - G+;
    from U = X, V = S+, ``inner`` times:  U+ = W_in (U - eta V), a sample s is drawn at every node,
    v_i <- v_i + grad f_is(u_i+) - grad f_is(u_i), V+ = W_in V;  X+ = U
    Of a minibatch the mean over its samples is taken.
Constants
    W_in and W_out are ``K_in`` = 3 and ``K_out`` = 6 rounds of Chebyshev gossip,
    T_K(W/l)/T_K(1/l), l = max(|lambda_2|, |lambda_n|) of W. ``inner`` = 10 steps of length
    ``eta`` = 0.3/L_s, L_s the largest of all samples (our choice).
Guarantee
    To a stationary point at the rate of the paper; linear to x*, where the f_i are strongly convex,
    in our experience. sum_i h_i = 0.
Reference
    B. Li, Z. Li, Y. Chi, "DESTRESS: Computation-Optimal and Communication-Efficient Decentralized
    Nonconvex Finite-Sum Optimization", SIAM Journal on Mathematics of Data Science 4(3), 2022.

The paper starts from equal rows X_0, and from S = grad F(X_0) averaged over the nodes; here the
first round makes it W_out grad F(X_0), which the nodes can compute.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """The inner steps, their length, and the rounds of gossip."""
    c.eta = 0.3 / c.sample_L
    c.whole("inner", 10)
    c.whole("K_in", 3)
    c.whole("K_out", 6)
    c.slem = max(abs(c.l2), abs(c.ln))


def mixed(V, K, slem, W):
    """T_K(W/l)/T_K(1/l) V, l = ``slem``; one round where W takes the mean."""
    if slem < 1e-12:
        return W(V)
    a_before, a = 1.0, 1 / slem
    before, now = V, W(V) / slem
    for _ in range(K - 1):
        a_before, a = a, 2 / slem * a - a_before
        before, now = now, 2 / slem * W(now) - before
    return now / a


def step(s, c, nodes, W):
    """S+ = W_out (S + grad F(X) - G);  ``inner`` times U+ = W_in (U - eta V),
    V+ = W_in (V + grad_s(U+) - grad_s(U)).
    """
    s.g = nodes.gradients(s.x)
    v = mixed(s.h + s.g, c.K_out, c.slem, W)
    s.h = v - s.g
    for _ in range(c.inner):
        u = mixed(s.x - c.eta * v, c.K_in, c.slem, W)
        draw = nodes.draw()
        now, before = nodes.sample_gradients(u, draw), nodes.sample_gradients(s.x, draw)
        v = mixed(v + (now - before).mean(axis=-2), c.K_in, c.slem, W)
        s.x = u


def fixed_point(x, g, mean, c):
    """x = x*, s = grad F(x*)."""
    return {"x": x, "h": mean - g, "g": g}


METHOD = RoundMethod(
    name="destress",
    title="DESTRESS",
    family="stochastic",
    look="black solid <",
    reference="li2022destress",
    blocks=("x", "h", "g"),
    invariant=("h",),
    stochastic=True,
    steps=("eta",),
    samples=True,
    solves={"convex": "proven", "non-convex": "proven"},
    constants=constants,
    step=step,
    fixed_point=fixed_point,
)
