"""Partitions of samples over nodes: every sample on exactly one node.

A partition is a function (targets, sizes, alpha, rng) -> an order of the samples, which the nodes
then take in turn, ``sizes[i]`` each; entered in ``PARTITIONS``.
"""

from collections.abc import Callable

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.problem import FloatArray, IntArray

SIZES = ("equal", "uneven")
TARGET_CLASSES = 10
"""Real targets are put in this number of classes, of as many samples each."""


def partition(
    targets: FloatArray,
    nodes: int,
    rng: np.random.Generator,
    *,
    kind: str = "iid",
    alpha: float | None = None,
    sizes: str = "equal",
    minimum: int = 1,
) -> list[IntArray]:
    """Indices of the samples of every node, each sample once, at least ``minimum`` per node.

    ``kind``:

    - ``iid``: at random
    - ``sorted``: in the order of the targets, so that a node sees few classes
    - ``dirichlet``: the shares of the classes at a node are drawn from a Dirichlet distribution of
      concentration ``alpha`` times the shares in all data (Hsu, Qi and Brown 2019), as long as
      samples of the class are left; real targets are put in ten classes of equal size

    ``sizes``: ``equal`` up to one sample, or ``uneven``, proportional to log-normal draws (sigma 1)
    above the minimum. InputError if there are not enough samples.
    """
    if kind not in PARTITIONS:
        known = ", ".join(PARTITIONS)
        raise InputError(f"problem.partition.kind: {kind!r} is not one of {known}")
    if kind == "dirichlet" and not (alpha is not None and np.isfinite(alpha) and alpha > 0):
        raise InputError(f"problem.partition.alpha: {alpha} given; dirichlet needs a number > 0")
    counts = node_sizes(targets.size, nodes, rng, sizes=sizes, minimum=minimum)
    order = PARTITIONS[kind](targets, counts, alpha or 0.0, rng)
    return np.split(order, np.cumsum(counts)[:-1])


def node_sizes(
    samples: int, nodes: int, rng: np.random.Generator, *, sizes: str, minimum: int
) -> IntArray:
    """Samples per node (nodes,), which add up to ``samples``."""
    if sizes not in SIZES:
        raise InputError(f"problem.partition.sizes: {sizes!r} is not one of {', '.join(SIZES)}")
    if samples < nodes * minimum:
        raise InputError(
            f"problem.data: {samples} samples for {nodes} nodes, which need at least {minimum}"
            f" each; at most {samples // minimum} nodes are possible"
        )
    spare = samples - nodes * minimum
    if sizes == "equal":
        weights = np.ones(nodes)
        spare, minimum = samples, 0
    else:
        weights = rng.lognormal(size=nodes)
    exact = spare * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    # The largest remainders get what rounding down has left over.
    counts[np.argsort(counts - exact, kind="stable")[: spare - counts.sum()]] += 1
    return counts + minimum


def _iid(targets: FloatArray, sizes: IntArray, alpha: float, rng: np.random.Generator) -> IntArray:
    return rng.permutation(targets.size)


def _sorted(
    targets: FloatArray, sizes: IntArray, alpha: float, rng: np.random.Generator
) -> IntArray:
    shuffled = rng.permutation(targets.size)
    return shuffled[np.argsort(targets[shuffled], kind="stable")]


def _dirichlet(
    targets: FloatArray, sizes: IntArray, alpha: float, rng: np.random.Generator
) -> IntArray:
    classes = _classes(targets)
    shuffled = rng.permutation(targets.size)
    piles = [shuffled[classes[shuffled] == label] for label in range(classes.max() + 1)]
    left = np.array([pile.size for pile in piles])
    prior = alpha * left / left.sum()
    chosen: list[list[IntArray]] = [[] for _ in sizes]
    # In random order: the last nodes make do with what is left.
    for i in rng.permutation(sizes.size):
        shares = rng.dirichlet(prior)
        wanted = int(sizes[i])
        while wanted > 0:
            open_shares = np.where(left > 0, shares, 0.0)
            if open_shares.sum() <= 0:
                open_shares = left.astype(float)
            draw = np.minimum(rng.multinomial(wanted, open_shares / open_shares.sum()), left)
            for label in np.flatnonzero(draw):
                start = piles[label].size - left[label]
                chosen[i].append(piles[label][start : start + draw[label]])
            left = left - draw
            wanted -= int(draw.sum())
    return np.concatenate([part for parts in chosen for part in parts])


def _classes(targets: FloatArray) -> IntArray:
    """Class 0, 1, ... of each sample: its target, or its tenth of the order if there are many."""
    values, labels = np.unique(targets, return_inverse=True)
    if values.size <= TARGET_CLASSES:
        return labels
    rank = np.empty(targets.size, dtype=np.int64)
    rank[np.argsort(targets, kind="stable")] = np.arange(targets.size)
    return rank * TARGET_CLASSES // targets.size


Order = Callable[[FloatArray, IntArray, float, np.random.Generator], IntArray]
PARTITIONS: dict[str, Order] = {
    "iid": _iid,
    "sorted": _sorted,
    "dirichlet": _dirichlet,
}
