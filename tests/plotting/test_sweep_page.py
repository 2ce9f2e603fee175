"""The page of a sweep says what its tables say, in one file, however large the sweep."""

import html
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from html_page import Page
from sweeps import made
from synthetic import finished_run
from synthetic import result as result_of

from dadao_sim.networks import Network, write_graphml
from dadao_sim.plotting.page.one_sweep import NOT_THERE, NOT_TRIED
from dadao_sim.plotting.page.write import MOST_BYTES, page
from dadao_sim.reports.sweep import against, profile
from dadao_sim.results.summary import STATISTICS
from dadao_sim.results.sweep import load_sweep
from dadao_sim.scenario.reading import load_file, sweep_from_mapping
from dadao_sim.simulation.sweep import sweep

NODES, KAPPA, GRAPH = "network.nodes", "problem.kappa", "network.graph"
NASTY = "<img src=x onerror='window.caught = 1'> $x$"
SCENARIO = {
    "name": "swept",
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", {"name": "nids"}],
    "stop": {"time": 20.0, "accuracy": 1e-2},
    "record": {"points": 10},
    "report": {"accuracies": [0.5, 1e-2, 1e-9]},
    "sweep": {
        NODES: [3, 4],
        "network": {NASTY: {"graph": "path"}, "star": {"graph": "star"}},
        "algorithms.1.parameters": {"paper": {}, "unknown": {"nothing": 2.0}},
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps") / "s"
    sweep(SCENARIO, out=folder)
    return folder


@pytest.fixture(scope="module")
def swept(folder):
    return load_sweep(folder)


@pytest.fixture(scope="module")
def swept_page(swept):
    return Page(page({"s": swept}))


def grows(label, values, repeat, accuracy):
    factor = values[NODES] ** (2.0 if label == "dadao" else 1.0) / accuracy
    return math.inf if values[NODES] == 64 and repeat == 2 else (2 + repeat) * factor


@pytest.fixture(scope="module")
def large():
    return made(grows, {NODES: [16, 32, 64], GRAPH: ["path", "star"]}, failed=(1,))


def column(drawn, accuracy, quantity, which):
    """A column of the data, its numbers as the tables have them; nan where there is no row."""
    columns = drawn["tables"][accuracy]["columns"]
    one = columns[quantity]
    found, times = (columns[one["of"]], one["times"]) if "of" in one else (one, 1)
    codes = {None: math.inf, NOT_TRIED: math.nan, NOT_THERE: math.nan}
    return [times * codes.get(value, value) for value in found[which]]


@pytest.mark.parametrize("which", ["swept", "large"])
def test_the_numbers_are_those_of_the_summary(request, which):
    whole = request.getfixturevalue(which)
    drawn = Page(page({"s": whole})).data["r0-sweep"]
    keys, algorithms = drawn["keys"], [one["name"] for one in drawn["algorithms"]]
    titles = {name: one["title"] for name, one in whole.in_print.items()}
    assert [key["name"] for key in keys] == list(whole.keys)
    assert [key["number"] for key in keys] == [whole.is_number(key) for key in whole.keys]
    summary = whole.summary[whole.summary["reason"] == ""]
    assert len(drawn["accuracies"]) * len(drawn["rows"]["algorithm"]) == len(summary)
    for k, accuracy in enumerate(drawn["accuracies"]):
        values = [
            [key["values"][at] for at in places]
            for key, places in zip(keys, drawn["rows"]["at"], strict=True)
        ]
        found = pd.DataFrame(dict(zip(whole.keys, values, strict=True)))
        found["algorithm"] = [algorithms[at] for at in drawn["rows"]["algorithm"]]
        expected = summary[summary["accuracy"] == accuracy].reset_index(drop=True)
        for key in whole.keys:
            assert found[key].tolist() == expected[key].tolist()
        assert found["algorithm"].tolist() == [titles[name] for name in expected["algorithm"]]
        assert drawn["rows"]["repeats"] == expected["repeats"].tolist()
        assert drawn["tables"][k]["reached"] == expected["reached"].tolist()
        for q, quantity in enumerate(drawn["quantities"]):
            for statistic in STATISTICS:
                np.testing.assert_allclose(
                    column(drawn, k, q, statistic),
                    expected[f"{quantity['name']}_{statistic}"],
                    rtol=6e-6,
                )


def test_what_is_a_multiple_is_written_once(large):
    drawn = Page(page({"s": large})).data["r0-sweep"]
    names = [one["name"] for one in drawn["quantities"]]
    for table in drawn["tables"]:
        assert table["columns"][names.index("messages")] == {
            "of": names.index("communications"),
            "times": 2.0,
        }
    assert "of" not in drawn["tables"][0]["columns"][names.index("time")]


def test_the_profile_is_that_of_the_report(large):
    drawn = Page(page({"s": large})).data["r0-sweep"]
    for k, accuracy in enumerate(drawn["accuracies"]):
        expected = profile(large, "communications", accuracy)
        found = drawn["profiles"][k][0]
        assert found["problems"] == expected.problems == 15
        for label, line in zip(expected.ratios, found["lines"], strict=True):
            for ratio, share in zip(line["ratio"], line["share"], strict=True):
                # Ratios have six digits.
                assert expected.share(label, ratio * (1 + 1e-5)) == pytest.approx(share, rel=1e-5)
            assert line["share"] == sorted(line["share"])
            assert line["share"][-1] == pytest.approx(
                np.isfinite(expected.ratios[label]).mean(), rel=1e-5
            )


def fits_of(drawn, view, accuracy, quantity):
    """The exponents of a view with their intervals and factors, by facet and algorithm."""
    column = drawn["tables"][accuracy]["columns"][quantity]
    place, times = (column["of"], column["times"]) if "of" in column else (quantity, 1)
    fits = iter(view["fits"][accuracy][str(place)])
    names = [one["name"] for one in drawn["algorithms"]]
    keys = [drawn["keys"][k] for k in view["open"]]
    found = {}
    for facet in view["facets"]:
        at = tuple(str(key["values"][k]) for key, k in zip(keys, facet["at"], strict=True))
        for algorithm, _ in facet["lines"]:
            fit = next(fits)
            found[at, names[algorithm]] = fit and [*fit[:3], times * fit[3]]
    assert next(fits, None) is None
    return found


ZIPPED = {GRAPH: ["path", "star"], NODES: [16, 32, 64], KAPPA: [10.5, 20, 40]}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("key", [NODES, KAPPA])
def test_facets_and_fits_are_those_of_the_report(key, zipped):
    whole = made(grows, ZIPPED, failed=(1,), zipped=zipped)
    drawn = Page(page({"s": whole})).data["r0-sweep"]
    titles = {name: one["title"] for name, one in whole.in_print.items()}
    names = [one["name"] for one in drawn["keys"]]
    (view,) = [one for one in drawn["against"] if names[one["key"]] == key]
    for a, accuracy in enumerate(drawn["accuracies"]):
        for q, quantity in enumerate(drawn["quantities"]):
            expected = against(whole, key, quantity["name"], accuracy).facets
            assert [names[k] for k in view["open"]] == list(expected[0].values)
            found = fits_of(drawn, view, a, q)
            lines = {
                (tuple(map(str, facet.values.values())), titles[line.algorithm]): line.fit
                for facet in expected
                for line in facet.lines
            }
            # A column of numbers that are not all whole has none that is.
            assert [(tuple(map(clean, at)), name) for at, name in found] == [
                (tuple(map(clean, at)), name) for at, name in lines
            ]
            for fit, law in zip(found.values(), lines.values(), strict=True):
                assert (fit is None) == (law is None)
                if law is not None:
                    values = [-math.inf if fit[1] is None else fit[1]]
                    values += [math.inf if fit[2] is None else fit[2]]
                    np.testing.assert_allclose(
                        [fit[0], *values, fit[3]],
                        [law.exponent, law.low, law.high, law.factor],
                        rtol=6e-6,
                        atol=1e-12,
                    )
    moved = [names[k] for k in view["choices"]]
    assert moved == ([GRAPH] if zipped else [one for one in (GRAPH, NODES, KAPPA) if one != key])


def clean(text):
    return text.removesuffix(".0")


def test_what_moves_along_is_not_chosen_beside_a_map():
    drawn = Page(page({"s": made(grows, ZIPPED, zipped=True)})).data["r0-sweep"]
    choices = {tuple(one["keys"]): one["choices"] for one in drawn["pairs"]}
    assert choices == {(0, 1): [], (0, 2): [], (1, 2): [0]}
    drawn = Page(page({"s": made(grows, ZIPPED)})).data["r0-sweep"]
    choices = {tuple(one["keys"]): one["choices"] for one in drawn["pairs"]}
    assert choices == {(0, 1): [2], (0, 2): [1], (1, 2): [0]}


def test_failed_cells_are_there_with_their_reasons(swept, swept_page):
    failed = [[cell.text for cell in row] for row in swept_page.table("failed").rows[1:]]
    assert failed == [[str(cell), cell.error] for cell in swept.failed]
    assert len(failed) == 4
    assert "8, with 16 runs; 4 failed" in swept_page.text
    assert "4 of 8 cells failed" in swept_page.text


def test_every_cell_says_how_it_ended_and_where_it_is(swept, swept_page, folder):
    table = swept_page.table("cells")
    assert [cell.text for cell in table.rows[0]] == [*swept.keys, "Ended", "Folder"]
    for row, cell in zip(table.rows[1:], swept.cells, strict=True):
        *values, ended, place = (one.text for one in row)
        assert values == list(map(str, cell.values.values()))
        assert (folder / place) == cell.folder
        if cell.error is not None:
            assert ended == f"failed: {cell.error}"
            continue
        counts = {status: int(n) for n, status in re.findall(r"(\d+) (\w+)", ended)}
        assert counts == cell.result.runs["status"].value_counts().to_dict()


def test_how_runs_of_some_algorithms_ended_is_said_of_them():
    whole = made(grows, {NODES: [4, 8]})
    whole.costs.loc[(whole.costs[NODES] == 8) & (whole.costs["algorithm"] == "msda"), "status"] = (
        "diverged"
    )
    table = Page(page({"s": whole})).table("cells")
    assert [row[1].text for row in table.rows[1:]] == [
        "6 converged",
        "3 converged (DADAO), 3 diverged (MSDA)",
    ]
    assert [of.get("class") for of in table.of_rows[1:]] == [None, "diverged"]


def test_names_are_text(swept_page):
    assert "img" not in {tag for tag, _ in swept_page.elements}
    assert NASTY in swept_page.text
    assert NASTY in swept_page.data["r0-sweep"]["keys"][1]["values"]


def test_what_was_asked_is_what_the_cells_have_in_common(swept_page):
    rows = {row[0].text: row[1].text for row in swept_page.table("asked").rows}
    assert rows["swept: network.nodes"] == "3, 4"
    assert rows["swept: algorithms.1.parameters"] == "paper, unknown"
    assert rows["stop"] == "time 20, accuracy 0.01"
    assert rows["algorithms"] == "DADAO, NIDS"
    assert "network" not in rows  # a swept section


def test_what_is_run_again_is_the_sweep(swept, tmp_path):
    content = page({"s": swept}).decode()
    text = re.search(r'<pre class="scenario">(.*?)</pre>', content, re.S)[1]
    (tmp_path / "again.yaml").write_text(html.unescape(text))
    again, first = load_file(tmp_path / "again.yaml"), sweep_from_mapping(SCENARIO)
    assert again.cells == first.cells
    command = re.search(r'<pre class="command">(.*?)</pre>', content)[1]
    assert command == "dadao-sim run swept.yaml --out results/swept"


def test_a_scenario_that_names_files_says_where_they_are(tmp_path):
    (tmp_path / "here").mkdir()
    write_graphml(Network(3, [[0, 1], [1, 2]]), tmp_path / "here" / "g.graphml")
    file = tmp_path / "here" / "s.yaml"
    few = {k: v for k, v in SCENARIO.items() if k != "sweep"} | {"repeats": 1}
    few |= {"network": {"file": "g.graphml"}, "sweep": {"stop.time": [2, 3.5]}}
    file.write_text(json.dumps(few))
    whole = sweep(file, out=tmp_path / "s")
    assert not whole.failed
    assert whole.said["folder"] == str(tmp_path / "here")
    assert f"in {tmp_path / 'here'}" in Page(page({"s": whole})).text
    # The values are of two types, and a column of one.
    assert whole.costs["stop.time"].tolist() == [2.0] * 6 + [3.5] * 6


def test_of_an_older_sweep_the_scenario_is_not_known(large):
    assert "a version that did not keep it" in Page(page({"s": large})).text


def test_where_every_cell_failed_that_is_all():
    read = Page(page({"s": made(grows, {NODES: [4, 8]}, failed=(0, 1))}))
    assert "Every cell failed: there is nothing to draw." in read.text
    assert read.data == {}
    assert [row[1].text for row in read.table("failed").rows[1:]] == ["<b>no</b> such thing"] * 2


def test_results_beside_a_sweep_are_compared_without_it(large):
    one, two = (result_of(finished_run("dadao"), finished_run("nids")) for _ in range(2))
    read = Page(page({"one": one, "swept": large, "two": two}))
    assert [cell.text for cell in read.tables["comparison"][0].rows[0]] == [
        "Algorithm",
        "one",
        "two",
    ]
    assert {"r0-samples", "r1-sweep", "r2-samples"} <= set(read.data)
    assert "comparison" not in Page(page({"one": one, "swept": large})).tables


def test_the_same_sweep_gives_the_same_bytes(swept, folder):
    assert page({"s": swept}) == page({"s": load_sweep(folder)})


@pytest.mark.parametrize("accuracies", [3, 6])
def test_five_hundred_cells_fit(accuracies):
    rng = np.random.default_rng(0)
    keys = {NODES: list(range(10, 110, 10)), KAPPA: list(range(1, 11)), GRAPH: list("abcde")}
    methods = ("dadao", "msda", "nids", "extra", "continuized")
    wanted = [10.0**-k for k in range(1, accuracies + 1)]
    whole = made(lambda *_: rng.uniform(1e3, 1e7), keys, methods, repeats=3, accuracies=wanted)
    content = page({"s": whole})
    assert len(content) < MOST_BYTES
    read = Page(content)
    drawn = read.data["r0-sweep"]
    assert len(drawn["rows"]["algorithm"]) == 2500
    assert len(read.table("cells").rows) == 501
    assert drawn["accuracies"] == wanted[-len(drawn["accuracies"]) :]
    for accuracy in wanted[: -len(drawn["accuracies"])]:
        assert f"to {accuracy:g}" in read.text
    assert bool(drawn["left_out"]) == (accuracies == 6)


def test_the_command_takes_sweeps(dadao_sim, folder, swept, tmp_path):
    code, said, _ = dadao_sim("report", folder, "-o", "page.html")
    assert code == 0
    assert said.startswith("report: page.html, ")
    assert (tmp_path / "page.html").read_bytes() == page({"s": swept})
    (tmp_path / "s.html").symlink_to(folder / "sweep.json")
    code, _, said = dadao_sim("report", folder, "-o", "s.html", "--overwrite")
    assert code == 2
    assert "is read by this command" in said
