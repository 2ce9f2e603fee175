"""Scenario files: a mistake is one line with the file's line, the key and the right word."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dadao_sim.errors import InputError
from dadao_sim.networks.section.spec import FileNetwork, FileSequence, SequenceNetwork
from dadao_sim.problems.data.files import DataFile
from dadao_sim.scenario import yaml_text
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

# The line numbers of the tables below are those of this file.
STAR = """\
name: star-regression
seed: 0
repeats: 5
problem:
  kind: least_squares
  weighting: uniform
  data:
    kind: synthetic
    dim: 10
    samples_per_node: 50
    condition_number: 100
network: {graph: star, nodes: 20, rates: uniform}
algorithms:
  - dadao
  - name: dadao
    label: DADAO, twice the rate
    rate_factor: 2.0
  - msda
stop: {time: 2000, communications: 1.0e6,
       accuracy: 1e-10}
report:
  cost:
    gradient: 1.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(text: str | bytes, *overrides: str) -> str:
    """What is said of a file star.yaml of this content."""
    content = text if isinstance(text, bytes) else text.encode()
    Path("star.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_scenario("star.yaml", overrides)
    assert caught.value.__cause__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_loads(folder: Path):
    Path("star.yaml").write_text(STAR, encoding="utf-8")
    made = load_scenario("star.yaml")
    assert made.name == "star-regression"
    assert [algorithm.label for algorithm in made.algorithms] == [
        "dadao",
        "DADAO, twice the rate",
        "msda",
    ]
    assert (made.stop.time, made.stop.communications, made.stop.accuracy) == (2000, 1e6, 1e-10)
    assert scenario_from_mapping(YAML(typ="safe").load(STAR)) == made


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("seed: 0", "sed: 0", "star.yaml:2: sed: unknown key; did you mean 'seed'? (known: name,"),
        ("repeats: 5", "repeats: five", "star.yaml:3: repeats: must be an integer, got 'five'"),
        ("repeats: 5", "repeats: 5.5", "star.yaml:3: repeats: must be an integer, got 5.5"),
        ("repeats: 5", 'repeats: "5"', "star.yaml:3: repeats: must be an integer, got '5'"),
        ("repeats: 5", "repeats: true", "star.yaml:3: repeats: must be an integer, got true"),
        ("repeats: 5", "repeats:", "star.yaml:3: repeats: must be an integer, got nothing"),
        ("repeats: 5", "repeats: 0", "star.yaml:3: repeats: must be at least 1, got 0"),
        ("repeats: 5", "name: again", "star.yaml:3: name: given before, on line 1"),
        ("name: star-regression", "name: a b", "star.yaml:1: name: must be made of letters"),
        ("name: star-regression", "name: 2024-01-02", "star.yaml:1: name: must be text, got a d"),
        (
            "weighting: uniform",
            "weighting: unifrom",
            "star.yaml:6: problem.weighting: unknown value 'unifrom'; did you mean 'uniform'? "
            "(known: samples, uniform)",
        ),
        (
            "dim: 10",
            "dimm: 10",
            "star.yaml:9: problem.data.dimm: unknown key; did you mean 'dim'? (known: kind, dim, "
            "samples_per_node, condition_number, covariance_condition, heterogeneity, hessians, "
            "noise)",
        ),
        ("dim: 10", "kind: digits", "star.yaml:9: problem.data.kind: given before, on line 8"),
        ("    dim: 10\n", "", "star.yaml:7: problem.data.dim: is missing"),
        (
            "    kind: synthetic",
            "    knd: synthetic",
            "star.yaml:8: problem.data.knd: unknown key; did you mean 'kind'? (known: kind, dim,",
        ),
        (
            "    kind: synthetic\n",
            "",
            "star.yaml:7: problem.data.kind: is missing (known: authors, breast_cancer, diabetes,",
        ),
        (
            "kind: synthetic",
            "kind: sythetic",
            "star.yaml:8: problem.data.kind: unknown value 'sythetic'; did you mean 'synthetic'?",
        ),
        ("kind: synthetic", "kind: [a]", "star.yaml:8: problem.data.kind: must be text, got a li"),
        (
            "samples_per_node: 50",
            "path: a.csv",
            "star.yaml:10: problem.data.path: unknown key (known: kind, dim, samples_per_node,",
        ),
        (
            "samples_per_node: 50",
            "partition: {kind: iid}",
            "star.yaml:10: problem.data.partition: is a key of the problem, beside data",
        ),
        ("number: 100", "number: .5", "star.yaml:11: problem.data.condition_number: must be at l"),
        ("number: 100", "number: .inf", "star.yaml:11: problem.data.condition_number: must be a f"),
        (
            "kind: least_squares",
            "kind: least_squares\n  mu: 1",
            "star.yaml:6: problem.mu: least_squares has no l2 term; kind ridge has",
        ),
        (
            "  weighting: uniform",
            "  partition: {kind: iid}",
            "star.yaml:6: problem.partition: synthetic data are drawn at each node",
        ),
        (
            "graph: star",
            "graph: wheel",
            "star.yaml:12: network.graph: unknown value 'wheel' (known: barabasi_albert, b",
        ),
        (
            "graph: star",
            "graf: star",
            "star.yaml:12: network.graf: unknown key; did you mean 'graph'?",
        ),
        (
            "graph: star, nodes: 20",
            "nodes: 20",
            "star.yaml:12: network: must have exactly one of the keys graph, file, sequence",
        ),
        (
            "graph: star, nodes: 20",
            "graph: star, nodes: 20, file: a",
            "star.yaml:12: network: must have exactly one of the keys graph, file, sequence, got "
            "graph and file",
        ),
        (
            "nodes: 20",
            "nodes: 20, rows: 4",
            "star.yaml:12: network.rows: unknown key (known: graph, nodes, rates, ids, edge_table)",
        ),
        (
            "rates: uniform",
            "rates: {attribute: km}",
            "star.yaml:12: network.rates: only a network read from a file, or with an edge_table",
        ),
        (
            "rates: uniform",
            "rates: optmal",
            "star.yaml:12: network.rates: must be uniform, optimal, {method: NAME} or "
            "{attribute: NAME}, got 'optmal'",
        ),
        (
            "graph: star, nodes: 20, rates: uniform",
            "sequence: {graph: star, nodes: 20,\n  lenght: 3}",
            "star.yaml:13: network.sequence.lenght: unknown key; did you mean 'length'?",
        ),
        (
            "graph: star, nodes: 20, rates: uniform",
            "sequence: {files: [a.graphml,\n  7]}",
            "star.yaml:13: network.sequence.files.1: must be text, got 7",
        ),
        (
            "  - dadao\n",
            "  - 3\n",
            "star.yaml:14: algorithms.0: must be a name or a mapping, got 3",
        ),
        (
            "  - dadao\n",
            "  - {name: dadao, constants: {eta: .nan}}\n",
            "star.yaml:14: algorithms.0.constants.eta: must be a finite number above 0, got nan",
        ),
        (
            "  - dadao\n",
            "  - {name: dadao, constants: {eta: 1.0e+200}}\n",
            "star.yaml:14: algorithms.0.constants.eta: must be of a size from 1e-100 to 1e+100, "
            "got 1e+200",
        ),
        (
            "  - dadao\n",
            "  - {name: dadao, constants: {3: 2}}\n",
            "star.yaml:14: algorithms.0.constants: 3 is no name of a constant",
        ),
        (
            "  - dadao\n",
            "  - {name: dadao, constants: ''}\n",
            "star.yaml:14: algorithms.0.constants: must be the name of a set, or a mapping of "
            "factors, got ''",
        ),
        (
            "  - msda\n",
            "  - dadao\n",
            "star.yaml:18: algorithms.2.label: 'dadao' is the label of algorithms.0",
        ),
        (
            "rate_factor: 2.0",
            "rate-factor: 2.0",
            "star.yaml:17: algorithms.1.rate-factor: unknown key; did you mean 'rate_factor'?",
        ),
        (
            "rate_factor: 2.0",
            "rate_factor: 0",
            "star.yaml:17: algorithms.1.rate_factor: must be ab",
        ),
        (
            "rate_factor: 2.0",
            "parameters: {1: 2}",
            "star.yaml:17: algorithms.1.parameters.1: must be text, got 1",
        ),
        ("  - name: dadao\n    label", "  - label", "star.yaml:15: algorithms.1.name: is missing"),
        (
            "stop: {time: 2000, communications: 1.0e6,",
            "stop: {",
            "star.yaml:19: stop: a run might never end: give at least one of time, gradients_per",
        ),
        ("accuracy: 1e-10", "accuracy: 1", "star.yaml:20: stop.accuracy: must be below 1, got 1"),
        ("gradient: 1.0", "gradient: -1", "star.yaml:23: report.cost.gradient: must be at least 0"),
        (
            "gradient: 1.0",
            "gradeint: 1",
            "star.yaml:23: report.cost.gradeint: unknown key; did you mean 'gradient'? "
            "(known: gradient, communication, byte, second, joule, relaxation)",
        ),
        (
            "report:",
            "report:\n  accuracies: [1e-2, 1e-1]",
            "star.yaml:22: report.accuracies.1: must be below the one before it, got 0.1",
        ),
        ("report:", "7: 1\nreport:", "star.yaml:21: 7: unknown key (known: name,"),
    ],
)
def test_a_mistake_is_reported_at_its_line(folder: Path, right: str, wrong: str, expected: str):
    assert right in STAR
    text = message(STAR.replace(right, wrong, 1))
    assert text.startswith(expected)
    assert "more:" not in text


def test_top_level_key_missing(folder: Path):
    text = message(STAR.replace("name: star-regression\n", ""))
    assert text == "star.yaml: name: is missing"


@pytest.mark.parametrize(("part", "got"), [("3", "3"), ("", "nothing"), ("[a]", "a list")])
def test_a_part_that_is_no_mapping(folder: Path, part: str, got: str):
    lines = STAR.splitlines()
    for first, last, key in [(4, 11, "problem"), (12, 12, "network"), (19, 20, "stop")]:
        text = "\n".join([*lines[: first - 1], f"{key}: {part}", *lines[last:]])
        assert message(text) == f"star.yaml:{first}: {key}: must be a mapping, got {got}"


def test_several_mistakes_the_first_of_the_file_in_full(folder: Path):
    text = STAR.replace("seed: 0", "sed: 0").replace("nodes: 20", "nodes: x")
    # The keys of a mapping are judged before its values, so that a misspelt key is reported alone.
    assert message(text).startswith("star.yaml:2: sed: unknown key")
    text = STAR.replace("dim: 10", "dim: x").replace("nodes: 20", "nodes: x")
    text = text.replace("repeats: 5", "repeats: x")
    assert message(text) == (
        "star.yaml:3: repeats: must be an integer, got 'x' "
        "(and 2 more: problem.data.dim, network.nodes)"
    )
    upside_down = "stop: {time: 0}\n" + "\n".join(
        line for line in text.splitlines() if "stop" not in line and "accuracy" not in line
    )
    assert message(upside_down).startswith("star.yaml:1: stop.time: must be above 0, got 0 (and 3")


def test_keys_that_come_from_an_anchor_have_the_line_of_the_anchor(folder: Path):
    text = STAR.replace("  - dadao\n  - name: dadao\n", "  - &a\n    name: dadao\n  - <<: *a\n")
    Path("star.yaml").write_text(text, encoding="utf-8")
    assert load_scenario("star.yaml").algorithms[1].name == "dadao"
    assert message(text.replace("name: dadao", "name: 3")).startswith(
        "star.yaml:15: algorithms.0.name: must be text, got 3 (and 1 more: algorithms.1.name)"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "star.yaml: is empty; a scenario needs name, problem, network, algorithms, stop"),
        ("# nothing\n", "star.yaml: is empty"),
        ("- a\n- b\n", "star.yaml: a scenario must be a mapping with name, problem, network,"),
        ("hello\n", "star.yaml: a scenario must be a mapping with name, problem, network, algo"),
        ("name: a\nseed: [1,\n", "star.yaml:3: not valid YAML, column 1: expected"),
        ("name: a\n\tseed: 1\n", "star.yaml:2: not valid YAML, column 1: found character '\\t'"),
        ("name: 'a\n", "star.yaml:2: not valid YAML, column 1: found unexpected end of stream"),
        ("name: *who\n", "star.yaml:1: not valid YAML, column 7: found undefined alias 'who'"),
        ("name: a\n---\nname: b\n", "star.yaml:2: not valid YAML, column 1: but found another"),
        ("a: !!python/name:os.system b\n", "star.yaml:1: not valid YAML, column 4: could not det"),
        ("a: &a [*a]\n", "star.yaml:1: too much for a scenario: a part that contains itself"),
        ("name: 2024-02-30\n", "star.yaml:1: a value cannot be read: day is out of range"),
        ("a: 1\nb: [!!bool maybe]\n", "star.yaml:2: a value cannot be read: 'maybe'"),
        ("a: 1\nb:\n- !!int ''\n", "star.yaml:3: a value cannot be read: string index"),
        (
            "a: " + "9" * 5000,
            "star.yaml:1: a value cannot be read: Exceeds the limit",
        ),
        ('a: "\\UFFFFFFFF"\n', "star.yaml:1: not valid YAML, column 7: found an escape that is no"),
        ('a: "\\U00110000"\n', "star.yaml:1: not valid YAML, column 7: found an escape that is no"),
        ("%YAML 2.0\n---\na: 1\n", "star.yaml:1: not valid YAML, column 1: found incompatible"),
        ("%TAG ! x:\n---\na: !y 1\n", "star.yaml:3: not valid YAML, column 4: could not determ"),
        ("name: a\x00b\n", "star.yaml:1: not valid YAML: unacceptable character"),
        (b"name: caf\xe9\n", "star.yaml: is not UTF-8 text (byte 9)"),
    ],
)
def test_files_that_are_no_scenarios(folder: Path, content: str | bytes, expected: str):
    assert message(content).startswith(expected)


@pytest.mark.parametrize("head", ["%YAML 1.2\n---\n", "%TAG !e! tag:example.org:\n---\n", "---\n"])
def test_a_document_may_say_what_it_is(folder: Path, head: str):
    Path("star.yaml").write_text(head + STAR, encoding="utf-8")
    assert load_scenario("star.yaml").seed == 0


def test_json_writes_some_characters_as_two_escapes():
    text = json.dumps({"a": "\U0001d4b3 \U0001f600"})
    assert "\\ud835" in text
    assert yaml_text.parse(text).data() == json.loads(text)


def test_half_a_character_is_no_text(folder: Path):
    content = STAR.replace("name: star-regression", 'name: "\\ud835"')
    assert content != STAR
    assert "name: must be text of whole characters, got " in message(content)


def test_a_byte_order_mark_is_no_mistake(folder: Path):
    Path("star.yaml").write_text(STAR, encoding="utf-8-sig")
    assert load_scenario("star.yaml").seed == 0


def test_missing_files(folder: Path):
    def said(path: str) -> str:
        with pytest.raises(InputError) as caught:
            load_scenario(path)
        return str(caught.value)

    assert said("star.yaml").startswith("star.yaml: no such file; there is no scenario in")
    Path("star.yaml").touch()
    Path("grid.yml").touch()
    Path("notes.txt").touch()
    assert said("star.yml") == (
        "star.yml: no such file; did you mean 'star.yaml'? (known: grid.yml, star.yaml)"
    )
    assert said("nowhere/star.yaml").endswith(": no such file, nor is there a folder nowhere")
    if os.name == "posix":
        assert said(".") == ".: is a folder (known: grid.yml, star.yaml)"


# ---- paths ---------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_scenario_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "scenarios" / "a.yaml"
    file.write_text(STAR, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "elsewhere")
    overrides = [
        "network={file: ../graphs/geant2012.graphml, rates: {attribute: km}}",
        "problem={kind: least_squares, data: {kind: file, path: a.csv}}",
    ]
    made = load_scenario(Path("../scenarios/a.yaml"), overrides)
    assert isinstance(made.network, FileNetwork)
    assert isinstance(made.problem.data, DataFile)
    assert made.network.file == str(tmp_path / "graphs" / "geant2012.graphml")
    assert made.problem.data.path == str(tmp_path / "scenarios" / "a.csv")
    files = f"[b.graphml, '{tmp_path}/c']"
    sequence = load_scenario(file, [f"network={{sequence: {{files: {files}}}}}"]).network
    assert isinstance(sequence, SequenceNetwork)
    assert isinstance(sequence.sequence, FileSequence)
    assert sequence.sequence.files == (
        str(tmp_path / "scenarios" / "b.graphml"),
        str(tmp_path / "c"),
    )
    # A manifest is read without a folder: absolute paths stay.
    assert scenario_from_mapping(made.to_mapping()) == made


# ---- robustness ----------------------------------------------------------------------------------

SPLINTERS = [*"[]{}:,-?*&!|>'\"%@`#\n\t\x00", "<<: ", "&a ", "*a ", "!!bool ", "!!set ", "---\n"]


def complaint(file: Path) -> str:
    try:
        load_scenario(file)
    except InputError as error:
        return str(error)
    return ""


@given(
    st.lists(
        st.tuples(st.integers(0, len(STAR)), st.integers(0, 8), st.sampled_from(SPLINTERS)),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=80, deadline=None)
def test_a_damaged_file_loads_or_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int, str]]
):
    text = STAR
    for start, length, splinter in damage:
        text = text[:start] + splinter + text[start + length :]
    file = tmp_path_factory.getbasetemp() / "damaged.yaml"
    file.write_text(text, encoding="utf-8")
    said = complaint(file)
    assert said == "" or said.startswith(str(file))
    assert "\n" not in said
