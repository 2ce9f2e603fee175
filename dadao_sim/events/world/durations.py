"""How long things take: one law per class, with its keys, its mean and its draws.

A law is found by its ``kind``; one of a user's is a subclass of ``Duration`` in a plug-in.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, Strict

from dadao_sim.events.world.draws import BLOCK, Draw, one_by_one
from dadao_sim.registration import Registry
from dadao_sim.strict import NotNegative, Positive, StrictModel, kinds_of

# Beyond, a draw in a million is 10^20 times the mean, and the others are next to nothing.
Sigma = Annotated[float, Field(ge=0, le=10)]


class Duration(StrictModel):
    """A law of times, the base of all: a ``kind``, a ``mean`` and the draws of mean 1."""

    if TYPE_CHECKING:  # a key of most laws, of others a consequence of their keys

        @property
        def mean(self) -> float:
            """The mean, in mean gradient intervals."""

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """``size`` draws from the law scaled to mean 1, (size,)."""
        raise NotImplementedError

    def unit_draws(self, rng: np.random.Generator) -> Draw:
        """Draws from the law scaled to mean 1, one at a time."""
        return one_by_one(lambda: self.unit_block(rng, BLOCK))


class Constant(Duration):
    """Always the same time."""

    kind: Literal["constant"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="the time, in mean gradient intervals")

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Ones."""
        return np.ones(size)


class Exponential(Duration):
    """An exponentially distributed time."""

    kind: Literal["exponential"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Exponential numbers."""
        return rng.standard_exponential(size)


class LogNormal(Duration):
    """A log-normal time."""

    kind: Literal["lognormal"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")
    sigma: Annotated[Sigma, Field(gt=0)] = Field(description="standard deviation of the logarithm")

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """exp of normal numbers of mean -sigma^2/2."""
        return np.exp(self.sigma * rng.standard_normal(size) - self.sigma**2 / 2)


class Pareto(Duration):
    """A Pareto time: heavy-tailed."""

    kind: Literal["pareto"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")
    shape: Annotated[float, Field(gt=1)] = Field(
        description="exponent of the tail, above 1 (up to 2 the variance is infinite)"
    )

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Lomax numbers plus 1, which are Pareto from 1 on, with mean shape/(shape - 1)."""
        return (1 + rng.pareto(self.shape, size)) * (1 - 1 / self.shape)


class Empirical(Duration):
    """A time drawn from a list of measured ones."""

    kind: Literal["empirical"] = Field(description="the law")
    values: Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)] = Field(
        description="measured times, in mean gradient intervals, each as likely"
    )

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return sum(self.values) / len(self.values)

    def unit_block(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Values over their mean."""
        values = np.array(self.values)
        return rng.choice(values / values.mean(), size)


DURATIONS: Registry[type[Duration]] = Registry("law of durations", __name__, kinds_of(Duration))
