"""One algorithm on one repeat: the shared parts, the plan, and the run that follows it."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from dadao_sim.algorithms.contract.connectivity import graph_totals
from dadao_sim.algorithms.contract.method import Method, SynchronousMethod, Tuning
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError, within
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.physics import Physics
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.networks.rates import with_rates
from dadao_sim.problems import Problem
from dadao_sim.results.names import EXPERIMENTAL
from dadao_sim.results.result import CURVE_COLUMNS, Part, RunKey
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.simulation.counts import Counter
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.one_run import Limits, run
from dadao_sim.simulation.parts import Parts
from dadao_sim.simulation.player import make_player
from dadao_sim.simulation.sampling import sample_times

AVERAGINGS = ("none", "events", "time")  # by the code that methods know them under

Clock: TypeAlias = PoissonClock | RoundClock | WorldClock | RoundWorld
Tick: TypeAlias = Callable[[RunKey, float, float], None]


@dataclass(frozen=True)
class Plan:
    """One algorithm ready for one repeat; ``horizon`` is when it ends if it does not converge.

    ``unit`` is how many mean gradient intervals the method's unit of time lasts in the ``world``;
    ``limits`` and ``horizon`` are in its units.
    """

    spec: AlgorithmSpec
    method: Method
    network: Network | GraphSequence
    tuning: Tuning
    limits: Limits
    horizon: float
    points: int
    spacing: str
    world: Physics | None = None
    unit: float = 1.0
    experimental: bool = False

    @property
    def method_name(self) -> str:
        """The method's name in the result, marked where no theorem covers the run."""
        return self.method.name + EXPERIMENTAL * self.experimental

    @property
    def whole_rounds(self) -> bool:
        """Whether the run advances by rounds of one unit of time each."""
        return isinstance(self.method, SynchronousMethod) and self.world is None

    def sample_times(self) -> Iterator[float]:
        """When to sample; see ``sampling``."""
        return sample_times(self.horizon, self.points, self.spacing, whole=self.whole_rounds)


def make_plan(scenario: Scenario, spec: AlgorithmSpec, parts: Parts) -> Plan:
    """Tune an algorithm; InputError, before anything is compiled, for what it cannot do."""
    method = get_method(spec.name)
    if spec.rates is not None and isinstance(method, SynchronousMethod):
        raise InputError(
            f"algorithms: {spec.label}: rates: {method.name} gossips with unit weights in rounds; "
            "leave rates out"
        )
    network = parts.network
    if spec.rates is not None:
        with within(f"algorithms: {spec.label}: rates"):
            network = with_rates(network, spec.rates)
    method.check_supported(
        parts.problem,
        network,
        stochastic=spec.batch_size is not None,
        averaging=spec.averaging,
    )
    if spec.batch_size is not None:
        parts.problem.stochastic_objective(spec.batch_size)
    tuning = method.tuned(parts.problem, network, overrides_of(spec))
    require_x_star(parts.problem, method, tuning)
    if scenario.clock.node_rates is not None:
        tuning = with_node_rates(tuning, method, np.array(scenario.clock.node_rates))
    world, unit = parts.world, 1.0
    if world is not None and len(network.edges) < len(parts.network.edges):
        raise InputError(
            f"algorithms: {spec.label}: rates.prune: a world keeps every link of its network; "
            "leave prune out, or prune network.rates"
        )
    if world is not None and spec.time_unit is not None:
        world = replace(world, spec=world.spec.model_copy(update={"time_unit": spec.time_unit}))
    if world is not None and tuning.clock is not None:
        unit = world.stretch(tuning.clock, message_bytes(method, tuning, parts))
    stop = scenario.stop
    limits = Limits(
        time=(stop.time or math.inf) / unit,
        gradients=(stop.gradients_per_node or math.inf) * parts.problem.nodes,
        communications=stop.communications or math.inf,
        accuracy=stop.accuracy or 0.0,
    )
    horizon = limits.horizon(
        gradient_rate(method, tuning, spec, parts.problem), tuning.communications
    )
    record = scenario.record
    plan = Plan(
        *(spec, method, network, tuning, limits, horizon, record.points, record.spacing),
        world=world,
        unit=unit,
        experimental=method.is_experimental(parts.problem),
    )
    if world is not None:
        make_clock(plan, parts, np.random.SeedSequence(0))  # refuses what the world cannot do
    return plan


def require_x_star(problem: Problem, method: Method, tuning: Tuning) -> None:
    """InputError where the method's own step leaves a local step that is not exact without x*."""
    own = problem.with_step(tuning.prox_step)
    if own is not problem:
        try:
            _ = own.x_star
        except InputError as error:
            where = f"algorithms: {method.name} at its step {tuning.prox_step:.3g}"
            raise InputError(f"{where}: {error}") from error


def message_bytes(method: Method, tuning: Tuning, parts: Parts) -> int:
    """What each end of an edge sends in one message."""
    costs = tuning.costs or method.costs
    return costs.sent(parts.problem.dimension)[1] // costs.in_sequence


def overrides_of(spec: AlgorithmSpec) -> dict[str, float]:
    """What the scenario sets of a method's constants."""
    overrides: dict[str, float] = dict(spec.parameters)
    if spec.rate_factor != 1.0:
        overrides["rate_factor"] = spec.rate_factor
    if spec.averaging != "none":
        overrides["averaging"] = AVERAGINGS.index(spec.averaging)
    return overrides


def with_node_rates(tuning: Tuning, method: Method, rates: np.ndarray) -> Tuning:
    """The tuning with nodes that compute at ``rates`` (n,) times its own; it does not know."""
    where = "clock.node_rates"
    if tuning.clock is None or not tuning.clock.nodes.any():
        raise InputError(
            f"{where}: {method.name} has no clocks at its nodes; leave one of them out"
        )
    if rates.shape != tuning.clock.nodes.shape:
        raise InputError(
            f"{where}: {len(rates)} given for {len(tuning.clock.nodes)} nodes; give one per node"
        )
    return replace(tuning, clock=replace(tuning.clock, nodes=tuning.clock.nodes * rates))


def gradient_rate(method: Method, tuning: Tuning, spec: AlgorithmSpec, problem: Problem) -> float:
    """Expected gradients of all nodes per unit of time."""
    costs, nodes = method.costs, problem.nodes
    if tuning.clock is None:
        return (costs.gradients + costs.conjugates) * nodes
    rates = tuning.clock.nodes * costs.gradients
    if spec.batch_size is not None and problem.samples is not None:
        rates = rates * (spec.batch_size / problem.samples)
    conjugates = tuning.clock.nodes.sum() * costs.conjugates
    return float(rates.sum() + conjugates) + costs.conjugates_per_gossip * tuning.communications


def make_clock(plan: Plan, parts: Parts, seed: np.random.SeedSequence) -> Clock:
    """The source of events that the plan's tuning asks for, in the world if there is one."""
    rates = plan.tuning.clock
    if plan.world is not None:
        size = message_bytes(plan.method, plan.tuning, parts)
        if rates is not None:
            return WorldClock(plan.world, rates, size, seed)
        exchanges = plan.tuning.gossip_rounds * plan.method.costs.in_sequence
        return RoundWorld(plan.world, exchanges, size, seed)
    if rates is None:
        return RoundClock(seed)
    graphs: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    totals = None
    if isinstance(plan.network, GraphSequence):
        relative = (graph.rates for graph in plan.network.graphs)
        graphs = tuple(zip(plan.network.members, relative, strict=True))
        totals = graph_totals(plan.network)
    return PoissonClock(
        *(rates.nodes, rates.edges, plan.network.edges, seed),
        graphs=graphs,
        totals=totals,
        switching=rates.switching,
    )


def run_plan(
    plan: Plan, parts: Parts, key: RunKey, seed: np.random.SeedSequence, tick: Tick | None = None
) -> Part:
    """Run one algorithm on the parts of one repeat."""
    import pandas as pd

    label, repeat = key
    blocks: dict[str, np.ndarray] = {}
    player = make_player(
        plan.method, parts.problem, plan.tuning, parts.x0, blocks, plan.spec.batch_size
    )
    counter = Counter(plan.method, parts.problem, plan.network, plan.tuning, plan.spec.batch_size)
    player.warm_up()
    make_clock(plan, parts, seed).window()  # compiles the clock
    clock = make_clock(plan, parts, seed)
    begun = time.perf_counter()
    outcome = run(
        player,
        clock,
        counter,
        Errors(parts.problem.with_step(plan.tuning.prox_step), parts.x0),
        plan.limits,
        plan.sample_times(),
        (lambda now, accuracy: tick(key, min(now / plan.horizon, 0.999), accuracy))
        if tick
        else lambda *_: None,
    )
    seconds = time.perf_counter() - begun
    curves = pd.DataFrame(outcome.samples)
    curves = curves.assign(algorithm=label, method=plan.method_name, repeat=repeat)
    curves["time"] *= plan.unit
    end = curves.iloc[-1]
    row = {
        "algorithm": label,
        "method": plan.method_name,
        "repeat": repeat,
        "status": outcome.status,
        "reason": outcome.reason,
        "events": outcome.events,
        **{name: float(end[name]) for name in ("time", "gradients", "communications")},
        "tuning": plan.tuning.constants | ({"time_unit": plan.unit} if plan.world else {}),
    }
    timing = {
        "seconds": seconds,
        "events": outcome.events,
        "events_per_second": outcome.events / seconds,
    }
    return Part(curves[list(CURVE_COLUMNS)], row, player.blocks(plan.method.blocks), timing)
