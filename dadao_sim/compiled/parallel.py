"""Rows of work shared out among threads of this process: the same bytes on any number of them.

Compiled kernels, NumPy and the sparse products of SciPy let go of Python's lock while they compute,
so threads of Python are enough: each plays the very code that one thread would play, on rows of its
own. Who asks for threads is a context (:func:`use_threads`); nothing below has an argument for it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

LEAST_NUMBERS = 2**17
"""Of the rows of a thread that does a few operations on each: see ``benchmarks/threads.py``."""
CACHED_NUMBERS = 2**16
"""Of a temporary array that stays in a core's own cache."""
_threads = ContextVar("threads", default=1)


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Around a block: what is inside may use so many threads."""
    token = _threads.set(count)
    try:
        yield
    finally:
        _threads.reset(token)


def threads_in_use() -> int:
    """How many threads there are for what is computed now; 1 where nobody asked for more."""
    return _threads.get()


def shared_out(rows: int, least: int, function: Callable[[int, int, int], Any]) -> None:
    """Call ``function(number, first, stop)`` on consecutive parts of ``range(rows)``, one to a
    thread; ``number`` counts them, for what a thread has of its own.

    A part has at least ``least`` rows, below which a thread costs more than it gives: of fewer than
    twice as many there is one part.
    """
    parts = max(1, min(_threads.get(), rows // max(least, 1)))
    if parts == 1:
        function(0, 0, rows)
    else:
        together([partial(function, *part) for part in parts_of(0, rows, parts)])


def parts_of(first: int, stop: int, parts: int) -> list[tuple[int, int, int]]:
    """The number, beginning and end of so many parts of ``range(first, stop)``."""
    cuts = [first + (stop - first) * k // parts for k in range(parts + 1)]
    return [(k, *cut) for k, cut in enumerate(pairwise(cuts))]


def together(tasks: Sequence[Callable[[], Any]]) -> None:
    """Call all ``tasks`` at once, and return when all have returned. Of several that fail the first
    one's error is raised.
    """
    if len(tasks) == 1:
        tasks[0]()
        return
    # One pool for all that share a number of threads, however few of them some have work for.
    pool = _pool(os.getpid(), max(len(tasks), threads_in_use()) - 1)
    with use_threads(1):  # what runs in a thread starts no more of them
        others = [pool.submit(copy_context().run, task) for task in tasks[1:]]
        try:
            tasks[0]()
        finally:
            wait(others)
    for other in others:
        other.result()


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Threads that wait for work; a process that was forked off has none of its parent's."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"dadao_sim-{process}")


def squared_distances(X: np.ndarray, x: np.ndarray) -> np.ndarray:
    """||X_i - x||^2 of every row (n,), each summed as NumPy does, for X (n, d) and x (d,)."""
    out, block = np.empty(len(X)), 1 + CACHED_NUMBERS // X.shape[1]

    def rows(_: int, first: int, stop: int) -> None:
        for row in range(first, stop, block):
            part = slice(row, min(row + block, stop))
            np.sum((X[part] - x) ** 2, axis=1, out=out[part])

    shared_out(len(X), 1 + LEAST_NUMBERS // X.shape[1], rows)
    return out
