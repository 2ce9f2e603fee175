r"""ADFS: an accelerated decentralised method for finite sums, one edge or one sample at a time.

Problem
    minimise (1/n) sum_i f_i(x),  f_i(x) = sum_j f_ij(x) + (sigma/2) ||x||^2, sigma > 0 the l2 term,
    where each sample enters as a linear model, f_ij(x) = phi_ij(<a_ij, x>), L_ij-smooth; node i
    can take proximal steps on one of its samples.
State
    per node x_i, v_i, and per sample x_ij, v_ij (all start at 0); y = (x + rho v)/(1 + rho) of
    each; the estimate of x* is y_i/sigma. As grad f_ij is a multiple of a_ij, so are x_ij and v_ij:
    a number is kept of each.
Step: one event, and all nodes and samples count it
    everywhere  v+ = (1 - rho) v + rho y,  x+ = y, that is (v, x)+ = (v + rho x, x + rho v)/(1+rho);
    edge e = (i, j) with probability p_e:  q = (y_i - y_j)/sigma,
        v_i+ -= s_e q,  x_i+ -= (rho s_e R_e/p_e) q  (opposite signs at j);
    sample (i, j) with probability p_ij:
        z + (1/s_ij - 1/L_ij) grad f_ij(z) = v_ij+/s_ij + y_i/sigma - y_ij/L_ij,
        D = grad f_ij(z) - v_ij+;  v_ij+ += D,  x_ij+ += (rho/p_ij) D  (opposite signs at node i)
    Where 1/s_ij < 1/L_ij no proximal step on f_ij gives z, but the equation has one solution: along
    a_ij it is one in one number, whose left side increases.
Constants
    k_i = 1 + sum_j L_ij/sigma, its extremes over the nodes k_min and k_max; lambda_2 and R_e of the
    Laplacian with unit weights, q_e the relative rates of the network's edges;
    sigma_A = lambda_2/(2 k_max sigma), S = sum_ij sqrt(1 + L_ij/sigma);
    p_ij = p_comp sqrt(1 + L_ij/sigma)/S,  p_e = (1 - p_comp) q_e,
    rho = min(p_comp sqrt(k_min/(2 k_max))/S, min_e p_e sqrt(sigma sigma_A/(2 R_e))), and ``p_comp``
    makes the two equal;
    s_e = rho/(p_e sigma_A),  s_ij = L_ij lambda_2 rho/(sigma k_i p_ij sigma_A).
    There are so many steps per unit of time that a node passes over its samples once in it on
    average.
Guarantee
    The mean square distance of the estimates to x* falls by the factor 1 - rho each step. The sums
    of x and v, over the nodes and samples, are conserved.
Reference
    H. Hendrikx, F. Bach, L. Massoulie, "An Accelerated Decentralized Stochastic Proximal Algorithm
    for Finite Sums", NeurIPS 2019.

A step on one of m samples takes a product <a, y>, the solution in one number, and multiples of a:
it counts as the gradient of one sample, 1/m of a gradient. No gradient is taken for an exchange.
"""

import math
from typing import NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.esdacd import apply_message, left_after
from dadao_sim.compiled.splitmix import uniform
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates

X, V = range(2)
BLOCKS = ("x", "v")


class Params(NamedTuple):
    """The constants of the module's docstring: ``step_rate`` steps per unit of time, ``decay`` =
    log((1 + rho)/(1 - rho)); ``step_v`` and ``step_x`` (|E|,) of an exchange.

    Per node (n, 1) its ``sigma``, and where its samples begin and end in what is per sample (N,):
    ``up_to``, the probability of the node's samples up to this one; ``inverse_L`` and ``inverse_s``
    are 1/L_ij and 1/s_ij times ||a_ij||^2, ``step_sample`` is rho/p_ij.
    """

    rho: float
    step_rate: float
    decay: float
    step_v: np.ndarray
    step_x: np.ndarray
    sigma: np.ndarray
    first: np.ndarray
    end: np.ndarray
    up_to: np.ndarray
    inverse_L: np.ndarray
    inverse_s: np.ndarray
    step_sample: np.ndarray


def constants(c, problem, network):
    """``rate_factor`` multiplies the number of steps per unit of time."""
    sigma, counts, (squares, curvatures) = problem.l2, problem.samples, problem.sample_terms()
    first = np.cumsum(counts) - counts
    L = curvatures * squares
    if not np.isfinite(L).all():
        raise InputError("data", "its numbers are too large: L overflows", "rescale them")
    k = 1 + np.add.reduceat(L, first) / sigma
    q, R = network.rates / network.rates.sum(), network.resistances()
    c.sigma_A = c.lambda_2 / (2 * k.max() * sigma)
    of_edges = (q * np.sqrt(sigma * c.sigma_A / (2 * R))).min()
    root = np.sqrt(1 + L / sigma)
    of_samples = math.sqrt(k.min() / (2 * k.max())) / root.sum()
    c.p_comp = of_edges / (of_edges + of_samples)
    if c.p_comp >= 1:
        raise InputError("p_comp", f"{c.p_comp:g} given", "a probability below 1 leaves exchanges")
    c.rho = min(c.p_comp * of_samples, (1 - c.p_comp) * of_edges)
    c.decay = 2 * math.atanh(c.rho)
    p_e, p = (1 - c.p_comp) * q, c.p_comp * root / root.sum()
    step_v = c.rho / (p_e * c.sigma_A)
    c.of_edges(step_v=step_v, step_x=c.rho * step_v * R / p_e)
    of_node = np.add.reduceat(p, first)
    up_to = [np.cumsum(part) / part.sum() for part in np.split(p, first[1:])]
    c.of_nodes(sigma=np.full(len(counts), sigma), first=first, end=first + counts, chance=of_node)
    c.of_samples(
        up_to=np.concatenate(up_to),
        inverse_L=1 / curvatures,
        inverse_s=p * c.sigma_A * sigma * np.repeat(k, counts) / (curvatures * c.lambda_2 * c.rho),
        step_sample=c.rho / p,
    )
    c.rate_factor = 1.0
    c.step_rate = c.rate_factor * len(counts) / (of_node / counts).sum()


def clock(c, problem, network):
    """``step_rate`` steps per unit of time, at equal distances."""
    q = network.rates / network.rates.sum()
    return PoissonRates(
        nodes=c.step_rate * c.chance[:, 0],
        edges=c.step_rate * (1 - c.p_comp) * q,
        pace="steps",
    )


def flow(state, p, i, t):
    """The mean of x and v stays, their gap falls by (1 - rho)/(1 + rho) in each step."""
    decay = left_after(t - state.last[i], p.step_rate, p.decay)
    if decay == 1.0:
        return
    s = state.values[i]
    for k in range(s.shape[1]):
        mean = (s[X, k] + s[V, k]) / 2
        gap = decay * (s[V, k] - s[X, k]) / 2
        s[X, k] = mean - gap
        s[V, k] = mean + gap


def gradient(state, p, objective, i, mark, out):
    """A sample is drawn, and what it remembers takes its step; (D a_ij, (rho/p_ij) D a_ij)."""
    first, chance = p.first[i, 0], uniform(mark)
    row, last = first, p.end[i, 0] - 1
    while row < last:
        middle = (row + last) // 2
        if p.up_to[middle] > chance:
            last = middle
        else:
            row = middle + 1
    s, t = state.samples[row], state.last[i]
    decay = left_after(t - state.sampled[row], p.step_rate, p.decay)
    mean, gap = (s[X] + s[V]) / 2, decay * (s[V] - s[X]) / 2
    y, v = mean - gap, mean + gap
    # The equation times a_ij; the flow has put y_i into x_i.
    along = oracles.sample_dot(objective, i, row - first, state.values[i, X]) / p.sigma[i, 0]
    r = p.inverse_s[row] * v + along - p.inverse_L[row] * y
    weight = p.inverse_s[row] - p.inverse_L[row]
    s[V] = oracles.sample_slope(objective, i, row - first, weight, r)
    D = s[V] - v
    s[X] = y + p.step_sample[row] * D
    state.sampled[row] = t
    d = out.shape[0] // 2
    for k in range(d):
        out[k] = 0.0
    oracles.add_sample(objective, i, row - first, D, out[:d])
    for k in range(d):
        out[d + k] = p.step_sample[row] * out[k]


def apply_gradient(state, p, i, g):
    """v_i -= D a_ij,  x_i -= (rho/p_ij) D a_ij."""
    s = state.values[i]
    for k in range(s.shape[1]):
        s[V, k] -= g[k]
        s[X, k] -= g[s.shape[1] + k]


def message(state, p, objective, i, out):
    """y_i/sigma: the flow has put y there."""
    for k in range(out.shape[0]):
        out[k] = state.values[i, X, k] / p.sigma[i, 0]


def observe(state, p, objective, i, t, work, out):
    """y/sigma, y = (x + rho v)/(1 + rho) after all steps until t."""
    s = state.values[i]
    decay = left_after(t - state.last[i], p.step_rate, p.decay)
    for k in range(out.shape[0]):
        gap = decay * (s[V, k] - s[X, k]) / 2
        y = (s[X, k] + s[V, k]) / 2 - gap * (1 - p.rho) / (1 + p.rho)
        out[k] = y / p.sigma[i, 0]


def reset(state, p, i):
    """Node i starts again from 0 in everything, what it remembers of its samples too."""
    for k in range(state.values.shape[2]):
        state.values[i, X, k] = state.values[i, V, k] = 0.0
    for row in range(p.first[i, 0], p.end[i, 0]):
        state.samples[row, X] = state.samples[row, V] = 0.0


def fixed_point(x, g, mean, p, slopes):
    """x_i = v_i = sigma x*, and of a sample grad f_ij(x*)."""
    return {"x": p.sigma * x, "v": p.sigma * x, "x_ij": slopes, "v_ij": slopes}


METHOD = AsynchronousMethod(
    name="adfs",
    title="ADFS",
    family="stochastic",
    look="black dotted >",
    reference="hendrikx2019finite",
    blocks=BLOCKS,
    sample_blocks=("x_ij", "v_ij"),
    start_block=None,
    estimate=None,
    invariant=BLOCKS,
    needs_l2=True,
    samples=True,
    no_composite="its dual has no place for r",
    params=Params,
    constants=constants,
    tunes=("rho", "p_comp"),
    clock=clock,
    fixed_point=fixed_point,
    flow=flow,
    gradient=gradient,
    apply_gradient=apply_gradient,
    step_vectors=2,
    message=message,
    apply_message=apply_message,
    observe=observe,
    reset=reset,
)
