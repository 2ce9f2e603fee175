"""The command line: what it prints, where it writes, and one line for every kind of bad input."""

import json
import os
import subprocess
import sys

import networkx as nx
import numpy as np
import pytest

import dadao_sim as dadao_sim_package
from dadao_sim import cli
from dadao_sim.cli.main import groups
from dadao_sim.cli.networks import percent
from dadao_sim.cli.options import AxisName
from dadao_sim.results.axes import AXES
from dadao_sim.results.result import load_result

DATA = "{kind: synthetic, dim: 3, samples_per_node: 5, condition_number: 5}"
PROBLEM = f"problem: {{kind: least_squares, data: {DATA}}}"
GOOD = f"""
name: small
{PROBLEM}
network: {{graph: path, nodes: 4}}
algorithms: [dadao, msda]
stop: {{time: 30}}
record: {{points: 10}}
"""


@pytest.fixture
def scenario(tmp_path):
    """Write a scenario, with parts of the good one replaced; its path."""

    def write(*replacements):
        text = GOOD
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return path

    return write


# ---- what it does
# ---------------------------------------------------------------------------------


def test_run_writes_everything(dadao_sim, scenario, tmp_path):
    code, out, err = dadao_sim(
        "run", scenario(), "--seed", 5, "--repeats", 2, "--set", "stop.time=20"
    )
    assert (code, err) == (0, "")
    folder = tmp_path / "results" / "small"
    assert "small: 2 algorithms x 2 repeats; at most" in out
    assert "MiB of arrays" in out
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("manifest.json", "timing.json", "curves.parquet", "runs.csv", "summary.csv"),
        *("summary.tex", "figures/curves.png", "figures/curves.pdf"),
        *(f"final_states/{name}-r{k}.npz" for name in ("dadao", "msda") for k in (0, 1)),
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["seed"], manifest["scenario"]["repeats"]) == (5, 2)
    assert manifest["scenario"]["stop"]["time"] == 20
    assert load_result(folder).curves.time.max() == 20


@pytest.mark.slow
def test_compare_and_plot_read_results(dadao_sim, scenario, tmp_path):
    dadao_sim("run", scenario(), "--out", "a")
    dadao_sim("run", scenario(), "--out", "b", "--seed", 1)
    code, out, _ = dadao_sim("compare", "a", "b", "--accuracy", "0.5", "--figure", "c.png")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines() if "DADAO" in line] == [
        ["a", "DADAO"],
        ["b", "DADAO"],
    ]
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    code, out, _ = dadao_sim(
        "plot", "a", "--x", "time", "--y", "consensus_error", "--format", "svg"
    )
    assert code == 0
    assert "<svg" in (tmp_path / "a/figures/consensus_error-time.svg").read_text()


@pytest.mark.parametrize(
    ("graph", "nodes", "expected"),
    [
        ("star", 300, {"dadao": 299, "continuized": 299, "msda": 5083, "adom_plus": 299,
                       "adom_plus_multi_consensus": 62192}),
        ("path", 16, {"dadao": 76.517, "msda": 150, "adom_plus": 15,
                      "adom_plus_multi_consensus": 1080}),
    ],
)  # fmt: skip
def test_network_prints_the_rates_of_the_papers(dadao_sim, graph, nodes, expected):
    code, out, _ = dadao_sim("network", "--graph", graph, "--nodes", nodes, "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["n"], report["edges"]) == (nodes, nodes - 1)
    tolerance = 1e-6 if graph == "star" else 1e-3
    for name, rate in expected.items():
        assert report["methods"][name]["design_rate"] == pytest.approx(rate, abs=tolerance), name
    assert report["methods"]["continuized"]["communications_per_round"] == nodes / 2


@pytest.mark.parametrize(
    ("share", "text"), [(2.832, "283 %"), (0.9999, "100 %"), (0.18, "18 %"), (8e-8, "8e-06 %")]
)
def test_a_gap_is_a_percentage_in_two_digits_or_more(share, text):
    assert percent(share) == text


def test_network_of_a_file(dadao_sim, tmp_path):
    nx.write_graphml(nx.path_graph(5), tmp_path / "p.graphml")
    code, out, _ = dadao_sim("network", "p.graphml", "--figure", "p.png")
    assert code == 0
    assert "5 nodes, 4 edges" in out
    assert (tmp_path / "p.png").exists()


def test_cite_list_schema_validate(dadao_sim, scenario):
    of_five = dadao_sim("cite", "quickstart")[1]
    assert [line for line in of_five.splitlines() if line.startswith("@")] == [
        *("@inproceedings{nabli2023dadao,", "@inproceedings{even2021continuized,"),
        *("@inproceedings{scaman2017optimal,", "@inproceedings{kovalev2021lower,"),
    ]
    assert dadao_sim("cite", "dadao")[1].startswith("@inproceedings{nabli2023dadao")
    names = dadao_sim("list")[1]
    assert all(word in names for word in ("adom_plus_multi_consensus", "hypercube", "quickstart"))
    assert json.loads(dadao_sim("schema")[1])["additionalProperties"] is False
    said = dadao_sim("validate", scenario())[1]
    assert "valid; 2 algorithms, 1 repeat" in said
    assert said.startswith("problem: condition number of the nodes (L/mu) 5, of their mean ")


def test_help_imports_nothing_heavy():
    heavy = ("numpy", "numba", "pandas", "scipy", "matplotlib", "networkx", "sklearn", "pydantic")
    program = (
        "import sys; sys.argv = ['dadao-sim', '--help']\n"
        "from dadao_sim.cli import main as cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        f"print(*(name for name in {heavy} if name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "compare" in done.stdout
    assert done.stderr.strip() == ""


def completed(words, number):
    """What the shell is told to complete the word of that number to, in a process of its own."""
    program = "import sys; sys.argv = ['dadao-sim']; from dadao_sim.cli.main import main; main()"
    asked = {"_DADAO_SIM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **asked}
    )
    return done.stdout.split()


def test_the_shell_completes_commands_and_choices():
    assert completed("dadao-sim re", 1) == ["report", "recovered"]
    assert completed("dadao-sim plot --y c", 3) == ["consensus_error"]


def test_the_version_and_the_package_as_a_command(dadao_sim):
    expected = f"dadao-sim {dadao_sim_package.__version__}\n"
    assert dadao_sim("--version") == (0, expected, "")
    command = [sys.executable, "-m", "dadao_sim", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == expected


def test_a_command_is_found_where_it_is_defined(tmp_path, monkeypatch):
    text = (
        "from dadao_sim.cli.group import Group\n"
        "group = Group('Greetings', place=9)\n"
        "@group.command()\n"
        "def greet(): ...\n"
    )
    (tmp_path / "greetings.py").write_text(text)
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    *ours, theirs = groups()
    assert theirs.heading == "Greetings"
    assert [command.callback.__name__ for command in theirs.registered_commands] == ["greet"]
    assert [group.heading for group in ours][:2] == ["Scenarios", "Results"]


def test_choices_are_what_figures_can_draw():
    assert [name.value for name in AxisName] == list(AXES)


# ---- bad input
# ------------------------------------------------------------------------------------

FILE = "problem: {kind: KIND, EXTRA data: {kind: file, path: data.npz}}"
BAD = {
    "wrong type": ([("time: 30", "time: soon")], "s.yaml:6: stop.time: must be a number"),
    "unknown key": ([("stop:", "stopp:")], "s.yaml:6: stopp: unknown key; did you mean 'stop'?"),
    "bad YAML": ([("[dadao, msda]", "[dadao, msda")], "s.yaml:6"),
    "unknown method": (
        [("msda", "msdaa")],
        "s.yaml:5: algorithms.1.name: unknown value 'msdaa'; did you mean 'msda'? (known: dadao, ",
    ),
    "unknown constant": (
        [("dadao,", "{name: dadao, parameters: {betta: 1.0}},")],
        "parameter 'betta' is unknown; did you mean 'beta'?",
    ),
    "a count the graph cannot have": (
        [("path, nodes: 4", "grid_2d, nodes: 5")],
        "network.nodes: 5 is not possible",
    ),
    "too few samples": (
        [("samples_per_node: 5", "samples_per_node: 2")],
        "samples_per_node: 2",
    ),
    "mu": ([(PROBLEM, "problem: {kind: ridge, mu: 0, data: {kind: diabetes}}")], "problem.mu: "
    "must"),
    "no end": ([("{time: 30}", "{accuracy: 1.0e-3}")], "stop: a run might never end"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("command", ["run", "validate"])
def test_a_bad_scenario_is_one_line(dadao_sim, scenario, tmp_path, case, command):
    replacements, message = BAD[case]
    code, _, err = dadao_sim(command, scenario(*replacements))
    assert_one_line(code, err, message)
    assert not (tmp_path / "results").exists()


def assert_one_line(code, err, *parts):
    assert code == 2
    assert err.count("\n") == 1, err
    assert err.startswith("dadao-sim: ")
    for part in parts:
        assert part in err, err


def with_data(scenario, tmp_path, kind, A, b, extra=""):
    np.savez(tmp_path / "data.npz", A=A, b=b)
    problem = FILE.replace("KIND", kind).replace("EXTRA", extra)
    return scenario((PROBLEM, problem))


def test_nan_in_the_data(dadao_sim, scenario, tmp_path):
    A = np.ones((20, 2))
    A[7, 1] = np.nan
    path = with_data(scenario, tmp_path, "ridge", A, np.ones(20), "mu: 0.1,")
    assert_one_line(*dadao_sim("run", path)[::2], "problem.data: sample 7", "nan")


def test_labels_that_are_no_labels(dadao_sim, scenario, tmp_path):
    A, b = np.ones((20, 2)), np.repeat([0.0, 1.0], 10)
    path = with_data(scenario, tmp_path, "logistic_l2", A, b, "mu: 0.1,")
    assert_one_line(*dadao_sim("run", path)[::2], "labels -1 and 1; found 0, 1")


def test_fewer_samples_than_the_nodes_need(dadao_sim, scenario, tmp_path):
    path = with_data(scenario, tmp_path, "ridge", np.ones((3, 2)), np.ones(3), "mu: 0.1,")
    assert_one_line(*dadao_sim("run", path)[::2], "3 samples", "4 nodes")


def test_a_missing_scenario_and_a_missing_data_file(dadao_sim, scenario):
    assert_one_line(*dadao_sim("run", "nowhere.yaml")[::2], "nowhere.yaml")
    path = scenario((PROBLEM, FILE.replace("KIND", "ridge").replace("EXTRA", "mu: 0.1,")))
    assert_one_line(*dadao_sim("run", path)[::2], "data.npz")


def graphml(tmp_path, graph):
    nx.write_graphml(graph, tmp_path / "g.graphml")
    return ("{graph: path, nodes: 4}", "{file: g.graphml, rates: {attribute: rate}}")


def test_a_rate_of_zero(dadao_sim, scenario, tmp_path):
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, {(0, 1): 1.0, (1, 2): 0.0, (2, 3): 1.0}, "rate")
    path = scenario(graphml(tmp_path, graph))
    words = ("network", "g.graphml", "rate of edge 1-2 is 0.0", "> 0")
    assert_one_line(*dadao_sim("run", path)[::2], *words)


def test_a_disconnected_graph(dadao_sim, tmp_path):
    nx.write_graphml(nx.Graph([(0, 1), (2, 3)]), tmp_path / "g.graphml")
    code, _, err = dadao_sim("network", "g.graphml")
    assert_one_line(code, err, "not connected", "2 components")


def test_a_folder_that_exists_is_kept(dadao_sim, scenario, tmp_path):
    dadao_sim("run", scenario(), "--out", "r")
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    for options in ([], ["--resume", "--overwrite"], ["--resume", "--seed", 7]):
        code, _, err = dadao_sim("run", scenario(), "--out", "r", *options)
        assert_one_line(code, err)
    code, out, _ = dadao_sim("run", scenario(), "--out", "r", "--resume")
    assert code == 0
    assert "complete before: nothing was left to run" in out
    code, _, err = dadao_sim("run", scenario(("dadao,", "nobody,")), "--out", "r", "--overwrite")
    assert_one_line(code, err, "unknown value 'nobody'")
    assert before == {path: path.read_bytes() for path in before}
    assert dadao_sim("run", scenario(), "--out", "r", "--overwrite")[0] == 0


def test_overwrite_spares_a_folder_with_a_manifest_of_something_else(dadao_sim, scenario, tmp_path):
    (tmp_path / "extension").mkdir()
    (tmp_path / "extension" / "manifest.json").write_text('{"name": "my extension"}')
    code, _, err = dadao_sim("run", scenario(), "--out", "extension", "--overwrite")
    assert_one_line(code, err, "no result of ours")
    dadao_sim("run", scenario(), "--out", "r")
    (tmp_path / "r" / "notes.txt").write_text("what I thought of it")
    assert dadao_sim("run", scenario(), "--out", "r", "--overwrite")[0] == 0
    assert (tmp_path / "r" / "notes.txt").exists(), "not a part of the result"


def test_overwrite_spares_what_is_no_result(dadao_sim, scenario, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    code, _, err = dadao_sim("run", scenario(), "--out", "thesis", "--overwrite")
    assert_one_line(code, err, "thesis exists and is no result of ours", "choose another")
    assert (tmp_path / "thesis" / "chapter.tex").exists()


REGULAR = ["network", "--graph", "random_regular", "--nodes", "8"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "nothing"], "there is no folder nothing"),
        (["plot", "nothing"], "there is no folder nothing"),
        (["cite", "nobody"], "'nobody' is unknown"),
        (["network"], "give either a GraphML file or --graph"),
        (
            ["network", "--graph", "starr", "--nodes", "4"],
            "--graph: unknown value 'starr'; did you mean 'star'?",
        ),
        (["network", "--graph", "star"], "--nodes: "),
        (["network", "--graph", "star", "--nodes", "1"], "--nodes: "),
        (
            ["network", "--graph", "path", "--nodes", "4", "--set", "degree=3"],
            "--set degree: unknown key",
        ),
        (["network", "--graph", "path", "--nodes", "4", "--set", "degree=x"], "OPTION=NUMBER"),
        (["network", "no.graphml"], "no.graphml"),
        (["network", "--graph", "path", "--nodes", "4", "--set", "nodes=4"], "is --nodes"),
        ([*REGULAR, "--set", "degree=2.5"], "integer"),
        ([*REGULAR, "--set", "degree=true"], "NUMBER"),
    ],
)
def test_a_bad_argument_is_one_line(dadao_sim, arguments, message):
    code, _, err = dadao_sim(*arguments)
    assert_one_line(code, err, message)


def test_edges_beyond_the_radius_are_told(dadao_sim, scenario):
    network = "network: {graph: random_geometric, nodes: 6, radius: 0.001}"
    path = scenario(("network: {graph: path, nodes: 4}", network))
    for command in ("validate", "run"):
        code, out, _ = dadao_sim(command, path)
        assert code == 0
        assert "network: 5 of its 5 edges (repeat 0) are longer than the radius" in out
    assert "the radius" not in dadao_sim("validate", scenario())[1]
    arguments = ("--graph", "random_geometric", "--nodes", 6, "--set", "radius=0.001")
    assert "5 edges are longer than the radius" in dadao_sim("network", *arguments)[1]


def test_a_network_that_is_not_there_is_suggested(dadao_sim):
    for name, meant in (("cycle", "--graph cycle?"), ("abilene", "graphs/abilene.graphml?")):
        code, _, err = dadao_sim("network", name)
        assert_one_line(code, err, f"there is no file {name}", "did you mean", meant)
