"""Replay a log of events: a method, a problem and a log in; every block of every node out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method, Tuning
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine.node import State, ignore_message
from dadao_sim.errors import InputError, within
from dadao_sim.events.log import (
    GOSSIP,
    KIND_NAMES,
    RESENT,
    RESET,
    ROUND,
    SEND,
    SEND_ONE,
    Events,
)
from dadao_sim.given import reals
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import AnyNetwork
from dadao_sim.problems import Problem
from dadao_sim.simulation.counts import shares
from dadao_sim.simulation.event_player import EventPlayer
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.round_player import RoundPlayer
from dadao_sim.simulation.staged_player import StagedPlayer


def start_rows(x0: Any, nodes: int, dimension: int) -> np.ndarray:
    """x0 as one row per node (n, d): zeros by default, one vector for all, or a row each."""
    rows = np.zeros(dimension) if x0 is None else reals("x0", x0)
    if rows.shape not in {(dimension,), (nodes, dimension)}:
        raise InputError(
            f"x0: has shape {rows.shape}; must be ({dimension},) or ({nodes}, {dimension})"
        )
    if not np.isfinite(rows).all():
        raise InputError("x0: must be finite")
    return np.array(np.broadcast_to(rows, (nodes, dimension)))


def make_player(
    method: Method,
    problem: Any,
    tuning: Tuning,
    x0: np.ndarray,
    blocks: Mapping[str, np.ndarray],
    batch_size: int | None = None,
    runs: int | None = None,
) -> Player:
    """A player at time 0, its objective and its state made ready. ``x0`` is (n, d).

    Of a method of rounds, so many ``runs`` at once, whose constants are stacked in ``tuning``.
    """
    if problem.stages is not None:

        def start(now: Problem, X: np.ndarray) -> Player:
            return _player_of_a_stage(method, now, tuning, X, {}, batch_size)

        return StagedPlayer(start, problem, x0, tuning.network)
    return _player_of_a_stage(method, problem, tuning, x0, blocks, batch_size, runs)


def _player_of_a_stage(
    method: Method,
    problem: Any,
    tuning: Tuning,
    x0: np.ndarray,
    blocks: Mapping[str, np.ndarray],
    batch_size: int | None = None,
    runs: int | None = None,
) -> Player:
    """See :func:`make_player`: of a problem that stays as it is, for a while or for ever."""
    nodes, dimension = problem.nodes, problem.dimension
    objective = problem.oracle_objective
    if method.needs_conjugate:
        objective = problem.with_conjugate()
    if method.samples:
        objective = problem.sample_objective()
    elif batch_size is not None:
        objective = problem.stochastic_objective(batch_size)
    x0 = method.starts_at(problem, x0)
    values = method.initial_values(nodes, dimension, x0, blocks)
    share = shares(method, problem, batch_size)
    if isinstance(method, RoundMethod):
        if runs is not None:
            values = {name: np.stack([value] * runs) for name, value in values.items()}
        return RoundPlayer(
            *(method, tuning, objective, values, share),
            given=tuple(blocks),
            stochastic=batch_size is not None,
            samples=method.samples_of(problem, batch_size),
        )
    assert isinstance(method, AsynchronousMethod)
    method.start(values)
    values |= {name: blocks[name] for name in blocks if name in values}
    if getattr(tuning.params, "averaging", 0):
        values["average"] = x0
    # A node's blocks side by side: events work on whole nodes.
    array = np.empty((nodes, len(values), dimension))
    for block, value in enumerate(values.values()):
        array[:, block] = value
    ends = np.empty((0, 2, 0)) if method.ends is None else method.ends(values, tuning.network)
    samples, sampled = method.initial_samples(problem, blocks)
    state = State(
        *(array, np.zeros(nodes), np.zeros(nodes, dtype=np.int64), ends, samples, sampled)
    )
    return EventPlayer(method, tuning, objective, state, share)


def playable(events: Events, method: Method, network: AnyNetwork) -> Events:
    """The log on a network in the method's own time. InputError where the method cannot play it."""
    rounds = np.isin(events.kind, (ROUND, RESENT))
    wrong = ~rounds if isinstance(method, RoundMethod) else rounds
    if (wrong & (events.kind != RESET)).any():
        wanted = "rounds only" if isinstance(method, RoundMethod) else "no rounds"
        raise InputError(f"events.kind: {method.name} plays a log of {wanted}")
    if isinstance(method, AsynchronousMethod):
        _require_hearing(events, method)
    with within("events"):
        events.check(network.nodes)
        return events.on(network).in_units()


def _require_hearing(events: Events, method: AsynchronousMethod) -> None:
    """InputError for a log whose messages the method would let pass unheard."""
    exchanges = method.apply_message is not ignore_message
    receives = method.receive is not ignore_message
    if receives == exchanges:  # both, or a method without messages
        return
    unheard = np.flatnonzero(np.isin(events.kind, (SEND_ONE,) if exchanges else (GOSSIP, SEND)))
    if len(unheard):
        name = KIND_NAMES[events.kind[unheard[0]]]
        takes = "exchanges only" if exchanges else "messages only that go one way"
        wrong = f"row {events.first_row + unheard[0]} is {name}"
        raise InputError("events.kind", wrong, f"{method.name} takes {takes}")


@one_blas_thread()
def replay(
    algorithm: str | Method,
    problem: Any,
    network: Any,
    events: Events,
    x0: Any = None,
    overrides: Mapping[str, float] | None = None,
    **blocks: Any,
) -> dict[str, np.ndarray]:
    """Play a given log and return every state block by name, each (n, d), of samples (N,).

    Nodes are left at the time of their own last event; the log of a method that a world slowed down
    is played in the method's own time (``Events.unit``). ``x0`` is (d,) or (n, d), zeros by
    default, and never given where the method starts at the centres of an averaging problem;
    ``overrides`` replaces constants of the method by name; ``blocks`` gives other blocks
    their value at time 0. ``network`` may be a graph of networkx. For a synchronous method each
    ROUND of the log is a step.

    Raises InputError for a method that cannot do this problem or network, an unknown constant or
    block, and a log of the wrong kind.
    """
    method = algorithm if isinstance(algorithm, Method) else get_method(algorithm)
    network = as_any_network(network)
    if not isinstance(problem, Problem):
        raise InputError("problem", f"a Problem is needed, not a {type(problem).__name__}")
    method.check_supported(problem, network)
    if network.nodes != problem.nodes:
        raise InputError(f"network: has {network.nodes} nodes, but the problem has {problem.nodes}")
    events = playable(events, method, network)
    tuning = method.tune(problem, network, overrides or {})
    if x0 is not None and method.needs_averaging:
        raise InputError("x0", f"{method.name} starts at the points it averages", "leave x0 out")
    rows = start_rows(x0, problem.nodes, problem.dimension)
    if blocks and problem.stages is not None:
        raise InputError(next(iter(blocks)), "stages start at x0 alone", "leave it out")
    player = make_player(method, problem, tuning, rows, blocks)
    player.play(events, 0, len(events))
    return player.blocks(method.every_block)
