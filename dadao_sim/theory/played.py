"""An asynchronous method as a flow and events of low rank, found by playing its own functions.

Whatever the f_i are, a method that is linear but for them reads its nodes by *readings*
``R s + c o(E s)`` (o the gradient of f_i, or that of its conjugate; s the blocks of one node) and
answers with jumps in fixed directions. Playing its functions on unit vectors, with an objective
that writes down what it is asked and answers what it is told, finds all of these; playing them
again at random proves that there is nothing else. So this holds for a user's method as well.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import expm, logm, matrix_balance

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Tuning
from dadao_sim.engine import oracles
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError, users_code
from dadao_sim.networks.network import Network

ROUNDING = 1e-9  # by which what is played may miss its linear form, relative
HALVINGS = 12  # of the time over which the flow is played to find its generator
TIMES = (0.618, 1.618, 4.7)  # over which it must then be the same
LATE = 5.0  # and from another start
STEPS = (1, 2, 7)  # numbers of steps over which a flow that counts is played
RANDOM = 3  # coordinates of a state drawn at random
GRADIENT, CONJUGATE = "gradient", "conjugate"
Play = Callable[[np.ndarray, "Probe"], np.ndarray]


class Probe:
    """An objective that answers ``value`` everywhere, and remembers where it was asked."""

    def __init__(self, value: float | np.ndarray = 0.0):
        self.value = value
        self.asked: list[tuple[str, np.ndarray]] = []


def _answers(oracle: str) -> Callable[..., None]:
    def answer(probe: Probe, i: int, x: np.ndarray, *rest: Any) -> None:
        probe.asked.append((oracle, x.copy()))
        rest[-1][:] = probe.value

    return answer


class NotLinear(Exception):
    """What of a method is not of the form; its text ends the sentence "its ..."."""


def _refuse(what: str) -> Callable[..., None]:
    def refuse(*_: Any) -> None:
        raise NotLinear(what)

    return refuse


oracles.gradient.register(Probe, _answers(GRADIENT))
oracles.conjugate_gradient.register(Probe, _answers(CONJUGATE))
oracles.local_solve.register(Probe, _refuse("local problems are solved with memory of the last"))
oracles.sample_gradient.register(Probe, _refuse("gradients are those of single samples"))


class Reading(NamedTuple):
    """``rows`` s + ``answer`` o(``point`` s): (v, b), (v,), (b,); ``oracle`` names o, None where
    nothing is asked.
    """

    rows: np.ndarray
    answer: np.ndarray
    point: np.ndarray
    oracle: str | None

    def of(self, s: np.ndarray, value: np.ndarray) -> np.ndarray:
        """At s (b, w), where o answers ``value`` (w,); (v, w)."""
        return self.rows @ s + np.multiply.outer(self.answer, value)


@dataclass(frozen=True, eq=False)
class Played:
    """A method on one network, with its rates: what does not depend on the f_i.

    ``flow`` (b, b): s' = flow s at every node; or, where events are counted and come ``duration``
    after each other, s+ = flow s in that time (``duration`` is 1 otherwise). A gradient event of
    node i adds ``directions[i]`` (b, r) times the reading ``gradients[i]``, a gossip event of e =
    (i, j) adds ``jumps[e, 0]`` (b, v) times the difference of the readings ``messages`` of i and j
    to i, and ``jumps[e, 1]`` times it, with the other sign, to j. ``steps[i]`` (b,) is what a
    gradient event adds for each unit of what o answered. ``estimates`` read x*. ``node_rates``
    (n,) and ``edge_rates`` (|E|,) are per unit of time.
    """

    method: AsynchronousMethod
    tuning: Tuning
    network: Network
    flow: np.ndarray
    counted: bool
    duration: float
    directions: tuple[np.ndarray, ...]
    gradients: tuple[Reading, ...]
    steps: np.ndarray
    jumps: np.ndarray
    messages: tuple[Reading, ...]
    estimates: tuple[Reading, ...]
    node_rates: np.ndarray
    edge_rates: np.ndarray

    @property
    def blocks(self) -> int:
        """Blocks of a node, b."""
        return len(self.flow)

    @property
    def has_gradients(self) -> bool:
        """Whether nodes have events of their own."""
        return bool(self.gradients)


def play(
    method: AsynchronousMethod,
    tuning: Tuning,
    network: Network,
    flow: np.ndarray | None = None,
) -> Played:
    """Find the form of ``method``, tuned for ``network``; ``flow`` is tried as its flow first.

    Raises InputError, with the reason, where it has none: memory of edges, solves, steps that are
    not linear, clocks that are not Poisson's.
    """
    clock = tuning.clock
    assert clock is not None
    reasons: Mapping[str, bool] = {
        "exchanges are those of a token that walks": clock.pace == "walk",
        "nodes remember something of each edge": method.ends is not None,
        "gradients are those of single samples": method.samples,
        "steps are of several vectors": method.step_vectors > 1,
        "estimate is a running average": bool(getattr(tuning.params, "averaging", 0)),
        "exchanges go one way": method.one_way or len(clock.arcs) > 0,
        "messages take time": clock.delay > 0,
    }
    try:
        for reason, holds in reasons.items():
            if holds:
                raise NotLinear(reason)
        with users_code(method.name):
            return _Player(method, tuning, network, flow).found()
    except NotLinear as error:
        raise InputError(
            f"{method.name} is no flow with linear events, whose rate would be known exactly: "
            f"its {error}"
        ) from None


def play_alike(
    method: AsynchronousMethod, tuning: Tuning, network: Network, flow: np.ndarray
) -> Played:
    """As ``play``, of a method all of whose nodes are known to be alike: two of them are played.
    ``flow`` is what its flow may be.
    """
    found = play(method, tuning, Network(nodes=2, edges=np.array([[0, 1]])), flow)
    n, m = network.nodes, len(network.edges)
    return replace(
        found,
        network=network,
        directions=found.directions[:1] * n,
        gradients=found.gradients[:1] * n,
        steps=np.repeat(found.steps[:1], n, axis=0),
        jumps=np.repeat(found.jumps, m, axis=0),
        messages=found.messages[:1] * n,
        estimates=found.estimates[:1] * n,
    )


class _Player:
    """Plays the functions of a method as plain Python, on the state of one node at a time."""

    def __init__(
        self,
        method: AsynchronousMethod,
        tuning: Tuning,
        network: Network,
        guess: np.ndarray | None,
    ):
        self.guess = guess
        self.method, self.p, self.tuning, self.network = method, tuning.params, tuning, network
        self.rng = np.random.default_rng(0)
        self.b, self.v = len(method.blocks), method.vectors
        self.random = self.rng.standard_normal((self.b, RANDOM))
        # What is added is the difference of two states, however small it is.
        self._rounded = float(8 * np.finfo(float).eps * np.abs(self.random).max())
        self.states: dict[tuple[int, float], State] = {}

    def found(self) -> Played:
        clock = self.tuning.clock
        assert clock is not None
        n, total = self.network.nodes, float(clock.nodes.sum() + clock.edges.sum())
        directions, gradients, steps = [], [], np.zeros((n, self.b))
        for i in range(n) if clock.nodes.any() else ():
            event = self._reading(partial(self._event, i), "gradient event")
            direction = _column_space(np.column_stack([event.rows, event.answer]))
            inverse = np.linalg.pinv(direction)
            directions.append(direction)
            gradients.append(
                event._replace(rows=inverse @ event.rows, answer=inverse @ event.answer)
            )
            steps[i] = event.answer
        nodes = range(n)
        return Played(
            method=self.method,
            tuning=self.tuning,
            network=self.network,
            flow=self._step(1 / total) if clock.pace == "steps" else self._flow(),
            counted=clock.pace == "steps",
            duration=1 / total if clock.pace == "steps" else 1.0,
            directions=tuple(directions),
            gradients=tuple(gradients),
            steps=steps,
            jumps=np.stack([self._jumps(e) for e in range(len(self.network.edges))]),
            messages=tuple(self._reading(partial(self._message, i), "message") for i in nodes),
            estimates=tuple(self._reading(partial(self._estimate, i), "estimate") for i in nodes),
            node_rates=clock.nodes,
            edge_rates=clock.edges,
        )

    def _state(self, s: np.ndarray, i: int, last: float = 0.0) -> State:
        """All nodes at 0, and node i at s (b, w), since time ``last``; used again and again."""
        key = s.shape[1], last
        if key not in self.states:
            n = self.network.nodes
            values = np.zeros((n, *s.shape))
            self.states[key] = State(values, np.full(n, last), np.ones(n, dtype=np.int64))
        self.states[key].values[i] = s
        return self.states[key]

    def _event(self, i: int, s: np.ndarray, probe: Probe) -> np.ndarray:
        """What a gradient event adds to node i."""
        state, out = self._state(s, i), np.zeros(s.shape[1])
        self.method.gradient(state, self.p, probe, i, oracles.NO_MARK, out)
        self.method.apply_gradient(state, self.p, i, out)
        added = state.values[i] - s
        state.values[i] = 0.0
        return added

    def _message(self, i: int, s: np.ndarray, probe: Probe) -> np.ndarray:
        state, out = self._state(s, i), np.zeros(self.v * s.shape[1])
        self.method.message(state, self.p, probe, i, out)
        if not np.array_equal(state.values[i], s):
            raise NotLinear("message changes the node that sends it")
        state.values[i] = 0.0
        return out.reshape(self.v, -1)

    def _estimate(self, i: int, s: np.ndarray, probe: Probe) -> np.ndarray:
        state, out, work = self._state(s, i), np.zeros(s.shape[1]), np.zeros(s.shape[1])
        self.method.observe(state, self.p, probe, i, 0.0, work, out)
        state.values[i] = 0.0
        return out[None]

    def _reading(self, played: Play, what: str) -> Reading:
        """The form of ``played``; NotLinear where it is none."""
        units, unit_answer, drawn = Probe(), Probe(1.0), Probe(self.rng.standard_normal(RANDOM))
        rows = played(np.eye(self.b), units)
        answer = played(np.zeros((self.b, 1)), unit_answer)[:, 0]
        if len(units.asked) > 1:
            raise NotLinear(f"{what} asks for more than one gradient")
        oracle, point = units.asked[0] if units.asked else (None, np.zeros(self.b))
        form = Reading(rows, answer, point, oracle)
        found = played(self.random, drawn)
        _check(found, form.of(self.random, np.asarray(drawn.value)), what, self._rounded)
        if oracle is not None:
            _check(drawn.asked[0][1], point @ self.random, what)
        return form

    def _jumps(self, e: int) -> np.ndarray:
        """What a unit of each vector of a message adds to both ends of edge e, (2, b, v)."""
        found = []
        for i in self.network.edges[e].tolist():
            added = self._exchange(np.zeros((self.b, self.v)), np.eye(self.v), e, i)
            message = self.rng.standard_normal((self.v, RANDOM))
            moved = self._exchange(self.random, message, e, i)
            _check(moved, added @ message, "exchange", self._rounded)
            found.append(added)
        return np.stack(found)

    def _exchange(self, s: np.ndarray, m: np.ndarray, e: int, i: int) -> np.ndarray:
        state = self._state(s, i)
        self.method.apply_message(state, self.p, e, i, m.ravel())
        added = state.values[i] - s
        state.values[i] = 0.0
        return added

    def _flow(self) -> np.ndarray:
        """A of s' = A s, by the logarithm of the flow over a time that is short enough."""
        played = [self._flowed(np.eye(self.b), 0, t) for t in TIMES]
        for A in self._generators():
            if all(_close(moved, expm(t * A)) for t, moved in zip(TIMES, played, strict=True)):
                break
        else:
            raise NotLinear("flow is not linear")
        moved = expm(TIMES[0] * A) @ self.random
        for i in range(self.network.nodes):
            _check(self._flowed(self.random, i, TIMES[0], LATE), moved, "flow")
        return A

    def _generators(self) -> Iterator[np.ndarray]:
        """What A may be."""
        if self.guess is not None:
            yield self.guess
        for halvings in range(HALVINGS):
            h = 0.5**halvings
            yield _logarithm(self._flowed(np.eye(self.b), 0, h)) / h

    def _step(self, h: float) -> np.ndarray:
        """The flow over the time h between events that are counted."""
        A = self._flowed(np.eye(self.b), 0, h)
        for i in range(self.network.nodes):
            for steps in STEPS:
                moved = self._flowed(self.random, i, steps * h, LATE * h)
                _check(moved, np.linalg.matrix_power(A, steps) @ self.random, "flow")
        return A

    def _flowed(self, s: np.ndarray, i: int, h: float, last: float = 0.0) -> np.ndarray:
        state = self._state(s, i, last)
        self.method.flow(state, self.p, i, last + h)
        moved = state.values[i].copy()
        state.values[i] = 0.0
        return moved


def _logarithm(moved: np.ndarray) -> np.ndarray:
    """The real logarithm; of matrices whose blocks have unlike units, too."""
    balanced, scale = matrix_balance(moved, permute=False)
    return (scale @ logm(balanced) @ np.linalg.inv(scale)).real


def _column_space(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what ``columns`` (b, k) span, (b, r); at least one direction."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    rank = int((sizes > ROUNDING * sizes[0]).sum())
    return left[:, : max(rank, 1)]


def _close(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= ROUNDING * max(np.abs(wanted).max(), 1e-300))


def _check(found: np.ndarray, wanted: np.ndarray, what: str, rounded: float = 0.0) -> None:
    most = ROUNDING * np.abs(wanted).max(initial=0.0) + rounded
    if not np.abs(found - wanted).max(initial=0.0) <= most:
        raise NotLinear(f"{what} is not linear")
