"""Jitter: latency that differs from message to message."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from dadao_sim.events.world.durations import LogNormal, Sigma
from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.strict import null_is

if TYPE_CHECKING:
    from dadao_sim.events.world.exchanging import Links
    from dadao_sim.networks import Network


class Jitter(Fault):
    """Each message has a latency of its own."""

    place = "links"
    stream = "delays"
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"jitter": ("latency", "latency_per_km")}
    jitter: Annotated[Sigma, null_is(0.0, Sigma)] = Field(
        default=0.0, description="sigma of log-normal factors of mean 1 on the latency"
    )

    def on_links(self, links: "Links", rng: np.random.Generator) -> None:
        """A factor per message."""
        links.vary(self._law().unit_draws(rng))

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """A factor per message."""
        return JitterInRounds(self._law(), rng)

    def _law(self) -> LogNormal:
        return LogNormal(kind="lognormal", sigma=self.jitter)


class JitterInRounds(RoundFault):
    """A factor of the law for each message."""

    def __init__(self, law: LogNormal, rng: np.random.Generator):
        self.law, self.rng = law, rng

    def latency(self, latency: np.ndarray) -> np.ndarray:
        """Times the factors."""
        factors = self.law.unit_block(self.rng, math.prod(latency.shape))
        return latency * factors.reshape(latency.shape)
