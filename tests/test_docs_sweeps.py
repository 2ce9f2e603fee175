"""docs/sweeps.md works as written: its scenario, its commands in their order, its Python."""

import math
import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

from dadao_sim.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "sweeps.md"
TEXT = PAGE.read_text(encoding="utf-8")
pytestmark = pytest.mark.slow


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which all was run, what was said, and the names that the Python left."""
    folder = tmp_path_factory.mktemp("sweeps")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks("yaml"):
            (folder / re.match(r"# (\S+):", block)[1]).write_text(block, encoding="utf-8")
        for line in "".join(blocks("sh")).splitlines():
            patch.setattr(sys, "argv", shlex.split(line))
            with pytest.raises(SystemExit) as end:
                main.main()
            assert not end.value.code, line
        names = {}
        for block in blocks("python"):
            exec(compile(block, str(PAGE), "exec"), names)
    return folder, names


def test_the_commands_leave_what_the_page_says(done):
    folder, _ = done
    study = folder / "results" / "study"
    summary = pd.read_csv(study / "summary.csv")
    assert list(summary.columns[:2]) == ["network.nodes", "network.graph"]
    assert len(summary) == 4 * 2 * 2 * 2  # sizes, graphs, methods, accuracies
    assert set(summary["repeats"]) == {4}
    costs = pd.read_parquet(study / "cells.parquet")
    assert len(costs) == 4 * len(summary)
    assert {path.name for path in (study / "figures").iterdir()} >= {
        *("communications-network.nodes.png", "communications-profile.pdf")
    }
    assert (folder / "map.pdf").stat().st_size > 1000


def test_what_is_beside_it_is_not_run_again(done):
    """The clock of the machine is in timing.json: the very same times mean the very same runs."""
    folder, _ = done
    times = {
        path.read_text()
        for path in (folder / "results" / "study" / "cells").glob("*path*/timing.json")
    }
    for cell in (folder / "results" / "paths" / "cells").iterdir():
        taken = (cell / "timing.json").read_text()
        assert any(_times(taken) <= _times(all_) for all_ in times)


def _times(text):
    return set(re.findall(r'"seconds": ([\d.e-]+)', text))


def test_the_python_says_how_costs_grow(done):
    _, names = done
    assert len(names["study"].cells) == 6
    rows = names["rows"]
    assert len(rows) == 4
    for row in rows:
        assert row["low"] < row["exponent"] < row["high"] < math.inf
    on = {(row["network.graph"], row["algorithm"]): row["exponent"] for row in rows}
    assert on["path", "dadao"] > on["star", "dadao"]
