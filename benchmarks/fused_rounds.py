"""Gradient tracking written out by hand: the yardstick for synchronous rounds.

    python benchmarks/fused_rounds.py     rounds per second of each way

One compiled loop beside plain NumPy, with W sparse and (up to DENSE_NODES nodes) as a full matrix.
Quadratics in Gram form (H (n, d, d), c (n, d)) or least squares (A (n, m, d), b (n, m)). No
metrics, no samples: what a round costs at the least on one core.
"""

import time

import networkx as nx
import numba
import numpy as np
import scipy.sparse as sp

DENSE_NODES = 300
STEP = 1e-3


@numba.njit(error_model="numpy")
def mix(indptr, indices, weights, V, out):
    """out = W V."""
    for i in range(V.shape[0]):
        for k in range(V.shape[1]):
            out[i, k] = 0.0
        for q in range(indptr[i], indptr[i + 1]):
            w, j = weights[q], indices[q]
            for k in range(V.shape[1]):
                out[i, k] += w * V[j, k]


@numba.njit(error_model="numpy")
def quadratic_loop(data, X, G):
    """G_i = H_i X_i - c_i."""
    H, c = data
    for i in range(X.shape[0]):
        for k in range(X.shape[1]):
            total = -c[i, k]
            for m in range(X.shape[1]):
                total += H[i, k, m] * X[i, m]
            G[i, k] = total


def quadratic(data, X):
    """The same in NumPy, as a new array."""
    H, c = data
    return np.matmul(H, X[:, :, None])[:, :, 0] - c


@numba.njit(error_model="numpy")
def least_squares_loop(data, X, G):
    """G_i = (2/m) A_i^T (A_i X_i - b_i)."""
    A, b = data
    samples = A.shape[1]
    for i in range(X.shape[0]):
        for k in range(X.shape[1]):
            G[i, k] = 0.0
        for s in range(samples):
            residual = -b[i, s]
            for k in range(X.shape[1]):
                residual += A[i, s, k] * X[i, k]
            residual *= 2.0 / samples
            for k in range(X.shape[1]):
                G[i, k] += residual * A[i, s, k]


def least_squares(data, X):
    """The same in NumPy, as a new array."""
    A, b = data
    residuals = np.matmul(A, X[:, :, None]) - b[:, :, None]
    return (2.0 / A.shape[1]) * np.matmul(A.transpose(0, 2, 1), residuals)[:, :, 0]


GRADIENTS = {
    "quadratic": (quadratic_loop, quadratic),
    "least_squares": (least_squares_loop, least_squares),
}


@numba.njit(error_model="numpy")
def loop(gradients, data, rounds, X, Y, indptr, indices, weights, step):
    """``rounds`` steps X+ = W(X - a Y), Y+ = W(Y + grad F(X+) - grad F(X)), in place.

    Y_0 = grad F(X_0).
    """
    G, new, work = np.empty_like(X), np.empty_like(X), np.empty_like(X)
    gradients(data, X, G)
    Y[:] = G
    for _ in range(rounds):
        for i in range(X.shape[0]):
            for k in range(X.shape[1]):
                work[i, k] = X[i, k] - step * Y[i, k]
        mix(indptr, indices, weights, work, X)
        gradients(data, X, new)
        for i in range(X.shape[0]):
            for k in range(X.shape[1]):
                work[i, k] = Y[i, k] + new[i, k] - G[i, k]
                G[i, k] = new[i, k]
        mix(indptr, indices, weights, work, Y)


def compiled(kind, data, W, rounds, step=STEP):
    """X after ``rounds`` rounds from 0, by the compiled loop; ``W`` in CSR."""
    X, Y = np.zeros(shape(data)), np.empty(shape(data))
    loop(GRADIENTS[kind][0], data, rounds, X, Y, W.indptr, W.indices, W.data, step)
    return X


def plain(kind, data, W, rounds, step=STEP):
    """The same in plain NumPy; ``W`` sparse or full."""
    gradients = GRADIENTS[kind][1]
    X = np.zeros(shape(data))
    G = Y = gradients(data, X)
    for _ in range(rounds):
        X = W @ (X - step * Y)
        new = gradients(data, X)
        Y = W @ (Y + new - G)
        G = new
    return X


def shape(data):
    """(n, d)."""
    return data[0].shape[0], data[0].shape[2]


def speeds(kind, data, W, rounds):
    """Rounds per second by the name of the way: compiled, sparse and (where it is small) full.

    The compiled loop makes ``rounds`` rounds, the others a tenth. AssertionError where they differ.
    """
    ways = {"compiled": (compiled, W), "sparse": (plain, W)}
    if W.shape[0] <= DENSE_NODES:
        ways["full"] = (plain, W.toarray())
    expected = compiled(kind, data, W, 3)
    found = {}
    for name, (way, mixing) in ways.items():
        np.testing.assert_allclose(way(kind, data, mixing, 3), expected, rtol=1e-9, atol=1e-12)
        count = rounds if way is compiled else max(1, rounds // 10)
        begun = time.perf_counter()
        way(kind, data, mixing, count)
        found[name] = count / (time.perf_counter() - begun)
    return found


def make_data(kind, nodes, dimension, seed=0):
    """H with condition numbers of about 10 and c, or A and b, of random normal numbers."""
    rng = np.random.default_rng(seed)
    samples = dimension + 5
    A = rng.standard_normal((nodes, samples, dimension))
    if kind == "least_squares":
        return A, rng.standard_normal((nodes, samples))
    H = np.einsum("imd,ime->ide", A, A, optimize=True) / samples + np.eye(dimension) / 2
    return H, rng.standard_normal((nodes, dimension))


def make_mixing(nodes, degree, seed=0):
    """W (csr) on a ring (degree 2) or a random regular graph."""
    ring = degree == 2
    graph = nx.cycle_graph(nodes) if ring else nx.random_regular_graph(degree, nodes, seed=seed)
    adjacency = nx.adjacency_matrix(graph, nodelist=range(nodes), dtype=float)
    return sp.csr_array((adjacency + sp.identity(nodes)) / (degree + 1))


# kind, nodes, degree, dimension, rounds
SETTINGS = tuple(
    (kind, *sizes)
    for kind in GRADIENTS
    for sizes in ((20, 2, 10, 100_000), (300, 8, 20, 5_000), (10_000, 8, 50, 20))
)

if __name__ == "__main__":
    for kind, nodes, degree, dimension, rounds in SETTINGS:
        data, W = make_data(kind, nodes, dimension), make_mixing(nodes, degree)
        found = speeds(kind, data, W, rounds)
        each = ", ".join(f"{name} {speed:,.1f}" for name, speed in found.items())
        print(
            f"{kind}, n = {nodes:,}, degree {degree}, d = {dimension}: {each} rounds/s", flush=True
        )
