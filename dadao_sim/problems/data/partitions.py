"""Partitions: at random, by target, and by Dirichlet shares of the targets."""

from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.partition import Partition
from dadao_sim.strict import Positive

TARGET_CLASSES = 10
"""Real targets are put in this number of classes, of as many samples each."""


class Iid(Partition):
    """Samples at random."""

    kind: Literal["iid"] = Field(default="iid", description="at random")

    def order(self, targets: FloatArray, sizes: IntArray, rng: np.random.Generator) -> IntArray:
        """A permutation (N,)."""
        return rng.permutation(targets.size)


class Sorted(Partition):
    """Samples in the order of their targets, so that a node sees few classes."""

    kind: Literal["sorted"] = Field(description="sorted by target")

    def order(self, targets: FloatArray, sizes: IntArray, rng: np.random.Generator) -> IntArray:
        """By target, equal ones at random (N,)."""
        shuffled = rng.permutation(targets.size)
        return shuffled[np.argsort(targets[shuffled], kind="stable")]


class Dirichlet(Partition):
    """Samples by Dirichlet shares of the classes at a node (Hsu, Qi and Brown 2019).

    Their concentration is ``alpha`` times the shares in all data, as long as samples of a class are
    left; real targets are put in ten classes of equal size.
    """

    kind: Literal["dirichlet"] = Field(description="by Dirichlet shares of the targets")
    alpha: Positive = Field(
        description="concentration of the Dirichlet shares; small is heterogeneous"
    )

    def order(self, targets: FloatArray, sizes: IntArray, rng: np.random.Generator) -> IntArray:
        """Node by node what its shares draw (N,)."""
        classes = _classes(targets)
        shuffled = rng.permutation(targets.size)
        piles = [shuffled[classes[shuffled] == label] for label in range(classes.max() + 1)]
        left = np.array([pile.size for pile in piles])
        prior = self.alpha * left / left.sum()
        chosen: list[list[IntArray]] = [[] for _ in sizes]
        # In random order: the last nodes make do with what is left.
        for i in rng.permutation(sizes.size):
            shares = rng.dirichlet(prior)
            wanted = int(sizes[i])
            while wanted > 0:
                draw = _draw(wanted, shares, left, rng)
                for label in np.flatnonzero(draw):
                    start = piles[label].size - left[label]
                    chosen[i].append(piles[label][start : start + draw[label]])
                left = left - draw
                wanted -= int(draw.sum())
        return np.concatenate([part for parts in chosen for part in parts])


def _draw(wanted: int, shares: FloatArray, left: IntArray, rng: np.random.Generator) -> IntArray:
    """Samples of each class (classes,), no more than are left of it: maybe fewer than wanted."""
    open_shares = np.where(left > 0, shares, 0.0)
    if open_shares.sum() <= 0:
        open_shares = left.astype(float)
    return np.minimum(rng.multinomial(wanted, open_shares / open_shares.sum()), left)


def _classes(targets: FloatArray) -> IntArray:
    """Class 0, 1, ... of each sample: its target, or its tenth of the order if there are many."""
    values, labels = np.unique(targets, return_inverse=True)
    if values.size <= TARGET_CLASSES:
        return labels
    rank = np.empty(targets.size, dtype=np.int64)
    rank[np.argsort(targets, kind="stable")] = np.arange(targets.size)
    return rank * TARGET_CLASSES // targets.size
