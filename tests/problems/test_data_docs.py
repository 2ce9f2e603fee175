"""docs/data-and-networks.md does what it says: its blocks run as written, on files as it names."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from dadao_sim import simulate
from dadao_sim.problems import build_problem
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.scenario.reading import scenario_from_mapping

PAGE = Path(__file__).parents[2] / "docs" / "data-and-networks.md"
TEXT = PAGE.read_text("utf-8")
WORLDS = (PAGE.parent / "world.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT + WORLDS, flags=re.S)
YAMLS = [YAML(typ="safe").load(block) for block in BLOCKS]
PROBLEM_BLOCKS = {s["problem"]["data"]["path"]: s["problem"] for s in YAMLS if "problem" in s}


def table(name: str) -> str:
    """The table of the pages whose line of names is ``name``."""
    lines = (TEXT + WORLDS).partition(f"\n    {name}\n")[2].splitlines()
    rows = itertools.takewhile(lambda line: line.startswith("    "), lines)
    return "".join(line.strip() + "\n" for line in (name, *rows))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files that the page speaks of, in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
    kinds = np.where(rng.random(60) < 0.4, "malignant", "benign")
    features.assign(diagnosis=kinds).to_csv("tumours.csv", index=False)
    features.to_csv("measured.csv", header=False, index=False)
    patients = features.assign(remark="none", days=np.arange(60) % 7)
    patients.to_csv("patients.tsv", sep="\t")
    (tmp_path / "links.csv").write_text(table("one,other,ms,mbit,lost"))
    (tmp_path / "failures.csv").write_text(table("node,from,to"))
    (tmp_path / "times.csv").write_text(table("node,time"))
    return tmp_path


@pytest.mark.parametrize("path", PROBLEM_BLOCKS)
def test_the_problems_of_the_page_are_built(folder, path):
    section = PROBLEM_BLOCKS[path]
    spec = PROBLEMS[section["kind"]].model_validate(section)
    problem = build_problem(spec, 4, np.random.default_rng(0))
    assert problem.samples.tolist() == [15] * 4
    assert problem.dimension == {"measured.csv": 2}.get(path, 3)
    if path == "patients.tsv":
        assert sorted(problem.model.b) == sorted(np.arange(60) % 7)


def test_the_python_of_the_page_runs(folder):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.S):
        exec(compile(block, PAGE.name, "exec"), names)
    assert names["problem"].nodes == 12
    assert names["problem"].samples.tolist() == [5] * 12
    assert names["problem"].dimension == 4
    split, frame = names["split"], names["frame"]
    at_bern = frame[frame["site"] == "Bern"]
    np.testing.assert_array_equal(split.model.A[:20], at_bern[["a", "b", "c"]])
    assert (split.model.b[:20] == 1).tolist() == (at_bern["diagnosis"] == "malignant").tolist()


@pytest.mark.parametrize("section", [s for s in YAMLS if "network" in s or "world" in s])
def test_the_networks_and_worlds_of_the_pages_run(folder, monkeypatch, section):
    monkeypatch.chdir("/")  # files lie beside the scenario, wherever it is run
    scenario = {
        "name": "page",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 1}},
        "network": {"graph": "cycle", "nodes": 4, "ids": ["Basel", "Bern", "Davos", "Chur"]},
        "algorithms": ["dadao", "dgd"],
        "stop": {"time": 20},
        **section,
    }
    result = simulate(scenario_from_mapping(scenario, folder=folder))
    assert result.node_ids == ("Basel", "Bern", "Davos", "Chur")
    assert set(result.curves.groupby("algorithm").time.last()) == {20.0}
