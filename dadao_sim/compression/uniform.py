"""Uniform numbers of every node's own, from the mark of a round."""

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import NODE_STRIDE, splitmix64


@kernel
def fill_uniform(mark, out):
    """Numbers of [0, 1) from ``mark`` (uint64), each row of ``out`` (n, d) its own."""
    for i in range(out.shape[0]):
        start = mark + np.uint64(i) * NODE_STRIDE
        for k in range(out.shape[1]):
            out[i, k] = (splitmix64(start + np.uint64(k)) >> np.uint64(11)) * 2.0**-53


def uniform(shape: tuple[int, int], mark: int) -> np.ndarray:
    """Numbers of [0, 1), (n, d), from ``mark`` (uint64)."""
    out = np.empty(shape)
    with np.errstate(over="ignore"):  # plain Python warns where uint64 wraps around
        fill_uniform(np.uint64(mark), out)
    return out
