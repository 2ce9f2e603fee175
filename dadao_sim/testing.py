"""The contract of a method, as laws that anyone's method can be held against.

    from dadao_sim.testing import check_method
    check_method(METHOD)                    # raises AssertionError, one line per law that is broken

    dadao-sim check my_dgd.py               # the same from the command line

Laws that speak of something a method does not declare (a fixed point, an invariant) are skipped,
and say so.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Literal

import networkx as nx
import numpy as np

from dadao_sim.algorithms.contract import gossip
from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method, Tuning
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import citation, get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.schedules import Schedule
from dadao_sim.engine import oracles
from dadao_sim.engine.play import play
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, Events
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.networks.graphs import build
from dadao_sim.problems import Problem
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player, replay

NODES, DIMENSION, SAMPLES, BATCH = 7, 3, 8, 2
EVENTS = 600

Blocks = Mapping[str, np.ndarray]
NO_BLOCKS: Blocks = {}
Setting = Literal["fixed", "time-varying", "composite"]


def small_problem(kind: str = "least_squares") -> Problem:
    """Linear models, or points, of seven nodes in three dimensions, all different."""
    rng = np.random.default_rng(0)
    if kind == "averaging":
        return Problem.averaging(rng.standard_normal((NODES, DIMENSION)))
    A = rng.standard_normal((NODES, SAMPLES, DIMENSION))
    b = A @ np.ones(DIMENSION) + rng.standard_normal((NODES, SAMPLES))
    if kind == "logistic_l2":
        b = np.where(b > 0, 1.0, -1.0)
    return Problem.from_arrays(A, b, kind, mu=None if kind == "least_squares" else 0.3)


def lollipop() -> Network:
    """Seven nodes without any symmetry that a relabelling could hide behind."""
    edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6)]
    return Network(NODES, np.array(edges))


def sequence() -> GraphSequence:
    """Three graphs in turn."""
    rng = np.random.default_rng(5)
    return GraphSequence(tuple(build("random_geometric", NODES, rng) for _ in range(3)))


@dataclass(frozen=True)
class Case:
    """A method on one problem and network."""

    method: Method
    setting: Setting
    kind: str = "least_squares"

    def __str__(self) -> str:
        return f"{self.setting}, {self.kind}"

    @cached_property
    def network(self) -> Network | GraphSequence:
        """A lollipop, or three graphs in turn."""
        return sequence() if self.setting == "time-varying" else lollipop()

    @cached_property
    def problem(self) -> Problem:
        """Smooth, or with an l1 norm that all nodes share."""
        smooth = small_problem(self.kind)
        if self.setting != "composite":
            return smooth
        return smooth.with_local_step(make("l1", DIMENSION, strength=0.2))

    @cached_property
    def tuning(self) -> Tuning:
        """The method with its own constants."""
        return self.method.tune(self.problem, self.network)

    @cached_property
    def events(self) -> Events:
        """The first events that the method asks for."""
        clock = clock_of_the_paper(self.tuning, self.network, np.random.SeedSequence(1))
        return clock.window()[:EVENTS]

    @cached_property
    def optimum(self) -> dict[str, np.ndarray]:
        """The fixed point that the method declares; Skip where it declares none."""
        found = self.method.optimum(self.problem, self.network, self.tuning)
        if found is None:
            raise Skip("declares no fixed point")
        return found

    def rows(self, seed: int) -> np.ndarray:
        """A random row for every node."""
        return np.random.default_rng(seed).standard_normal((NODES, DIMENSION))

    def random_blocks(self, seed: int = 2) -> dict[str, np.ndarray]:
        """A random start of every block."""
        rng = np.random.default_rng(seed)
        found = {b: rng.standard_normal((NODES, DIMENSION)) for b in self.method.blocks}
        of_samples = getattr(self.method, "sample_blocks", ())
        return found | {b: rng.standard_normal(NODES * SAMPLES) for b in of_samples}

    def player(self, blocks: Blocks = NO_BLOCKS, batch_size: int | None = None) -> Player:
        """The method at time 0, from ones, or from given blocks."""
        x0 = np.ones((NODES, DIMENSION))
        return make_player(self.method, self.problem, self.tuning, x0, blocks, batch_size)

    def start(self, rows: np.ndarray) -> dict[str, Any]:
        """Arguments of a replay that begins at ``rows``, whatever the method begins at."""
        name = self.method.start_block if self.method.needs_averaging else "x0"
        return {str(name): rows}

    def replay(
        self, events: Events | None = None, x0: Any = None, blocks: Blocks = NO_BLOCKS
    ) -> dict[str, np.ndarray]:
        """Every block after the events."""
        log = self.events if events is None else events
        given: dict[str, Any] = dict(blocks)
        if x0 is not None:
            given |= self.start(x0)
        return replay(self.method, self.problem, self.network, log, **given)


class Skip(Exception):
    """Raised by a law that does not speak of this method."""


Law = Callable[[Case], None]
LAWS: list[Law] = []


def law(function: Law) -> Law:
    """Add a law; its docstring is one sentence that a broken law prints."""
    LAWS.append(function)
    return function


# ---- What a method says of itself ----------------------------------------------------------------


@law
def it_can_be_cited(case: Case) -> None:
    """It names its reference, by a key of references.bib, as BibTeX or as text."""
    reference = case.method.reference
    assert reference, "reference is empty"
    whole = " " in reference or citation(case.method) != reference
    assert whole, f"reference {reference!r} is no key of references.bib"


@law
def it_refuses_what_it_cannot_do(case: Case) -> None:
    """What it does not declare is refused in one line that names it."""
    method, problem = case.method, small_problem(case.kind)
    attempts: list[Callable[[], None]] = []
    if method.needs_averaging:
        attempts.append(lambda: method.check_supported(small_problem(), lollipop()))
    if method.composite == "none":
        composite = problem.with_local_step(make("l1", DIMENSION, strength=0.2))
        attempts.append(lambda: method.check_supported(composite, lollipop()))
    if method.needs_l2:
        attempts.append(lambda: method.check_supported(small_problem(), lollipop()))
    if not method.time_varying:
        attempts.append(lambda: method.check_supported(problem, sequence()))
    if not method.stochastic:
        attempts.append(
            lambda: method.check_supported(problem, lollipop(), Options(batch_size=BATCH))
        )
    if not getattr(method, "steps", ()):
        attempts.append(lambda: method.check_supported(problem, lollipop(), Options(schedule=HALF)))
    for attempt in attempts:
        said = _refusal(attempt)
        assert method.name in said, f"the refusal does not name it: {said}"


def _refusal(attempt: Callable[[], Any]) -> str:
    """The line that an attempt is refused with; AssertionError where it is not, or in several."""
    try:
        attempt()
    except InputError as error:
        said = str(error)
    else:
        raise AssertionError("it accepted what it should have refused")
    assert "\n" not in said, f"a refusal has several lines: {said}"
    return said


@law
def overrides_win_and_nonsense_is_refused(case: Case) -> None:
    """Every constant can be overridden by its name; unknown names and infinities are refused."""
    problem, network, method = case.problem, case.network, case.method
    _refusal(lambda: method.tune(problem, network, {"no_such_constant": 1.0}))
    for name in case.tuning.constants:
        _refusal(partial(method.tune, problem, network, {name: math.nan}))
    whole = {name for name, value in case.tuning.constants.items() if value == int(value)}
    for name, value in case.tuning.constants.items():
        if name not in whole:
            changed = method.tune(problem, network, {name: 0.97 * value}).constants[name]
            assert changed == 0.97 * value, f"parameter {name!r} was overridden by {changed}"


class Half(Schedule):
    """Steps of half the length, in every round."""

    kind: Literal["half"] = "half"

    def scale(self, k: int) -> float:
        """1/2."""
        return 0.5


HALF = Half()


@law
def a_schedule_changes_its_steps_only(case: Case) -> None:
    """With steps halved in every round it plays as with the constants themselves halved."""
    steps = getattr(case.method, "steps", ())
    if not steps:
        raise Skip("has no step that may vary")
    constants = case.tuning.constants
    halved = {name: 0.5 * constants[name] for name in steps}
    ends = []
    for overrides, options in (({}, Options(schedule=HALF)), (halved, Options()), ({}, Options())):
        tuning = case.method.tune(case.problem, case.network, overrides, options)
        x0 = np.ones((NODES, DIMENSION))
        player = make_player(case.method, case.problem, tuning, x0, {})
        player.play(case.events, 0, 50)
        ends.append(player.blocks(case.method.blocks))
    for block in case.method.blocks:
        assert np.array_equal(ends[0][block], ends[1][block]), f"block {block} differs"
    some = case.method.blocks[0]
    assert not np.array_equal(ends[0][some], ends[2][some]), "half a step changes nothing"


# ---- Fixed points and invariants -----------------------------------------------------------------


def _without_drift(case: Case, block: str, value: np.ndarray) -> np.ndarray:
    return value - value.mean(axis=0) if block in case.method.drifting else value


@law
def the_declared_optimum_is_a_fixed_point(case: Case) -> None:
    """At the declared optimum nothing moves, and every node's estimate is x*."""
    scale = max(np.abs(block).max() for block in case.optimum.values())
    after = case.replay(blocks=case.optimum)
    for block, value in case.optimum.items():
        moved = np.abs(_without_drift(case, block, after[block] - value)).max()
        assert moved <= 1e-9 * scale, f"block {block} moves by {moved:.1e} (of {scale:.1e})"
    estimates = np.empty((NODES, DIMENSION))
    player = case.player(case.optimum)
    player.begin(case.events)
    player.observe(0.0, estimates)
    error = np.abs(estimates - case.problem.x_star).max()
    assert error <= 1e-9 * scale, f"the estimate is {error:.1e} from x*"


@law
def a_point_off_the_optimum_is_no_fixed_point(case: Case) -> None:
    """The law above can fail: from about 0.1 beside the optimum the blocks move."""
    # Not by the same at every node: there what only averages would stay.
    off = case.random_blocks(5)
    moved = {block: value + 0.1 * off[block] for block, value in case.optimum.items()}
    after = case.replay(blocks=moved)
    assert max(np.abs(after[block] - moved[block]).max() for block in moved) > 1e-3


@law
def gossip_conserves_the_declared_invariant(case: Case) -> None:
    """The sum over the nodes of each block in ``invariant`` stays, and the block itself moves.

    Exchanges at one instant, so that no flow mixes in; rounds from dual variables that sum to zero.
    """
    method, events = case.method, case.events
    if not method.invariant:
        raise Skip("declares no invariant")
    if isinstance(method, RoundMethod):
        x0 = case.rows(2)
        before = method.initial_values(NODES, DIMENSION, x0, {})
        after = case.replay(x0=x0)
    else:
        gossips = events.kind == GOSSIP
        events = Events.from_arrays(
            np.zeros(gossips.sum()),
            events.kind[gossips],
            events.i[gossips],
            events.j[gossips],
            case.network,
        )
        before = case.random_blocks()
        after = case.replay(events, blocks=before)
    for block in method.invariant:
        scale = np.abs(after[block]).max()
        assert np.abs(after[block] - before[block]).max() > 1e-3, f"block {block} never moved"
        drift = np.abs(after[block].sum(axis=0) - before[block].sum(axis=0)).max()
        assert drift <= 1e-12 * len(events) * scale, f"the sum of {block} drifts by {drift:.1e}"


# ---- Symmetries of a replay ----------------------------------------------------------------------


@law
def relabelling_the_nodes_relabels_the_result(case: Case) -> None:
    """No node is special by its number."""
    if case.method.samples and isinstance(case.method, RoundMethod):
        raise Skip("draws by the numbers of the nodes")
    order = np.random.default_rng(3).permutation(NODES)
    x0 = case.rows(4)
    plain = case.replay(x0=x0)
    network = case.network.relabelled(order)
    events = case.events
    if not isinstance(case.method, RoundMethod):
        events = events.relabelled(order, network)
    problem, start = case.problem.relabelled(order), case.start(x0[order])
    other = replay(case.method, problem, network, events, **start)
    scale = max(np.abs(value).max() for value in plain.values())  # some blocks go to 0
    # Rounding decides which of two numbers that are nearly the same is sent, and which is left.
    compressed = getattr(case.method, "compression", "none") != "none"
    for block, value in plain.items():
        error = np.abs(_by_nodes(other[block]) - _by_nodes(value)[order]).max()
        assert error <= (1e-8 if compressed else 1e-10) * scale, (
            f"block {block} differs by {error:.1e}"
        )


def _by_nodes(block: np.ndarray) -> np.ndarray:
    """A row for each node, of a block of nodes or of samples."""
    return block.reshape(NODES, -1)


@law
def windows_change_nothing(case: Case) -> None:
    """A log played in pieces gives the bits that it gives whole; so does a second play."""
    pieces = [(0, 1), (1, 250), (250, 250), (250, EVENTS - 1), (EVENTS - 1, EVENTS)]
    ends = []
    for parts in ([(0, EVENTS)], pieces):
        player = case.player()
        for first, last in parts:
            window = case.events[first:last]
            player.play(window, 0, len(window))
        ends.append(player.blocks(case.method.every_block))
    for block in case.method.every_block:
        assert np.array_equal(ends[0][block], ends[1][block]), f"block {block} differs"


@law
def observing_leaves_the_state_alone(case: Case) -> None:
    """Sampling a run changes no bit of it."""
    player = case.player()
    player.play(case.events, 0, EVENTS // 2)
    before = player.blocks(case.method.every_block)
    player.observe(case.events.time[EVENTS // 2], np.empty((NODES, DIMENSION)))
    for block, value in player.blocks(case.method.every_block).items():
        assert np.array_equal(value, before[block]), f"block {block} was changed"


@law
def events_at_other_nodes_do_not_touch_a_node(case: Case) -> None:
    """A node knows of others what they told it, and nothing else."""
    if isinstance(case.method, RoundMethod):
        raise Skip("plays rounds of all nodes")
    node, events = NODES - 1, case.events
    first = int(np.argmax((events.i == node) | (events.j == node)))
    assert first > 0
    start = case.random_blocks()
    after = case.replay(events[:first], blocks=start)
    for block, value in start.items():
        same = np.array_equal(_by_nodes(after[block])[node], _by_nodes(value)[node])
        assert same, f"block {block} was touched"


@law
def a_round_is_heard_by_neighbours_only(case: Case) -> None:
    """After one round a change at a node is seen no farther than as many edges away as it had
    messages in sequence.
    """
    if not isinstance(case.method, RoundMethod):
        raise Skip("has no rounds")
    if case.setting == "time-varying":
        raise Skip("distances are of a fixed graph")
    messages = round(case.tuning.asked.with_heads.messages_in_sequence)
    far = 6 - messages if case.method.start_block else -1
    if far < 3:
        raise Skip("a round reaches every node")
    x0 = case.rows(4)
    moved = x0.copy()
    moved[6] += 1.0  # the end of the lollipop's tail; nodes 5, 4, 3 are 1, 2, 3 edges away
    one, other = (case.replay(case.events[:1], rows) for rows in (x0, moved))
    for block in case.method.blocks:
        for node in range(3, far):
            same = np.array_equal(one[block][node], other[block][node])
            assert same, f"block {block} of node {node} heard of node 6, {6 - node} edges away"


@law
def compiled_equals_plain_python(case: Case) -> None:
    """The compiled functions give the bits of the same functions as plain Python."""
    if not isinstance(case.method, AsynchronousMethod):
        raise Skip("is plain Python")
    compiled, plain = case.player(), case.player()
    compiled.play(case.events, 0, 60)
    loop: Any = plain
    loop._play = play
    loop.play(case.events, 0, 60)
    a, b = (player.blocks(case.method.every_block) for player in (compiled, plain))
    for block in case.method.every_block:
        assert np.array_equal(a[block], b[block]), f"block {block} differs"


@law
def a_table_of_samples_is_declared(case: Case) -> None:
    """It keeps a gradient of each sample if it says so, and only then: memory is planned for it."""
    if not case.method.samples:
        raise Skip("asks for no samples")
    if not isinstance(case.method, RoundMethod):
        raise Skip("has no rounds")
    player: Any = case.player()
    player.play(case.events, 0, 2)
    assert (player.nodes.table is not None) == case.method.table


@law
def it_makes_progress(case: Case) -> None:
    """From ones it comes closer to x* in the mean over the nodes, and stays finite."""
    errors = []
    player = case.player()
    estimates = np.empty((NODES, DIMENSION))
    player.begin(case.events)
    for first, last in ((0, 0), (0, EVENTS)):
        player.play(case.events, first, last)
        player.observe(case.events.time[last - 1] if last else 0.0, estimates)
        errors.append(((estimates - case.problem.x_star) ** 2).sum())
    assert errors[1] < errors[0], f"the error goes from {errors[0]:.2e} to {errors[1]:.2e}"


@law
def it_equals_what_it_says_it_equals(case: Case) -> None:
    """With ``same_as`` its estimates are those of that method, to rounding."""
    if case.method.same_as is None:
        raise Skip("equals no other method")
    other = Case(get_method(case.method.same_as), case.setting, case.kind)
    estimates = []
    for one in (case, other):
        player = one.player()
        player.play(case.events, 0, 100)
        estimates.append(np.empty((NODES, DIMENSION)))
        player.observe(case.events.time[99], estimates[-1])
    error = np.abs(estimates[0] - estimates[1]).max()
    assert error <= 1e-10 * np.abs(estimates[1]).max(), f"they differ by {error:.1e}"


# ---- What is paid --------------------------------------------------------------------------------


class Watched:
    """An objective that counts what it is asked, in the place of the real one."""

    def __init__(self, inner: Any):
        self.inner = inner
        self.gradients = 0.0
        self.conjugate_gradients = self.local_solves = 0

    def gradient(self, i: int, x: np.ndarray, mark: Any, out: np.ndarray) -> None:
        """The real one's."""
        self.gradients += 1
        oracles.gradient(self.inner, i, x, mark, out)

    def sample_gradient(self, i: int, k: int, x: np.ndarray, out: np.ndarray) -> None:
        """The real one's; part of a gradient."""
        self.gradients += 1 / SAMPLES
        oracles.sample_gradient(self.inner, i, k, x, out)

    def sample_dot(self, i: int, k: int, x: np.ndarray) -> float:
        """The real one's; part of the gradient of a sample."""
        return float(oracles.sample_dot(self.inner, i, k, x))

    def sample_slope(self, i: int, k: int, weight: float, r: float) -> float:
        """The real one's; part of a gradient."""
        self.gradients += 1 / SAMPLES
        return float(oracles.sample_slope(self.inner, i, k, weight, r))

    def add_sample(self, i: int, k: int, weight: float, out: np.ndarray) -> None:
        """The real one's; part of the gradient of a sample."""
        oracles.add_sample(self.inner, i, k, weight, out)

    def conjugate_gradient(self, i: int, y: np.ndarray, out: np.ndarray) -> None:
        """The real one's."""
        self.conjugate_gradients += 1
        oracles.conjugate_gradient(self.inner, i, y, out)

    def local_solve(
        self, i: int, v: np.ndarray, curvature: float, step: float, x: np.ndarray
    ) -> None:
        """The real one's; the gradients that it takes are part of it."""
        self.local_solves += 1
        oracles.local_solve(self.inner, i, v, curvature, step, x)

    def prox(self, step: float, v: np.ndarray, out: np.ndarray) -> None:
        """The real one's."""
        oracles.prox(self.inner, step, v, out)

    def gradient_mapping(self, step: float, x: np.ndarray, g: np.ndarray) -> None:
        """The real one's."""
        oracles.gradient_mapping(self.inner, step, x, g)


for _verb in (
    *("gradient", "sample_gradient", "conjugate_gradient"),
    *("local_solve", "prox", "gradient_mapping"),
    *("sample_dot", "sample_slope", "add_sample"),
):
    getattr(oracles, _verb).register(Watched, getattr(Watched, _verb))


@dataclass
class Wire:
    """What went over the edges of a synchronous method: the rows of every message that W was
    applied to, and of every one whose mean a server took the numbers in a row.
    """

    rows: list[np.ndarray] = field(default_factory=list)
    means: list[int] = field(default_factory=list)

    def watch(self, W: Any) -> "WatchedMatrix":
        """A matrix that records what it is applied to."""
        return WatchedMatrix(W, self)

    def watch_mean(
        self, mean: Callable[[np.ndarray], np.ndarray]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The same function, which records what it is applied to."""

        def watched(V: np.ndarray) -> np.ndarray:
            self.means.append(V.shape[1])
            return mean(V)

        return watched

    def watch_together(self, together: Callable[..., Any]) -> Callable[..., Any]:
        """The same function of (function, parts), whose parts travel in one message."""

        def watched(function: Callable[[np.ndarray], np.ndarray], parts: tuple[Any, ...]) -> Any:
            rows, means = len(self.rows), len(self.means)
            answers = together(function, parts)
            made = self.rows[rows:]
            rounds = len(made) // len(parts)
            self.rows[rows:] = [np.hstack(made[q::rounds]) for q in range(rounds)]
            if self.means[means:]:
                self.means[means:] = [sum(self.means[means:])]
            return answers

        return watched

    def numbers_and_bits(self, d: int) -> tuple[int, int]:
        """What a row of d numbers, a message for each DIMENSION of them, takes that can be read off
        all such rows: floats of 64 bits; where some are always 0, a float and a place for each of
        the others; where they have few values relative to their largest, a symbol each and the
        largest at full length.
        """
        sent = np.vstack([rows for rows in self.rows if rows.shape[1] == d])
        most, parts = int(np.count_nonzero(sent, axis=1).max()), d // DIMENSION
        if most < d:
            bits = most // parts * (64 + math.ceil(math.log2(DIMENSION)))
            return most, parts * 8 * math.ceil(bits / 8)
        largest = np.abs(sent).max(axis=1, keepdims=True)
        relative = np.divide(sent, largest, out=np.zeros(sent.shape), where=largest > 0)
        symbols = np.unique(np.round(relative, 12))
        if len(symbols) > 64:
            return d, 64 * d
        return d + 1, math.ceil(math.log2(len(symbols))) * d + 64


@dataclass
class WatchedMatrix:
    """See :class:`Wire`."""

    inner: Any
    wire: Wire

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        self.wire.rows.append(V.copy())
        return self.inner @ V


@contextmanager
def _watched(player: Any) -> Iterator[tuple[Watched, Wire]]:
    """Count, beside the package's own counters and below them, what a player asks for."""
    watched, wire = Watched(player.objective), Wire()
    product_nodes = gossip.PRODUCT_NODES
    player.objective = watched
    if hasattr(player, "nodes"):
        player.nodes.objective = watched
        player.W.matrices = [wire.watch(W) for W in player.W.matrices]
        player.W._mean = wire.watch_mean(player.W._mean)
        player.W._together = wire.watch_together(player.W._together)
    else:
        player.compiled_objective = False
    try:
        gossip.PRODUCT_NODES = 0  # rounds one by one
        yield watched, wire
    finally:
        gossip.PRODUCT_NODES = product_nodes


@law
def what_it_costs_is_what_it_asks_for(case: Case) -> None:
    """Gradients, conjugate gradients, local solves, messages, numbers and bytes are counted where
    they are asked for: an objective and matrices that count come to the same.
    """
    player: Any = case.player()
    estimates = np.empty((NODES, DIMENSION))
    with _watched(player) as (watched, wire):
        player.begin(case.events)
        if not isinstance(case.method, RoundMethod):
            player.observe(0.0, estimates)  # a start that has to be computed is paid
        _compare_oracles(watched, player.tally, "before the first event")
        rounds = 50
        player.play(case.events, 0, rounds)
        _compare_oracles(watched, player.tally, f"after {rounds} events")
    tally = player.tally
    edges = np.array([len(graph.edges) for graph in case.network.graphs])
    if isinstance(case.method, RoundMethod):
        up_and_down = 2 * nx.radius(case.network.graphs[0].to_networkx())
        messages = len(wire.rows) + up_and_down * len(wire.means)
        assert tally.messages_in_sequence == messages, (
            f"{tally.messages_in_sequence:g} messages in sequence are counted, {messages} were sent"
        )
        if len(edges) > 1:
            return  # which graph a message went over is not seen here
        widths = [rows.shape[1] for rows in wire.rows]
        takes = {d: wire.numbers_and_bits(d) for d in set(widths)}
        sent = [takes[d] for d in widths]
        in_trees = 2 * (NODES - 1) * sum(wire.means)
        numbers = 2 * edges[0] * sum(n for n, _ in sent) + in_trees
        size = 2 * edges[0] * sum(math.ceil(bits / 8) for _, bits in sent) + 8 * in_trees
        most = edges[0] * len(wire.rows) + (NODES - 1) * len(wire.means)
    else:
        exchanges, tuning = int((case.events.kind[:rounds] == GOSSIP).sum()), case.tuning
        length = _message_length(case)
        messages = exchanges if tuning.asked.one_way else 2 * exchanges
        numbers, size, most = messages * length, 8 * messages * length, exchanges
        assert (tally.communications, tally.messages) == (exchanges, messages)
    assert 0 <= tally.communications <= most
    assert tally.floats_sent == numbers, f"{tally.floats_sent:g} numbers counted, {numbers} sent"
    assert tally.bytes_sent == size, f"{tally.bytes_sent:g} bytes counted, {size} sent"


def _compare_oracles(watched: Watched, tally: Any, when: str) -> None:
    asked = watched.gradients + watched.conjugate_gradients + watched.local_solves
    for what, counted, found in (
        ("oracle calls", tally.gradients, asked),
        ("conjugate gradients", tally.conjugate_gradients, watched.conjugate_gradients),
        ("local solves", tally.local_solves, watched.local_solves),
    ):
        assert counted == found, f"{counted:g} {what} are counted {when}, {found} were asked for"


def _message_length(case: Case) -> int:
    """The numbers that an asynchronous method writes into its message."""
    method: Any = case.method
    player: Any = case.player()
    out = np.full((method.vectors + 1) * DIMENSION, np.nan)[: method.vectors * DIMENSION]
    objective = case.problem.with_conjugate() if method.needs_conjugate else player.objective
    method.message(player.state, player.p, objective, 0, out)
    assert not np.isnan(out).any(), "message leaves part of its vectors unwritten"
    return len(out)


@law
def a_minibatch_counts_its_share(case: Case) -> None:
    """With minibatches a gradient counts batch over samples, and the draws are the run's own."""
    if not case.method.stochastic:
        raise Skip("takes full gradients only")
    if case.method.samples:
        raise Skip("draws samples in any case")
    full, batch, again = case.player(), case.player(batch_size=BATCH), case.player(batch_size=BATCH)
    for player in (full, batch, again):
        player.play(case.events, 0, 100)
    share = batch.tally.gradients / full.tally.gradients
    assert abs(share - BATCH / SAMPLES) < 1e-12, f"a minibatch counts {share:g} of a gradient"
    ends = [player.blocks(case.method.blocks) for player in (full, batch, again)]
    some = case.method.blocks[0]
    assert not np.array_equal(ends[0][some], ends[1][some]), "minibatches changed nothing"
    for block in case.method.blocks:
        assert np.array_equal(ends[1][block], ends[2][block]), f"block {block} was drawn anew"


# ---- The suite -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of a law in a case: ``status`` passed, broken or skipped, and ``why``."""

    law: str
    case: str
    status: Literal["passed", "broken", "skipped"]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.law} ({self.case}): {self.status}" + (f", {self.why}" if self.why else "")


def cases(method: Method) -> list[Case]:
    """The settings that a method declares to support."""
    settings: list[Setting] = ["fixed"]
    settings += ["time-varying"] if method.time_varying else []
    settings += ["composite"] if method.composite != "none" else []
    kinds: tuple[str, ...] = ("least_squares", "logistic_l2")
    if method.needs_averaging or method.needs_l2:
        kinds = ("averaging",) if method.needs_averaging else ("ridge", "logistic_l2")
    return [Case(method, s, kind) for s in settings for kind in kinds]


def outcomes(method: Method) -> Iterator[Outcome]:
    """Every law in every case of ``method``, one after the other."""
    for case in cases(method):
        for one in LAWS:
            yield hold(one, case)


def hold(one: Law, case: Case) -> Outcome:
    """One law in one case; what the method itself raises breaks the law.

    Of a method that diverges the law speaks, and NumPy need not warn.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            one(case)
    except Skip as reason:
        return Outcome(one.__name__, str(case), "skipped", str(reason))
    except AssertionError as error:
        why = str(error) or str(one.__doc__).splitlines()[0]
        return Outcome(one.__name__, str(case), "broken", " ".join(why.split()))
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        return Outcome(one.__name__, str(case), "broken", " ".join(why.split()))
    return Outcome(one.__name__, str(case), "passed")


def check_method(method: Method) -> None:
    """Hold ``method`` against every law.

    Raises AssertionError with one line per law that is broken, InputError for what is no method.
    """
    if not isinstance(method, Method):
        right = "give what is called METHOD in its file, or get_method(its name)"
        raise InputError("method", f"a Method is needed, not a {type(method).__name__}", right)
    broken = [str(o) for o in outcomes(method) if o.status == "broken"]
    if broken:
        raise AssertionError("\n".join([f"{method.name} breaks its contract:", *broken]))
