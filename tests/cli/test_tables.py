"""Tables: in the width of a terminal, as columns in a pipe, and as JSON, with the same numbers."""

import io
import json
import re
import sys

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from dadao_sim.cli import show
from dadao_sim.results.result import load_result

COLUMNS = r"\s{2,}"
"""What is between two columns in a pipe."""
SCENARIO = """
name: small
problem: {kind: least_squares, data: {kind: synthetic, dim: 3, samples_per_node: 5}}
network: {graph: path, nodes: 4}
algorithms: [dadao, msda, {name: extra, label: "a label, of several words"}]
stop: {time: 30}
record: {points: 10}
report: {accuracies: [0.5, 0.1]}
"""


class Terminal(io.StringIO):
    """A terminal that keeps what is printed."""

    def isatty(self):
        return True

    def lines(self):
        return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", self.getvalue()).splitlines()


@pytest.fixture
def on_a_terminal(monkeypatch, dadao_sim):
    """Run a command on a terminal of that many columns: its exit code, and the lines."""

    def call(columns, *arguments):
        with monkeypatch.context() as patch:
            terminal = Terminal()
            patch.setattr(sys, "stdout", terminal)
            patch.setenv("COLUMNS", str(columns))
            code, _, _ = dadao_sim(*arguments)
        return code, terminal.lines()

    return call


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.yaml").write_text(SCENARIO)
    return "small.yaml"


def piped(text):
    """A table that was printed into a pipe, read by pandas."""
    return pd.read_csv(io.StringIO(text), sep=COLUMNS, engine="python", na_values="-")


# ---- any table
# ------------------------------------------------------------------------------------

WORDS = st.text("abc ,-", min_size=1, max_size=60).filter(lambda t: t.strip(" -"))
NUMBERS = st.integers(-(10**12), 10**12)


@st.composite
def tables(draw):
    """Titles and rows, of which the first so many columns are words."""
    words, numbers = draw(st.integers(1, 3)), draw(st.integers(0, 9))
    row = st.tuples(*[WORDS] * words, *[NUMBERS] * numbers)
    titles = [f"title {k}" for k in range(words + numbers)]
    return titles, draw(st.lists(row, min_size=1, max_size=5)), words


def printed(monkeypatch, stream, table):
    titles, rows, words = table
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        show.print_table(titles, cells, words=words)
    return stream.getvalue()


@hypothesis.given(table=tables(), columns=st.integers(110, 200))
def test_every_table_fits_the_terminal_with_every_number_whole(table, columns):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        terminal = Terminal()
        printed(patch, terminal, table)
    assert max(map(len, terminal.lines())) <= columns
    there = " ".join(terminal.lines()).split()
    for row in table[1]:
        for number in row[table[2] :]:
            assert f"{number:,}" in there


@hypothesis.given(table=tables())
def test_every_table_is_read_again_from_a_pipe(table):
    with pytest.MonkeyPatch.context() as patch:
        text = printed(patch, io.StringIO(), table)
    titles, rows, words = table
    lines = text.splitlines()
    assert len(lines) == 1 + len(rows)
    assert re.split(COLUMNS, lines[0]) == titles
    for line, row in zip(lines[1:], rows, strict=True):
        cells = re.split(COLUMNS, line.strip())
        assert [int(cell) for cell in cells[words:]] == list(row[words:])
        assert [" ".join(cell.split()) for cell in cells[:words]] == [
            " ".join(cell.split()) for cell in row[:words]
        ]


# ---- the commands
# ------------------------------------------------------------------------------------


def test_what_a_run_prints_is_its_summary(dadao_sim, small):
    """The table in a pipe and the JSON, against summary.csv."""
    code, out, err = dadao_sim("run", small, "--quiet", "--out", "r")
    assert (code, err) == (0, "")
    summary = load_result("r").summary
    table = piped(out)
    assert (
        list(table["algorithm"]) == ["DADAO"] * 2 + ["MSDA"] * 2 + ["a label, of several words"] * 2
    )
    for quantity in ("communications", "gradients", "time", "cost"):
        shown = pd.to_numeric(table[quantity], errors="coerce")
        medians = summary[f"{quantity}_median"].replace(np.inf, np.nan)
        np.testing.assert_allclose(shown, medians.round(), atol=0.51)
    code, out, err = dadao_sim("run", small, "--json", "--out", "s")
    document = json.loads(out)
    assert (code, err, document["result"]) == (0, "", "s")
    for name in ("algorithm", "accuracy", "communications_median", "bits_p90", "reached"):
        values = summary[name].replace(np.inf, np.nan)
        expected = [None if value != value else value for value in values.tolist()]
        assert [row[name] for row in document["costs"]] == expected
    code, out, _ = dadao_sim("compare", "r", "s", "--accuracy", "0.1", "--json")
    costs = json.loads(out)["costs"]
    assert [row["scenario"] for row in costs] == ["r"] * 3 + ["s"] * 3
    assert costs[0]["communications_median"] == summary["communications_median"][1]


@pytest.mark.parametrize("columns", [80, 100])
def test_no_table_is_wider_than_the_terminal(on_a_terminal, small, columns):
    commands = [
        ("run", small, "--out", "a"),
        ("run", small, "--out", "b", "--seed", 1),
        ("compare", "a", "b"),
        ("network", "--graph", "star", "--nodes", 300),
        ("rates", "--graph", "cycle", "--nodes", 6, "--method", "first_order"),
        ("theory", small),
        ("world", "world/loss", "--end", 2),
        ("list",),
        ("show", "adom_plus_multi_consensus"),
        ("check", "randomised_gossip"),
    ]
    for command in commands:
        code, lines = on_a_terminal(columns, *command, "--quiet")
        assert code == 0, command
        assert len(lines) > 3, command
        assert max(map(len, lines)) <= columns, command


@pytest.mark.parametrize(
    ("command", "list_of"),
    [
        (("network", "--graph", "star", "--nodes", 30), "methods"),
        (("rates", "--graph", "cycle", "--nodes", 6, "--method", "first_order"), "methods"),
        (("theory", "small.yaml", "--accuracy", "0.1"), "algorithms"),
        (("list", "graphs"), "graphs"),
        (("world", "world/loss", "--end", 3), "worlds"),
    ],
)
def test_tables_in_a_pipe_have_a_row_for_each_of_the_json(dadao_sim, small, command, list_of):
    code, out, err = dadao_sim(*command, "--quiet")
    assert (code, err) == (0, "")
    table = piped(out)
    code, out, err = dadao_sim(*command, "--json")
    assert (code, err) == (0, "")
    of = json.loads(out)[list_of]
    assert len(of) == (table.shape[1] - 1 if list_of == "worlds" else len(table))
    if command[0] == "network":
        rates = [row["design_rate"] for row in of.values()]
        np.testing.assert_allclose(table["design rate"], rates, rtol=1e-5)
    if list_of == "worlds":
        events = table.set_index("of").loc["events"].astype(int).tolist()
        assert events == [row["events"] for row in of]


def test_json_is_all_there_is_even_with_figures(dadao_sim, small):
    code, out, err = dadao_sim(
        "network", "--graph", "star", "--nodes", 5, "--json", "--figure", "n.png"
    )
    assert (code, err, json.loads(out)["n"]) == (0, "", 5)
    code, out, _ = dadao_sim("validate", small, "--json")
    document = json.loads(out)
    assert (code, document["valid"]) == (0, True)
    assert document["said"][-1] == "small.yaml: valid; 3 algorithms, 1 repeat"
    assert json.loads(dadao_sim("schema", "--json")[1]) == json.loads(dadao_sim("schema")[1])
    assert json.loads(dadao_sim("cite", "dadao", "--json")[1])["bibtex"] == (
        dadao_sim("cite", "dadao")[1].rstrip("\n")
    )


def test_a_command_that_fails_prints_no_json(dadao_sim, small):
    code, out, err = dadao_sim("validate", small, "--set", "stop.time=soon", "--json")
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_laws_that_are_broken_are_json_too(dadao_sim):
    code, out, _ = dadao_sim("check", "synchronous_gossip", "--json")
    laws = json.loads(out)["laws"]
    assert code == 0
    assert {law["method"] for law in laws} == {"synchronous_gossip"}
    assert {law["status"] for law in laws} <= {"passed", "skipped"}


def test_quiet_is_quiet(dadao_sim, small):
    assert dadao_sim("validate", small, "--quiet") == (0, "", "")
    loud = dadao_sim("run", small, "--out", "r")[1].splitlines()
    quiet = dadao_sim("run", small, "--out", "s", "-q")[1].splitlines()
    assert set(quiet) < set(loud)
    assert len(quiet) == 1 + 6


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(2.5), 2.5),
        (np.int64(3), 3),
        (np.array([1.0, np.inf]), [1.0, None]),
        (float("nan"), None),
        ({1: (True, None)}, {"1": [True, None]}),
        (np.bool_(True), True),
        (io, str(io)),
    ],
)
def test_json_has_plain_values(value, expected):
    assert show.plain(value) == expected
