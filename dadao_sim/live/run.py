"""From a scenario to a result by processes: checked, run live, merged, replayed, compared."""

import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine.node import start_from_zero
from dadao_sim.errors import InputError, within
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import GOSSIP, RESET, SEND_ONE, Events
from dadao_sim.files import as_path
from dadao_sim.live.board import Board
from dadao_sim.live.exchanging import ExchangingNode
from dadao_sim.live.follow import Follower, check_followed
from dadao_sim.live.free import Clocks, FreeNode, Pace
from dadao_sim.live.handlers import Handlers, rows_of
from dadao_sim.live.merge import Merged, merge
from dadao_sim.live.rates import (
    FIRST_JUDGED,
    SENSIBLE_LOAD,
    Asked,
    Reached,
    check_cores,
    check_rates,
    in_words,
    reached,
    rounded_up,
)
from dadao_sim.live.records import Writer, log_of, read_records
from dadao_sim.live.supervisor import Ended, Kill, Life, supervise
from dadao_sim.live.telling import TellingNode
from dadao_sim.live.wires import Wire
from dadao_sim.networks import DirectedNetwork, DirectedSequence, Network
from dadao_sim.results.folder import check_folder
from dadao_sim.results.result import Result
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.event_player import EventPlayer
from dadao_sim.simulation.plan import Plan
from dadao_sim.simulation.replay import make_player, playable
from dadao_sim.simulation.simulate import simulate
from dadao_sim.simulation.study import Study, as_scenario
from dadao_sim.strict import files_named, suggestion

UNIT = 0.01  # seconds
HORIZON = 300.0  # units
LEAST_RATE = 0.9
LEAST = math.ulp(0.0)  # number above 0
SHORTEST, LONGEST = 1e-6, 3600.0  # seconds, of a unit; the longest delay of a message, too
PATIENCE = 10.0  # seconds for which a node waits for a neighbour, beside what delays take
FOLLOWING = 600.0  # seconds that processes have to follow a log


@dataclass(frozen=True)
class LiveRun:
    """What a live run left.

    Attributes:
        result: an ordinary one, of the log replayed, in its folder if it has one.
        events: the log, in the method's time.
        equal: whether the replay gives the states of all nodes that came to the end, to the last
            bit.
        difference: the largest one, over the largest number of the replayed states.
        dead: by node that did not come to the end, how it ended, and when, in units of time.
        merged: how many exchanges acted on both ends, one and none, or messages on somebody; None
            of a log that was followed.
        rates: None of a log that was followed.
        states: by node that came to the end, what it held: ``values`` (blocks, d) and the rest.
        seconds: from time 0 to the end of the last process.

    """

    result: Result
    events: Events
    equal: bool
    difference: float
    dead: Mapping[int, tuple[str, float]]
    merged: Merged | None
    rates: Reached | None
    states: Mapping[int, Mapping[str, np.ndarray]]
    seconds: float


def run_live(
    scenario: Scenario | Mapping[str, Any] | str | Path,
    *,
    algorithm: str | None = None,
    beside: Sequence[str] = (),
    unit: float = UNIT,
    horizon: float | None = None,
    kills: Sequence[tuple[int | str, float]] = (),
    delay: float = 0.0,
    least_rate: float = LEAST_RATE,
    out: str | Path | None = None,
    overwrite: bool = False,
    remark: Callable[[str], None] = lambda line: None,
) -> LiveRun:
    """Run an asynchronous ``algorithm`` (a label; the first one that is) in one process per node,
    for ``horizon`` units of ``unit`` seconds, and replay the log that they leave.

    ``kills`` are nodes, by name, and when they get a SIGKILL. Each message takes ``delay`` seconds
    more. ``beside`` are other algorithms of the scenario that replay the log: what would have been
    had they seen it. A run whose gradients or exchanges come at less than ``least_rate`` of what
    their clocks say is stopped. The result is of repeat 0, and says that it was live.

    Raises InputError for what cannot run live, and for a machine that does not keep up.
    """
    asked = as_scenario(scenario)
    horizon = min(HORIZON, asked.stop.time or HORIZON) if horizon is None else horizon
    _within("unit", unit, SHORTEST, LONGEST, "a time from 1us to 3600s is needed")
    _within("horizon", horizon, LEAST, math.inf, "a finite time above 0 is needed")
    _check_delay(delay)
    _within("least_rate", least_rate, 0, 1, "a part from 0 to 1 is needed")
    live = _Live(asked, algorithm, beside, out, overwrite, horizon)
    plan, network = live.plan, live.network
    clock = plan.tuning.clock
    assert clock is not None
    if clock.pace != "poisson":
        wrong = f"{live.label} has no clocks of nodes and edges, but {_PACES[clock.pace]}"
        raise InputError("algorithm", wrong, "simulate it, and let processes follow its log")
    killed = _kills(kills, network, horizon, plan)
    check_cores(network.nodes, os.cpu_count() or 1, unit)
    rates = live.asked(clock, unit, delay)
    live.check_beside(rates)
    if rates.load > SENSIBLE_LOAD:
        longer = rounded_up(unit * rates.load / SENSIBLE_LOAD)
        remark(
            f"a delay of {in_words(delay)} locks the busiest node {rates.load:.2f} of the time; at "
            "most "
            f"{SENSIBLE_LOAD} is sensible, as with --unit {in_words(longer)}"
        )
    seeds = plan.seed.spawn(network.nodes)
    pace = Pace(unit, horizon, delay)
    # A delay locks no node whose messages go one way.
    patience = PATIENCE + (0.0 if rates.one_way else 10 * network.nodes * delay)
    player = live.player()
    live.compile(player)
    splitmix64(np.uint64(0))

    def life(i: int, folder: Path) -> Life:
        def lived(wires: dict[int, Wire], board: Board) -> Mapping[str, np.ndarray]:
            handlers = live.handlers(player, i)
            kind: type[FreeNode] = TellingNode if rates.one_way else ExchangingNode
            node = kind(
                *(handlers, wires, live.neighbours(i), pace, live.clocks(clock, i, seeds[i])),
                *(Writer(log_of(folder, i)), board, patience),
            )
            node.run()
            return handlers.rows()

        return lived

    def look(seconds: float, counts: np.ndarray, dead: Mapping[int, tuple[str, float]]) -> None:
        t = min(seconds / unit, horizon)
        if seconds >= FIRST_JUDGED and t < horizon:
            ends = {i: at / unit for i, (_, at) in dead.items()}
            check_rates(rates, reached(rates, counts, t, ends, least_rate))

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ended = supervise(
            [life(i, folder) for i in range(network.nodes)],
            live.edges,
            folder,
            patience=patience,
            limit=horizon * unit + 2 * patience,
            kills=[Kill(node, at * unit) for node, at in killed],
            look=look,
        )
        records = {i: read_records(log_of(folder, i)) for i in range(network.nodes)}
    dead = {i: (how, at / unit) for i, (how, at) in ended.dead.items()}
    was = reached(rates, ended.counts, horizon, {i: at for i, (_, at) in dead.items()}, least_rate)
    check_rates(rates, was)
    merged = merge(records, network, ended.dead)
    if len(merged.events) == 0:
        raise InputError(
            "horizon", f"nothing happened in {horizon:g} units of time", "make it longer"
        )
    said = {
        "unit_seconds": unit,
        "horizon": horizon,
        "delay_seconds": delay,
        "seconds": ended.seconds,
        "rates": {"gradients": was.gradients, rates.over_edges: was.exchanges},
        "work": was.work.tolist(),
        rates.over_edges: merged.counted(one_way=rates.one_way),
    }
    return live.finish(merged.events, ended, dead, said, merged=merged, rates=was)


def follow_live(
    scenario: Scenario | Mapping[str, Any] | str | Path,
    events: Events,
    *,
    algorithm: str | None = None,
    beside: Sequence[str] = (),
    delay: float = 0.0,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> LiveRun:
    """Let one process per node follow a log: each does its own rows, in their order.

    What it takes and raises is as in :func:`run_live`; the clock of the log is nobody's, and the
    processes go as fast as they can.
    """
    if not isinstance(events, Events):
        raise InputError("events", f"Events are needed, not a {type(events).__name__}")
    _check_delay(delay)
    check_followed(events)
    live = _Live(as_scenario(scenario), algorithm, beside, out, overwrite, None, events)
    log = live.playable(events)
    player = live.player()
    if player.newest is not None:  # what is passed over does nothing
        log = replace(log, kind=player.newest.kinds(log))
    live.compile(player)

    def life(i: int) -> Life:
        def lived(wires: dict[int, Wire], board: Board) -> Mapping[str, np.ndarray]:
            handlers = live.handlers(player, i)
            Follower(handlers, wires, log, board, FOLLOWING, delay).run()
            return handlers.rows()

        return lived

    with tempfile.TemporaryDirectory() as place:
        ended = supervise(
            [life(i) for i in range(live.network.nodes)],
            *(live.edges, Path(place)),
            patience=FOLLOWING,
            limit=FOLLOWING,
        )
    if ended.dead:
        node, (how, _) = min(ended.dead.items(), key=lambda item: item[1][1])
        raise InputError("live", f"node {node} {how}, and a log has no room for that")
    said = {"followed": True, "delay_seconds": delay, "seconds": ended.seconds}
    return live.finish(events, ended, {}, said)


class _Live:
    """A scenario made ready for one algorithm in repeat 0, and what becomes of its log."""

    def __init__(
        self,
        asked: Scenario,
        algorithm: str | None,
        beside: Sequence[str],
        out: str | Path | None,
        overwrite: bool,
        horizon: float | None,
        events: Events | None = None,
    ):
        specs = [
            _chosen(asked, algorithm),
            *(_labelled(asked, label, "beside") for label in beside),
        ]
        self.label, self.overwrite = specs[0].label, overwrite
        if asked.world is not None:
            raise InputError("world", "a live run has the machine's own", "leave world out")
        if asked.clock.node_rates is not None:
            raise InputError(
                "clock.node_rates", "a live run has clocks of its own", "leave node_rates out"
            )
        self.folder = None if out is None else as_path("out", out)
        if self.folder is not None:
            inputs = files_named(asked)
            check_folder(self.folder, resume=False, overwrite=overwrite, inputs=inputs)
        mapping = asked.to_mapping()
        kept = {spec.label for spec in specs}
        mapping["algorithms"] = [one for one in mapping["algorithms"] if one["label"] in kept]
        end = float(events.time[-1]) if events is not None and len(events) else horizon
        self.scenario = scenario_from_mapping(mapping | {"repeats": 1, "stop": {"time": end}})
        study = Study(self.scenario, events=events)
        self.beside = [study.plan((spec.label, 0)) for spec in specs[1:]]
        for plan in self.beside:  # before anything runs
            _require_events(plan.method, plan.spec.label, "beside")
        self.plan = study.plan((self.label, 0))
        _require_events(self.plan.method, self.label, "algorithm")
        if events is not None:
            _require_own_resets(events, self.plan.method, self.label)
        if self.plan.parts.problem.stages is not None:
            raise InputError("problem", "it changes in stages, which processes do not", "keep it")
        network: Any = self.plan.network
        if len(network.graphs) > 1:
            wrong = "it changes with time, and connections of processes do not"
            raise InputError("network", wrong, "give one graph")
        # A connection is one both ways, whoever uses it.
        directed = isinstance(network, DirectedNetwork | DirectedSequence)
        self.network: Network = network.undirected if directed else network.graphs[0]
        self.edges = [(int(i), int(j)) for i, j in self.network.edges]

    def playable(self, events: Events) -> Events:
        """The log in the algorithm's time. InputError where it cannot play it."""
        return playable(events, self.plan.method, self.plan.network)

    def player(self) -> EventPlayer:
        """A new player of the algorithm, at time 0."""
        plan = self.plan
        problem, x0, batch = plan.parts.problem, plan.parts.x0, plan.spec.batch_size
        with one_blas_thread():
            player = make_player(plan.method, problem, plan.tuning, x0, {}, batch)
        assert isinstance(player, EventPlayer)
        return player

    def neighbours(self, i: int) -> dict[int, int]:
        """By neighbour of node i, the number of the edge."""
        return {a + b - i: e for e, (a, b) in enumerate(self.edges) if i in (a, b)}

    def asked(self, clock: PoissonRates, unit: float, delay: float) -> Asked:
        """The rates that a run should reach."""
        one_way = len(clock.arcs) > 0
        edges = [arc for i, j in self.edges for arc in ((i, j), (j, i))] if one_way else self.edges
        over_edges = clock.arcs.ravel() if one_way else clock.edges
        return Asked(clock.nodes, over_edges, edges, unit, delay, one_way)

    def check_beside(self, asked: Asked) -> None:
        """InputError where an algorithm beside could not replay what goes over the edges: known
        before anything runs.
        """
        used = np.array(asked.edges)[asked.edge_rates > 0]
        kind = np.full(len(used), SEND_ONE if asked.one_way else GOSSIP)
        i, j = used.T
        log = Events.from_arrays(np.zeros(len(used)), kind, i, j, self.network)
        for plan in self.beside:
            try:
                playable(log, plan.method, plan.network)
            except InputError as error:
                wrong = f"{plan.spec.label} cannot play the log of {self.label}: {error}"
                raise InputError("beside", wrong) from None

    def clocks(self, clock: PoissonRates, i: int, seed: np.random.SeedSequence) -> Clocks:
        """The clocks of node i: of an exchange its smaller node has it, of a message who sends."""
        ticks: dict[int, float] = {}
        asked_by = []
        for j, e in self.neighbours(i).items():
            if len(clock.arcs):
                to, back = clock.arcs[e] if i < j else clock.arcs[e, ::-1]
                if to > 0:
                    ticks[j] = float(to)
                if back > 0:
                    asked_by.append(j)
            elif j > i:
                ticks[j] = float(clock.edges[e])
            else:
                asked_by.append(j)
        return Clocks(float(clock.nodes[i]), ticks, asked_by, seed)

    def handlers(self, player: EventPlayer, i: int) -> Handlers:
        """The handlers of node i."""
        return Handlers(player, i, *self._places(i))

    def compile(self, player: EventPlayer) -> None:
        """Compile the handlers, for all nodes: before the processes part."""
        self.handlers(player, 0).compile()

    def finish(
        self,
        events: Events,
        ended: Ended,
        dead: Mapping[int, tuple[str, float]],
        said: dict[str, Any],
        *,
        merged: Merged | None = None,
        rates: Reached | None = None,
    ) -> LiveRun:
        """Replay the log, compare, and keep the result."""
        difference = self._difference(events, ended)
        study = Study(self.scenario, events=events)
        called = self.network.called
        study.live = {
            "algorithm": self.label,
            "processes": self.network.nodes,
            "conserved": list(self.plan.method.invariant),
            "cores": os.cpu_count() or 1,
            **said,
            "ended": [{"node": called(i), "how": how, "time": at} for i, (how, at) in dead.items()],
            "replay_equals_live": difference == 0,
            "largest_difference": difference,
        }
        result = simulate(study, out=self.folder, overwrite=self.overwrite)
        return LiveRun(
            result=result,
            events=events,
            equal=difference == 0,
            difference=difference,
            dead=dead,
            merged=merged,
            rates=rates,
            states=ended.states,
            seconds=ended.seconds,
        )

    def _places(self, i: int) -> tuple[list[tuple[int, int]], slice]:
        """Where node i is in the arrays of a state: its ends of edges, its samples."""
        ends = [(e, int(b == i)) for e, (a, b) in enumerate(self.edges) if i in (a, b)]
        if not self.plan.method.samples:
            return ends, slice(0, 0)
        samples = self.plan.parts.problem.samples
        assert samples is not None  # of a method of samples
        before = np.concatenate([[0], np.cumsum(samples)])
        return ends, slice(int(before[i]), int(before[i + 1]))

    def _difference(self, events: Events, ended: Ended) -> float:
        """The largest one between live and replayed numbers, over the largest replayed one; 0 only
        where all are equal to the last bit.
        """
        player = self.player()
        with one_blas_thread():
            player.play(self.playable(events), 0, len(events))
        worst, largest = 0.0, 0.0
        for i, live in ended.states.items():
            ends, samples = self._places(i)
            replayed = rows_of(player.state, i, tuple(zip(*ends, strict=True)), samples)
            for name, array in replayed.items():
                worst = max(worst, distance(array, live[name]))
                largest = max(
                    largest, float(np.abs(array).max(initial=0.0, where=np.isfinite(array)))
                )
        return worst / largest if largest > 0 else worst


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two arrays; 0 where they have the same bits (or the same nans), and
    never 0 where not.
    """
    if one.shape != other.shape:
        return math.inf
    same = (one == other) & (np.signbit(one) == np.signbit(other)) | np.isnan(one) & np.isnan(other)
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(one[~same] - other[~same])
    return math.inf if not np.isfinite(gaps).all() else max(float(gaps.max()), 5e-324)


def _chosen(asked: Scenario, algorithm: str | None) -> AlgorithmSpec:
    """The algorithm of that label, or the first asynchronous one."""
    if algorithm is not None:
        return _labelled(asked, algorithm, "algorithm")
    for spec in asked.algorithms:
        if not isinstance(get_method(spec.name), RoundMethod):
            return spec
    names = ", ".join(spec.label for spec in asked.algorithms)
    raise InputError(
        "algorithms", f"none of {names} is asynchronous: rounds wait for all", "add one, as dadao"
    )


def _labelled(asked: Scenario, label: str, option: str) -> AlgorithmSpec:
    for spec in asked.algorithms:
        if spec.label == label:
            return spec
    known = [spec.label for spec in asked.algorithms]
    raise InputError(option, f"{label!r} is not in the scenario{suggestion(str(label), known)}")


def _within(name: str, value: Any, least: float, most: float, right: str) -> None:
    """InputError for a number that is not finite, or outside, and for anything else."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not (least <= value <= most and value < math.inf):
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        raise InputError(name, f"{shown} given", right)


def _check_delay(delay: Any) -> None:
    _within("delay", delay, 0, LONGEST, "a time from 0s to 3600s is needed")


def _require_events(method: Method, label: str, option: str) -> None:
    """InputError for a synchronous method."""
    if isinstance(method, RoundMethod):
        wrong = f"{label} is synchronous: in each of its rounds all nodes wait for all"
        raise InputError(option, wrong, "choose an asynchronous one, as dadao")


def _require_own_resets(events: Events, method: Method, label: str) -> None:
    """InputError for a log in which a node asks its neighbours for what it lost."""
    assert isinstance(method, AsynchronousMethod)
    resets = np.flatnonzero(events.kind == RESET)
    if len(resets) and method.ends is not None and method.reset is not start_from_zero:
        wrong = f"row {resets[0]} is reset, and {label} asks its neighbours for what it lost"
        raise InputError("--follow", wrong, "processes do not: simulate it")


_PACES = {"steps": "steps of one common time", "walk": "one token that walks over the edges"}


def _kills(
    kills: Sequence[tuple[int | str, float]], network: Network, horizon: float, plan: Plan
) -> list[tuple[int, float]]:
    """The nodes to be killed by their numbers. InputError for what cannot be."""
    found: dict[int, float] = {}
    for kill in kills:
        if not (isinstance(kill, tuple | list) and len(kill) == 2 and isinstance(kill[1], Real)):
            raise InputError("kill", f"{kill!r} given", "pairs of a node and a time are needed")
        name, at = kill
        with within("kill"):
            node = network.node(name)
        if node in found:
            raise InputError("kill", f"node {name} is killed twice", "once is enough")
        if not 0 <= at <= horizon:
            wrong = f"node {name} at {at:g} is outside the run"
            raise InputError("kill", wrong, f"0 to {horizon:g} is within")
        found[node] = at
    if len(found) == network.nodes:
        raise InputError("kill", "all nodes are killed", "leave one, to be compared")
    if found and plan.spec.averaging == "events":
        wrong = f"{plan.spec.label} averages over events, and a kill may cut one in two"
        raise InputError("kill", wrong, "leave averaging out, or the kill")
    return list(found.items())
