"""What a fault of the world is, and where faults are found.

A fault is one file in ``faults``, or one class in a plug-in: its keys in a scenario, what it asks
of a network, how it acts where things happen one by one, and how it acts on rounds. Whatever it
does not say is as without it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from dadao_sim.registration import Registry
from dadao_sim.strict import StrictModel

if TYPE_CHECKING:
    from dadao_sim.events.world.exchanging import Links
    from dadao_sim.events.world.situation import Running
    from dadao_sim.networks import Network

Place = Literal["nodes", "links", "world"]
PLACES = ("nodes", "links", "world")  # in this order faults act


class RoundFault:
    """How a fault acts on the rounds of synchronous methods: for all nodes and edges at once.

    Every method is asked once a round, or once for each exchange of a round, in the order in which
    they stand here. ``n`` is the number of nodes, ``|E|`` that of edges; row 0 of a (2, |E|) is
    what node i of an edge sends, row 1 what node j sends. Times asked for never decrease.
    """

    def durations(self, durations: np.ndarray, begun: np.ndarray) -> np.ndarray:
        """How long gradients take that begin at ``begun``, ``durations`` without it; (n,)."""
        return durations

    def begun(self, begun: np.ndarray, durations: np.ndarray) -> np.ndarray:
        """When the gradients begin that come to an end, at ``begun`` without it; (n,)."""
        return begun

    def ready(self, ready: np.ndarray) -> np.ndarray:
        """When each node can exchange, at ``ready`` without it; (n,)."""
        return ready

    def opened(self, at: np.ndarray) -> np.ndarray:
        """When each end of each edge can send, at ``at`` without it; (2, |E|)."""
        return at

    def latency(self, latency: np.ndarray) -> np.ndarray:
        """The latency of each message, ``latency`` without it; (2, |E|)."""
        return latency

    def delay(self, delay: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """What each message takes in all, ``delay`` without it, (2, |E|); ``mean`` (|E|,) is what
        one takes on average.
        """
        return delay

    def scheduled(self, at: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """When messages that take ``delay`` are sent, at ``at`` without it; (2, |E|)."""
        return at

    def goes_on(self, heard: np.ndarray, over: np.ndarray) -> np.ndarray:
        """When each node goes on, having heard its neighbours at ``heard`` (n,); the messages that
        it sent were there at ``over`` (2, |E|).
        """
        return heard

    def resent(self) -> list[int]:
        """The edges over which this exchange was repeated, as often as it was."""
        return []

    def reset(self) -> list[int]:
        """The nodes that lost their state in this round."""
        return []


class Fault(StrictModel):
    """Something that goes wrong. Its fields are the keys that it adds to ``place``; its name is the
    first of them.

    ``stream`` names its random numbers, where they are not called like itself; ``needs``, for a key
    that has no effect alone, the keys of which one must be beside it; ``excludes`` the keys of
    faults of the same place that cannot act beside it.
    """

    place: ClassVar[Place]
    stream: ClassVar[str] = ""
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    excludes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The name it is registered under."""
        return tuple(cls.model_fields)[:1]

    @classmethod
    def random_stream(cls) -> str:
        """The name of its random numbers."""
        return cls.stream or cls.names()[0]

    @classmethod
    def at(cls, place: StrictModel) -> Self:
        """The fault as the keys of ``place`` say, which are checked already."""
        return cls.model_construct(**{k: v for k, v in place if k in cls.model_fields})

    @property
    def acts(self) -> bool:
        """Whether there is anything to do: where a key differs from its default."""
        return any(getattr(self, k) != f.default for k, f in type(self).model_fields.items())

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """Raise InputError for a network, or an end of the run, with which it makes no sense.

        ``where`` of the error is relative to ``world``. For ``accuracy`` and ``end`` see
        ``make_physics``.
        """

    def mean_slowing(self) -> float:
        """How many times longer gradients take for it, on average."""
        return 1.0

    def joining(self, network: "Network") -> Mapping[int, float]:
        """The numbers of the nodes that are not there from the start, and when they come."""
        return {}

    def on_links(self, links: "Links", rng: np.random.Generator) -> None:
        """Change what exchanges take, and whether they arrive; before anything happens."""

    def start(self, world: "Running", rng: np.random.Generator) -> None:
        """Let it happen in a world under way, at time 0."""

    def gone(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """The times in which nodes are not there: node, begin and end, (rows, 3).

        All that begin before ``end``; ``rng`` is that of ``start`` and ``in_rounds``, and what it
        gives there.
        """
        return np.empty((0, 3))

    def cut(self, network: "Network", rng: np.random.Generator, end: float) -> np.ndarray:
        """The times in which no exchange begins over edges: edge, begin and end, as ``gone``."""
        return np.empty((0, 3))

    def in_rounds(self, network: "Network", rng: np.random.Generator) -> RoundFault:
        """How it acts on rounds. InputError where rounds would never end."""
        return RoundFault()


def _names(thing: Any) -> tuple[str, ...]:
    is_fault = isinstance(thing, type) and issubclass(thing, Fault)
    return thing.names() if is_fault else ()


def _order(fault: type[Fault]) -> tuple[int, str]:
    return PLACES.index(fault.place), fault.names()[0]


FAULTS: Registry[type[Fault]] = Registry(
    "fault", "dadao_sim.events.world.faults", _names, order=_order
)
