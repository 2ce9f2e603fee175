"""Loss: messages that do not arrive, alone or in bursts (Gilbert and Elliott)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.errors import InputError, within
from dadao_sim.events.world.draws import Draw, uniforms
from dadao_sim.events.world.exchanging import (
    HEARD_BY_BOTH,
    HEARD_BY_I,
    HEARD_BY_J,
    HEARD_BY_NONE,
    Fate,
)
from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.per_link import PerLink, of_each, or_per_link
from dadao_sim.strict import StrictModel, require_beside

if TYPE_CHECKING:
    from dadao_sim.events.world.exchanging import Links
    from dadao_sim.networks import Network

ATTEMPTS = 10_000  # of an exchange of a round, after which it is hopeless

Share = Annotated[float, Field(ge=0, lt=1)]
ShareOfEach = Annotated[Share | PerLink, or_per_link(Share)]


class Loss(StrictModel):
    """Messages that do not arrive: alone, or in bursts (Gilbert and Elliott)."""

    probability: ShareOfEach = Field(
        description="that an exchange (noticed: both) or a message is lost; or that of each link, "
        "{attribute: NAME}"
    )
    noticed: Literal["both", "one"] = Field(
        default="both",
        description="both: neither end acts; one: each message is lost on its own, unnoticed",
    )
    burst_probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="the probability while a burst lasts; no bursts if absent"
    )
    burst_start: Share = Field(default=0.0, description="that one begins at an exchange of a link")
    burst_end: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="that it ends at an exchange of the link"
    )

    @model_validator(mode="after")
    def _bursts_begin(self) -> "Loss":
        require_beside(
            self,
            {
                "burst_probability": ("burst_start",),
                "burst_start": ("burst_probability",),
                "burst_end": ("burst_probability",),
            },
        )
        return self

    def usual(self, network: "Network") -> list[float]:
        """The probability of each link outside of bursts. InputError where it is none."""
        with within("links.loss.probability"):
            return of_each(self.probability, network, 0.0, 1.0, "from 0 to below 1").tolist()

    def chances(self, network: "Network", draw: Draw) -> Callable[[int], float]:
        """The probability of loss at an exchange over an edge, whose state moves on with each."""
        usual, in_burst = self.usual(network), self.burst_probability
        if in_burst is None:
            return usual.__getitem__
        burst = [False] * len(usual)
        start, end = self.burst_start, self.burst_end

        def probability(edge: int) -> float:
            if draw() < (end if burst[edge] else start):
                burst[edge] = not burst[edge]
            return in_burst if burst[edge] else usual[edge]

        return probability

    def fates(self, network: "Network", draw: Draw) -> Fate:
        """The fate of each exchange: one draw for both ends, or one for each message."""
        probability = self.chances(network, draw)
        if self.noticed == "both":
            return lambda edge: HEARD_BY_BOTH if draw() >= probability(edge) else HEARD_BY_NONE

        def separate(edge: int) -> int:
            p = probability(edge)
            return HEARD_BY_I * (draw() >= p) + HEARD_BY_J * (draw() >= p)

        return separate


class Losses(Fault):
    """Messages that do not arrive."""

    place = "links"
    stream = "losses"
    loss: Loss | None = Field(default=None, description="of messages; none if absent")

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """InputError where a link has no probability of its own that is one."""
        assert self.loss is not None
        self.loss.usual(network)

    def on_links(self, links: "Links", rng: np.random.Generator) -> None:
        """Some exchanges are heard by one end, or by none."""
        assert self.loss is not None
        links.lose(self.loss.fates(links.network, uniforms(rng)))

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """What is lost is sent again."""
        assert self.loss is not None
        return LossesInRounds(self.loss, network, uniforms(rng))


class LossesInRounds(RoundFault):
    """A lost exchange is repeated after twice the delay of its edge, until it succeeds."""

    def __init__(self, loss: Loss, network: "Network", draw: Draw):
        self.draw, self.chance = draw, loss.chances(network, draw)
        self.repeated: list[int] = []

    def delay(self, delay: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Longer by all that is lost before."""
        return delay + self.failures(len(mean)) * 2 * mean

    def failures(self, edges: int) -> np.ndarray:
        """How often each exchange is lost before it succeeds, (|E|,)."""
        counts = np.zeros(edges)
        for e in range(edges):
            while self.draw() < self.chance(e):
                counts[e] += 1
                self.repeated.append(e)
                if counts[e] > ATTEMPTS:
                    raise InputError(
                        "links.loss",
                        f"an exchange was lost {ATTEMPTS} times in a row",
                        "make losses rarer or bursts shorter",
                    )
        return counts

    def resent(self) -> list[int]:
        """Those that were lost."""
        resent, self.repeated = self.repeated, []
        return resent
