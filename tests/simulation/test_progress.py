"""The bar of a simulation: in a terminal, in a notebook, and nowhere else."""

import io
import re
import sys
import types

import pytest
from rich.console import Console

from dadao_sim import Problem, build, simulate
from dadao_sim.simulation.progress import NotebookBar, Progress
from dadao_sim.simulation.sweep import sweep

KEYS = [("dadao", 0), ("dgd", 0), ("dadao", 1), ("dgd", 1)]


def small(**how):
    problem = Problem.averaging([[0.0], [1.0], [5.0]])
    return simulate(problem, build("path", 3, None), ["dadao", "dgd"], time=9, repeats=2, **how)


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook shows, last of all what is left."""
    shown = []

    class Handle:
        def update(self, html):
            shown.append(html)

    def display(html, display_id):
        assert display_id
        shown.append(html)
        return Handle()

    shell = type("ZMQInteractiveShell", (), {})()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.HTML, ipython.display.display = str, display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    monkeypatch.setattr("dadao_sim.simulation.progress.EVERY", 0.0)
    return shown


def test_a_notebook_has_a_bar_that_goes_up_and_away(displayed):
    heard = []
    result = small(progress=True, tick=lambda *tick: heard.append(tick))
    assert [key for key, share, _ in heard if share == 1] == KEYS
    done = [float(value) for value in re.findall(r"value='([\d.]+)'", "".join(displayed))]
    assert done == sorted(done)
    assert len(done) > 20
    assert done[-1] == 4
    assert all("max='4'" in line for line in displayed[:-1])
    assert displayed[-1] == ""
    assert result.curves.equals(small().curves)


def test_a_sweep_has_one_bar(displayed, tmp_path):
    scenario = {
        "name": "swept",
        "problem": {
            "kind": "least_squares",
            "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4},
        },
        "network": {"graph": "cycle"},
        "algorithms": ["dgd"],
        "stop": {"time": 5},
        "sweep": {"network.nodes": [3, 4, 5]},
    }
    sweep(scenario, out=tmp_path / "swept", progress=True)
    assert "3.0/3 runs" in displayed[-2]
    assert displayed[-1] == ""


def test_a_name_in_a_notebook_is_text(displayed):
    NotebookBar("<script>", 1)
    assert "<script>" not in displayed[0]
    assert "&lt;script&gt;" in displayed[0]


def test_a_terminal_has_a_bar():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with Progress("small", 4, console) as bar:
        for number, key in enumerate(KEYS):
            bar.tick(key, 0.5, 0.1)
            bar.tick(key, 1.0, 0.01)
            assert len(bar.finished) == number + 1
        bar._bar.progress.refresh()
    assert "4.0/4 runs" in out.getvalue()
    assert "dgd, repeat 1: 1e-02" in out.getvalue()


def test_what_is_no_terminal_gets_nothing(capsys):
    small(progress=True)
    out, err = capsys.readouterr()
    assert out == err.strip() == ""
