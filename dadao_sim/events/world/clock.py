"""The world of asynchronous methods: nodes that compute and links that carry, on SimPy."""

from functools import partial

import numpy as np
import simpy

from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import Events
from dadao_sim.events.world import faults
from dadao_sim.events.world.computing import start_nodes
from dadao_sim.events.world.draws import (
    exponentials,
    generators,
    jitters,
    uniforms,
    unit_draws,
)
from dadao_sim.events.world.exchanging import Links, start_links
from dadao_sim.events.world.log import EventLog
from dadao_sim.events.world.losses import fates
from dadao_sim.events.world.physics import Physics
from dadao_sim.events.world.situation import Situation

WINDOW = 16384  # rows given out at a time
STEPS = 4096  # steps of SimPy between two looks at how many rows there are
PATIENCE = 2_000_000  # steps without a row after which nothing is expected any more


class WorldClock:
    """A source of windows of ``WINDOW`` events each, the same for the same seed sequence.

    ``rates`` are what the method asks for, ``message_bytes`` what each end sends in an exchange.
    Node i computes with pauses such that it makes ``rates.nodes[i]`` gradients per unit of time if
    it can; the clock of edge e ticks ``rates.edges[e]`` times per unit. A unit lasts
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
        rng = generators(seed)
        self.env = simpy.Environment()
        self.log = EventLog(physics.network.edges, self.stretch, rng["marks"])
        self.now = Situation.at_the_start(physics.network.edges, physics.slowness)
        resume, stop = self._start_nodes(rates, rng)
        with np.errstate(divide="ignore"):
            pauses = self.stretch / rates.edges
        links = _links(physics, message_bytes, pauses, rng)
        start_links(self.env, self.log, self.now, links, exponentials(rng["exchanges"]))
        self._start_faults(rng, resume, stop)

    def _start_nodes(
        self, rates: PoissonRates, rng: dict[str, np.random.Generator]
    ) -> tuple[faults.NodeAction, faults.NodeAction]:
        """Let the nodes compute, those that are late later; how to resume and stop one."""
        nodes = self.physics.spec.nodes
        draw_pause = (
            unit_draws(nodes.pause, rng["pauses"])
            if nodes.pause.mean > 0
            else exponentials(rng["pauses"])  # of the pauses that a stretched unit adds
        )
        resume_computing, stop = start_nodes(
            *(self.env, self.log, self.now),
            *(_pauses(self.physics, rates, self.stretch).tolist(), nodes.gradient.mean),
            *(draw_pause, unit_draws(nodes.gradient, rng["durations"])),
        )
        computes = (rates.nodes > 0).tolist()

        def resume(i: int) -> None:
            if computes[i]:
                resume_computing(i)

        late = {joins.node: joins.at for joins in nodes.late}
        for i in range(self.physics.network.nodes):
            if i in late:
                faults.leave(self.now, stop, i)
                faults.call_at(self.env, late[i], partial(faults.come, self.now, resume, i))
            else:
                resume(i)
        return resume, stop

    def _start_faults(
        self,
        rng: dict[str, np.random.Generator],
        resume: faults.NodeAction,
        stop: faults.NodeAction,
    ) -> None:
        env, now, spec = self.env, self.now, self.physics.spec
        faults.start_changes(env, now, self.physics.cuts)
        if spec.nodes.crashes is not None:
            draw = exponentials(rng["crashes"])
            faults.start_crashes(env, self.log, now, spec.nodes.crashes, draw, resume, stop)
        if spec.nodes.slow_periods is not None:
            draw = exponentials(rng["slow_periods"])
            faults.start_slow_periods(env, now, spec.nodes.slow_periods, draw)
        if spec.links.outages is not None:
            draw = exponentials(rng["outages"])
            faults.start_outages(env, now, spec.links.outages, draw)

    def window(self) -> Events:
        """The next ``WINDOW`` events. InputError where nothing happens any more."""
        rows, step = self.log.time, self.env.step
        steps, before = 0, len(rows)
        while len(rows) < WINDOW:
            try:
                for _ in range(STEPS):
                    step()
            except simpy.core.EmptySchedule:
                steps = PATIENCE
            steps = 0 if len(rows) > before else steps + STEPS
            before = len(rows)
            if steps >= PATIENCE:
                raise InputError(
                    f"world: nothing happens any more after time {self.env.now:g}; "
                    "is every link cut?"
                )
        return self.log.take(WINDOW)


def _pauses(physics: Physics, rates: PoissonRates, stretch: float) -> np.ndarray:
    """The mean pause of each node between gradients, (n,)."""
    with np.errstate(divide="ignore"):
        per_gradient = 1 / rates.nodes  # infinite for nodes that are never asked for one
    if physics.spec.time_unit == "given":
        gradient = physics.spec.nodes.gradient.mean
        pauses = physics.slowness * (physics.interval() * per_gradient - gradient)
    else:
        pauses = stretch * per_gradient - physics.gradient_means()
    return np.maximum(pauses, 0.0)


def _links(
    physics: Physics, message_bytes: float, pauses: np.ndarray, rng: dict[str, np.random.Generator]
) -> Links:
    spec, edges = physics.spec.links, len(pauses)
    at_once = physics.spec.nodes.exchanges_at_once
    no_time = not physics.delays(message_bytes).any() and spec.loss is None and at_once is None
    return Links(
        edges=[(i, j) for i, j in physics.network.edges.tolist()],
        pauses=pauses.tolist(),
        latency=None if no_time and spec.jitter == 0 else physics.latency.tolist(),
        transfer=physics.time_per_byte * message_bytes,
        jitter=jitters(spec.jitter, rng["delays"]) if spec.jitter > 0 else None,
        fate=None if spec.loss is None else fates(spec.loss, edges, uniforms(rng["losses"])),
        at_once=at_once,
        wait=physics.spec.nodes.when_busy == "wait",
    )
