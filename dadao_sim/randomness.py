"""Random numbers: one stream per repeat and part, so that no part's draws disturb another's."""

import numpy as np

STREAMS = ("data", "graph", "start", "events", "world")


def stream(seed: int, repeat: int, part: str) -> np.random.SeedSequence:
    """The seed sequence of ``part`` (one of ``STREAMS``) in repeat ``repeat`` of a scenario's
    ``seed``.
    """
    return np.random.SeedSequence(entropy=seed, spawn_key=(repeat, STREAMS.index(part)))


def learning_streams(seed: int, count: int) -> list[np.random.SeedSequence]:
    """The first ``count`` streams of a training with this ``seed``: none is that of any repeat of a
    scenario, whose keys are shorter.
    """
    return np.random.SeedSequence(entropy=seed, spawn_key=(2**32 - 1,) * 3).spawn(count)
