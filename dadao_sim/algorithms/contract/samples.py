"""The samples of the nodes: whose they are, and what a node remembers of each."""

import numpy as np


class Samples:
    """The samples of all nodes, ``counts`` (n,) of them, one node after the other; ``batch`` are
    drawn at a time, with replacement.
    """

    def __init__(self, counts: np.ndarray, batch: int = 1):
        self.counts, self.batch = np.asarray(counts, dtype=np.int64), batch
        self.firsts = np.concatenate([[0], np.cumsum(self.counts)])
        nodes = np.arange(len(self.counts))
        self.node_of_drawn = np.repeat(nodes, batch)
        self.node_of_each = np.repeat(nodes, self.counts)
        self.number_of_each = np.arange(self.firsts[-1]) - self.firsts[self.node_of_each]
        self.share = float((batch / self.counts).sum())
        """What one sample gradient of each that is drawn counts, all nodes together."""


class Table:
    """A row (d,) for each sample of each node, and ``mean`` (n, d), that of the rows of each node.

    ``table[draw]`` (n, b, d) reads the rows of what was drawn (n, b), and can be assigned.
    """

    def __init__(self, samples: Samples, rows: np.ndarray):
        self.firsts, self.counts, self.rows = samples.firsts[:-1], samples.counts, rows
        self.mean = np.add.reduceat(rows, self.firsts, axis=0) / self.counts[:, None]

    def __getitem__(self, draw: np.ndarray) -> np.ndarray:
        return self.rows[self.firsts[:, None] + draw]

    def __setitem__(self, draw: np.ndarray, rows: np.ndarray) -> None:
        for k in range(draw.shape[1]):  # what was drawn twice changes the mean once
            at = self.firsts + draw[:, k]
            self.mean = self.mean + (rows[:, k] - self.rows[at]) / self.counts[:, None]
            self.rows[at] = rows[:, k]

    def forget(self, i: int) -> None:
        """All rows of node i become 0."""
        self.rows[self.firsts[i] : self.firsts[i] + self.counts[i]] = 0.0
        self.mean[i] = 0.0
