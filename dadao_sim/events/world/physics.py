"""The numbers of a world: a scenario's section, a network and a method, made into arrays."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.world.draws import unit_block
from dadao_sim.events.world.spec import LogNormal, WorldSpec
from dadao_sim.networks import Network
from dadao_sim.networks.edges import count_components

LATENCY_PER_EXCHANGE = 0.1  # what `time_unit: auto` leaves of latency times exchanges per node


@dataclass(frozen=True)
class Physics:
    """A world that all methods of a repeat share; times in mean gradient intervals.

    ``slowness`` (n,) multiplies what a node takes; ``latency`` (|E|,) is the mean time that an
    empty message takes over each edge, ``time_per_byte`` what each byte adds; ``cuts`` lists the
    scheduled changes as (time, edge, +1 cut or -1 restored).
    """

    spec: WorldSpec
    network: Network
    slowness: np.ndarray
    latency: np.ndarray
    time_per_byte: float
    cuts: tuple[tuple[float, int, int], ...]

    def delays(self, message_bytes: float) -> np.ndarray:
        """The mean time of a message of so many bytes over each edge, (|E|,)."""
        return self.latency + self.time_per_byte * message_bytes

    def gradient_means(self) -> np.ndarray:
        """The mean time of a gradient at each node, slow periods included, (n,)."""
        means = self.spec.nodes.gradient.mean * self.slowness
        slow = self.spec.nodes.slow_periods
        if slow is not None:
            means = means * (1 + (slow.factor - 1) * slow.length / (slow.every + slow.length))
        return means

    def interval(self) -> float:
        """Mean time from one gradient to the next at a node of slowness 1."""
        return self.spec.nodes.gradient.mean + self.spec.nodes.pause.mean

    def stretch(self, rates: PoissonRates, message_bytes: float) -> float:
        """How many mean gradient intervals the unit of time of a method lasts.

        1 where the time unit is given. Otherwise the least for which the slowest node makes the
        gradients that the method asks of it, and at every node latency times exchanges per unit
        is at most ``LATENCY_PER_EXCHANGE``.
        """
        if self.spec.time_unit == "given":
            return 1.0
        slowest = self.gradient_means() + self.spec.nodes.pause.mean * self.slowness
        load = np.zeros(self.network.nodes)
        in_flight = rates.edges * self.delays(message_bytes)
        for end in (0, 1):
            np.add.at(load, self.network.edges[:, end], in_flight)
        return max(
            1.0,
            float((slowest * rates.nodes).max()),
            float(load.max()) / LATENCY_PER_EXCHANGE,
        )


def make_physics(
    spec: WorldSpec, network: Any, rng: np.random.Generator, *, accuracy: bool, end: float
) -> Physics:
    """The world of ``spec`` on ``network``, the nodes' speeds drawn from ``rng``.

    ``end`` is when a run is over at the latest, ``accuracy`` whether it may end by its accuracy.
    Raises InputError for a network that has not what the world needs, and for worlds in which a
    node never computes or the nodes never agree.
    """
    if not isinstance(network, Network):
        raise InputError("world: a sequence of graphs has no links that last; use world.changes")
    nodes = spec.nodes
    slowness = np.ones(network.nodes)
    if nodes.slowness is not None:
        if len(nodes.slowness) != network.nodes:
            raise InputError(
                f"world.nodes.slowness: {len(nodes.slowness)} given for {network.nodes} nodes; "
                "give one per node"
            )
        slowness = np.array(nodes.slowness)
    if nodes.slowness_spread > 0:
        law = LogNormal(kind="lognormal", sigma=nodes.slowness_spread)
        factors = unit_block(law, rng, network.nodes) * math.exp(law.sigma**2 / 2)
        slowness = slowness * factors
    for late in nodes.late:
        if late.node >= network.nodes:
            raise InputError(
                f"world.nodes.late: node {late.node} is not one of the {network.nodes} nodes"
            )
        if late.at >= end:
            raise InputError(
                f"world.nodes.late: node {late.node} would never compute: it joins at "
                f"{late.at:g}, and the run ends at {end:g}"
            )
    if slowness.max() * (nodes.gradient.mean + nodes.pause.mean) >= end:
        raise InputError(
            f"world.nodes: node {slowness.argmax()} would hardly ever compute: it takes "
            f"{slowness.max():g} times as long as others, and the run ends at {end:g}"
        )
    return Physics(
        spec=spec,
        network=network,
        slowness=slowness,
        latency=_latency(spec, network) / spec.gradient_seconds,
        time_per_byte=1 / (spec.links.bandwidth or math.inf) / spec.gradient_seconds,
        cuts=_cuts(spec, network, accuracy=accuracy, end=end),
    )


def _latency(spec: WorldSpec, network: Network) -> np.ndarray:
    """Seconds per edge."""
    latency = np.full(len(network.edges), spec.links.latency)
    if spec.links.latency_per_km > 0:
        if network.lengths_km is None or np.isnan(network.lengths_km).all():
            raise InputError(
                "world.links.latency_per_km: the network's edges have no length_km; use one of "
                "the networks in graphs/, or set latency_per_km to 0"
            )
        unknown = np.isnan(network.lengths_km)
        if unknown.any() and spec.links.unknown_length_km is None:
            raise InputError(
                f"world.links.unknown_length_km: {unknown.sum()} of {len(unknown)} edges have no "
                "length_km; say how long they are"
            )
        assumed = spec.links.unknown_length_km or math.nan
        latency += spec.links.latency_per_km * np.where(unknown, assumed, network.lengths_km)
    return latency


def _cuts(
    spec: WorldSpec, network: Network, *, accuracy: bool, end: float
) -> tuple[tuple[float, int, int], ...]:
    cuts = []
    down = np.zeros(len(network.edges), dtype=bool)
    for number, change in enumerate(spec.changes):
        for pairs, cut in ((change.down, True), (change.up, False)):
            for i, j in pairs:
                where = f"world.changes.{number}.{'down' if cut else 'up'}"
                try:
                    edge = int(network.edge_indices([i], [j])[0])
                except InputError as error:
                    raise InputError(f"{where}: {error}") from None
                if down[edge] == cut:
                    state = "down already" if cut else "not down"
                    raise InputError(f"{where}: edge {i}-{j} is {state} at {change.at:g}")
                down[edge] = cut
                cuts.append((change.at, edge, 1 if cut else -1))
    parts = count_components(network.nodes, network.edges[~down])
    if parts > 1 and accuracy:
        raise InputError(
            f"world.changes: they leave the network in {parts} parts for ever, and stop.accuracy "
            "may never be reached; bring links back, or leave out stop.accuracy"
        )
    if down.all() and end == math.inf:
        raise InputError(
            "world.changes: they cut every link for ever, and a run might never end; "
            "bring links back, or give stop.time"
        )
    return tuple(cuts)
