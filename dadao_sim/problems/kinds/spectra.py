"""Extreme eigenvalues of the nodes' Gram matrices, for the exact mu and L."""

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.kinds.linear_model import LinearModel
from dadao_sim.problems.kinds.quadratic import fill_gram

NODES_AT_ONCE = 4096


def spectra(model: LinearModel) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest eigenvalue (n,) of scale_i A_i^T A_i, for every node."""
    with one_blas_thread():
        if np.diff(model.offsets).min() >= model.A.shape[1]:
            return _of_tall_nodes(model)
        return _node_by_node(model)


def _of_tall_nodes(model: LinearModel) -> tuple[np.ndarray, np.ndarray]:
    """In stacks of d x d matrices."""
    n, d = model.scale.size, model.A.shape[1]
    halved = model._replace(scale=0.5 * model.scale, ridge=0.0)
    least, largest = np.empty(n), np.empty(n)
    for first in range(0, n, NODES_AT_ONCE):
        last = min(first + NODES_AT_ONCE, n)
        H, c = np.empty((last - first, d, d)), np.empty((last - first, d))
        fill_gram(halved, first, last, H, c)
        eigenvalues = np.linalg.eigvalsh(H)
        least[first:last], largest[first:last] = eigenvalues[:, 0], eigenvalues[:, -1]
    return np.maximum(least, 0.0), largest


def _node_by_node(model: LinearModel) -> tuple[np.ndarray, np.ndarray]:
    """Through the smaller of A_i A_i^T and A_i^T A_i; fewer rows than columns make the least 0."""
    n, d = model.scale.size, model.A.shape[1]
    least, largest = np.empty(n), np.empty(n)
    for i in range(n):
        A = model.A[model.offsets[i] : model.offsets[i + 1]]
        wide = A.shape[0] < d
        eigenvalues = model.scale[i] * np.linalg.eigvalsh(A @ A.T if wide else A.T @ A)
        least[i] = 0.0 if wide else max(eigenvalues[0], 0.0)
        largest[i] = eigenvalues[-1]
    return least, largest
