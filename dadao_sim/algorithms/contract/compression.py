"""Messages of fewer bits: what a node sends in the place of its floating point numbers."""

import math

import numpy as np

from dadao_sim.algorithms.contract.nodes import NODE_STRIDE
from dadao_sim.algorithms.contract.tally import FLOAT_BITS, Message
from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import splitmix64


@kernel
def fill_uniform(mark, out):
    """Numbers of [0, 1) from ``mark`` (uint64), each row of ``out`` (n, d) its own."""
    for i in range(out.shape[0]):
        start = mark + np.uint64(i) * NODE_STRIDE
        for k in range(out.shape[1]):
            out[i, k] = (splitmix64(start + np.uint64(k)) >> np.uint64(11)) * 2.0**-53


def quantised(V: np.ndarray, bits: int, mark: int, block: int) -> Message:
    """Every number of ``V`` (n, d) rounded at random, without bias, to one of 2^bits + 1 symbols.

    Blocks of ``block`` numbers share their largest size ||v||_inf as a scale, sent at full length:
    Q(v) = ||v||_inf 2^-(bits-1) sign(v) floor(2^(bits-1) |v|/||v||_inf + u), u uniform in [0, 1),
    drawn from ``mark`` (uint64). A symbol takes bits + 1 bits: a sign and 2^(bits-1) + 1 sizes.
    (Li, Liu, Tang, Yan, Yuan, 2021, section 5.)
    """
    u = np.empty(V.shape)
    with np.errstate(over="ignore"):  # plain Python warns where uint64 wraps around
        fill_uniform(np.uint64(mark), u)
    size, levels = np.abs(V), 2 ** (bits - 1)
    starts = np.arange(0, V.shape[1], block)
    scales = np.maximum.reduceat(size, starts, axis=1)
    scale = np.repeat(scales, block, axis=1)[:, : V.shape[1]]
    relative = np.divide(size, scale, out=np.zeros(V.shape), where=scale > 0)
    symbols = np.minimum(np.floor(levels * relative + u), levels)  # levels + u may round up
    count = math.ceil(V.shape[1] / block)
    return Message(
        rows=np.copysign(scale / levels * symbols, V),
        numbers=V.shape[1] + count,
        bits=(bits + 1) * V.shape[1] + FLOAT_BITS * count,
    )
