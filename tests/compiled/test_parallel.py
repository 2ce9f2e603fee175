"""Work shared out among threads: every row once, the bytes of one thread, errors, processes."""

import multiprocessing
import os
import threading

import numpy as np
import pytest

from dadao_sim.compiled import parallel
from dadao_sim.compiled.parallel import (
    shared_out,
    squared_distances,
    threads_in_use,
    together,
    use_threads,
)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize(("rows", "least"), [(0, 1), (1, 1), (10, 1), (10, 4), (10, 6), (1000, 7)])
def test_every_row_is_given_to_one_thread(threads, rows, least):
    count, parts, lock = np.zeros(rows, dtype=int), [], threading.Lock()

    def work(number, first, stop):
        count[first:stop] += 1
        with lock:
            parts.append((number, first, stop))

    with use_threads(threads):
        shared_out(rows, least, work)
    assert (count == 1).all()
    assert sorted(number for number, _, _ in parts) == list(range(len(parts)))
    assert len(parts) == max(1, min(threads, rows // least))
    assert len(parts) == 1 or min(stop - first for _, first, stop in parts) >= least


def test_nobody_has_threads_who_did_not_ask_and_none_start_more_of_them():
    assert threads_in_use() == 1
    inside = []
    with use_threads(3):
        together([lambda: inside.append(threads_in_use())] * 3)
        assert threads_in_use() == 3
    assert inside == [1, 1, 1]
    assert threads_in_use() == 1


def test_however_many_tasks_come_there_are_no_more_threads_than_asked_for():
    before = set(threading.enumerate())
    with use_threads(6):
        for tasks in range(2, 7):
            together([threading.Barrier(tasks, timeout=60).wait] * tasks)
    assert len(set(threading.enumerate()) - before) <= 5


def test_what_fails_in_a_thread_is_raised_after_all_have_ended():
    ended = threading.Event()

    def fails():
        raise ValueError("in a thread")

    with use_threads(2), pytest.raises(ValueError, match="in a thread"):
        together([ended.set, fails])
    with use_threads(2), pytest.raises(ValueError, match="in a thread"):
        together([fails, ended.set])
    assert ended.is_set()


def test_contexts_are_those_of_the_caller():
    """Such as which warnings NumPy keeps to itself."""

    def overflows():
        np.float64(1e300) * np.float64(1e300)

    with np.errstate(over="ignore"):
        together([overflows, overflows])


def _sum_in_threads(channel):
    total = []
    with use_threads(2):
        shared_out(10, 1, lambda _, first, stop: total.append(sum(range(first, stop))))
    channel.send(sum(total))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_was_forked_off_has_threads_of_its_own():
    together([lambda: None] * 2)
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_sum_in_threads, args=(theirs,))
    child.start()
    assert ours.poll(30)
    assert ours.recv() == 45
    child.join()


@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 17, 130])
def test_squared_distances_have_the_bytes_of_numpy(d, monkeypatch):
    monkeypatch.setattr(parallel, "LEAST_NUMBERS", 1)
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 101, 1000):
        X, x = rng.standard_normal((n, d)), rng.standard_normal(d)
        with use_threads(3):
            found = squared_distances(X, x)
        np.testing.assert_array_equal(found, ((X - x) ** 2).sum(axis=1))
