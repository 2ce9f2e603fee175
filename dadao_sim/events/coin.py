"""The coin that all nodes of a synchronous method share: whether a round gossips."""

import numpy as np

from dadao_sim.compiled.splitmix import splitmix64

# Odd, and none of the strides between nodes and calls: a coin is no draw of a minibatch.
COIN_STRIDE = 0xE7037ED1A0B428DB


def shows_heads(seed: int, number: int, chance: float) -> bool:
    """What the coin of round ``number`` shows, heads with probability ``chance``.

    ``seed`` is the mark of the first row of the log. It is all that the nodes have to share: they
    know every coin beforehand, and so does a world, whose rounds of tails wait for nobody.
    """
    if chance >= 1:
        return True
    state = np.uint64((seed + (number + 1) * COIN_STRIDE) % 2**64)
    with np.errstate(over="ignore"):  # splitmix64 wraps around, also as plain Python
        return int(splitmix64(state)) < chance * 2**64
