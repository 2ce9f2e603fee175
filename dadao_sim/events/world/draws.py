"""Random numbers one at a time, drawn in blocks: a draw costs a few tens of nanoseconds."""

from collections.abc import Callable, Iterator

import numpy as np

from dadao_sim.events.world.spec import Duration, Empirical, LogNormal, Pareto

BLOCK = 4096  # numbers drawn at a time; part of what a seed means
# What the world draws, a stream for each: none disturbs another.
STREAMS = (
    *("marks", "slowness", "pauses", "durations", "exchanges", "delays", "losses"),
    *("crashes", "outages", "slow_periods"),
)

Draw = Callable[[], float]


def generators(seed: np.random.SeedSequence) -> dict[str, np.random.Generator]:
    """A generator per name in ``STREAMS``; the same for the same seed, however often asked."""
    made = {}
    for number, name in enumerate(STREAMS):
        child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number))
        made[name] = np.random.Generator(np.random.PCG64(child))
    return made


def one_by_one(block: Callable[[], np.ndarray]) -> Draw:
    """A function whose calls return the numbers of ``block()``, of the next ``block()``, ..."""

    def numbers() -> Iterator[float]:
        while True:
            yield from block().tolist()

    return numbers().__next__


def exponentials(rng: np.random.Generator) -> Draw:
    """Exponential numbers of mean 1."""
    return one_by_one(lambda: rng.standard_exponential(BLOCK))


def uniforms(rng: np.random.Generator) -> Draw:
    """Uniform numbers in [0, 1)."""
    return one_by_one(lambda: rng.random(BLOCK))


def jitters(sigma: float, rng: np.random.Generator) -> Draw:
    """Log-normal factors of mean 1, whose logarithm has the standard deviation ``sigma``."""
    return one_by_one(lambda: unit_block(LogNormal(kind="lognormal", sigma=sigma), rng, BLOCK))


def unit_block(duration: Duration, rng: np.random.Generator, size: int) -> np.ndarray:
    """``size`` draws from the law of ``duration`` scaled to mean 1."""
    if isinstance(duration, LogNormal):
        sigma = duration.sigma
        return np.exp(sigma * rng.standard_normal(size) - sigma**2 / 2)
    if isinstance(duration, Pareto):
        # Lomax numbers plus 1 are Pareto from 1 on, with mean shape/(shape - 1).
        return (1 + rng.pareto(duration.shape, size)) * (1 - 1 / duration.shape)
    if isinstance(duration, Empirical):
        values = np.array(duration.values)
        return rng.choice(values / values.mean(), size)
    if duration.kind == "exponential":
        return rng.standard_exponential(size)
    return np.ones(size)


def unit_draws(duration: Duration, rng: np.random.Generator) -> Draw:
    """Draws from the law of ``duration`` scaled to mean 1, one at a time."""
    return one_by_one(lambda: unit_block(duration, rng, BLOCK))
