r"""SURF: decentralised gradient descent unrolled in L layers, which are trained to descend.

Problem
    minimise (1/n) sum_i f_i(x), drawn from the family of problems that it was trained on.
State
    per node y.
Step (layer l = 0, ..., L - 1; Y stacks the rows of the nodes, G those of what they see)
    Y+ = sum_{k<K} h_lk W^k Y - ([G, Y] M_l + bias_l)               features: gradient
    Y+ = sum_{k<K} h_lk W^k Y - relu([B, Y] M_l + bias_l)           features: samples
    G_i is a gradient of f_i at Y_i, of a minibatch with ``batch_size``; B_i the minibatch itself,
    features and targets in one row, as in the paper. K - 1 exchanges of one vector a layer.
    After layer L there is nothing: the run ends.
Constants
    None: the taps h (L, K), M (L, 2 d or b (d + 1) + d, d) and bias (L, d), the same at all nodes,
    are in the file that ``weights`` names, written by ``dadao-sim learn-unrolled``: they minimise
    E F(Y_L) over a family of problems, subject to
    E ||grad F(Y_l)||/||grad F(Y_{l-1})|| <= 1 - eps of every layer. With h = (0, 1), M = [a I; 0]
    and bias 0 a layer is a round of DGD.
Guarantee
    None here. In the paper the gradient falls like (1 - eps)^l to a neighbourhood, on average over
    the family and infinitely often, where the constraints are met.
Reference
    S. Hadou, N. NaderiAlizadeh, A. Ribeiro, "Stochastic Unrolled Federated Learning",
    arXiv:2305.15371, 2023. Gradients in the place of raw samples are ours.
"""

from typing import get_args

import numpy as np

from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.algorithms.contract.unrolled import Features, UnrolledMethod, require_counts
from dadao_sim.errors import InputError


def constants(c, problem, network):
    """All of it was trained."""


def step(s, c, nodes, W):
    """Y+ = sum_k h_lk W^k Y - ([G, Y] M_l + bias_l), or minus the relu of that of samples."""
    layer = nodes.round
    if layer >= len(c.h):
        return
    h, M, bias = c.h[layer], c.M[layer], c.bias[layer]
    power, mixed = s.y, h[0] * s.y
    for weight in h[1:]:
        power = W(power)
        mixed = mixed + weight * power
    d = len(bias)
    if len(M) == 2 * d:
        s.y = mixed - (np.concatenate([nodes.gradients(s.y), s.y], axis=-1) @ M + bias)
    else:
        seen = nodes.minibatches((len(M) // (d + 1), d + 1)).reshape(nodes.count, -1)
        s.y = mixed - np.maximum(np.concatenate([seen, s.y], axis=-1) @ M + bias, 0.0)


def shapes(made):
    """Of h, M and bias, by what they were trained for."""
    features, known = made.get("features"), get_args(Features)
    if features not in known:
        raise InputError(f"of features {features!r}, not of {' or '.join(known)}")
    is_of_batches = features == "samples" or made.get("batch_size") is not None
    require_counts(made, "layers", "taps", "dimension", *(["batch_size"] if is_of_batches else []))
    L, K, d, b = (made.get(name) for name in ("layers", "taps", "dimension", "batch_size"))
    width = d if made["features"] == "gradient" else b * (d + 1)
    return {"h": (L, K), "M": (L, width + d, d), "bias": (L, d)}


def untrained(problem, layers=10, taps=3):
    """Rounds of DGD with the step 1/L, each with so many taps, of which one counts."""
    d = problem.dimension
    h = np.zeros((layers, taps))
    h[:, 1] = 1.0
    M = np.zeros((layers, 2 * d, d))
    M[:, :d] = np.eye(d) / problem.L
    made = {"method": "surf", "kind": problem.kind, "dimension": d, "layers": layers, "taps": taps}
    made |= {"batch_size": None, "features": "gradient"}
    return Trained({"h": h, "M": M, "bias": np.zeros((layers, d))}, made)


METHOD = UnrolledMethod(
    name="surf",
    title="SURF",
    family="inexact",
    look="black solid ^",
    reference="hadou2023stochastic",
    blocks=("y",),
    start_block="y",
    estimate="y",
    solves={"convex": "experimental"},
    time_varying=True,
    stochastic=True,
    constants=constants,
    step=step,
    shapes=shapes,
    untrained=untrained,
)
