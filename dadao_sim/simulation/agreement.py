"""One number for each node, agreed on by gossip: a quantile of what all of them hold.

log t_i <- sum_j W_ij log t_j + beta (q - share of node i's values that are <= t_i)

from the logarithm of each node's own median, with beta = .4, a third of it every 50 rounds. The
mean of log t moves until the mean of the shares is q, that is t the q-quantile of all values
together, those of a node with the weight of the node. After 150 rounds the shares of t_i are within
about .05 of q; a wide gap in the values near q is climbed slowly.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.gossip import Gossip, normalised
from dadao_sim.algorithms.contract.tally import Tally

BETA, SHRINKING, ROUNDS_OF_A_BETA = 0.4, 3.0, 50
LEAST = 1e-300
"""What a value of 0 counts as."""


def agreed_quantile(
    values: Sequence[np.ndarray], q: float, network: Any, rounds: int, tally: Tally
) -> np.ndarray:
    """Near the q-quantile of the ``values`` (m_i,) of all nodes, one number for each node (n,).

    With W = I - Laplacian/lambda_max, of the graphs of ``network`` in turn. Every round is counted
    in ``tally``: a communication of each edge, with a number of 8 bytes each way.
    """
    W = Gossip(network.graphs, normalised, tally)
    ranked = [np.sort(held) for held in values]
    t = np.log([[max(float(np.median(held)), LEAST)] for held in values])
    beta = BETA
    for number in range(1, rounds + 1):
        levels = np.exp(t[:, 0])
        shares = [
            np.searchsorted(held, level, side="right") / held.size
            for held, level in zip(ranked, levels, strict=True)
        ]
        t = W(t) + beta * (q - np.array(shares)[:, None])
        if number % ROUNDS_OF_A_BETA == 0:
            beta /= SHRINKING
    return np.exp(t[:, 0])
