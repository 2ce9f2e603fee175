"""Orthonormal columns: problems of principal components, of every kind, and what plays them."""

import networkx as nx
import numpy as np

from dadao_sim import replay
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.events.log import ROUND, Events
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.simulation.replay import make_player

NODES, DIM, COMPONENTS = 16, 20, 3
RING = as_network(nx.cycle_graph(NODES))
ON_MATRICES = ("landing", "landing_tracked", "drgta", "dprgt")


def polar(X):
    u, _, vt = np.linalg.svd(X, full_matrices=False)
    return u @ vt


def rows(seed=0, gap=0.5):
    """Of heterogeneous nodes; the mean has three eigenvalues near 1, then a gap."""
    rng = np.random.default_rng(seed)
    few = COMPONENTS
    values = np.concatenate([np.linspace(1, 0.8, few), 0.8 * gap * np.linspace(1, 0.2, DIM - few)])
    Q, _ = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    A = rng.standard_normal((NODES, 50, DIM)) @ (Q * np.sqrt(values) @ Q.T)
    own = rng.standard_normal((NODES, 1, DIM)) * rng.standard_normal((NODES, 50, 1))
    return A + 0.15 * own


PCA = pca_problem(rows(), COMPONENTS)


def start(problem=PCA, seed=1, shared=True):
    """Orthonormal columns at every node."""
    n, d = problem.nodes, problem.dimension
    drawn = np.random.default_rng(seed).standard_normal((1 if shared else n, d))
    return np.tile(problem.orthonormal(drawn), (n, 1))[:n]


def played(method, problem=PCA, steps=2000, x0=None, network=RING, **constants):
    """The matrices of all nodes (n, d, p)."""
    x0 = start(problem) if x0 is None else x0
    log = Events.from_arrays(np.arange(1.0, steps + 1), [ROUND] * steps, [-1] * steps)
    return problem.matrix(replay(method, problem, network, log, x0, constants)["x"])


def rounds_to(method, error, **constants):
    """Rounds of the ring until the squared distance is below ``error``, to 20; 3000 where later."""
    tuning = METHODS[method].tune(PCA, RING, constants)
    player = make_player(METHODS[method], PCA, tuning, start(), {})
    log = Events.from_arrays(np.arange(1.0, 3001), [ROUND] * 3000, [-1] * 3000)
    for k in range(0, 3000, 20):
        player.play(log, k, k + 20)
        if PCA.squared_distance(player.blocks(("x",))["x"]) < error:
            return k + 20
    return 3000


def projector(X):
    return X @ np.swapaxes(X, -1, -2)


def eigenvectors(A):
    """The first eigenvectors of the covariance of all rows, by NumPy."""
    flat = A.reshape(-1, A.shape[-1])
    return np.linalg.eigh(flat.T @ flat / len(flat))[1][:, ::-1][:, :COMPONENTS]


def landing_centralised(problem, x, rounds, step, lam):
    """Ablin and Peyre, with the whole F in one place and the matrix Skew(G X^T) written out."""
    X = problem.matrix(x)
    for _ in range(rounds):
        G = problem.matrix(problem.mean_operator(X.ravel()))
        M = G @ X.T
        X = X - step * ((M - M.T) / 2 @ X + lam * X @ (X.T @ X - np.eye(X.shape[1])))
    return X


def built(kind, seed=0, nodes=6, **keys):
    return PROBLEMS[kind](kind=kind, **keys).build(nodes, np.random.default_rng(seed))


SMALL = {
    "pca": {
        "components": 2,
        "data": {"kind": "synthetic", "dim": 5, "samples_per_node": 9, "condition_number": 9.0},
    },
    "procrustes": {"data": {"kind": "rotated", "dim": 3, "samples_per_node": 9}},
    "ica": {"data": {"kind": "mixtures", "dim": 3, "samples_per_node": 40}},
}
