"""A sparse signal under Gaussian rows at every node: (group) lasso, compressed sensing."""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.problem import FloatArray


class SparseSignal(NamedTuple):
    """``A`` (n, m, d), ``b`` (n, m), and the ``signal`` (d,) that they are made of."""

    A: FloatArray
    b: FloatArray
    signal: FloatArray


def sparse_signal(
    loss: str,
    nodes: int,
    dim: int,
    samples_per_node: int,
    nonzeros: int,
    rng: np.random.Generator,
    *,
    group_size: int = 1,
    noise: float = 0.1,
) -> SparseSignal:
    """One signal for all nodes, standard normal rows, targets A x + noise; signs for logistic_l2.

    ``nonzeros`` coordinates, in whole groups of ``group_size`` consecutive ones, are drawn from the
    Laplacian of density exp(-|x|)/2, the prior of the l1 norm; the rest are 0. ``noise`` is the
    standard deviation of the normal noise of the targets. All nodes together may have fewer samples
    than ``dim``. The signal is drawn first: it depends on neither nodes, samples nor noise.
    """
    for name, value in (("dim", dim), ("nonzeros", nonzeros)):
        if value % group_size:
            raise InputError(
                f"problem.data.{name}: {value} given; a multiple of group_size = {group_size} is"
                " needed"
            )
    if not 1 <= nonzeros <= dim:
        raise InputError(f"problem.data.nonzeros: {nonzeros} given; 1 to dim = {dim} are possible")
    signal = np.zeros(dim)
    groups = rng.choice(dim // group_size, size=nonzeros // group_size, replace=False)
    support = (group_size * np.sort(groups)[:, None] + np.arange(group_size)).ravel()
    signal[support] = rng.laplace(size=nonzeros)
    A = rng.standard_normal((nodes, samples_per_node, dim))
    with one_blas_thread():
        b = A @ signal
    b += noise * rng.standard_normal(b.shape)
    if loss == "logistic_l2":
        b = np.where(b >= 0, 1.0, -1.0)
    return SparseSignal(A, b, signal)
