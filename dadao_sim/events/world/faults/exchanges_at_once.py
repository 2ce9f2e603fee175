"""A limit on how many exchanges a node has at once: others wait for a place, or are given up."""

import heapq
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from dadao_sim.events.world.fault import Fault, RoundFault
from dadao_sim.events.world.places import Places
from dadao_sim.strict import Count

if TYPE_CHECKING:
    from dadao_sim.events.world.exchanging import Links
    from dadao_sim.networks import Network


class ExchangesAtOnce(Fault):
    """A node has only so many exchanges at once."""

    place = "nodes"
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"when_busy": ("exchanges_at_once",)}
    exchanges_at_once: Count | None = Field(
        default=None, description="how many exchanges a node can have; no limit if absent"
    )
    when_busy: Literal["wait", "give_up"] = Field(
        default="wait", description="what an exchange does that finds an end at its limit"
    )

    @property
    def acts(self) -> bool:
        """Where there is a limit."""
        return self.exchanges_at_once is not None

    def on_links(self, links: "Links", rng: np.random.Generator) -> None:
        """Exchanges need a place at both ends."""
        assert self.exchanges_at_once is not None
        nodes, wait = len(links.now.present), self.when_busy == "wait"
        links.limit(Places(nodes, self.exchanges_at_once, wait=wait))

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """Exchanges wait for each other."""
        assert self.exchanges_at_once is not None
        return PlacesInRounds(network, self.exchanges_at_once)


class PlacesInRounds(RoundFault):
    """Both ends of an exchange begin together and are busy until it is over; those that could begin
    first do.
    """

    def __init__(self, network: "Network", limit: int):
        self.nodes, self.limit = network.nodes, limit
        self.ends = network.edges.T.astype(np.int64)

    def scheduled(self, at: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """As soon as both ends have a place."""
        slots = [[0.0] * self.limit for _ in range(self.nodes)]  # when each place is free
        wanted, takes = at.max(axis=0), delay.max(axis=0)
        begin = np.empty_like(wanted)
        for e in np.argsort(wanted, kind="stable").tolist():
            i, j = self.ends[:, e].tolist()
            begin[e] = max(wanted[e], slots[i][0], slots[j][0])
            for node in (i, j):
                heapq.heapreplace(slots[node], begin[e] + takes[e])
        return np.stack([begin, begin])

    def goes_on(self, heard: np.ndarray, over: np.ndarray) -> np.ndarray:
        """When what it sent has arrived, too."""
        for sender in (0, 1):
            np.maximum.at(heard, self.ends[sender], over[sender])
        return heard
