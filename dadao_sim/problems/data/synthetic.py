"""Samples drawn node by node: with a prescribed condition number, or as the authors of DADAO do."""

from collections.abc import Iterator

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.problem import FloatArray

NODES_AT_ONCE = 4096
"""Nodes drawn together: bounds the memory of the draws, and fixes their order."""


def synthetic(
    loss: str,
    nodes: int,
    dim: int,
    samples_per_node: int,
    rng: np.random.Generator,
    *,
    condition_number: float | None = None,
    heterogeneity: float = 1.0,
    noise: float = 0.1,
) -> tuple[FloatArray, FloatArray]:
    """Features A (nodes, samples, dim) and targets b (nodes, samples) of linear models.

    The targets are A_i w_i plus noise of standard deviation ``noise``; their signs for logistic_l2.
    With a ``condition_number`` kappa, A_i = sqrt(m) Q_i diag(sqrt(e)) V_i^T with Q_i and V_i
    orthonormal, and the eigenvalues e of A_i^T A_i/m are the same at every node, log-spaced in

    - least_squares: [1, kappa]/2, so that mu = 1 and L = kappa
    - logistic_l2, huber_l2: [1/kappa, 1]
    - ridge: as least_squares, less 1/2

    and all but the first have that kappa with the l2 term of ``build.l2_strength``. Without, A_i is
    standard normal. w_i and (before they are made orthonormal) V_i are max(0, 1 - h) times a part
    common to all nodes plus h times one of their own, both standard normal; h, the
    ``heterogeneity``, is 0 for nodes that are alike and 1 for independent ones.
    """
    spectrum = None
    if condition_number is not None:
        spectrum = _spectrum(loss, dim, samples_per_node, condition_number)
    common = max(0.0, 1.0 - heterogeneity)
    shared_w, shared_V = rng.standard_normal(dim), rng.standard_normal((dim, dim))
    A, b = np.empty((nodes, samples_per_node, dim)), np.empty((nodes, samples_per_node))
    for part in _blocks(nodes):
        n = part.stop - part.start
        w = common * shared_w + heterogeneity * rng.standard_normal((n, dim))
        A[part] = rng.standard_normal((n, samples_per_node, dim))
        if spectrum is not None:
            own_V = rng.standard_normal((n, dim, dim))
            V = orthonormal(common * shared_V + heterogeneity * own_V)[:, :, : spectrum.size]
            Q = orthonormal(A[part][:, :, : spectrum.size])
            with one_blas_thread():
                A[part] = Q * np.sqrt(samples_per_node * spectrum) @ V.transpose(0, 2, 1)
        b[part] = (A[part] * w[:, None, :]).sum(axis=2)
        b[part] += noise * rng.standard_normal((n, samples_per_node))
    if loss == "logistic_l2":
        b = np.where(b >= 0, 1.0, -1.0)
    return A, b


def centres(
    nodes: int, dim: int, rng: np.random.Generator, *, heterogeneity: float = 1.0
) -> FloatArray:
    """Centres (nodes, dim) for averaging; ``heterogeneity`` as for the w_i of :func:`synthetic`."""
    shared = rng.standard_normal(dim)
    own = rng.standard_normal((nodes, dim))
    return max(0.0, 1.0 - heterogeneity) * shared + heterogeneity * own


def authors(
    loss: str, nodes: int, dim: int, samples_per_node: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """A task of its own for every node, from scikit-learn's generators; A (n, m, d) and b (n, m).

    ``make_classification`` (all features informative, one cluster per class, labels -1 and 1) for
    logistic_l2; ``make_regression`` with noise of a standard deviation uniform in [0, 40] else. The
    setting of the experiments of DADAO (Nabli and Oyallon, ICML 2023).
    """
    from sklearn.datasets import make_classification, make_regression

    A, b = np.empty((nodes, samples_per_node, dim)), np.empty((nodes, samples_per_node))
    for i in range(nodes):
        seed, noise = int(rng.integers(2**31)), rng.uniform(0, 40)
        if loss == "logistic_l2":
            A[i], labels = make_classification(
                n_samples=samples_per_node,
                n_features=dim,
                n_informative=dim,
                n_redundant=0,
                n_clusters_per_class=1,
                random_state=seed,
            )
            b[i] = 2.0 * labels - 1.0
        else:
            A[i], b[i] = make_regression(
                n_samples=samples_per_node, n_features=dim, noise=noise, random_state=seed
            )
    return A, b


def orthonormal(stack: FloatArray) -> FloatArray:
    """Orthonormal bases of the columns of matrices (n, rows, columns): Haar if those are normal."""
    with one_blas_thread():
        Q, R = np.linalg.qr(stack)
    # Without the signs of R the distribution depends on LAPACK's conventions.
    return Q * np.where(np.diagonal(R, axis1=1, axis2=2) < 0, -1.0, 1.0)[:, None, :]


def _spectrum(loss: str, dim: int, samples: int, kappa: float) -> FloatArray:
    """Eigenvalues of A_i^T A_i/m, the largest first, as many as there can be."""
    _check_condition_number(loss, dim, kappa)
    if loss == "least_squares" and samples < dim:
        raise InputError(
            f"problem.data.samples_per_node: {samples} samples in dimension {dim} make mu = 0;"
            f" at least {dim} are needed, or kind ridge"
        )
    rank = min(samples, dim)
    if loss == "least_squares":
        return 0.5 * np.geomspace(kappa, 1.0, dim)
    if loss == "ridge":
        return 0.5 * (np.geomspace(kappa, 1.0, dim) - 1.0)[:rank]
    return np.geomspace(1.0, 1.0 / kappa, dim)[:rank]


def _check_condition_number(loss: str, dim: int, kappa: float) -> None:
    field = f"problem.data.condition_number: {kappa}"
    if loss == "least_squares" and not 1 <= kappa < np.inf:
        raise InputError(f"{field} given; a number >= 1 is needed")
    if loss != "least_squares" and not 1 < kappa < np.inf:
        raise InputError(f"{field} given; {loss} needs it > 1")
    if loss in ("least_squares", "ridge") and dim == 1 and kappa > 1:
        raise InputError(f"{field} in dimension 1, where it is 1; dim must be at least 2")


def _blocks(nodes: int) -> Iterator[slice]:
    for first in range(0, nodes, NODES_AT_ONCE):
        yield slice(first, min(first + NODES_AT_ONCE, nodes))
