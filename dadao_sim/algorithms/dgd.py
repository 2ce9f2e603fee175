r"""DGD, decentralised gradient descent, D-PSGD, the same on minibatches, and diffusion, with the
gossip after the step.

Problem
    minimise (1/n) sum_i f_i(x), each f_i convex and L-smooth.
State
    per node x.
Step (X stacks the rows of the nodes)
    DGD, combine then adapt:        X+ = W X - a grad F(X)
    diffusion, adapt then combine:  X+ = W (X - a grad F(X))
    D-PSGD is DGD with minibatches (``batch_size``) for the gradients; without them it is DGD.
Constants
    ``step`` is a, (1 + lambda_n(W))/(2L) by default: DGD is gradient descent on
    a F(X) + ||X||^2_{I-W}/2, which asks for a < (1 + lambda_n(W))/L.
Guarantee
    Linear, for strongly convex f_i, to a point that is not x*: at an error O(a/(1 - lambda_2(W)))
    from it, unless the f_i share their minimiser. On quadratics f_i of Hessian H_i that point of
    DGD solves ((I - W) + a diag(H_i)) X = a C, C_i = H_i x - grad f_i(x). Steps that fall as
    1/k lead to x*, at the rate 1/k. Minibatches add a variance of order a.
Reference
    DGD: A. Nedic, A. Ozdaglar, "Distributed Subgradient Methods for Multi-Agent Optimization", IEEE
    Transactions on Automatic Control 54(1), 2009; the point reached: K. Yuan, Q. Ling, W. Yin, "On
    the Convergence of Decentralized Gradient Descent", SIAM Journal on Optimization 26(3), 2016.
    D-PSGD: X. Lian, C. Zhang, H. Zhang, C.-J. Hsieh, W. Zhang, J. Liu, "Can Decentralized
    Algorithms Outperform Centralized Algorithms?", NeurIPS 2017.
    Diffusion: J. Chen, A. H. Sayed, "Diffusion Adaptation Strategies for Distributed Optimization
    and Learning Over Networks", IEEE Transactions on Signal Processing 60(8), 2012.
"""

from dataclasses import replace

from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    """One step for all nodes."""
    c.step = (1 + c.ln) / (2 * c.L)


def step(s, c, nodes, W):
    """X+ = W X - a grad F(X)."""
    s.x = W(s.x) - c.step * nodes.gradients(s.x)


def step_of_diffusion(s, c, nodes, W):
    """X+ = W (X - a grad F(X))."""
    s.x = W(s.x - c.step * nodes.gradients(s.x))


DGD = RoundMethod(
    name="dgd",
    title="DGD",
    family="inexact",
    look="orange dotted v",
    reference="nedic2009distributed",
    time_varying=True,
    stochastic=True,
    steps=("step",),
    solves={"convex": "proven", "operator": "experimental"},
    constants=constants,
    step=step,
)

D_PSGD = replace(
    DGD,
    name="d_psgd",
    title="D-PSGD",
    family="stochastic",
    look="orange dashed v",
    reference="lian2017can",
    same_as="dgd",
)

ATC_DIFFUSION = RoundMethod(
    name="atc_diffusion",
    title="ATC diffusion",
    family="inexact",
    look="black dashed v",
    reference="chen2012diffusion",
    time_varying=True,
    stochastic=True,
    steps=("step",),
    solves={"convex": "proven", "operator": "experimental"},
    constants=constants,
    step=step_of_diffusion,
)
