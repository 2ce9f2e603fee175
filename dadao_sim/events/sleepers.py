"""The nodes that sleep in a round of a synchronous method."""

import numpy as np

SLEEP = 0x51EE9
"""Beside the mark of a round, so that sleep is no draw of a minibatch."""


def asleep_in(mark: int, nodes: int, count: int) -> np.ndarray:
    """Whether each of the ``nodes`` sleeps (nodes,): ``count`` of them, all equally likely, by the
    ``mark`` of the round.
    """
    order = np.argsort(np.random.default_rng([mark, SLEEP]).random(nodes), kind="stable")
    asleep = np.zeros(nodes, dtype=bool)
    asleep[order[:count]] = True
    return asleep
