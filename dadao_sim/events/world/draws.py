"""Random numbers of the world: a stream for each thing, numbers drawn one at a time or in blocks.

Blocks make a draw cost a few tens of nanoseconds.
"""

import itertools
import zlib
from collections.abc import Callable, Iterator

import numpy as np

BLOCK = 4096  # numbers drawn at a time; part of what a seed means
# Streams that have a number because they had one first; others are numbered by their names.
NUMBERED = (
    *("marks", "slowness", "pauses", "durations", "exchanges", "delays", "losses"),
    *("crashes", "outages", "slow_periods"),
)

Draw = Callable[[], float]


class Streams(dict[str, np.random.Generator]):
    """A generator per name, made when it is first asked for; none disturbs another.

    The same for the same seed and name, whatever other names are asked for.
    """

    def __init__(self, seed: np.random.SeedSequence):
        super().__init__()
        self.seed = seed

    def __missing__(self, name: str) -> np.random.Generator:
        key = (*self.seed.spawn_key, _number(name))
        child = np.random.SeedSequence(self.seed.entropy, spawn_key=key)
        self[name] = np.random.Generator(np.random.PCG64(child))
        return self[name]


def _number(name: str) -> int:
    if name in NUMBERED:
        return NUMBERED.index(name)
    return 2**32 + zlib.crc32(name.encode())


def one_by_one(block: Callable[[], np.ndarray]) -> Draw:
    """A function whose calls return the numbers of ``block()``, of the next ``block()``, ..."""

    def blocks() -> Iterator[list[float]]:
        while True:
            yield block().tolist()

    return itertools.chain.from_iterable(blocks()).__next__


def exponentials(rng: np.random.Generator) -> Draw:
    """Exponential numbers of mean 1."""
    return one_by_one(lambda: rng.standard_exponential(BLOCK))


def uniforms(rng: np.random.Generator) -> Draw:
    """Uniform numbers in [0, 1)."""
    return one_by_one(lambda: rng.random(BLOCK))
