"""The second moment of a method written out densely, event by event, and small problems."""

import networkx as nx
import numpy as np

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.registry import get_method

METHODS = (
    *("dadao", "continuized", "a2cid2", "ad_psgd", "randomised_gossip", "accelerated_gossip"),
    "dual_proximal_gradient",
)
GRAPHS = {
    "path": nx.path_graph,
    "cycle": nx.cycle_graph,
    "star": lambda n: nx.star_graph(n - 1),
    "complete": nx.complete_graph,
    "barbell": lambda n: nx.barbell_graph(n // 2, 0),
    "torus": lambda n: nx.grid_2d_graph(round(n**0.5), round(n**0.5), periodic=True),
    "hypercube": lambda n: nx.hypercube_graph(n.bit_length() - 1),
}


def network(name, n):
    return Network.from_networkx(nx.convert_node_labels_to_integers(GRAPHS[name](n), 0, "sorted"))


def alike(nodes, curvatures):
    """Every node has the same curvatures along the axes, and a centre of its own."""
    H = np.tile(np.diag(np.asarray(curvatures, dtype=float)), (nodes, 1, 1))
    c = np.random.default_rng(1).standard_normal((nodes, len(curvatures)))
    return Problem.quadratic(H, H @ c[..., None] @ np.ones(1))


def unlike(nodes, dimension=1, kappa=10.0, seed=0, turned=False):
    """Curvatures in [1, kappa], different at every node, along the axes or along turned ones."""
    rng = np.random.default_rng(seed)
    H = np.zeros((nodes, dimension, dimension))
    for i in range(nodes):
        h = np.diag(rng.uniform(1, kappa, dimension))
        R = (
            np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
            if turned
            else np.eye(dimension)
        )
        H[i] = R @ h @ R.T
    return Problem.quadratic(
        (H + H.transpose(0, 2, 1)) / 2, rng.standard_normal((nodes, dimension))
    )


def problem_for(name, nodes, dimension=1, **options):
    if get_method(name).needs_averaging:
        return Problem.averaging(np.random.default_rng(0).standard_normal((nodes, dimension)))
    return unlike(nodes, dimension, **options)


def superoperator(events):
    """A (x) I + I (x) A + sum lambda (J (x) J - I), J = I + W Q^T, where the events reach."""
    T = events.reached
    eye = np.eye(T.shape[1])
    A = T.T @ (events.A @ T)
    whole = np.kron(A, eye) + np.kron(eye, A)
    W, Q = T.T @ events.W.toarray(), T.T @ events.Q.toarray()
    for r, rate in enumerate(events.rates):
        columns = slice(r * events.width, (r + 1) * events.width)
        J = eye + W[:, columns] @ Q[:, columns].T
        whole += rate * (np.kron(J, J) - np.eye(len(whole)))
    return whole
