"""What a method asks of nodes and edges, found by asking it: nothing of this is declared.

The functions of a method are played once with stand-ins that answer nothing and count everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.chebyshev import Chebyshev
from dadao_sim.algorithms.contract.directed import StubDirectedGossip
from dadao_sim.algorithms.contract.gossip import Gossip, Part, Weights, normalised
from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.samples import Samples
from dadao_sim.algorithms.contract.server import Server
from dadao_sim.algorithms.contract.tally import FLOAT_BITS, Tally
from dadao_sim.compression import Compressor
from dadao_sim.engine import oracles
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError
from dadao_sim.networks.directed import AnyNetwork, DirectedNetwork

if TYPE_CHECKING:
    from dadao_sim.algorithms.contract.method import AsynchronousMethod
    from dadao_sim.algorithms.contract.rounds import RoundMethod
    from dadao_sim.problems import Problem


class EventCosts(NamedTuple):
    """What an event asks of a node: gradients, those of them that are conjugate gradients, or local
    solves.
    """

    gradients: float = 0.0
    conjugate_gradients: float = 0.0
    local_solves: float = 0.0

    @property
    def whole(self) -> float:
        """What is no gradient that a minibatch makes cheaper."""
        return self.conjugate_gradients + self.local_solves


NOTHING = EventCosts()


@dataclass(frozen=True)
class Asked:
    """What a method asks for.

    ``start`` is what it costs before the first event or round, of all nodes together. Of a method
    of rounds ``per_round`` is what a round costs on average, over the graphs and over its coin;
    ``with_heads`` what one costs whose coin shows heads, which it does with probability ``chance``:
    the same where there is no coin. Over an edge that is activated go
    ``messages_per_communication`` each way (over one of a directed network, on average as many as
    make up a communication), or by turns on the way to the ``server`` of a
    method that has one, and back. Of an asynchronous one
    ``gradient`` and ``exchange`` are what an event asks of a node, and an exchange of both its ends
    together; ``numbers`` is what each end sends in an exchange, or one of them if it is
    ``one_way``. ``prox_step`` is the smallest step
    at which the prox of r is asked for, None where it never is.
    """

    start: Tally = field(default_factory=Tally)
    per_round: Tally = field(default_factory=Tally)
    with_heads: Tally = field(default_factory=Tally)
    chance: float = 1.0
    server: Server | None = None
    gradient: EventCosts = NOTHING
    exchange: EventCosts = NOTHING
    numbers: int = 0
    one_way: bool = False
    messages_per_communication: float = 1.0
    prox_step: float | None = None

    @property
    def bytes_each_way(self) -> int:
        """What each end of an edge sends in an exchange of an asynchronous method."""
        return self.numbers * FLOAT_BITS // 8

    @property
    def message_bytes(self) -> float:
        """What each end of an edge sends in one message."""
        if self.numbers:
            return self.bytes_each_way
        messages = self.with_heads.messages_in_sequence
        return self.with_heads.bytes_in_sequence // messages if messages else 0.0

    def count_resent(self, tally: Tally) -> None:
        """Add to ``tally`` one message, each way, of a round that was lost and is sent again."""
        part = 1 / self.messages_per_communication
        once = self.with_heads
        tally.communications += part
        tally.messages += 2 * part
        tally.floats_sent += part * once.floats_sent / once.communications
        tally.bytes_sent += part * once.bytes_sent / once.communications


class Stub:
    """An objective that answers zeros, and counts."""

    def __init__(self) -> None:
        self.gradients = self.conjugate_gradients = self.local_solves = 0
        self.steps: list[float] = []

    def gradient(self, i: int, x: np.ndarray, mark: Any, out: np.ndarray) -> None:
        """Zero."""
        self.gradients += 1
        out[:] = 0.0

    def conjugate_gradient(self, i: int, y: np.ndarray, out: np.ndarray) -> None:
        """Zero."""
        self.gradients += 1
        self.conjugate_gradients += 1
        out[:] = 0.0

    def local_solve(
        self, i: int, v: np.ndarray, curvature: float, step: float, x: np.ndarray
    ) -> None:
        """The start."""
        self.gradients += 1
        self.local_solves += 1
        self.steps.append(float(step))

    def prox(self, step: float, v: np.ndarray, out: np.ndarray) -> None:
        """The identity."""
        self.steps.append(float(step))
        out[:] = v

    def gradient_mapping(self, step: float, x: np.ndarray, g: np.ndarray) -> None:
        """That of no term."""
        self.steps.append(float(step))

    def sample_dot(self, i: int, k: int, x: np.ndarray) -> float:
        """Zero; part of what a sample's slope costs."""
        return 0.0

    def sample_slope(self, i: int, k: int, weight: float, r: float) -> float:
        """Zero; a gradient, of one sample."""
        self.gradients += 1
        return 0.0

    def add_sample(self, i: int, k: int, weight: float, out: np.ndarray) -> None:
        """Nothing; part of what a sample's slope costs."""

    def taken(self) -> EventCosts:
        """What was asked since the last time."""
        costs = EventCosts(self.gradients, self.conjugate_gradients, self.local_solves)
        self.gradients = self.conjugate_gradients = self.local_solves = 0
        return costs


for verb in (
    *("gradient", "conjugate_gradient", "local_solve", "prox", "gradient_mapping"),
    *("sample_dot", "sample_slope", "add_sample"),
):
    getattr(oracles, verb).register(Stub, getattr(Stub, verb))


def asked_of_events(
    method: "AsynchronousMethod",
    params: Any,
    problem: "Problem",
    network: "AnyNetwork",
) -> Asked:
    """What an asynchronous method asks for: its functions are called once each, as plain Python,
    for a node in one dimension.
    """
    values = np.zeros((2, len(method.blocks) + 1, 1))
    samples, sampled = method.initial_samples(problem, {})
    remembered = len(network.edges) if method.ends else 0
    ends = np.zeros((remembered, 2, len(method.end_blocks)))
    state = State(values, np.zeros(2), np.ones(2, np.int64), ends, samples, sampled)
    stub, out, parcel = (
        Stub(),
        np.zeros(method.step_vectors),
        np.zeros(method.vectors + method.scalars),
    )
    with np.errstate(all="ignore"):
        method.gradient(state, params, stub, 0, np.uint64(0), out)
        gradient = stub.taken()
        method.message(state, params, stub, 0, parcel)
        message = stub.taken()
        method.observe(state, params, stub, 0, 1.0, np.zeros(1), out[:1])
        observed = stub.taken()
    return Asked(
        start=Tally(*(problem.nodes * cost for cost in observed)),
        gradient=gradient,
        exchange=EventCosts(*(2 * cost for cost in message)),
        numbers=method.vectors * problem.dimension + method.scalars,
        one_way=method.one_way,
        prox_step=min(stub.steps, default=None),
    )


class StubNodes(Nodes):
    """Nodes that answer with what they were given."""

    def __init__(
        self, nodes: int, tally: Tally, compressor: Compressor | None, samples: Samples | None
    ):
        super().__init__(
            *(None, np.ones(nodes), tally), stochastic=False, compressor=compressor, samples=samples
        )
        self.steps: list[float] = []

    def _sample_gradients(
        self, nodes: np.ndarray, numbers: np.ndarray, X: np.ndarray, out: np.ndarray
    ) -> None:
        out[:] = 0.0

    def gradients(self, X: np.ndarray) -> np.ndarray:
        """X."""
        self.tally.gradients += self.share
        return X.copy()

    def minibatches(self, shape: tuple[int, int]) -> np.ndarray:
        """Ones."""
        self.tally.gradients += self.share
        return np.ones((self.count, *shape))

    def seen_gradient(self, x: np.ndarray) -> np.ndarray:
        """x."""
        return x.copy()

    def conjugate_gradients(self, Y: np.ndarray) -> np.ndarray:
        """Y."""
        self.tally.gradients += self.awake
        self.tally.conjugate_gradients += self.awake
        return Y.copy()

    def prox(self, X: np.ndarray, step: float | np.ndarray) -> np.ndarray:
        """X."""
        self.steps.append(float(np.min(step)))
        return X.copy()

    def lmo(self, S: np.ndarray) -> np.ndarray:
        """S."""
        return S.copy()

    def local_solves(
        self, V: np.ndarray, curvature: np.ndarray, step: np.ndarray, start: np.ndarray
    ) -> np.ndarray:
        """The start."""
        self.tally.gradients += self.awake
        self.tally.local_solves += self.awake
        self.steps.append(float(np.min(step)))
        return start.copy()


class StubGossip(Gossip):
    """A gossip that leaves every row where it is."""

    def _matrices(self, graphs: Sequence[Any], weights: Weights) -> list[Any]:
        return []

    def _mean(self, V: np.ndarray) -> np.ndarray:
        return np.array(V)

    def _mixed(self, parts: tuple[Part, ...], first: int, rounds: int) -> Any:
        rows = tuple(np.array(getattr(part, "rows", part)) for part in parts)
        return rows[0] if len(rows) == 1 else rows


def asked_of_rounds(
    method: "RoundMethod",
    c: SimpleNamespace,
    problem: "Problem",
    network: AnyNetwork,
    chebyshev: Chebyshev | None = None,
    compressor: Compressor | None = None,
    samples: Samples | None = None,
    lookahead: Lookahead | None = None,
    asleep: int = 0,
) -> Asked:
    """What a method of rounds asks for: its preparation, and the mean of a turn of rounds, or of a
    cycle of them, with a coin of such a turn on each of its sides, of a lookahead, and with some
    nodes ``asleep``.

    Raises InputError for blocks that are none (see ``RoundMethod.check_blocks``), for a coin that
    is no probability, for messages in spite of tails, and for some after a lookahead.
    """
    nodes, tally = problem.nodes, Tally()
    stub = StubNodes(nodes, tally, compressor, samples)
    W: Gossip = StubGossip(network.graphs, normalised, tally, chebyshev)
    if method.directed:
        W = StubDirectedGossip(network.graphs, tally)
    ones = np.ones((nodes, problem.dimension))
    s = method.state({b: np.ones(shape) for b, shape in method.block_shapes(*ones.shape).items()})
    turn = len(network.graphs)
    cycle = 1 if method.cycle is None else getattr(c, method.cycle)

    def a_round(place: int = 0, *, heads: bool) -> Tally:
        """The mean of a turn of them, each at this place of its cycle."""
        before = replace(tally)
        stub.heads = heads
        for number in range(place, place + turn * cycle, cycle):
            stub.at(number if method.layers is None else number % method.layers, 0)
            method.step(s, c, stub, W)
            method.check_blocks(s, ones.shape)
        return tally.less(before).times(1 / turn)

    with np.errstate(all="ignore"):
        method.prepare(s, c, stub, W)
        method.check_blocks(s, ones.shape)
        start, prepared = replace(tally), W.made
        stub.sleep(np.arange(nodes) < asleep)
        per_round = with_heads = a_round(heads=True)
        rounds_of_gossip = (W.made - prepared) / turn
        if cycle > 1:  # after the first round of a cycle the others are alike
            others = a_round(1, heads=True).times(1 - 1 / cycle)
            per_round = per_round.times(1 / cycle).plus(others)
        chance = method.chance(c)
        if chance < 1:
            tails = a_round(heads=False)
            if tails.messages_in_sequence:
                raise InputError(f"{method.name}: gossips in rounds whose coin shows tails")
            per_round = with_heads.times(chance).plus(tails.times(1 - chance))
        if lookahead is not None and method.renew is not None:
            before = replace(tally)
            method.renew(s, c, stub, W)
            method.check_blocks(s, ones.shape)
            renewed = tally.less(before)
            if renewed.messages_in_sequence:
                raise InputError(f"{method.name}: renew gossips; only step and prepare may")
            per_round = per_round.plus(renewed.times(1 / lookahead.period))
    if method.server:
        each_way = 2.0  # up, then down
    else:
        each_way = with_heads.messages_in_sequence / max(rounds_of_gossip, 1.0)
        if isinstance(network, DirectedNetwork):  # some edges have one arc
            each_way *= 2 * len(network.edges) / len(network.arcs)
    return Asked(
        start=start,
        per_round=per_round,
        with_heads=with_heads,
        chance=chance,
        server=W.server if method.server else None,
        messages_per_communication=each_way,
        prox_step=min(stub.steps, default=None),
    )
