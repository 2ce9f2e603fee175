r"""SONATA with linearised surrogates (SONATA-L): gradient tracking with a proximal step.

Problem
    minimise (1/n) sum_i f_i(x) + r(x), each f_i L-smooth, F mu-strongly convex; the graph may
    change in every round.
State
    per node x, the gradient g = grad f_i(x_i) it computed last, and h = y - g, where y is the
    node's estimate of the mean gradient; h starts at 0, that is Y_0 = grad F(X_0).
Step (X, Y, H, G stack the rows of the nodes)
    Xhat = prox_{r/tau}(X - Y/tau);  X+ = W (X + gamma (Xhat - X));
    Y+ = W (Y + grad F(X+) - grad F(X)), that is G+ = grad F(X+), H+ = W (H + G+) - G+
Constants
    W = I - Laplacian/lambda_max with unit weights, symmetric and doubly stochastic. tau = L,
    gamma = min(1, sqrt(kappa) (1 - lambda_2(W))), kappa = L/mu, on a sequence with the worst graph
    (our choice: it makes gamma/tau the default step of gradient tracking).
Guarantee
    Linear to x* for gamma small enough; the proven bound is far smaller than what works.
    The mean over the nodes of y is always that of the gradients: sum_i h_i = 0.
Reference
    Y. Sun, G. Scutari, A. Daneshmand, "Distributed Optimization Based on Gradient Tracking
    Revisited: Enhancing Convergence Rate via Surrogation", SIAM Journal on Optimization 32(2),
    2022, Algorithm 1.

A local step that is a direction v(x, g, t) takes the place of the prox (experimental: no theorem
covers it): Xhat = X + v(X, Y, t)/tau, t the number of the round.

A step is one round of gossip, in which a node sends twice: the second vector can be sent only when
the first has arrived. The gradients at X_0 are computed, and charged, before the first round.
"""

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.gradient_tracking import fixed_point, prepare, share


def constants(c, problem, network):
    """A surrogate of curvature tau, of whose minimiser the nodes go gamma of the way."""
    c.tau = c.L
    c.gamma = share(c, problem)


def step(s, c, nodes, W):
    """Xhat = prox_{r/tau}(X - (H + G)/tau);  X+ = W (X + gamma (Xhat - X));
    G+ = grad F(X+),  H+ = W (H + G+) - G+.
    """
    x_hat = nodes.local_steps(s.x, s.h + s.g, c.tau)
    s.x = W(s.x + c.gamma * (x_hat - s.x))
    s.g = nodes.gradients(s.x)
    s.h = W.again(s.h + s.g) - s.g


METHOD = RoundMethod(
    name="sonata",
    title="SONATA",
    family="tracking",
    look="black long P",
    reference="sun2022distributed",
    blocks=("x", "h", "g"),
    invariant=("h",),
    time_varying=True,
    least_eigenvalue=0.0,
    stochastic=True,
    composite="proven",
    directions=True,
    solves={"convex": "proven", "non-convex": "proven", "operator": "experimental"},
    constants=constants,
    tunes=("gamma",),
    prepare=prepare,
    renew=prepare,
    step=step,
    fixed_point=fixed_point,
)
