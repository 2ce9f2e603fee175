"""The numbers of a world: a scenario's section, a network and a method, made into arrays."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.world.draws import Streams
from dadao_sim.events.world.durations import LogNormal
from dadao_sim.events.world.fault import Fault
from dadao_sim.events.world.node_ids import numbers_of_nodes
from dadao_sim.events.world.per_link import of_each
from dadao_sim.events.world.spec import LONGEST, SHORTEST, WorldSpec
from dadao_sim.networks import DirectedNetwork, Network

SLOWEST = 1e-100  # bytes per second that are still above 0
LATENCY_PER_EXCHANGE = 0.1  # what `time_unit: auto` leaves of latency times exchanges per node

LEAST_SHARE = 1e-9  # of the largest latency times rate, that of a link without any


@dataclass(frozen=True)
class Physics:
    """A world that all methods of a repeat share; times in mean gradient intervals.

    ``slowness`` (n,) multiplies what a node takes, and ``relative_means`` (n,) what its gradients
    take where each node has times of its own; ``latency`` (|E|,) is the mean time that an
    empty message takes over each edge, ``time_per_byte`` (|E|,) what each byte adds; ``faults`` is
    what goes wrong, in the order in which it acts. A method that ``bears`` a load of the links,
    above 0, is slowed down for latency beyond it only.
    """

    spec: WorldSpec
    network: Network
    slowness: np.ndarray
    relative_means: np.ndarray
    latency: np.ndarray
    time_per_byte: np.ndarray
    faults: tuple[Fault, ...]
    bears: float = 0.0

    def delays(self, message_bytes: float) -> np.ndarray:
        """The mean time of a message of so many bytes over each edge, (|E|,)."""
        return self.latency + self.time_per_byte * message_bytes

    def mean_slowing(self) -> float:
        """How many times longer nodes take for the faults, on average."""
        return math.prod(fault.mean_slowing() for fault in self.faults)

    def gradient_means(self) -> np.ndarray:
        """The mean time of a gradient at each node, faults included, (n,)."""
        means = self.spec.nodes.gradient.mean * self.relative_means
        return means * self.slowness * self.mean_slowing()

    def gone(self, seed: np.random.SeedSequence, end: float) -> np.ndarray:
        """The times up to ``end`` in which nodes are not there: node, begin and end, (rows, 3).

        ``seed`` is that of the world. A node that has not joined yet cannot crash.
        """
        joins = np.zeros(self.network.nodes)
        for node, at in self.joining().items():
            joins[node] = at
        late = np.flatnonzero(joins)
        drawn = self._drawn(seed, end, "gone")
        drawn = drawn[drawn[:, 1] >= joins[drawn[:, 0].astype(int)]]
        rows = np.vstack([np.column_stack([late, np.zeros(len(late)), joins[late]]), drawn])
        return np.minimum(rows, [math.inf, end, end])

    def cut(self, seed: np.random.SeedSequence, end: float) -> np.ndarray:
        """The times up to ``end`` in which no exchange begins over edges, as ``gone``."""
        return np.minimum(self._drawn(seed, end, "cut"), [math.inf, end, end])

    def _drawn(self, seed: np.random.SeedSequence, end: float, what: str) -> np.ndarray:
        streams = Streams(seed)
        rows = [
            getattr(fault, what)(self.network, streams[fault.random_stream()], end)
            for fault in self.faults
        ]
        return np.vstack([np.empty((0, 3)), *rows])

    def joining(self) -> dict[int, float]:
        """The nodes that are not there from the start, and when they come."""
        joining = (fault.joining(self.network) for fault in self.faults)
        return {node: at for nodes in joining for node, at in nodes.items()}

    def interval(self) -> float:
        """Mean time from one gradient to the next at a node of slowness 1."""
        return self.spec.nodes.gradient.mean + self.spec.nodes.pause.mean

    def stretch(self, rates: PoissonRates, message_bytes: float) -> float:
        """How many mean gradient intervals the unit of time of a method lasts.

        1 where the time unit is given. Otherwise the least for which the slowest node makes the
        gradients that the method asks of it, and at every node latency times exchanges per unit
        is at most ``LATENCY_PER_EXCHANGE``, or the load at most what the method ``bears``.
        """
        if self.spec.time_unit == "given":
            return 1.0
        pauses = self.spec.nodes.pause.mean * self.slowness
        if self.spec.nodes.gradient.mean == 0:
            pauses = pauses * self.mean_slowing()
        slowest = self.gradient_means() + pauses
        unit = max(1.0, float((slowest * rates.nodes).max()))
        if self.bears > 0:
            return max(unit, self.load(rates, message_bytes) / self.bears)
        load = np.zeros(self.network.nodes)
        in_flight = rates.loads * self.delays(message_bytes)
        for end in (0, 1):
            np.add.at(load, self.network.edges[:, end], in_flight)
        return max(unit, float(load.max()) / LATENCY_PER_EXCHANGE)

    def load(self, rates: PoissonRates, message_bytes: float) -> float:
        """The largest eigenvalue of the Laplacian of latencies times rates, in a time unit of 1:
        with one latency for all that of the Laplacian of the rates, times it.
        """
        in_flight = rates.loads * self.delays(message_bytes)
        if not in_flight.any():
            return 0.0
        weights = np.maximum(in_flight, LEAST_SHARE * in_flight.max())  # a Laplacian needs some
        return self.network.lambda_max(weights)


def make_physics(
    spec: WorldSpec, network: Any, rng: np.random.Generator, *, accuracy: bool, end: float
) -> Physics:
    """The world of ``spec`` on ``network``, the nodes' speeds drawn from ``rng``.

    ``end`` is when a run is over at the latest, ``accuracy`` whether it may end by its accuracy.
    Raises InputError for a network that has not what the world needs, and for worlds in which a
    node never computes or the nodes never agree.
    """
    if isinstance(network, DirectedNetwork):  # who sends is the clock's to know
        network = network.undirected
    if not isinstance(network, Network):
        raise InputError("a sequence of graphs has no links that last; use changes")
    nodes, faults = spec.nodes, spec.faults()
    slowness = _slowness(spec, network, rng)
    interval = nodes.gradient.mean + nodes.pause.mean
    if slowness.min() * interval < SHORTEST:
        node = network.called(int(slowness.argmin()))
        raise InputError(
            "nodes.slowness",
            f"node {node} takes {slowness.min() * interval:.3g} mean gradient intervals for one",
            f"at least {SHORTEST:g}",
        )
    if slowness.max() * interval >= end:
        node = network.called(int(slowness.argmax()))
        raise InputError(
            "nodes",
            f"node {node} would hardly ever compute: it takes {slowness.max():g} "
            f"times as long as others, and the run ends at {end:g}",
        )
    with within("nodes.gradient"):
        relative_means = nodes.gradient.relative_means(network)
    for fault in faults:
        fault.check(network, accuracy=accuracy, end=end)
    with np.errstate(over="ignore"):
        latency = _latency(spec, network) / spec.gradient_seconds
        with within("links.bandwidth"):
            bandwidth = of_each(
                spec.links.bandwidth or math.inf, network, SLOWEST, math.inf, "above 0"
            )
        time_per_byte = 1 / bandwidth / spec.gradient_seconds
    for key, times in (("latency", latency), ("bandwidth", time_per_byte)):
        time = float(times.max(initial=0.0))
        if time > LONGEST:
            raise InputError(
                f"links.{key}",
                f"a message takes {time:.3g} mean gradient intervals of {spec.gradient_seconds:g} "
                "seconds",
                f"at most {LONGEST:g} of them for a message, or for one of its bytes",
            )
    return Physics(
        spec=spec,
        network=network,
        slowness=slowness,
        relative_means=relative_means,
        latency=latency,
        time_per_byte=time_per_byte,
        faults=faults,
    )


def _slowness(spec: WorldSpec, network: Network, rng: np.random.Generator) -> np.ndarray:
    """The factor of each node, (n,)."""
    sigma = spec.nodes.slowness_spread
    with within("nodes.slowness"):
        slowness = numbers_of_nodes(spec.nodes.slowness, network)
    if sigma == 0:
        return slowness
    factors = LogNormal(kind="lognormal", sigma=sigma).unit_block(rng, network.nodes)
    return slowness * (factors * math.exp(sigma**2 / 2))  # of median 1, not of mean 1


def _latency(spec: WorldSpec, network: Network) -> np.ndarray:
    """Seconds per edge."""
    with within("links.latency"):
        latency = of_each(spec.links.latency, network, 0.0, math.inf, "at least 0")
    if spec.links.latency_per_km > 0:
        if network.lengths_km is None or np.isnan(network.lengths_km).all():
            raise InputError(
                "links.latency_per_km",
                "the edges of the network have no length_km",
                "add links: {latency_per_km: 0} to world, or use one of the networks in graphs/",
            )
        unknown = np.isnan(network.lengths_km)
        if unknown.any() and spec.links.unknown_length_km is None:
            raise InputError(
                "links.unknown_length_km",
                f"{unknown.sum()} of {len(unknown)} edges have no length_km",
                "say how long they are",
            )
        assumed = spec.links.unknown_length_km or math.nan
        latency += spec.links.latency_per_km * np.where(unknown, assumed, network.lengths_km)
    return latency
