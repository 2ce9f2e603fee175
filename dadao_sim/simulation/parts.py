"""What all algorithms of one repeat share: problem, network, start, world."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dadao_sim.archives import StoredState
from dadao_sim.errors import InputError, users_code, within
from dadao_sim.events.world.physics import Physics, make_physics
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import AnyNetwork
from dadao_sim.networks.section import build_network
from dadao_sim.problems import Problem, build_problem
from dadao_sim.problems.conditions import Conditions, conditions
from dadao_sim.randomness import stream
from dadao_sim.scenario.model import Scenario, StartSpec


@dataclass(frozen=True)
class Parts:
    """What every algorithm of one repeat shares. ``x0`` is (n, d); without a ``world`` the clocks
    are those of the paper.
    """

    problem: Problem
    network: AnyNetwork
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
    network: AnyNetwork | None = None,
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
    network = as_any_network(network)
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
    with within("start"):
        x0 = start_of(scenario.start, problem, rng("start"))
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


def start_of(start: StartSpec, problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """x0 of every node, (n, d). InputError for states that are not of that shape."""
    shape = problem.nodes, problem.dimension
    if start.file is None:
        x0 = np.zeros(shape)
        if start.kind != "zeros":
            drawn = rng.standard_normal((1, shape[1]) if start.shared else shape)
            if start.kind == "orthonormal":
                drawn = problem.orthonormal(drawn, 1 if start.determinant == "positive" else -1)
            x0 += start.scale * drawn
        return x0
    with within("file"):
        if not Path(start.file).is_file():
            raise InputError(f"there is no file {start.file}")
        states = StoredState(Path(start.file))
        if start.block not in states:
            known = f"its blocks are {', '.join(states)}"
            raise InputError(f"{start.file} has no block {start.block!r}; {known}")
        x0 = states[start.block]
        if x0.shape != shape or not np.isfinite(x0).all():
            wrong = "is not finite" if x0.shape == shape else f"is {x0.shape}"
            right = f"{shape} finite numbers are needed"
            raise InputError(f"block {start.block} of {start.file} {wrong}; {right}")
    return x0
