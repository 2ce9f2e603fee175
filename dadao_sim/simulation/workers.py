"""Work in other processes, which end with this one; a killed one says what it was doing."""

import os
import pickle
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, TypeAlias

import cloudpickle

from dadao_sim.errors import WorkerKilled


class Later:
    """In the place of a task: none is ready before one that is under way has finished."""


LATER = Later()
Task: TypeAlias = tuple[str, tuple[Any, ...]]
Tasks: TypeAlias = Iterable[Task | Later]
Others: TypeAlias = Callable[
    [Callable[..., Any], Iterator[Task]], Generator[tuple[str, Any], None, None]
]
"""Other processes: the names of tasks, and what a function gave for each, as they finish."""

# Another process has all cores already.
ONE_THREAD = {f"{kind}_NUM_THREADS": "1" for kind in ("OMP", "OPENBLAS", "MKL")}
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way only
TIME_TO_LEAVE = 1.0  # seconds that a worker without a parent has to end by itself


def elsewhere(
    function: Callable[..., Any], tasks: Tasks, jobs: int
) -> Generator[tuple[str, Any], None, None]:
    """The name and ``function(*arguments)`` of each task (name, arguments), in the order in which
    they finish, in ``jobs`` processes.

    A task is taken from ``tasks`` when a process will soon be free for it; those that need what
    others give may come ``LATER``. What the function raises is raised here, after what others have
    finished. Where a process is killed, no more tasks are begun, those under way in others are
    finished, and WorkerKilled names what it was doing. The processes end with the iterator, which
    has to be closed, and with this process, however it ends.
    """
    busy: dict[Connection, _Worker] = {}
    finished: list[tuple[str, Any]] = []
    failed: list[Exception] = []
    killed: list[str] = []
    idle: list[_Worker] = []
    try:
        idle += (_Worker() for _ in range(jobs))
        waiting = iter(tasks)
        task = next(waiting, None)
        while True:
            while isinstance(task, tuple) and idle and not killed and not failed:
                worker = idle.pop()
                busy[worker.channel] = worker
                worker.begin(function, *task)
                task = next(waiting, None)
            yield from finished
            finished = []
            if task is LATER:
                task = next(waiting, None)
                if isinstance(task, tuple):
                    continue
            if failed or not busy:
                break
            for channel in wait(list(busy)):
                worker = busy[channel]  # type: ignore[index]
                try:
                    finished.append((worker.task, worker.answer()))
                    idle.append(worker)
                except EOFError:
                    killed.append(f"{worker.task}: its process {worker.end()}")
                except Exception as error:
                    failed.append(error)
                    idle.append(worker)
                del busy[channel]  # type: ignore[arg-type]
    finally:
        for worker in busy.values():
            worker.kill()
        for worker in (*busy.values(), *idle):
            worker.channel.close()
        for worker in (*busy.values(), *idle):
            worker.end()
    if failed:
        raise failed[0]
    if killed:
        more = f", and {len(killed) - 1} more" if len(killed) > 1 else ""
        raise WorkerKilled(killed[0] + more)


class _Worker:
    """Another process, and the channel to it. It does one task at a time."""

    def __init__(self) -> None:
        from joblib.externals.loky.backend import get_context, resource_tracker

        context = get_context("loky")  # whose processes do not run the user's script again
        self.channel, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs,), daemon=True, env=ONE_THREAD | dict(os.environ)
        )
        resource_tracker.ensure_running()
        with signals_blocked():
            self.process.start()
        theirs.close()
        self.task = ""
        Finalize(self, _kill, (self.process,), exitpriority=0)  # Python's end waits for children

    def begin(self, function: Callable[..., Any], name: str, arguments: tuple[Any, ...]) -> None:
        """Send a task. Whether the process is alive, its answer will say."""
        self.task = name
        message = cloudpickle.dumps((function, arguments))
        with suppress(OSError):
            self.channel.send_bytes(message)

    def answer(self) -> Any:
        """What the function returned. Raises what it raised; EOFError if the process has ended."""
        try:
            answer = self.channel.recv_bytes()
        except OSError:
            raise EOFError from None
        error, value = pickle.loads(answer)
        if error is not None:
            raise error
        return value

    def kill(self) -> None:
        """End the process, whatever it does."""
        _kill(self.process)

    def end(self) -> str:
        """Wait until the process has left, or kill it; how it ended."""
        self.channel.close()
        self.process.join(TIME_TO_LEAVE)
        self.kill()
        self.process.join()
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"ended with code {code}"
        memory = " (out of memory?)" if code == -KILL else ""
        return f"was ended by {signal.Signals(-code).name}{memory}"


def _kill(process: BaseProcess) -> None:
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, KILL)


class signals_blocked:
    """What is started within never hears the signals that end a program: it ends with its parent,
    which may have something to save first.
    """

    def __enter__(self) -> None:
        if hasattr(signal, "pthread_sigmask"):
            ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
            self.before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    def __exit__(self, *_: object) -> None:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, self.before)


def _work(channel: Connection) -> None:
    """What a worker process does: one task after another, as long as it has a parent."""
    messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(channel, messages), daemon=True).start()
    with suppress(OSError):  # the parent has gone
        while (message := messages.get()) is not None:
            channel.send_bytes(_answer(message))


def _answer(message: bytes) -> bytes:
    """The error and the value of a task, one of them None."""
    try:
        function, arguments = pickle.loads(message)
        return cloudpickle.dumps((None, function(*arguments)))
    except Exception as error:
        return cloudpickle.dumps((_that_travels(error), None))


def _listen(channel: Connection, messages: "queue.SimpleQueue[bytes | None]") -> None:
    """Hand messages on. The end of the channel is the end of the parent, and so of this process."""
    try:
        while True:
            messages.put(channel.recv_bytes())
    except (EOFError, OSError):
        messages.put(None)
        time.sleep(TIME_TO_LEAVE)
        os._exit(1)


def _that_travels(error: Exception) -> Exception:
    """An error that the parent can read, with where it was raised as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(cloudpickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
