"""`compare` takes the cells of sweeps for results, and writes what it says to a file."""

import json

import pandas as pd
import pytest

from dadao_sim import load_result
from dadao_sim.plotting.sweep import against_figure
from dadao_sim.reports.comparison import comparison_table, ranked
from dadao_sim.reports.sweep import against, profile
from dadao_sim.results.latex import comparison_latex, escape
from dadao_sim.results.summary import NOT_REACHED, NOT_TRIED, quantities_of
from dadao_sim.results.sweep import load_sweep
from dadao_sim.results.table_file import save_table
from dadao_sim.simulation.simulate import simulate
from dadao_sim.simulation.sweep import sweep

SCENARIO = {
    "name": "swept",
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", {"name": "nids", "label": 'a,b"_%'}],
    "stop": {"time": 20.0, "accuracy": 1e-2},
    "record": {"points": 10},
    "report": {"accuracies": [0.5, 1e-2]},
}
SWEEP = {
    "network.nodes": [3, 4],
    "algorithms.1.parameters": {"paper": {}, "unknown": {"nothing": 2.0}},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A sweep, half of whose cells failed, and a result."""
    folder = tmp_path_factory.mktemp("results")
    sweep({**SCENARIO, "sweep": SWEEP}, out=folder / "swept")
    simulate(SCENARIO, out=folder / "plain")
    return folder / "swept", folder / "plain"


@pytest.fixture(scope="module")
def results(folders):
    swept, plain = folders
    cells = {f"swept: {cell}": result for cell, result in load_sweep(swept).results()}
    return {**cells, "plain": load_result(plain)}


def test_a_sweep_is_its_cells(dadao_sim, folders, results):
    code, said, _ = dadao_sim("compare", *folders, "--accuracy", 0.5, "--out", "t.csv")
    assert code == 0
    assert list(results) == [
        "swept: network.nodes=3, algorithms.1.parameters=paper",
        "swept: network.nodes=4, algorithms.1.parameters=paper",
        "plain",
    ]
    lines = said.splitlines()
    failed = [line for line in lines if ": failed: " in line]
    assert [line.partition(": failed")[0] for line in failed] == [
        f"swept: network.nodes={n}, algorithms.1.parameters=unknown" for n in (3, 4)
    ]
    assert lines[-1] == "table: t.csv"
    assert pd.read_csv("t.csv")["scenario"].unique().tolist() == list(results)


@pytest.mark.parametrize("accuracy", [0.5, 1e-2, 1e-9])
@pytest.mark.parametrize("ending", ["csv", "json"])
def test_the_numbers_are_read_back_in_full(dadao_sim, folders, results, accuracy, ending):
    code, *_ = dadao_sim(
        "compare",
        *folders,
        "--accuracy",
        accuracy,
        "--x",
        "bytes",
        "--rank",
        "--out",
        f"t.{ending}",
    )
    assert code == 0
    read = pd.read_csv("t.csv") if ending == "csv" else pd.read_json("t.json")
    quantities = ["communications", "gradients", "time", "cost", "bits", "bytes"]
    expected = ranked(comparison_table(results, accuracy, quantities), "bytes")
    assert list(read) == list(expected)
    words = {NOT_REACHED: float("inf"), NOT_TRIED: float("nan")}
    for name in expected:
        if name.rpartition("_")[0] in quantities_of(expected):
            read[name] = [words.get(value, value) for value in read[name]]
            read[name] = read[name].astype(float)
    pd.testing.assert_frame_equal(read, expected, check_exact=True, check_dtype=False)


def test_latex_has_the_rows_of_each_below_its_name(dadao_sim, folders, results):
    code, *_ = dadao_sim("compare", *folders, "--accuracy", 0.5, "--out", "t.tex")
    assert code == 0
    with open("t.tex", encoding="utf-8") as file:
        text = file.read()
    table = comparison_table(results, 0.5)
    titles = {name: title for one in results.values() for name, title in one.titles.items()}
    assert text == "% drawn by dadao_sim\n" + comparison_latex(table, titles)
    places = [text.index(rf"\textit{{{escape(name)}}}") for name in results]
    assert places == sorted(places)
    assert text.count("DADAO &") == text.count(r"a,b''\_\% &") + text.count(r'a,b"\_\% &') == 3
    assert text.count("{") == text.count("}")
    dadao_sim("compare", *folders, "--accuracy", 0.5, "--x", "bytes", "--out", "t.tex")
    with open("t.tex", encoding="utf-8") as file:
        assert r"Method & Bytes \\" in file.read()


def test_repeats_that_differ_are_said_of_the_latex_table(results):
    table = comparison_table(results, 0.5)
    assert "over 2 repeats" in comparison_latex(table, {"dadao": "D", "nids": "N"})
    table.loc[0, "repeats"] = 5
    assert "over 2 to 5 repeats" in comparison_latex(table, {"dadao": "D", "nids": "N"})


@pytest.mark.parametrize("ending", ["csv", "json", "tex"])
def test_what_is_not_ours_is_kept(dadao_sim, folders, results, ending, tmp_path):
    table, file = comparison_table(results, 0.5), tmp_path / f"t.{ending}"
    for mine in ("a,b\n", "[]", "[1]", "{}", "[{}]", "\0", "\udcff", json.dumps([{"a": 1}])):
        file.write_bytes(mine.encode("utf-8", "surrogateescape"))
        code, _, said = dadao_sim("compare", *folders, "--accuracy", 0.5, "--out", file)
        assert code == 2
        assert f"--out: {file} exists and is not one of ours" in said
    save_table(table, {"dadao": "D", "nids": "N"}, file, overwrite=True)
    save_table(table, {"dadao": "D", "nids": "N"}, file)  # ours


def test_what_cannot_be_written_is_refused_before_anything_is_read(dadao_sim, folders):
    code, _, said = dadao_sim("compare", *folders, "--out", "t.txt")
    assert (code, said) == (
        2,
        "dadao-sim: --out: t.txt: name a file that ends in .csv or .json or .tex\n",
    )
    code, _, said = dadao_sim(
        "compare", *folders, "--out", folders[0] / "summary.csv", "--overwrite"
    )
    assert code == 2
    assert "is read by this command" in said


def test_a_sweep_whose_cells_all_failed_is_no_result(dadao_sim, tmp_path):
    few = {"algorithms.1.parameters": {"unknown": {"nothing": 2.0}}}
    sweep({**SCENARIO, "sweep": few}, out=tmp_path / "s")
    code, _, said = dadao_sim("compare", "s")
    assert code == 2
    assert "compare: every cell failed" in said


def test_figures_have_a_panel_or_bar_for_each_cell(dadao_sim, folders, tmp_path):
    assert dadao_sim("compare", *folders, "--accuracy", 0.5, "--figure", "c.png")[0] == 0
    assert (tmp_path / "c.png").stat().st_size > 1000


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A sweep over where runs end: 0.3 is none of the accuracies of the report."""
    folder = tmp_path_factory.mktemp("own") / "own"
    swept = {"stop.accuracy": [0.5, 0.3, 0.01], "network.graph": ["path", "star"]}
    sweep({**SCENARIO, "sweep": swept}, out=folder)
    return folder


def test_each_cell_is_compared_at_the_accuracy_at_which_it_stops(dadao_sim, own):
    code, *_ = dadao_sim("compare", own, "--out", "t.csv", "--figure", "f.png")
    assert code == 0
    found = pd.read_csv("t.csv")
    assert len(found) == 3 * 2 * 2
    for cell, result in load_sweep(own).results():
        rows = found[found["scenario"] == f"own: {cell}"]
        assert set(rows["accuracy"]) == {cell.values["stop.accuracy"]}
        expected = result.summary_of([cell.values["stop.accuracy"]])
        found_costs = rows["gradients_median"].replace(NOT_REACHED, "inf").astype(float).tolist()
        assert found_costs == expected["gradients_median"].tolist()
    dadao_sim("compare", own, "--accuracy", 0.5, "--out", "all.csv")
    assert set(pd.read_csv("all.csv")["accuracy"]) == {0.5}


def test_beside_another_result_that_has_the_usual_one(dadao_sim, own, folders):
    code, *_ = dadao_sim("compare", own, folders[1], "--out", "t.csv")
    assert code == 0
    found = pd.read_csv("t.csv").groupby("scenario")["accuracy"].first()
    assert found.pop("plain") == 1e-6
    assert set(found) == {0.5, 0.3, 0.01}


def test_the_tables_and_figures_of_such_a_sweep(own):
    swept = load_sweep(own)
    asked = swept.summary.groupby("stop.accuracy")["accuracy"].unique()
    assert {stop: sorted(of) for stop, of in asked.items()} == {
        0.5: [0.5],
        0.3: [0.3, 0.5],
        0.01: [0.01, 0.5],
    }
    found = against(swept, "stop.accuracy", "gradients", theory=True)
    assert found.accuracy is None
    lines = {(facet.values["network.graph"], line.algorithm): line for facet in found.facets
             for line in facet.lines}  # fmt: skip
    for cell, result in swept.results():
        accuracy = cell.values["stop.accuracy"]
        for row in result.summary_of([accuracy]).itertuples():
            line = lines[cell.values["network.graph"], row.algorithm]
            assert line.median[line.x.tolist().index(accuracy)] == row.gradients_median
    theory = lines["path", "dadao"].theory
    assert theory[0] > theory[1] > theory[2] > 0  # the tighter the dearer
    figure = against_figure(found, swept)
    assert figure.get_supylabel() == "Local gradients to the accuracy of each cell"
    assert against(swept, "stop.accuracy", accuracy=0.5).accuracy == 0.5
    assert profile(swept).accuracy is None
