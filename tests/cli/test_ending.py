"""Signals that end a program, and workers that the system kills: nothing finished is lost."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dadao_sim import plugins
from dadao_sim.cli.ending import signals_interrupt
from dadao_sim.results.folder import UNFINISHED
from dadao_sim.results.result import load_result
from dadao_sim.simulation.simulate import simulate

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _as_in_a_terminal():
    """What runs in the background inherits a SIGINT that is ignored."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_a_ctrl_c(number):
    with signals_interrupt() as heard:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        if number != signal.SIGINT:
            os.kill(os.getpid(), number)  # said twice, while things are saved: nothing is raised
    assert heard[0] == number
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored():
    """nohup, and what a script runs in the background."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    with signals_interrupt() as heard:
        for number in NUMBERS:
            os.kill(os.getpid(), number)
    assert heard == []


def children(pid):
    """The worker processes of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            is_child = int(path.read_text().rpartition(")")[2].split()[1]) == pid
            if is_child and b"LokyProcess" in (path.parent / "cmdline").read_bytes():
                found.append(int(path.parent.name))
        except (OSError, IndexError):
            continue
    return found


def wait_until(condition, seconds=180):
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


# A metric that takes its time, and as long as there is a file "hold" all the time.
PLUGIN = """
import os, time
from dadao_sim.metrics import Metric

def patient(problem, X):
    time.sleep(0.01)
    while os.path.exists("hold"):
        time.sleep(0.02)
    return 1.0

METRIC = Metric("patient", "A metric", patient)
"""
SCENARIO = {
    "name": "case",
    "plugins": ["patient.py"],
    "problem": {
        "kind": "ridge",
        "mu": 0.1,
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": ["dadao"],
    "repeats": 5,
    "stop": {"time": 50},
    "record": {"points": 20, "metrics": ["patient"]},
    "report": {"accuracies": [0.5]},
}


class Run:
    """The command in a folder of its own, until one run is finished and others are under way."""

    def __init__(self, folder, jobs):
        folder.mkdir()
        self.folder, self.result = folder, folder / "result"
        (folder / "patient.py").write_text(PLUGIN)
        (folder / "case.json").write_text(json.dumps(SCENARIO))
        self.command = [sys.executable, "-m", "dadao_sim", "run", "case.json", "--out", "result"]
        self.process = subprocess.Popen(
            [*self.command, "--jobs", str(jobs)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: self.finished() or self.process.poll() is not None)
        (folder / "hold").touch()
        time.sleep(0.5)
        assert self.process.poll() is None, self.process.communicate()
        self.kept = self.finished()
        self.workers = children(self.process.pid)

    def finished(self):
        """The files of the runs that were saved whole."""
        return sorted((self.result / UNFINISHED).glob("*.json"))

    def end(self):
        """Exit code, standard output and error; nothing that it started is left."""
        out, err = self.process.communicate(timeout=60)
        wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in self.workers))
        return self.process.returncode, out, err

    def resumed(self, monkeypatch):
        """The bytes of the curves after what was kept went on."""
        (self.folder / "hold").unlink(missing_ok=True)
        monkeypatch.chdir(self.folder)
        simulate("case.json", out="result", resume=True)
        return (self.result / "curves.parquet").read_bytes()


@pytest.fixture
def whole(tmp_path, monkeypatch, own_plugins):
    """The bytes of the curves of an uninterrupted run."""
    (tmp_path / "patient.py").write_text(PLUGIN)
    (tmp_path / "case.json").write_text(json.dumps(SCENARIO))
    monkeypatch.chdir(tmp_path)
    simulate("case.json", out="whole")
    plugins.forget(plugins.known())
    return (tmp_path / "whole" / "curves.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "jobs"),
    [
        (signal.SIGTERM, 2),
        *(pytest.param(n, jobs, marks=pytest.mark.torture) for n in NUMBERS for jobs in (1, 3)),
    ],
)
def test_a_signal_ends_a_run_with_what_is_finished(tmp_path, monkeypatch, whole, number, jobs):
    run = Run(tmp_path / "case", jobs)
    assert len(run.workers) == (jobs if jobs > 1 else 0)
    run.process.send_signal(number)
    code, out, err = run.end()
    assert (code, err) == (128 + number, "")
    assert "what was finished is in result; go on with --resume" in out
    assert set(run.kept) <= set(run.finished())
    partial = load_result(run.result)
    assert partial.manifest["interrupted"] is True
    assert len(partial.runs) == len(run.finished())
    assert run.resumed(monkeypatch) == whole


@pytest.mark.slow
def test_a_killed_worker_is_one_line_and_its_run_is_played_on_resume(tmp_path, monkeypatch, whole):
    run = Run(tmp_path / "case", 2)
    os.kill(run.workers[0], signal.SIGKILL)
    time.sleep(0.2)
    (run.folder / "hold").unlink()
    code, _, err = run.end()
    assert code == 137
    (line,) = err.splitlines()
    assert re.match(r"dadao-sim: dadao, repeat \d: its process was ended by SIGKILL", line)
    assert "--resume" in line
    assert len(line) <= 300
    assert set(run.kept) < set(run.finished()), "the other one under way is finished"
    assert len(run.finished()) < SCENARIO["repeats"]
    assert load_result(run.result).manifest["interrupted"] is True
    assert run.resumed(monkeypatch) == whole


@pytest.mark.torture
def test_no_worker_outlives_a_killed_command(tmp_path, monkeypatch, whole):
    run = Run(tmp_path / "case", 2)
    assert len(run.workers) == 2
    run.process.kill()
    assert run.end()[0] == -signal.SIGKILL
    assert set(run.kept) <= set(run.finished())
    assert run.resumed(monkeypatch) == whole


@pytest.mark.parametrize(
    "words", [("learn-prior", "filters", "--out", "f.npz"), ("validate", "quickstart")]
)
def test_a_command_that_keeps_nothing_says_that_it_was_interrupted(
    dadao_sim, monkeypatch, tmp_path, words
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dadao_sim.learning.priors.training_of", interrupted)
    monkeypatch.setattr("dadao_sim.scenario.reading.load_file", interrupted)
    assert dadao_sim(*words) == (130, "", "dadao-sim: interrupted\n")
    assert not list(tmp_path.iterdir())
