"""What all algorithms of one repeat share: problem, network, start, world."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dadao_sim.errors import InputError, users_code, within
from dadao_sim.events.world.physics import Physics, make_physics
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.section import build_network
from dadao_sim.problems import Problem, build_problem
from dadao_sim.problems.conditions import Conditions, conditions
from dadao_sim.randomness import stream
from dadao_sim.scenario.model import Scenario


@dataclass(frozen=True)
class Parts:
    """What every algorithm of one repeat shares. ``x0`` is (n, d); without a ``world`` the clocks
    are those of the paper.
    """

    problem: Problem
    network: Network | GraphSequence
    x0: np.ndarray
    world: Physics | None = None

    @cached_property
    def conditions(self) -> Conditions:
        """The condition numbers of the problem."""
        return conditions(self.problem)


def build_parts(
    scenario: Scenario,
    repeat: int,
    problem: Problem | None = None,
    network: Network | GraphSequence | None = None,
    local_step: LocalStep | None = None,
) -> Parts:
    """Problem, network and start of a repeat, each from its own stream; given ones are taken as
    they are.
    """

    def rng(part: str) -> np.random.Generator:
        return np.random.default_rng(stream(scenario.seed, repeat, part))

    if network is None:
        with users_code("network"), within("network"):
            network = build_network(scenario.network, rng("graph"))
    network = as_network(network)
    if problem is None:
        with users_code("problem"), within("problem"):
            problem = build_problem(scenario.problem, network.nodes, rng("data"))
    if problem.nodes != network.nodes:
        raise InputError(
            f"network: has {network.nodes} nodes, but the problem has {problem.nodes}; "
            "make them equal"
        )
    if local_step is None and scenario.local_step is not None:
        with users_code("local_step"), within("local_step"):
            local_step = build_local_step(scenario.local_step, problem.dimension)
    if local_step is not None:
        if problem.local_step is not None:
            raise InputError(
                "local_step: the problem has one of its own; leave that of the scenario out"
            )
        problem = problem.with_local_step(local_step)
    x0 = np.zeros((problem.nodes, problem.dimension))
    if scenario.start.kind == "normal":
        drawn = rng("start").standard_normal(x0[:1].shape if scenario.start.shared else x0.shape)
        x0 += scenario.start.scale * drawn
    problem.require_start(x0)
    world = None
    if scenario.world is not None:
        stop = scenario.stop
        with within("world"):
            world = make_physics(
                *(scenario.world, network, rng("world")),
                accuracy=stop.accuracy is not None,
                end=stop.time or math.inf,
            )
    return Parts(problem, network, x0, world)
