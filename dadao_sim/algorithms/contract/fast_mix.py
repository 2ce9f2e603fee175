"""FastMix: accelerated gossip with a momentum of its own."""

import math

import numpy as np

from dadao_sim.algorithms.contract.gossip import Gossip


def momentum(l2: float) -> float:
    """h = (1 - sqrt(1 - l2^2))/(1 + sqrt(1 - l2^2)), of a W >= 0 with second eigenvalue ``l2``."""
    root = math.sqrt(max(0.0, 1 - l2**2))
    return (1 - root) / (1 + root)


def fast_mix(V: np.ndarray, K: int, h: float, W: Gossip) -> np.ndarray:
    """V_{k+1} = (1 + h) W V_k - h V_{k-1}, V_{-1} = V_0 = V: V_K, (n, d), after K rounds of gossip.

    J. Liu, A. S. Morse, "Accelerated linear iterations for distributed averaging", Annual Reviews
    in Control 35(2), 2011.
    """
    before, now = V, V
    for _ in range(K):
        before, now = now, (1 + h) * W(now) - h * before
    return now
