"""docs/tasks.md: every command and every line of Python in it runs, every section in it is one of
a scenario that can be run.
"""

import re
import shlex
import sys
from pathlib import Path

import networkx
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import dadao_sim
from dadao_sim import Problem, Study, load_result
from dadao_sim.cli import main
from dadao_sim.events.world.fault import FAULTS
from dadao_sim.scenario.reading import scenario_from_mapping, schema
from dadao_sim.scenario.sweep import OF_ALL

PAGE = Path(__file__).parents[1] / "docs" / "tasks.md"
QUOTED = re.findall(r"`([^`]+)`", PAGE.read_text(encoding="utf-8"))
COMMANDS = (
    "animate",
    "check",
    "cite",
    "compare",
    "live",
    "plot",
    "rates",
    "report",
    "run",
    "tune",
    "world",
)
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
METHOD = """
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    c.step = 1 / (10 * c.L)


def step(s, c, nodes, W):
    s.x = W(s.x) - c.step * nodes.gradients(s.x)


MINE = RoundMethod(
    name="my_method", title="Mine", constants=constants, step=step, reference="Nobody, 2026"
)
"""
NODES = ["Bern", "Basel", "Chur", "Genf", "Thun"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_plugins")]


def patients():
    """A table with text for labels, and two numbers beside them."""
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((60, 2)), columns=["a", "b"])
    return table.assign(diagnosis=["malignant", "benign", "benign"] * 20)


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
    graph = networkx.cycle_graph(NODES)
    for k, edge in enumerate(graph.edges):
        graph.edges[edge].update(price=1.0 + k, weight=2.0 + k)
    networkx.write_graphml(graph, there / "wan.graphml")
    links = [f"{one},{other},{10 + k}" for k, (one, other) in enumerate(graph.edges)]
    (there / "links.csv").write_text("\n".join(["one,other,ms", *links]))
    (there / "failures.csv").write_text("node,from,to\nBern,1,2\n")
    times = [f"{node},{1 + k}" for k, node in enumerate(NODES)]
    (there / "times.csv").write_text("\n".join(["node,time", *times]))
    (there / "my_method.py").write_text(METHOD)
    patients().to_csv(there / "t.csv", index=False)
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
        for word in shlex.split(text.replace("$PWD", str(folder)))
    ]
    if words[0] == "tune":
        words += ["--budget", "16", "--repeats", "1"]
    if words[0] == "live":
        words += ["--least-rate", "0"]
    if words[0] in ("animate", "live"):
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


HOMES = {
    **dict.fromkeys(("data", "partition"), ("problem",)),
    **dict.fromkeys(("labels", "header", "leave_out"), ("problem", "data")),
    **dict.fromkeys(("ids", "rates"), ("network",)),
    **dict.fromkeys(("nodes", "links"), ("world",)),
}
"""Where a key of the page stands that is none of the whole scenario."""
SECTIONS = [text for text in QUOTED if re.match(r"[a-z_]+: ", text)]


@pytest.mark.parametrize("text", dict.fromkeys(SECTIONS))
def test_a_section_is_one_of_a_scenario_that_can_be_run(folder, text):
    base = YAML(typ="safe").load(SCENARIO)
    found = YAML(typ="safe").load(f"{{{text}}}")
    base["network"] = {"file": "wan.graphml", "edge_table": "links.csv"}
    if "ids" in found:
        base["network"] = {"graph": "cycle", "nodes": len(found["ids"])}
    base["world"] = {"preset": "ideal"}
    if {"labels", "header", "leave_out", "partition"} & set(found) or "target" in text:
        data = {"kind": "file", "path": "t.csv", "target": "diagnosis"}
        data["labels"] = {"positive": "malignant"}
        base["problem"] = {"kind": "logistic_l2", "mu": 0.1, "data": data}
        zero_one = patients().assign(diagnosis=[1, 0, 0] * 20)
        if found.get("labels") == {"positive": 1} or "header" in found:
            zero_one.to_csv("01.csv", index=False, header="header" not in found)
            data |= {"path": "01.csv", "labels": {"positive": 1}}
            data["target"] = 3 if "header" in found else "diagnosis"
        if "leave_out" in found:
            zero_one.to_csv("01.csv")
            data |= {"path": "01.csv", "labels": {"positive": 1}}
    if any(name in text for name in ("fedavg", "d_psgd", "digraph")):
        del base["world"]
    if "d_psgd" in text:
        base["problem"]["data"] |= {"dim": 12, "samples_per_node": 12}
    for key, value in found.items():
        place = base
        for part in HOMES.get(key, ()):
            place = place[part]
        place[key] = value
    swept = base.pop("sweep", {})
    if swept:
        del base["world"]
        base["network"] = {"graph": "path", "nodes": 4}
        assert not {key.partition(".")[0] for key in swept} & set(OF_ALL)
    if "plugins" in found:
        base |= {"algorithms": ["my_method"]}
    if "digraph" in text:
        base |= {"algorithms": ["push_pull"]}
    study = Study(scenario_from_mapping(base))
    study.check()
    assert study.parts(0).problem.nodes == study.parts(0).network.nodes


PYTHON = [
    text
    for text in QUOTED
    if re.match(r"(from|draw|simulate|result|Network|Problem)\b", text)
    and text not in ASKED
    and "from_torch" not in text  # is in test_torch_problem.py
]


def test_every_line_of_python_runs(folder):
    """In their order, with what the page takes for granted: a graph, arrays, a frame, a result."""
    graph = networkx.cycle_graph(16)
    problem = Problem.quadratic(np.ones((16, 1, 1)), np.arange(16.0)[:, None])
    log = pd.DataFrame({"time": [1.0], "kind": ["gossip"], "i": [0], "j": [1]})
    names = {name: getattr(dadao_sim, name) for name in ("Network", "Problem", "simulate")}
    names |= {"nx": networkx, "G": graph, "network": graph, "problem": problem, "log": log}
    names |= {"frame": patients(), "values": np.arange(20.0)[:, None]}
    names["result"] = load_result("results/small")
    found = {}
    lines = [text for text in PYTHON if "(" in text or text.startswith("from ")]
    for text in lines:
        line = text.replace("simulate(...,", "simulate(problem, network, 'dadao', time=5,")
        here = names
        if "events=log" in line:
            here = {**names, "problem": Problem.averaging(np.arange(16.0)[:, None])}
        if "[3]" in line or line.startswith("result."):
            here = {**names, "result": found["two"]}
        if line.startswith("from "):
            exec(line, names)
            continue
        found[text] = eval(line, here)
        if text == 'simulate(problem, G, ["dadao", "msda"], time=2000)':
            found["two"] = found[text]
    assert len(lines) >= 11
    by_hand = found['simulate(problem, network, "randomised_gossip", events=log)']
    assert by_hand.curves["communications"].iloc[-1] == 1
    split = next(one for text, one in found.items() if text.startswith("Problem.from_dataset"))
    assert (split.nodes, split.samples.sum()) == (12, 60)
    assert len(found['result.edge_counts("dadao", 0).nlargest(3, "communications")']) == 3
    assert set(found['result.trajectory("dadao", 0, nodes=[3])']["node"]) == {3}
    spread = found[
        'simulate(Problem.averaging(values), nx.path_graph(20), "randomised_gossip", time=400)'
    ]
    assert spread.curves["accuracy"].iloc[-1] < 0.1


def keys_of(section):
    if isinstance(section, dict):
        for key, value in section.items():
            yield key
            yield from keys_of(value)
    if isinstance(section, list):
        for value in section:
            yield from keys_of(value)
