"""The world of asynchronous methods: nodes that compute and links that carry, on SimPy."""

from functools import partial

import numpy as np
import simpy

from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import Events
from dadao_sim.events.world.agenda import Agenda
from dadao_sim.events.world.computing import start_nodes
from dadao_sim.events.world.draws import Streams, exponentials
from dadao_sim.events.world.exchanging import Links
from dadao_sim.events.world.log import EventLog
from dadao_sim.events.world.physics import Physics
from dadao_sim.events.world.sending import Arcs
from dadao_sim.events.world.sharing import Sharing
from dadao_sim.events.world.situation import Running, Situation, as_numbers

WINDOW = 16384  # rows given out at a time
STEPS = 4096  # steps of SimPy between two looks at how many rows there are
PATIENCE = 2_000_000  # steps without a row after which nothing is expected any more


class WorldClock:
    """A source of windows of ``WINDOW`` events each, the same for the same seed sequence.

    ``rates`` are what the method asks for, ``message_bytes`` what each end sends in an exchange.
    Node i computes with pauses such that it makes ``rates.nodes[i]`` gradients per unit of time if
    it can; the clock of edge e ticks ``rates.edges[e]`` times per unit, those of its two arcs
    ``rates.arcs[e]`` times. A unit lasts
    ``physics.stretch(...)`` mean gradient intervals; the times of the log are in units. Things that
    happen at the same time do so in the order in which they were scheduled, nodes before edges at
    the start.
    """

    def __init__(
        self,
        physics: Physics,
        rates: PoissonRates,
        message_bytes: float,
        seed: np.random.SeedSequence,
    ):
        self.physics = physics
        self.stretch = physics.stretch(rates, message_bytes)
        network, streams = physics.network, Streams(seed)
        self.env = Agenda()
        self.log = EventLog(network.edges, self.stretch, streams["marks"])
        self.now = Situation.at_the_start(network.edges, physics.slowness)
        world = self._start_nodes(rates, streams)
        self.links = links = self._links(rates, message_bytes, streams)
        for fault in physics.faults:
            fault.on_links(links, streams[fault.random_stream()])
        links.start()
        if len(rates.arcs):
            self._arcs(rates, streams).start()
        for fault in physics.faults:
            fault.start(world, streams[fault.random_stream()])
        self.env.spread()

    def _start_nodes(self, rates: PoissonRates, streams: Streams) -> Running:
        """The world in which the nodes compute, those that are late later."""
        nodes, network = self.physics.spec.nodes, self.physics.network
        draw_pause = (
            nodes.pause.unit_draws(streams["pauses"])
            if nodes.pause.mean > 0
            else exponentials(streams["pauses"])  # of the pauses that a stretched unit adds
        )
        resume_computing, stop = start_nodes(
            *(self.env, self.log, self.now),
            *(as_numbers(_pauses(self.physics, rates, self.stretch)), nodes.gradient.mean),
            *(draw_pause, nodes.gradient.draws_of_nodes(network, streams["durations"])),
        )
        computes = (rates.nodes > 0).tolist()

        def resume(i: int) -> None:
            if computes[i]:
                resume_computing(i)

        world = Running(self.env, self.log, self.now, self.physics.network, resume, stop)
        late = self.physics.joining()
        for i in range(self.physics.network.nodes):
            if i in late:
                world.leave(i)
                world.after(late[i], partial(world.come, i))
            else:
                resume(i)
        return world

    def _links(self, rates: PoissonRates, message_bytes: float, streams: Streams) -> Links:
        """The links, before faults change them."""
        physics = self.physics
        with np.errstate(divide="ignore"):
            pauses = self.stretch / rates.edges
        links = Links(
            *(self.env, self.log, self.now),
            network=physics.network,
            pauses=as_numbers(pauses),
            draw_pause=exponentials(streams["exchanges"]),
            latency=as_numbers(physics.latency),
            transfer=as_numbers(physics.time_per_byte * message_bytes),
        )
        if physics.spec.links.bandwidth_shared:
            capacity = float(1 / physics.time_per_byte[0]) if len(physics.time_per_byte) else 1.0
            links.share(Sharing(self.env, physics.network.nodes, capacity), message_bytes)
        return links

    def _arcs(self, rates: PoissonRates, streams: Streams) -> Arcs:
        """The arcs, on links that faults have changed. InputError for a limit of exchanges."""
        if self.links.places is not None:
            raise InputError(
                "nodes.exchanges_at_once",
                "limits exchanges, and the method sends messages that go one way",
                "say null",
            )
        with np.errstate(divide="ignore"):
            pauses = (self.stretch / rates.arcs).ravel().tolist()
        draw_pause = exponentials(streams["arcs"])
        return Arcs(self.links, pauses, draw_pause, in_order=self.physics.spec.links.in_order)

    def waited(self) -> list[float]:
        """How long the exchanges of each edge have waited for a place, up to ``now.until``."""
        waited = list(self.now.waited)
        until = min(self.env.now, self.now.until)
        if self.links.places is not None:
            for e, since in self.links.places.waiting().items():
                waited[e] += max(until - since, 0.0)
        return waited

    def window(self) -> Events:
        """The next ``WINDOW`` events. InputError where nothing happens any more."""
        rows = self.log.time
        steps, before = 0, len(rows)
        while len(rows) < WINDOW:
            try:
                self.env.steps(STEPS)
            except simpy.core.EmptySchedule:
                steps = PATIENCE
            steps = 0 if len(rows) > before else steps + STEPS
            before = len(rows)
            if steps >= PATIENCE:
                raise InputError(
                    f"nothing happens any more after time {self.env.now:g}; is every link cut?"
                )
        return self.log.take(WINDOW)


def _pauses(physics: Physics, rates: PoissonRates, stretch: float) -> np.ndarray:
    """The mean pause of each node between gradients, (n,)."""
    with np.errstate(divide="ignore"):
        per_gradient = 1 / rates.nodes  # infinite for nodes that are never asked for one
    if physics.spec.time_unit == "given":
        gradient = physics.spec.nodes.gradient.mean
        pauses = physics.slowness * (physics.interval() * per_gradient - gradient)
    elif physics.spec.nodes.gradient.mean == 0:
        pauses = stretch * per_gradient / physics.mean_slowing()
    else:
        pauses = stretch * per_gradient - physics.gradient_means()
    return np.maximum(pauses, 0.0)
