"""Dense matrices of a graph with weighted edges: the few that optimal rates need."""

import numpy as np


def laplacian(nodes: int, edges: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """sum_e w_e b_e b_e^T, (n, n); the weights may have any sign (a direction of change)."""
    i, j = edges.T
    matrix = np.zeros((nodes, nodes))
    matrix[i, j] = matrix[j, i] = -weights
    np.fill_diagonal(matrix, np.bincount(i, weights, nodes) + np.bincount(j, weights, nodes))
    return matrix


def pseudo_inverse(matrix: np.ndarray) -> np.ndarray | None:
    """Inverse on the complement of 1 of a matrix with kernel span(1); None if it is not definite.

    As a Cholesky factorisation it costs n^3, a tenth of an eigendecomposition.
    """
    from scipy.linalg.lapack import dpotrf, dpotri

    n = len(matrix)
    shift = np.trace(matrix) / n  # a shift by s 11^T/n moves the zero eigenvalue to s
    if not shift > 0:
        return None
    factor, failed = dpotrf(matrix + shift / n, lower=1)
    if failed:
        return None
    inverse, _ = dpotri(factor, lower=1)  # the lower triangle; zeros above
    inverse += np.tril(inverse, -1).T
    inverse -= 1 / (shift * n)
    return inverse


def over_edges(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """b_e^T A b_e for every edge, (|E|,), A symmetric."""
    i, j = edges.T
    diagonal = matrix.diagonal()
    return diagonal[i] + diagonal[j] - 2.0 * matrix[i, j]


def between_edges(matrix: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """b_g^T A b_e for every two edges, (|E|, |E|)."""
    i, j = edges.T
    columns = matrix[:, i] - matrix[:, j]
    return columns[i] - columns[j]
