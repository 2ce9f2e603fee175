"""The mixer that makes random numbers of a mark, in compiled code and in plain Python."""

import numpy as np

from dadao_sim.compiled.kernel import kernel

NODE_STRIDE = np.uint64(0xD1342543DE82EF95)
"""Odd: between the states of different nodes, which then never meet."""


@kernel
def splitmix64(state):
    """Steele, Lea and Flood's (2014) 64-bit mixer: uint64 -> uint64, without state.

    It wraps around; where the kernels run as plain Python, callers silence NumPy's overflow
    warning.
    """
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def drawn(mark, k, samples):
    """Number k of a draw with replacement from ``samples`` of them: splitmix64(mark + k) mod
    samples.
    """
    return np.int64(splitmix64(mark + np.uint64(k)) % np.uint64(samples))


@kernel
def uniform(mark):
    """A number in [0, 1) of 53 bits."""
    return np.float64(splitmix64(mark) >> np.uint64(11)) * 2.0**-53


@kernel
def fill_draws(marks, samples, out):
    """A draw at every node, into ``out`` (n, b): of its ``samples`` (n,), by its mark (n,)."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = drawn(marks[i], k, samples[i])
