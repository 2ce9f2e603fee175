"""Random numbers: one stream per repeat and part, so that no part's draws disturb another's."""

import numpy as np

from dadao_sim.engine.kernel import kernel

PARTS = ("data", "graph", "start", "events", "world")


def stream(seed: int, repeat: int, part: str) -> np.random.SeedSequence:
    """The seed sequence of ``part`` (one of ``PARTS``) in repeat ``repeat`` of a scenario's
    ``seed``.
    """
    return np.random.SeedSequence(entropy=seed, spawn_key=(repeat, PARTS.index(part)))


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
