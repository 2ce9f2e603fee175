r"""DeepMix: deconvolution of a cube, a band at each node, by K layers over three modules.

Problem
    f_i(x) = ||H x_b - y_b||^2/p + (mu/2) ||x||^2 of the p pixels x_b of the band b of node i
    (kind ``bands``).
State
    per node z1 and z2, the whole cube as the handcrafted and as the learned module have it.
Step (layer k = 1, ..., K; n nodes and as many bands; e_b (x) v the cube with v in band b)
    x_b = argmin_x f_i(x) + (b1/p) ||x - z1||^2 + (b2/p) ||x - z2||^2, of which node i takes band b;
    X = Average(n e_b (x) x_b), and x_b again in the own band;
    z1 = U max(S - tau sqrt(p), 0) V', with X = U S V' as a matrix (n, p);
    z2 = (1 - g) X + g z1 + c(X, z1), c three periodic convolutions of 3 x 3 with relus between.
    At the start z1 = z2 = Average(n e_b (x) H y_b), of gradients at 0. After layer K there is
    nothing: the run ends.
    Average(V) = v_T/a_T, T rounds of Chebyshev gossip: see ``contract.chebyshev``, and MSDA.
Constants
    ``gossip_rounds`` T = 3 sqrt(chi), rounded up, with chi = lambda_max/lambda_2 of the Laplacian;
    1 where chi = 1. b1, b2, tau, g and c are the same in all layers and at all nodes: they are in
    the file that ``weights`` names, written by ``dadao-sim learn-unrolled``.
    (K + 1) T |E| communications of a cube.
Guarantee
    None. It is no iteration towards a fixed point; with T below 3 sqrt(chi) the nodes' cubes are
    apart, and the layers drive them farther.
Reference
    A. Gkillas, D. Ampeliotis, K. Berberidis, "A Deep Unrolling Model with Hybrid Optimization
    Structure for Hyperspectral Image Deconvolution", arXiv:2306.06378, 2023: the three modules,
    what the learned one sees of the other, and training end to end. The splitting, the low rank
    (the paper has smooth gradients) and the decentralised form are ours.
"""

import math

import numpy as np

from dadao_sim.algorithms.contract.chebyshev import Chebyshev
from dadao_sim.algorithms.contract.gossip import normalised
from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.algorithms.contract.unrolled import UnrolledMethod, require_counts
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError

LAYERS, WIDTH = 5, 6
COMPLETE = 1e-9
"""How near chi is to 1 where one round of gossip takes the mean."""
LEAST = 1e-9
"""Of the squares of singular values, which are divided by."""


def constants(c, problem, network):
    """Those of the module's docstring; ``band`` is the one that a node holds."""
    c.whole("gossip_rounds", enough_gossip(c.chi))
    averaging(c.chi, int(c.gossip_rounds))  # refuses what floating point cannot do
    c.of_nodes(band=problem.band)


def enough_gossip(chi):
    """3 sqrt(chi), rounded up, but for what is rounding."""
    return 1 if chi - 1 < COMPLETE else math.ceil(3 * math.sqrt(chi) * (1 - COMPLETE))


def averaging(chi, rounds):
    """So many rounds of Chebyshev gossip with I - Laplacian/lambda_max."""
    l2 = 0.0 if chi - 1 < COMPLETE else 1 - 1 / chi
    return Chebyshev.over(l2, 0.0, rounds, shifted=False)


@one_blas_thread()
def prepare(s, c, nodes, W):
    """z1 = z2 = Average(n e_b (x) H y_b); grad f_i(0) is -2 H y_b/p in the own band."""
    p = s.z1.shape[1] // nodes.count
    Hy = -p / 2 * nodes.gradients(np.zeros_like(s.z1))
    s.z1 = everywhere(Hy, c, W)
    s.z2 = s.z1.copy()


@one_blas_thread()
def step(s, c, nodes, W):
    """x_b = argmin f_i + ..., X = Average(n e_b (x) x_b), z1 = low rank of X, z2 = mix(X, z1)."""
    if nodes.round >= c.layers:
        return
    p = s.z1.shape[1] // nodes.count
    b1, b2, tau = np.exp(c.log)
    curvature = 2 / p * (b1 + b2)
    v = 2 / p * (b1 * s.z1 + b2 * s.z2)
    x = nodes.local_solves(v, curvature, 1 / curvature, start=s.z2)
    X = everywhere(x, c, W)
    s.z1 = low_rank(X, nodes.count, tau)
    s.z2 = mixed(X, s.z1, nodes.count, c)


def everywhere(x, c, W):
    """The cube at every node (n, d), of the band of each in its row of x (n, d)."""
    n = len(x)
    bands = x.reshape(n, n, -1)
    own = (c.band == np.arange(n))[..., None]
    alone = np.where(own, n * bands, 0.0).reshape(x.shape)
    X = averaging(c.chi, c.gossip_rounds)(W, alone)
    return np.where(own, bands, X.reshape(bands.shape)).reshape(x.shape)


def low_rank(X, bands, tau):
    """The singular values of every cube (n, d) as a matrix (bands, p), less tau sqrt(p); nan where
    they overflow.
    """
    M = X.reshape(len(X), bands, -1)
    gram = M @ M.transpose(0, 2, 1)
    finite = np.isfinite(gram).all(axis=(1, 2))
    squares, U = np.linalg.eigh(np.where(finite[:, None, None], gram, 0.0))
    sigma = np.sqrt(np.maximum(squares, LEAST))
    kept = np.maximum(1 - tau * np.sqrt(M.shape[2]) / sigma, 0.0)
    U_t = U.transpose(0, 2, 1)
    Z = (U * kept[:, None, :]) @ (U_t @ M)
    return np.where(finite[:, None, None], Z, np.nan).reshape(X.shape)


def mixed(X, Z, bands, c):
    """(1 - g) X + g Z + c(X, Z), of cubes (n, d)."""
    side = math.isqrt(X.shape[1] // bands)
    g = 1 / (1 + np.exp(-c.skip))
    h = np.concatenate([one.reshape(-1, bands, side, side) for one in (X, Z)], axis=1)
    h = np.maximum(convolved(h, c.C1, c.a1), 0.0)
    h = np.maximum(convolved(h, c.C2, c.a2), 0.0)
    return (1 - g) * X + g * Z + convolved(h, c.C3, c.a3).reshape(X.shape)


def convolved(h, C, a):
    """Pictures h (n, inputs, side, side) seen through C (outputs, inputs, 3, 3), plus a (outputs,),
    periodic.
    """
    n, inputs, side, _ = h.shape
    found = np.zeros((n, len(C), side * side)) + a[:, None]
    for i in range(3):
        for j in range(3):
            moved = np.roll(h, (1 - i, 1 - j), axis=(2, 3))
            found += C[:, :, i, j] @ moved.reshape(n, inputs, -1)
    return found.reshape(n, len(C), side, side)


def warning(c, network):
    """Of too little gossip."""
    enough = enough_gossip(c.chi)
    if c.gossip_rounds >= enough:
        return ""
    return (
        f"gossip_rounds: {c.gossip_rounds} on a {network.name} of {network.nodes}: at least "
        f"{enough} are needed (3 sqrt of lambda_max/lambda_2)"
    )


def shapes(made):
    """Of the logarithms of b1, b2 and tau, of the logit of g, and of the three convolutions."""
    require_counts(made, "layers", "width", "bands")
    B, w = made["bands"], made["width"]
    return {
        **{"log": (3,), "skip": ()},
        **{"C1": (w, 2 * B, 3, 3), "a1": (w,)},
        **{"C2": (w, w, 3, 3), "a2": (w,)},
        **{"C3": (B, w, 3, 3), "a3": (B,)},
    }


def fits(name, made, problem, options):
    """A band at each node, as many as in the training; blur, noise and size are not looked at."""
    if made["bands"] != problem.nodes:
        raise InputError(
            f"{name}: nodes: {problem.nodes} given; the network was trained for {made['bands']} "
            "bands, one per node"
        )


def untrained(problem, layers=LAYERS, width=WIDTH):
    """What a training begins with, but for noise: c = 0."""
    made = {"method": "deep_mix", "kind": "bands", "bands": problem.nodes}
    made |= {"layers": layers, "width": width}
    arrays = {name: np.zeros(shape) for name, shape in shapes(made).items()}
    arrays["log"] = np.log([0.1, 0.1, 0.01])
    return Trained(arrays, made)


METHOD = UnrolledMethod(
    name="deep_mix",
    title="DeepMix",
    family="learned",
    look="black dashed s",
    reference="gkillas2023deep",
    blocks=("z1", "z2"),
    start_block=None,
    estimate="z2",
    needs_kind="bands",
    solves={"convex": "experimental"},
    no_composite="what it knows of cubes was trained",
    weights=normalised,
    prepare=prepare,
    constants=constants,
    step=step,
    shapes=shapes,
    fits=fits,
    untrained=untrained,
    warning=warning,
    broadcasts=False,
)
