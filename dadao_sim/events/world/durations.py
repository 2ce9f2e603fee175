"""How long things take: one law per class, with its keys, its mean and its draws.

A law is found by its ``kind``; one of a user's is a subclass of ``Duration`` in a plug-in.
"""

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, Strict

from dadao_sim.errors import InputError, within
from dadao_sim.events.world.draws import BLOCK, Draw, one_by_one
from dadao_sim.networks.tables import read_table
from dadao_sim.registration import Registry
from dadao_sim.strict import FilePath, NotNegative, Positive, StrictModel, kinds_of

if TYPE_CHECKING:
    from dadao_sim.networks import Network

# Beyond, a draw in a million is 10^20 times the mean, and the others are next to nothing.
Sigma = Annotated[float, Field(ge=0, le=10)]


class Duration(StrictModel):
    """A law of times, the base of all: a ``kind``, a ``mean`` and the draws of mean 1.

    A law with ``of_nodes`` has times for each node, and is for gradients only: it overrides
    ``draws_of_nodes`` and ``relative_means``.
    """

    of_nodes: ClassVar[bool] = False

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

    def draws_of_nodes(self, network: "Network", rng: np.random.Generator) -> list[Draw]:
        """The same for each node: of one law they are drawn in the order in which nodes ask."""
        return [self.unit_draws(rng)] * network.nodes

    def blocks_of_nodes(
        self, network: "Network", rng: np.random.Generator
    ) -> Callable[[], np.ndarray]:
        """Draws from the law scaled to mean 1, one of each node at a time, (n,)."""
        return lambda: self.unit_block(rng, network.nodes)

    def relative_means(self, network: "Network") -> np.ndarray:
        """The mean of each node over that of the law, (n,). InputError where a node has none."""
        return np.ones(network.nodes)


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


class Trace(Duration):
    """Recorded times of each node, one after the other and then again from the first."""

    of_nodes: ClassVar[bool] = True

    kind: Literal["trace"] = Field(description="the law")
    file: FilePath = Field(
        description="CSV with columns node (its id) and time, relative to the scenario file; only "
        "how its times compare counts, for their mean over all rows becomes the mean"
    )
    mean: Positive = Field(default=1.0, description="mean, in mean gradient intervals")

    def times(self, network: "Network") -> list[np.ndarray]:
        """Those of each node, over the mean of all. InputError for what is no node or no time, and
        for a node that has none.
        """
        with within("file"):
            names, rows = read_table(self.file, ("node", "time"))
            whose, which = names.index("node"), names.index("time")
            found: list[list[float]] = [[] for _ in range(network.nodes)]
            for row in rows:
                with within(row.where):
                    node = network.node(row.cells[whose])
                time = row.number(which, "time")
                if not 0 < time < math.inf:
                    raise InputError(row.where, f"the time is {time:g}", "numbers > 0 are needed")
                found[node].append(time)
            for node, of_node in enumerate(found):
                if not of_node:
                    raise InputError(f"{Path(self.file).name} has no row of {network.called(node)}")
        mean = sum(map(sum, found)) / len(rows)
        return [np.array(of_node) / mean for of_node in found]

    def draws_of_nodes(self, network: "Network", rng: np.random.Generator) -> list[Draw]:
        """No draws: what is recorded, in its order."""
        return [itertools.cycle(of_node.tolist()).__next__ for of_node in self.times(network)]

    def blocks_of_nodes(
        self, network: "Network", rng: np.random.Generator
    ) -> Callable[[], np.ndarray]:
        """The next time of each node."""
        following = self.draws_of_nodes(network, rng)
        return lambda: np.array([draw() for draw in following])

    def relative_means(self, network: "Network") -> np.ndarray:
        """Of the times of each node."""
        return np.array([of_node.mean() for of_node in self.times(network)])


DURATIONS: Registry[type[Duration]] = Registry("law of durations", __name__, kinds_of(Duration))
