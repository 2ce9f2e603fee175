"""What starts the processes of the nodes, kills those that are to be killed, and sees all end."""

import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.live.board import LEFT, READY, Board
from dadao_sim.live.wires import Edge, Ends, Gone, TooLong, Wire, connected
from dadao_sim.simulation.workers import TIME_TO_LEAVE, signals_blocked

GAVE_UP, NEIGHBOUR_GONE = 4, 5  # exit codes of a node
SAID = {
    1: "failed",
    LEFT: "left",
    GAVE_UP: "waited too long for a neighbour, and gave up",
    NEIGHBOUR_GONE: "lost a neighbour",
}
LOOK = 0.1  # seconds between two looks at the counts
HEAD_START = 20_000_000  # nanoseconds from the last node's readiness to time 0
TIME_TO_GET_READY = 60.0

# Given its wires, by neighbour, and the board: a node's whole life. What it returns is kept.
Life = Callable[[dict[int, Wire], Board], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Kill:
    """A node, and when it is killed, in seconds from the start."""

    node: int
    at: float


@dataclass
class Ended:
    """How a live run ended: the final states of the nodes that came to the end, and of the others
    how and when (seconds from the start) they ended. ``counts`` are those of the board, ``seconds``
    how long it took.
    """

    states: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    dead: dict[int, tuple[str, float]] = field(default_factory=dict)
    counts: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    seconds: float = 0.0


def supervise(
    lives: Sequence[Life],
    edges: list[Edge],
    folder: Path,
    *,
    patience: float,
    limit: float,
    kills: Sequence[Kill] = (),
    look: Callable[[float, np.ndarray, Mapping[int, tuple[str, float]]], None] | None = None,
) -> Ended:
    """Run each of ``lives`` in a process of its own, connected by ``edges``; what they leave in
    ``folder``.

    A node waits at most ``patience`` seconds for a neighbour; after ``limit`` seconds what still
    runs is killed. ``look(seconds, counts, dead)`` sees how it goes, ten times a second, and may
    raise.
    However it ends no process is left; nor if this one is killed.

    Raises InputError where a node fails by an error of its own, or cannot be started.
    """
    if not hasattr(os, "fork"):
        raise InputError("live", "this system starts no process as a copy of one", "use another")
    board, ended = Board(len(lives)), Ended()
    processes: list[BaseProcess] = []
    try:
        with connected(edges) as pairs:
            for i, life in enumerate(lives):
                processes.append(_started(i, life, pairs, board, folder, patience))
        _watch(
            processes, board, ended, _Limits(limit, sorted(kills, key=lambda kill: kill.at)), look
        )
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
        for process in processes:
            process.join()
        ended.counts = board.counts.copy()
        board.close()
    for i, process in enumerate(processes):
        if process.exitcode == 0:
            with np.load(_state_of(folder, i)) as stored:
                ended.states[i] = dict(stored)
        elif (error := folder / f"{i}.error").is_file():
            raise InputError("live", f"node {i} failed: {error.read_text()}")
    return ended


@dataclass
class _Limits:
    seconds: float
    kills: list[Kill]


def _started(
    i: int, life: Life, pairs: Mapping[Edge, Ends], board: Board, folder: Path, patience: float
) -> BaseProcess:
    context = multiprocessing.get_context("fork")
    process = context.Process(
        target=_live, args=(i, life, pairs, board, folder, patience), daemon=True
    )
    with warnings.catch_warnings(), signals_blocked():
        # Newer Pythons warn of other threads; none of ours is within anything that a node needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    return process


def _live(
    i: int, life: Life, pairs: Mapping[Edge, Ends], board: Board, folder: Path, patience: float
) -> None:
    """The whole of a node's process."""
    board.joined()
    for number in (signal.SIGINT, signal.SIGHUP):  # of a terminal: the parent hears them too
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    wires = {}
    try:
        for (a, b), (first, second) in pairs.items():
            mine, other = (first, b) if a == i else (second, a)
            if i in (a, b):
                wires[other] = Wire(mine, patience)
            for end in (first, second):
                if end is not mine or i not in (a, b):
                    end.close()
        board.counts[i, READY] = 1
        while not board.start:
            board.pause(0.001)
        time.sleep(max(board.start - time.monotonic_ns(), 0) * 1e-9)
        rows = life(wires, board)
        written = folder / f"{i}.writing.npz"
        np.savez(written, **rows)  # type: ignore[arg-type]
        os.replace(written, _state_of(folder, i))
        code = 0
    except TooLong:
        code = GAVE_UP
    except Gone:
        code = NEIGHBOUR_GONE
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        (folder / f"{i}.error").write_text(f"{type(error).__name__} at {place}: {error}")
        code = 1
    # Nothing else of what the parent has is for a node to tidy up.
    os._exit(code)


def _state_of(folder: Path, i: int) -> Path:
    return folder / f"{i}.npz"


def _watch(
    processes: Sequence[BaseProcess],
    board: Board,
    ended: Ended,
    limits: _Limits,
    look: Callable[[float, np.ndarray, Mapping[int, tuple[str, float]]], None] | None,
) -> None:
    """Start time when all are ready, and see them end."""
    alive = dict(enumerate(processes))
    ready_by = time.monotonic() + TIME_TO_GET_READY
    while any(not board.counts[i, READY] for i in alive):
        _bury(alive, ended, 0.0, wait([p.sentinel for p in alive.values()], 0.001))
        if time.monotonic() > ready_by:
            raise InputError("live", f"the nodes were not ready after {TIME_TO_GET_READY:g} s")
    board.start = time.monotonic_ns() + HEAD_START
    looked = 0.0
    while alive:
        now = (time.monotonic_ns() - board.start) * 1e-9
        while limits.kills and limits.kills[0].at <= now:
            node = limits.kills.pop(0).node
            if node in alive:  # else its number may be that of another process by now
                alive[node].kill()
        if now > limits.seconds:
            for process in alive.values():
                process.kill()
        if look is not None and now >= looked + LOOK:
            looked = now
            look(now, board.counts, ended.dead)
        until = min([LOOK, *(max(kill.at - now, 0.0) for kill in limits.kills[:1])])
        _bury(alive, ended, now, wait([p.sentinel for p in alive.values()], until))
        ended.seconds = (time.monotonic_ns() - board.start) * 1e-9


def _bury(alive: dict[int, BaseProcess], ended: Ended, now: float, gone: Sequence[Any]) -> None:
    """Take those whose process has ended out of ``alive``, and note how they ended."""
    for i in [i for i, process in alive.items() if process.sentinel in gone]:
        process = alive.pop(i)
        process.join(TIME_TO_LEAVE)
        code = process.exitcode or 0
        if code < 0:
            ended.dead[i] = f"ended (signal {signal.Signals(-code).value})", max(now, 0.0)
        elif code > 0:
            ended.dead[i] = SAID.get(code, f"ended (code {code})"), max(now, 0.0)
