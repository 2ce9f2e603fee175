"""docs/tasks.md: every command in it runs, every key in it is one of a scenario."""

import re
import shlex
import sys
from pathlib import Path

import networkx
import pytest
from ruamel.yaml import YAML

from dadao_sim.cli import main
from dadao_sim.events.world.fault import FAULTS
from dadao_sim.scenario.reading import schema

PAGE = Path(__file__).parents[1] / "docs" / "tasks.md"
QUOTED = re.findall(r"`([^`]+)`", PAGE.read_text(encoding="utf-8"))
COMMANDS = ("animate", "cite", "compare", "plot", "rates", "report", "run", "tune", "world")
ASKED = [
    text.removeprefix("dadao-sim ")
    for text in QUOTED
    if text.removeprefix("dadao-sim ").split()[0] in COMMANDS and " " in text
]
SCENARIO = """
name: small
problem:
  kind: least_squares
  data: {kind: synthetic, dim: 2, samples_per_node: 4, condition_number: 10}
network: {file: wan.graphml}
algorithms: [dadao, msda]
world: {preset: ideal, gradient_seconds: 0.1}
stop: {time: 60, accuracy: 1.0e-6}
record: {points: 20}
report: {accuracies: [0.5, 1.0e-6]}
"""
pytestmark = pytest.mark.slow


def run(words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["dadao-sim", *words])
        with pytest.raises(SystemExit) as ended:
            main.main()
    return ended.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network with prices, a scenario, a sweep, and their results."""
    there = tmp_path_factory.mktemp("tasks")
    graph = networkx.cycle_graph(5)
    networkx.set_edge_attributes(graph, {edge: 1.0 + edge[0] for edge in graph.edges}, "price")
    networkx.write_graphml(graph, there / "wan.graphml")
    (there / "s.yaml").write_text(SCENARIO)
    swept = "sweep: {problem.data.condition_number: [10, 100], network.graph: [path, star]}"
    network = SCENARIO.replace("{file: wan.graphml}", "{graph: path, nodes: 4}")
    (there / "many.yaml").write_text(network.replace("name: small", "name: many") + swept)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(there)
        for name in ("s", "many"):
            assert not run(["run", f"{name}.yaml"])
        yield there


def test_there_are_commands():
    assert len(ASKED) > 15
    assert {text.split()[0] for text in ASKED} == set(COMMANDS)


@pytest.mark.parametrize("text", dict.fromkeys(ASKED))
def test_a_command_runs(folder, text):
    result = "results/many" if "--against" in text else "results/small"
    words = [
        {"DIR": result, "SCENARIO": "s.yaml", "LABEL": "msda"}.get(word, word)
        for word in shlex.split(text)
    ]
    if words[0] == "tune":
        words += ["--budget", "16", "--repeats", "1"]
    if words[0] == "animate":
        words[1] = "star.yaml"
        world = "world: {preset: ideal, gradient_seconds: 0.1}\n"
        (folder / "star.yaml").write_text(SCENARIO.replace(world, ""))
    assert not run(words)
    for option in ("--out", "--figure", "-o", "--load", "--timeline"):
        if option in words:
            assert (folder / words[words.index(option) + 1]).exists()


def test_the_keys_are_keys():
    """What begins with a key is YAML, whose keys the schema knows, at whatever depth they stand."""
    parts = [schema(), *schema()["$defs"].values()]
    known = {key for part in parts for key in part.get("properties", ())} | set(FAULTS)
    found = set()
    for text in QUOTED:
        if re.match(r"[a-z_]+: ", text):
            section = YAML(typ="safe").load(text)
            found |= set(keys_of(section))
    assert len(found) > 20
    assert {key for key in found if "." not in key} <= known
    # A dotted key is a place in a scenario, each part of which is one of its keys.
    dotted = {part for key in found if "." in key for part in key.split(".")}
    assert dotted
    assert dotted <= known


def keys_of(section):
    if isinstance(section, dict):
        for key, value in section.items():
            yield key
            yield from keys_of(value)
    if isinstance(section, list):
        for value in section:
            yield from keys_of(value)
