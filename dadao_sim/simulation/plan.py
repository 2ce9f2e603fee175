"""One run made ready: an algorithm tuned for a repeat, its clock, its limits."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.asked import Asked
from dadao_sim.algorithms.contract.connectivity import graph_totals
from dadao_sim.algorithms.contract.method import Method, Tuning
from dadao_sim.algorithms.contract.options import PAPER, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.trained import load_trained
from dadao_sim.errors import InputError, users_code, within
from dadao_sim.events.arrivals import Arrivals
from dadao_sim.events.clock import Clock
from dadao_sim.events.log import Events
from dadao_sim.events.pauses import PausedClock
from dadao_sim.events.played import LogClock
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock
from dadao_sim.events.walk import WalkClock
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.node_ids import numbers_of_nodes
from dadao_sim.events.world.physics import Physics
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.metrics import METRICS, Metric
from dadao_sim.networks import DirectedNetwork, DirectedSequence, GraphSequence, Network
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.directed import AnyNetwork, arcs_of
from dadao_sim.networks.rates import with_rates
from dadao_sim.networks.rates.costs import cost_record, has_attribute
from dadao_sim.networks.rates.spec import ComputedRates
from dadao_sim.problems import Problem
from dadao_sim.randomness import stream
from dadao_sim.results.columns import CURVE_COLUMNS
from dadao_sim.results.result import RunKey
from dadao_sim.scenario.model import AlgorithmSpec, RecordSpec, Scenario, StartSpec
from dadao_sim.simulation.counts import shares
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.loop import next_window
from dadao_sim.simulation.metrics import ErrorsAndMetrics
from dadao_sim.simulation.parts import Parts
from dadao_sim.simulation.replay import playable
from dadao_sim.simulation.sampling import sample_times

MOST_EVENTS = 2.0**53
"""Beyond them counts are no longer exact, and an event later is no later time."""


@dataclass
class Source:
    """A clock whose first window can be looked at before it is played."""

    clock: Clock
    seen: list[Events] = field(default_factory=list)

    @property
    def first(self) -> Events:
        """The first window, drawn when first asked for."""
        if not self.seen:
            self.seen.append(next_window(self.clock))
        return self.seen[0]

    def window(self) -> Events:
        """The next window: the first one first."""
        return self.seen.pop() if self.seen else self.clock.window()


@dataclass(frozen=True)
class Plan:
    """One run ready to be played, once; ``horizon`` is when it ends if it does not converge.

    ``metrics`` are measured beside ours. ``unit`` is how many mean gradient intervals the method's
    unit of time lasts in the ``world``; ``limits`` and ``horizon`` are in its units. ``costs`` are
    those by which rates were chosen, by attribute. ``log``, in the method's units of time, is
    played in the place of what a clock would give.
    """

    key: RunKey
    spec: AlgorithmSpec
    parts: Parts
    method: Method
    network: AnyNetwork
    tuning: Tuning
    limits: Limits
    horizon: float
    points: int
    spacing: str
    seed: np.random.SeedSequence
    metrics: tuple[Metric, ...] = ()
    world: Physics | None = None
    unit: float = 1.0
    experimental: bool = False
    costs: Mapping[str, Any] = field(default_factory=dict)
    log: Events | None = None

    @property
    def whole_rounds(self) -> bool:
        """Whether the run advances by rounds of one unit of time each."""
        return isinstance(self.method, RoundMethod) and self.world is None

    def sample_times(self) -> Iterator[float]:
        """When to sample; see ``sampling``."""
        return sample_times(self.horizon, self.points, self.spacing, whole=self.whole_rounds)

    @property
    def note(self) -> str:
        """What is to be known of the run before it is made; empty as a rule."""
        return "; ".join(filter(None, (self._warning, self._ends_early)))

    @property
    def _warning(self) -> str:
        """Of the method."""
        if not isinstance(self.method, RoundMethod):
            return ""
        said = self.method.warning(self.tuning.params, self.network)
        return f"{self.spec.label}: {said}" if said else ""

    @property
    def _ends_early(self) -> str:
        """Of a method that has so many rounds and no more."""
        rounds = self.tuning.rounds
        if rounds is None or not self.whole_rounds or self.limits.time <= rounds:
            return ""
        time = f"stop.time {self.limits.time:g}" if self.limits.time < math.inf else "no stop.time"
        return f"{self.spec.label} has {rounds} layers: it stops after round {rounds} ({time})"

    @property
    def x0(self) -> np.ndarray:
        """Where the nodes start, (n, d)."""
        return self.method.starts_at(self.parts.problem, self.parts.x0)

    @property
    def errors(self) -> ErrorsAndMetrics:
        """What is measured at a sample: the errors of every run, and ``metrics``."""
        problem = self.parts.problem.with_step(self.tuning.prox_step)
        return ErrorsAndMetrics(problem, self.x0, self.metrics)

    @cached_property
    def source(self) -> Source:
        """The events of the run, from a clock of its own: what is taken from it is gone."""
        return Source(make_clock(self))

    def __getstate__(self) -> dict[str, Any]:
        """All but the source: in another process it begins anew, from the same seed."""
        return {name: value for name, value in vars(self).items() if name != "source"}


def make_plan(scenario: Scenario, key: RunKey, parts: Parts, events: Events | None = None) -> Plan:
    """Tune the algorithm of a run, which plays ``events`` if they are given; InputError, before
    anything is compiled, for what it cannot do.
    """
    label, repeat = key
    spec = next(spec for spec in scenario.algorithms if spec.label == label)
    with within("algorithms"):
        parts = with_trim(spec, with_oracle(spec, parts))
        parts = with_local_step(spec, parts)
        method, network, tuning = tuned(spec, parts)
    if method.needs_averaging and scenario.start != StartSpec():
        raise InputError("start", f"{label} starts at the points it averages", "leave start out")
    if scenario.clock.node_rates is not None:
        with within("clock.node_rates"):
            rates = numbers_of_nodes(scenario.clock.node_rates, network.graphs[0])
        tuning = with_node_rates(tuning, method, rates)
    world, unit = parts.world, 1.0
    if world is not None:
        world = world_of(spec, method, world)
    if world is not None and parts.problem.stages is not None:
        raise InputError("world", "times no problem that changes in stages", "leave world out")
    if world is not None and spec.asleep is not None:
        wrong = "a round of a world waits for all nodes"
        raise InputError(f"algorithms: {label}: asleep", wrong, "leave asleep out, or world")
    if world is not None and tuning.clock is not None:
        unit = world.stretch(tuning.clock, tuning.asked.message_bytes)
    log = None
    if events is not None:
        if world is not None or scenario.clock.node_rates is not None:
            section = "clock" if world is None else "world"
            raise InputError("events", f"the {section} makes its own", f"leave {section} out")
        log, unit = playable(events, method, network), events.unit
    stop, record = scenario.stop, scenario.record
    limits = Limits(
        time=(stop.time or math.inf) / unit,
        gradients=(stop.gradients_per_node or math.inf) * parts.problem.nodes,
        communications=stop.communications or math.inf,
        accuracy=stop.accuracy or 0.0,
        until=tuple((name, x, METRICS[name].rises) for name, x in (stop.until or {}).items()),
    )
    rate = gradient_rate(tuning, shares(method, parts.problem, spec.batch_size))
    horizon = limits.horizon(rate, tuning.communications)
    if tuning.rounds is not None and world is None:
        horizon = min(horizon, tuning.rounds)
    if log is not None:
        horizon = min(limits.time, LogClock(log).end)
        limits = replace(limits, time=horizon)
    if horizon == math.inf:
        raise InputError(
            "stop",
            f"{method.name} would never end: it asks for none of what is limited",
            "limit the time",
        )
    expected = horizon * event_rate(tuning)
    if expected > MOST_EVENTS:
        raise InputError(
            "stop",
            f"{method.name} would have {expected:.3g} events, of which {MOST_EVENTS:.1g} can be "
            "counted",
            "set smaller limits",
        )
    plan = Plan(
        key=key,
        spec=spec,
        parts=parts,
        method=method,
        network=network,
        tuning=tuning,
        limits=limits,
        horizon=horizon,
        points=record.points,
        spacing=record.spacing,
        seed=stream(scenario.seed, repeat, "events"),
        metrics=metrics_of(record, parts.problem.with_step(tuning.prox_step), parts.x0),
        world=world,
        unit=unit,
        experimental=method.is_experimental(parts.problem, options_of(spec)),
        costs=costs_used(scenario, spec, parts.network),
        log=log,
    )
    if world is not None:
        _ = plan.source  # refuses what the world cannot do
    return plan


def tuned(spec: AlgorithmSpec, parts: Parts) -> tuple[Method, AnyNetwork, Tuning]:
    """The method of ``spec``, the network with its rates, and the method's tuning for them.

    Raises InputError for what the method cannot do.
    """
    method = get_method(spec.name)
    if spec.weights is not None:
        with within(spec.label):
            trained = load_trained(spec.weights)
        method = method.with_weights(trained)
    if spec.rates is not None and isinstance(method, RoundMethod):
        raise InputError(
            f"{spec.label}: rates: {method.name} gossips with unit weights in rounds; "
            "leave rates out"
        )
    network = parts.network
    if spec.rates is not None:
        with within(f"{spec.label}: rates"):
            network = with_rates(as_network(network), spec.rates)
    if parts.world is not None and len(network.edges) < len(parts.network.edges):
        raise InputError(
            f"{spec.label}: rates.prune: a world keeps every link of its network; "
            "leave prune out, or prune network.rates"
        )
    options = options_of(spec)
    method.check_supported(parts.problem, network, options)
    if spec.batch_size is not None:
        with within(spec.label):
            if not method.samples:
                parts.problem.stochastic_objective(spec.batch_size)
            require_batch(spec.batch_size, parts.problem.samples)
    overrides = overrides_of(spec)
    tuning = method.tune(parts.problem, network, overrides, options)
    if (factors := method.by_load(options)) is not None and parts.world is not None:
        world = replace(world_of(spec, method, parts.world), bears=factors.loads[-1])
        paper = method.tune(parts.problem, network, overrides, replace(options, constants=PAPER))
        options = replace(options, load=load_in(world, paper))
        tuning = method.tune(parts.problem, network, overrides, options)
        tuning = replace(tuning, constants={**tuning.constants, "load": options.load})
    if spec.rates is not None and tuning.clock is not None and tuning.clock.pace == "walk":
        raise InputError(
            f"{spec.label}: rates: {method.name} walks over the edges as their degrees say; "
            "leave rates out"
        )
    require_x_star(parts.problem, method, tuning)
    return method, network, tuning


def load_in(world: Physics, tuning: Tuning) -> float:
    """The load of the links per unit of time of a method."""
    assert tuning.clock is not None
    asked = tuning.clock, tuning.asked.message_bytes
    return world.load(*asked) / world.stretch(*asked)


def world_of(spec: AlgorithmSpec, method: Method, world: Physics) -> Physics:
    """The world as the algorithm has it: its unit of time, and the load for which that is not
    stretched.
    """
    if spec.time_unit is not None:
        world = replace(world, spec=world.spec.model_copy(update={"time_unit": spec.time_unit}))
    factors = method.by_load(options_of(spec))
    return world if factors is None else replace(world, bears=factors.most)


def with_oracle(spec: AlgorithmSpec, parts: Parts) -> Parts:
    """The parts with the oracle of the algorithm, where it has one of its own."""
    if spec.oracle is None:
        return parts
    with within(spec.label):
        return replace(parts, problem=parts.problem.with_oracle(spec.oracle))


def with_local_step(spec: AlgorithmSpec, parts: Parts) -> Parts:
    """The parts with the local step of the algorithm, where it has one of its own."""
    if spec.local_step is None:
        return parts
    with within(spec.label):
        with within("local_step"):
            step = build_local_step(spec.local_step, parts.problem.dimension)
        return replace(parts, problem=parts.problem.with_local_step(step))


def with_trim(spec: AlgorithmSpec, parts: Parts) -> Parts:
    """The parts with the trimming of the algorithm, where it has one of its own."""
    if spec.trim is None:
        return parts
    with within(spec.label):
        return replace(parts, problem=parts.problem.with_trim(spec.trim))


def costs_used(scenario: Scenario, spec: AlgorithmSpec, network: AnyNetwork) -> dict[str, Any]:
    """By edge attribute, the costs by which the rates of the run were chosen."""
    asked = scenario.network.rates if spec.rates is None else spec.rates
    attribute = asked.cost if isinstance(asked, ComputedRates) else None
    if attribute is None or isinstance(network, DirectedNetwork | DirectedSequence):
        return {}
    if spec.rates is None and not has_attribute(network, attribute):
        return {}  # the second: of a network given in Python, whose rates are its own
    return {attribute: cost_record(network, attribute)}


def require_batch(size: int, samples: np.ndarray | None) -> None:
    """InputError for more than there are: with replacement possible, and worse than all of them."""
    if samples is not None and size > samples.max():
        most = f"no node has more than {samples.max()} samples"
        raise InputError("batch_size", f"{size} given", most)


def metrics_of(record: RecordSpec, problem: Problem, x0: np.ndarray) -> tuple[Metric, ...]:
    """What is measured beside ours; InputError where it has the name of another column, or cannot
    be measured of x0 (n, d).
    """
    with within("record.metrics"):
        for metric in record.more_metrics:
            if metric.name in CURVE_COLUMNS:
                raise InputError(
                    f"metric {metric.name!r}: the curves have a column of that name; "
                    "give it another"
                )
            metric.measure(problem, x0)
    return record.more_metrics


def require_x_star(problem: Problem, method: Method, tuning: Tuning) -> None:
    """InputError where the method's own step leaves a local step that is not exact without x*."""
    own = problem.with_step(tuning.prox_step)
    if own is not problem:
        try:
            _ = own.x_star
        except InputError as error:
            raise InputError(
                f"{method.name} at its step {tuning.prox_step:.3g}: {error}"
            ) from error


def options_of(spec: AlgorithmSpec) -> Options:
    """What the scenario chooses of a method beside its constants."""
    return Options(
        constants=spec.constants,
        batch_size=spec.batch_size,
        averaging=spec.averaging,
        mixing=spec.mixing,
        chebyshev=spec.chebyshev,
        compression=spec.compression,
        schedule=spec.schedule,
        lookahead=spec.lookahead,
        asleep=spec.asleep,
        ball=spec.ball,
    )


def constants_of(spec: AlgorithmSpec) -> str:
    """Whose constants the algorithm has: those of the paper, or of a set of the method by its name,
    ``tuned`` where they are multiplied, ``own`` where some are overridden.
    """
    if overrides_of(spec):
        return "own"
    return spec.constants if isinstance(spec.constants, str) else "tuned"


def overrides_of(spec: AlgorithmSpec) -> dict[str, float]:
    """What the scenario sets of a method's constants. InputError for one that is set twice."""
    if spec.rate_factor == 1.0:
        return dict(spec.parameters)
    if "rate_factor" in spec.parameters:
        where = f"{spec.label}: parameters.rate_factor"
        raise InputError(f"{where}: rate_factor is set beside it; give one of the two")
    return {**spec.parameters, "rate_factor": spec.rate_factor}


def with_node_rates(tuning: Tuning, method: Method, rates: np.ndarray) -> Tuning:
    """The tuning with nodes that compute at ``rates`` (n,) times its own; it does not know."""
    where = "clock.node_rates"
    if tuning.clock is None or not tuning.clock.nodes.any() or tuning.clock.pace != "poisson":
        raise InputError(
            f"{where}: {method.name} has no clocks at its nodes; leave one of them out"
        )
    return replace(tuning, clock=replace(tuning.clock, nodes=tuning.clock.nodes * rates))


def gradient_rate(tuning: Tuning, share: np.ndarray) -> float:
    """Expected gradients of all nodes per unit of time; a node's counts its ``share`` (n,)."""
    asked = tuning.asked
    if tuning.clock is None:
        others = asked.per_round.conjugate_gradients + asked.per_round.local_solves
        return (asked.per_round.gradients - others) * float(share.mean()) + others
    full = asked.gradient.gradients - asked.gradient.whole
    at_nodes = tuning.clock.nodes * (full * share + asked.gradient.whole)
    return float(at_nodes.sum()) + asked.exchange.gradients * tuning.communications


def event_rate(tuning: Tuning) -> float:
    """Expected events per unit of time by the clocks of the paper; rounds where it has none."""
    if tuning.clock is None:
        return 1.0
    clock = tuning.clock
    arrivals = clock.arcs.sum() * 1.5 + (2 * clock.edges.sum() if clock.delay > 0 else 0.0)
    return float(clock.nodes.sum()) + tuning.communications + float(arrivals)


def make_clock(plan: Plan) -> Clock:
    """The clock that the plan's tuning asks for, in the world if there is one."""
    rates, asked, seed = plan.tuning.clock, plan.tuning.asked, plan.seed
    if plan.log is not None:
        return LogClock(plan.log)
    if plan.world is not None:
        with users_code("world"), within("world"):
            if rates is not None:
                if rates.pace != "poisson":
                    raise InputError(
                        f"{plan.method.name} makes one step at a time in the whole network, which "
                        "no world times; leave one of them out"
                    )
                return WorldClock(plan.world, rates, asked.message_bytes, seed)
            if asked.start.messages_in_sequence:
                raise InputError(
                    f"{plan.method.name} gossips before its first round, for which a world has no "
                    "time; do it in its first step"
                )
            nodes = plan.parts.problem.nodes
            return RoundWorld(
                plan.world,
                exchanges=round(asked.with_heads.messages_in_sequence),
                message_bytes=asked.message_bytes,
                seed=seed,
                preparation=asked.start.gradients / nodes,
                gradients=asked.per_round.gradients / nodes or 1.0,
                chance=asked.chance,
                route=route_of(asked, plan.network),
            )
    clock = clock_of_the_paper(plan.tuning, plan.network, seed)
    stages = plan.parts.problem.stages
    return clock if stages is None else PausedClock(clock, stages.ends, stages.rounds)


def route_of(asked: Asked, network: AnyNetwork) -> list[np.ndarray] | None:
    """Who sends in each message of a round, as RoundWorld takes it; None where all do, both ways.

    Of a mean by a server those on the way, of a directed network the senders of its arcs.
    """
    if isinstance(network, DirectedNetwork):
        edge = network.edge_of_arc
        end = (network.edges[edge, 1] == network.arcs[:, 0]).astype(np.int64)
        return [np.stack([end, edge])]
    return None if asked.server is None else asked.server.route


def _arcs_and_rates(network: Any, graph: Any) -> tuple[np.ndarray, np.ndarray]:
    """The arcs of a graph of a sequence, as ``redirect_window`` counts them, and their rates."""
    arcs = arcs_of(graph)
    edges = network.edge_indices(*arcs.T)
    rates = graph.rates[graph.edge_indices(*arcs.T)] if isinstance(graph, Network) else 1.0
    return 2 * edges + (arcs[:, 0] > arcs[:, 1]), np.broadcast_to(rates, len(arcs))


def clock_of_the_paper(tuning: Tuning, network: AnyNetwork, seed: np.random.SeedSequence) -> Clock:
    """Poisson clocks of nodes and edges at the rates that the tuning asks for, or rounds."""
    rates = tuning.clock
    if rates is None:
        return RoundClock(seed)
    if rates.pace == "walk":
        return WalkClock(network, seed)
    graphs: tuple[tuple[np.ndarray, np.ndarray], ...] = ()
    totals = None
    if isinstance(network, GraphSequence):
        relative = (graph.rates for graph in network.graphs)
        graphs = tuple(zip(network.members, relative, strict=True))
        totals = graph_totals(network)
    if len(rates.arcs) and len(network.graphs) > 1:
        graphs = tuple(_arcs_and_rates(network, graph) for graph in network.graphs)
    clock = PoissonClock(
        *(rates.nodes, rates.edges, network.edges, seed),
        graphs=graphs,
        totals=totals,
        switching=rates.switching,
        steps=rates.pace == "steps",
        arc_rates=rates.arcs,
    )
    return Arrivals(clock, rates.delay) if rates.delay > 0 or len(rates.arcs) else clock
