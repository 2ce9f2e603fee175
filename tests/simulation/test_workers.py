"""Other processes: what they answer, what is said of a killed one, and that none outlives us."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from dadao_sim.errors import InputError, WorkerKilled
from dadao_sim.simulation.workers import elsewhere


def is_alive(pid):
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids, seconds=30):
    """Whether all of them end in time."""
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


class Own(Exception):
    """It cannot be made of its message alone."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def act(what, number):
    """What a task of these tests does."""
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leave":
        os._exit(3)
    if what == "refuse":
        raise InputError("here", "wrong", "right")
    if what == "own":
        raise Own(1, 2)
    if what == "signal":
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            os.kill(os.getpid(), getattr(signal, name))
    return os.getpid(), number**2


def answers(tasks, jobs=2):
    """The answers in the order in which they came, and what was raised in the end."""
    found = {}
    try:
        for name, answer in elsewhere(act, tasks, jobs):
            found[name] = answer
    except Exception as error:
        return found, error
    return found, None


@pytest.mark.slow
def test_every_task_is_answered_elsewhere_and_the_processes_end():
    found, error = answers([(str(k), ("square", k)) for k in range(7)])
    assert error is None
    assert {name: answer[1] for name, answer in found.items()} == {str(k): k**2 for k in range(7)}
    pids = {pid for pid, _ in found.values()}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert gone(pids, seconds=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "how"), [("die", "was ended by SIGKILL"), ("leave", "ended with code 3")]
)
def test_a_killed_one_is_named_and_the_answers_of_others_are_kept(what, how):
    found, error = answers([("a", ("square", 2)), ("b", (what, 0))])
    assert isinstance(error, WorkerKilled)
    assert str(error).startswith(f"b: its process {how}")
    assert found["a"][1] == 4
    begun = []

    def tasks():
        for k in range(9):
            begun.append(k)
            yield str(k), (what, k)

    _, error = answers(tasks(), jobs=1)
    assert str(error).startswith("0: its process")
    assert begun == [0, 1], "the next one is made ready, and not begun"


@pytest.mark.slow
def test_what_a_task_raises_is_raised_here():
    _, error = answers([("a", ("refuse", 0))], jobs=1)
    assert isinstance(error, InputError)
    assert str(error) == "here: wrong; right"
    assert "test_workers.py" in "".join(error.__notes__), "where it was raised"
    _, error = answers([("a", ("own", 0))], jobs=1)
    assert type(error) is RuntimeError
    assert str(error) == "Own: 1 and 2"


@pytest.mark.slow
def test_signals_that_end_a_program_are_left_to_the_parent():
    """All processes of a service hear them; the parent has something to save first."""
    found, error = answers([("a", ("signal", 3))], jobs=1)
    assert error is None
    assert found["a"][1] == 9


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_parent(tmp_path, number):
    """One computes, one sleeps, one has nothing to do."""
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent("""
            import os, pathlib, sys, time
            from dadao_sim.simulation.workers import elsewhere

            def task(name):
                pathlib.Path(name).write_text(str(os.getpid()))
                while name == "compute":
                    sum(range(1000))
                time.sleep(600 if name == "sleep" else 0)

            for name, _ in elsewhere(task, ((n, (n,)) for n in ("idle", "sleep", "compute")), 3):
                pathlib.Path("ready").touch()
        """)
    )
    parent = subprocess.Popen([sys.executable, str(program)], cwd=tmp_path)
    files = [tmp_path / name for name in ("idle", "sleep", "compute", "ready")]
    deadline = time.monotonic() + 120
    while not all(file.exists() for file in files) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    children = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if f" {parent.pid} " in path.read_text().rpartition(")")[2][:20]
    ]
    pids = {int(file.read_text()) for file in files[:3]}
    assert pids <= set(children)
    assert all(map(is_alive, pids))
    parent.send_signal(number)
    parent.wait(60)
    assert gone(children), "workers, or who looks after what they share"
