"""On a real scheduler with two workers: the same bytes, also where one of them is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from kills import files_of
from nine_cells import BASE

import dadao_sim
from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.simulation import cluster as module
from dadao_sim.simulation.cluster import cluster
from dadao_sim.simulation.sweep import sweep

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

ONE = {
    "name": "far",
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4, "condition_number": 10},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", "nids"],
    "stop": {"time": 6.0},
    "record": {"points": 5},
    "report": {"accuracies": [0.5]},
}
SWEEP = ONE | {"sweep": {"network.nodes": [3, 4], "problem.data.condition_number": [4, 10]}}
PLUGIN = """
import os
import signal
from pathlib import Path

from dadao_sim.metrics import Metric


def once(problem, X):
    folder = Path(os.environ.get("DIES_ONCE", "/nowhere"))
    if folder.is_dir():
        try:
            (folder / "dead").mkdir()  # the first worker that comes here dies of it
        except FileExistsError:
            return 1.0
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


ONCE = Metric("once", "Once", once)
"""


@pytest.fixture
def scheduler(tmp_path):
    """The file of a scheduler that has two workers of this machine."""
    file = tmp_path / "scheduler.json"
    (tmp_path / "dies").mkdir()
    environment = os.environ | {"DIES_ONCE": str(tmp_path / "dies"), "OMP_NUM_THREADS": "1"}
    here = {"cwd": tmp_path, "env": environment, "stderr": subprocess.DEVNULL}
    options = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))

    def start(kind, *more):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, *more]
        return subprocess.Popen(command, **here)

    started = [start("scheduler", "--port", "0")]
    started += [start("worker", "--nthreads", "1") for _ in range(2)]
    deadline = time.monotonic() + 60
    while not file.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    yield file
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_worker_that_is_killed_changes_no_byte(scheduler, tmp_path):
    (tmp_path / "once.py").write_text(PLUGIN)
    asked = SWEEP | {
        "plugins": [str(tmp_path / "once.py")],
        "record": {"points": 5, "metrics": ["once"]},
    }
    for name in ("here", "far"):
        (tmp_path / name).mkdir()
    sweep(asked, out=tmp_path / "here" / "s")
    with cluster(str(scheduler)) as others:
        result = sweep(asked, out=tmp_path / "far" / "s", others=others)
    assert (tmp_path / "dies" / "dead").is_dir()  # one was killed
    assert not result.failed
    assert files_of(tmp_path / "far" / "s") == files_of(tmp_path / "here" / "s")


def lost_and_made_again(story, key):
    """Whether a task was taken from a worker before it had an answer, and then given one."""
    moves = [event[1:3] for event in story if event[0] == key]
    lost = [k for k, move in enumerate(moves) if move[0] == "processing" and move[1] != "memory"]
    return bool(lost) and ("processing", "memory") in moves[lost[0] :]


def test_nine_cells_lose_a_worker_half_way_and_no_byte(nine_cells, scheduler, tmp_path):
    """Five methods, three repeats: a worker that has tasks is killed, and these run elsewhere."""
    finished, lost = [], []

    def kill_one():
        """Both have stopped and answer no more: what they are given from now on stays there."""
        time.sleep(0.3)  # what they have said before arrives
        while not lost:
            time.sleep(0.1)
            for address, pid in workers.items():
                if not lost and client.processing().get(address):
                    lost.extend(client.processing()[address])
                    os.kill(pid, signal.SIGKILL)
                    del others_pids[address]
        for pid in others_pids.values():
            os.kill(pid, signal.SIGCONT)

    def tick(cell, key, *_):
        finished.append((str(cell), key))
        if len(finished) == 60:
            for pid in workers.values():
                os.kill(pid, signal.SIGSTOP)
            threading.Thread(target=kill_one, daemon=True).start()

    (tmp_path / "s.json").write_text(json.dumps(BASE))
    with cluster(str(scheduler)) as others:
        client = distributed.default_client()
        client.wait_for_workers(2, timeout=60)
        workers = client.run(os.getpid)
        others_pids = dict(workers)
        result = sweep(tmp_path / "s.json", out=tmp_path / "r", others=others, tick=tick)
        story = client.run_on_scheduler(
            lambda keys, dask_scheduler: [e[:3] for e in dask_scheduler.story(*keys)], lost
        )
    assert lost
    assert all(lost_and_made_again(story, key) for key in lost)
    assert len(finished) == len(set(finished)) == 9 * 5 * 3
    assert not result.failed
    made, wanted = files_of(tmp_path / "r"), files_of(nine_cells)
    drawn = {name for name in wanted if name.startswith("figures/")}  # by the command
    assert made == {name: wanted[name] for name in wanted.keys() - drawn}
    assert {"cells.parquet", "summary.csv", "sweep.json"} <= set(made)


def test_one_scenario_runs_there_too(tmp_path):
    simulate(ONE, out=tmp_path / "here")
    with cluster("local:1") as others:
        simulate(ONE, out=tmp_path / "far", others=others)
    assert files_of(tmp_path / "far") == files_of(tmp_path / "here")


def test_a_worker_of_another_version_is_refused(scheduler, monkeypatch):
    monkeypatch.setattr(dadao_sim, "__version__", "9.9")
    with (
        pytest.raises(InputError, match=r"dask: dadao_sim is .* at the worker .*, and 9\.9 here"),
        cluster(str(scheduler)),
    ):
        pass


@pytest.mark.parametrize("where", ["local:0", "local:many", "local:"])
def test_local_needs_a_number(where):
    with pytest.raises(InputError, match="local:N starts N processes"), cluster(where):
        pass


def test_nobody_answers(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    with (
        pytest.raises(InputError, match="no scheduler answers at tcp://127"),
        cluster("tcp://127.0.0.1:1"),
    ):
        pass
    missing = str(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"dask: there is no file .*none\.json"), cluster(missing):
        pass


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'dadao-sim\[cluster\]'"), cluster("local:1"):
        pass
