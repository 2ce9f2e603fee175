"""docs/figures.md works as written: its scenarios, its commands in their order, its Python."""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import finished_run, result

from dadao_sim.cli import main
from dadao_sim.errors import InputError
from dadao_sim.results.axes import AXES
from dadao_sim.results.look import Look
from dadao_sim.results.result import load_result
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study

PAGE = Path(__file__).parents[1] / "docs" / "figures.md"
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def commands():
    joined = "".join(blocks("sh")).replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder in which all was run, and the names that the Python left."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks("yaml"):
            (folder / re.match(r"# (\S+):", block)[1]).write_text(block, encoding="utf-8")
        for words in commands():
            patch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as end:
                main.main()
            assert not end.value.code, words
        names = {}
        for block in blocks("python"):
            exec(compile(block, str(PAGE), "exec"), names)
    return folder, names


@pytest.mark.slow
def test_every_command_draws_what_it_says(done):
    folder, _ = done
    assert len(commands()) >= 12
    wanted = re.findall(r"--(?:out|figure) (\S+)", "".join(blocks("sh")))
    for name in [*wanted, "from-python.pdf", "results/sites/figures/bytes.pdf"]:
        assert (folder / name).stat().st_size > 1000, name
    for name in ("accuracy-bytes.png", "suboptimality-seconds-joules.png"):
        assert (folder / "results/sites/figures" / name).is_file()


@pytest.mark.slow
def test_the_figure_of_the_scenario_has_its_width_and_its_fonts(done):
    content = (done[0] / "results/sites/figures/bytes.pdf").read_bytes()
    ((width, _),) = re.findall(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", content)
    assert float(width) / 72 == pytest.approx(6.75)
    fonts = re.findall(rb"/Type /FontDescriptor.*?endobj", content, flags=re.DOTALL)
    assert fonts
    assert all(b"/FontFile" in font for font in fonts)


@pytest.mark.slow
def test_the_tables_are_in_the_quantities_asked_for(done):
    """Recomputed from the samples: the first at or below each accuracy, times prices."""
    folder, names = done
    made = load_result(folder / "results/sites")
    table = pd.read_csv(folder / "results/sites/summary.csv").set_index(["algorithm", "accuracy"])
    for label, curves in made.curves.groupby("algorithm", sort=False):
        firsts = [run[run["accuracy"] <= 1e-3].iloc[0] for _, run in curves.groupby("repeat")]
        first = pd.DataFrame(firsts)
        seconds = 0.1 * first["time"]  # of the preset datacenter
        joules = 12 * first["gradients"] + 5e-8 * first["bytes_sent"] + 40 * seconds
        cost = 1e-4 * first["gradients"] + 1e-7 * first["bytes_sent"] + 0.02 * seconds
        found = table.loc[(label, 1e-3)]
        for name, values in (("seconds", seconds), ("joules", joules), ("cost", cost)):
            assert found[f"{name}_median"] == pytest.approx(np.median(values), rel=1e-12)
    latex = (folder / "results/sites/summary.tex").read_text()
    assert "Method & Time (s) & Bytes & Energy (J) & Cost & Time (s)" in latex
    assert names["dear"].prices.second == 1


def test_the_error_of_the_page_is_the_one_there_is():
    with pytest.raises(InputError) as caught:
        result(finished_run("dadao")).spent("seconds")
    assert f"```\n{caught.value}\n```" in TEXT


def test_the_page_names_every_axis_and_every_key():
    for name in AXES:
        assert f"`{name}`" in TEXT, name
    for key in Look.model_fields:
        assert f"`{key}`" in TEXT, key


def test_figures_change_no_run():
    mapping = {
        "name": "s",
        "problem": {"kind": "ridge", "mu": 0.1, "data": {"kind": "diabetes"}},
        "network": {"graph": "path", "nodes": 3},
        "algorithms": ["nids"],
        "stop": {"time": 3},
    }
    plain = Study(scenario_from_mapping(mapping))
    drawn = Study(scenario_from_mapping({**mapping, "figures": [{"file": "a.pdf"}]}))
    assert plain.ground == drawn.ground
    assert "figures" in json.dumps(drawn.scenario.to_mapping())
