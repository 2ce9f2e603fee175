"""A page says what its results say, in one file of one look that asks for nothing."""

import html
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from synthetic import finished_run, result, style_of

from dadao_sim import Result, load_result, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.networks import Network, write_graphml
from dadao_sim.plotting.curves import median_and_band, runs_of
from dadao_sim.plotting.page.write import MOST_BYTES, embedded, page, save_page
from dadao_sim.plotting.style import DASH_NAMES, styles
from dadao_sim.reports.comparison import comparison_table
from dadao_sim.reports.origin import asked_of, study_of
from dadao_sim.reports.timeline import world_timeline
from dadao_sim.reports.world import world_report, world_rows
from dadao_sim.results.summary import NOT_REACHED, NOT_TRIED
from dadao_sim.scenario.reading import load_scenario

PROBLEM = {
    "kind": "ridge",
    "mu": 0.1,
    "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 4},
}
SCENARIO = {
    "name": "small",
    "problem": PROBLEM,
    "network": {"graph": "grid_2d", "nodes": 9},
    "algorithms": ["dadao", {"name": "nids", "label": "rounds"}, "ad_psgd"],
    "stop": {"time": 60.0, "accuracy": 1e-6},
    "repeats": 2,
    "record": {"points": 40},
    "report": {"accuracies": [0.1, 1e-3]},
}
WORLD = {
    "gradient_seconds": 0.25,
    "nodes": {
        "gradient": {"kind": "exponential", "mean": 1.0},
        "pause": {"kind": "constant", "mean": 0.0},
        "crashes": {"every": 20, "length": 4, "state": "lost"},
    },
    "links": {
        "latency": 0.02,
        "loss": {"probability": 0.1, "noticed": "both"},
        "outages": {"every": 30, "length": 3},
    },
}


@pytest.fixture(scope="module")
def mixed():
    """Algorithms that get there, that get there sometimes, that never do, and that diverge."""
    return result(
        *(finished_run("dadao", k, rate=0.08 + 0.01 * k) for k in range(5)),
        *(finished_run("msda", k, rate=0.1 if k < 2 else 0.01) for k in range(5)),
        *(finished_run("nids", k, rate=0.001) for k in range(5)),
        *(finished_run("extra", k, rate=-0.2 if k else 0.2) for k in range(5)),
        *(finished_run("dadao", k, label="DADAO, mine", constants="tuned") for k in range(5)),
    )


@pytest.fixture(scope="module")
def mixed_page(mixed):
    return Page(page({"mixed": mixed}))


@pytest.fixture(scope="module")
def small():
    return simulate(SCENARIO)


@pytest.fixture(scope="module")
def in_a_world():
    return simulate({**SCENARIO, "name": "in-a-world", "world": WORLD})


@pytest.fixture(scope="module")
def world_page(in_a_world):
    return Page(page({"in-a-world": in_a_world}))


# ---- the tables -----------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy", [1e-2, 1e-4, 1e-6])
def test_the_ranking_is_the_summary(mixed, mixed_page, accuracy):
    table = mixed_page.table("ranking", accuracy=str(accuracy))
    titles = [cell.attributes.get("data-quantity") for cell in table.rows[0]][3:]
    assert titles == ["communications", "gradients", "bytes", "time", "cost"]
    summary = mixed.summary[mixed.summary["accuracy"] == accuracy].set_index("algorithm")
    labels = [of["data-algorithm"] for of in table.of_rows[1:]]
    found = dict(zip(labels, table.rows[1:], strict=True))
    assert found.keys() == set(summary.index)
    for label, (_, name, reached, *cells) in found.items():
        row = summary.loc[label]
        assert name.text == mixed.names[label]
        assert reached.text == f"{row['reached']}/{row['repeats']}"
        for quantity, cell in zip(titles, cells, strict=True):
            column, times = ("bits", 1 / 8) if quantity == "bytes" else (quantity, 1)
            median, low, high = (
                times * row[f"{column}_{which}"] for which in ("median", "p10", "p90")
            )
            assert float(cell.attributes["data-value"]) == median
            assert (cell.text == NOT_REACHED) == math.isinf(median)
            assert bool(cell.small) == (math.isfinite(median) and low != high)
            if math.isfinite(median) and math.isinf(high):
                assert cell.small.endswith("to not reached")
            if quantity == "communications" and math.isfinite(median):
                assert cell.text == f"{median:,.0f}"
    medians = [float(row[3].attributes["data-value"]) for row in table.rows[1:]]
    assert medians == sorted(medians)
    finite = [row for row in table.rows[1:] if row[3].text != NOT_REACHED]
    assert [row[0].text for row in finite] == [str(k + 1) for k in range(len(finite))]
    best = [row[3].attributes["class"].endswith("best") for row in table.rows[1:]]
    assert best == [median == medians[0] for median in medians]


def test_what_was_not_tried_is_no_failure():
    runs = [finished_run("nids"), finished_run("dadao", rate=0.001)]
    report = {"accuracies": [1e-4, 1e-12], "cost": {"gradient": 1.0, "communication": 1.0}}
    table = Page(page({"r": result(*runs, report=report)})).table("ranking", accuracy="1e-12")
    assert {cell.text for row in table.rows[1:] for cell in row[3:]} == {NOT_TRIED}
    assert {row[2].text for row in table.rows[1:]} == {"-"}


def test_the_table_of_runs_is_that_of_the_result(mixed, mixed_page):
    table = mixed_page.table("runs")
    columns = ["events", "time", "gradients", "communications"]
    for of, cells, row in zip(
        table.of_rows[1:], table.rows[1:], mixed.runs.to_dict("records"), strict=True
    ):
        assert (of["data-algorithm"], int(of["data-repeat"])) == (row["algorithm"], row["repeat"])
        assert [cell.text for cell in cells[:4]] == [
            *(mixed.names[row["algorithm"]], str(row["repeat"]), row["status"], row["reason"])
        ]
        assert [float(cell.attributes["data-value"]) for cell in cells[4:]] == [
            row[column] for column in columns
        ]


def test_runs_that_ended_alike_stand_together(mixed, mixed_page):
    rows = [[cell.text for cell in row] for row in mixed_page.table("endings").rows[1:]]
    assert sum(len(row[3].split(", ")) for row in rows) == len(mixed.runs)
    diverged = [row for row in rows if row[1] == "diverged"]
    assert [row[:4] for row in diverged] == [
        [METHODS["extra"].title, "diverged", "rate -0.2, as asked", "1, 2, 3, 4"]
    ]


def test_an_interrupted_result_says_how_much_there_is():
    runs = [finished_run("dadao", k) for k in range(3)] + [finished_run("msda", 1)]
    content = page({"r": result(*runs)})
    assert "interrupted: 4 of 6 runs are finished" in Page(content).text
    assert b"interrupted: " not in page({"r": result(*runs[:3])})


@pytest.mark.parametrize(
    "other",
    [
        {"problem": [1]},
        {"problem": {"conditions": {"0": {"<b>": "<i>", "mean": None}}}, "platform": 3},
        {"scenario": {"network": 5, "problem": [{"a": [{}, None]}], "stop": {}}},
        {"runs": [{"algorithm": "dadao", "repeat": 0, "constants": {"eta": "x", "L": None}}]},
    ],
    ids=str,
)
def test_what_a_manifest_says_beside_what_was_checked_may_be_anything(small, other):
    manifest = {**small.manifest, **other}
    manifest["scenario"] = {**small.manifest["scenario"], **other.get("scenario", {})}
    read = Page(page({"r": Result(manifest, small.curves, small.runs)}))
    assert not {"b", "i"} & {tag for tag, _ in read.elements}
    assert len(read.table("runs").rows) == 1 + len(small.runs)


@pytest.mark.parametrize("left", [["dadao"], []], ids=["one algorithm", "nothing"])
def test_of_an_interrupted_result_the_rest_is_said(in_a_world, left):
    runs, curves = (t[t["algorithm"].isin(left)] for t in (in_a_world.runs, in_a_world.curves))
    made = [row for row in in_a_world.manifest["runs"] if row["algorithm"] in left]
    manifest = {**in_a_world.manifest, "interrupted": True, "runs": made}
    read = Page(page({"r": Result(manifest, curves, runs)}))
    assert f"interrupted: {len(runs)} of 6 runs are finished" in read.text
    assert len(read.table("runs").rows) == 1 + len(runs)
    assert [row[1].text for row in read.table("ranking", accuracy="0.1").rows[1:]] == [
        METHODS[name].title for name in left
    ]
    loads = [load["title"] for load in read.data["r0-network"]["loads"] if "Load" in load["title"]]
    assert loads == [f"Load: {METHODS[name].title}" for name in left]
    assert len(read.data.get("r0-timeline", [])) == len(left)


def test_several_results_are_compared_as_the_table_does(mixed, small):
    results = {"a": mixed, "b": small}
    read = Page(page(results))
    quantities = ("communications", "gradients", "bytes", "time", "cost")
    for accuracy in (0.1, 1e-2, 1e-3, 1e-4, 1e-6):
        expected = comparison_table(results, accuracy).set_index(["scenario", "algorithm"])
        for quantity in quantities:
            table = read.table("comparison", accuracy=str(accuracy), quantity=quantity)
            assert [cell.text for cell in table.rows[0]] == ["Algorithm", "a", "b"]
            found = {}
            for name, *cells in table.rows[1:]:
                for scenario, cell in zip(results, cells, strict=True):
                    found[scenario, name.text] = cell
            for (scenario, label), row in expected.iterrows():
                column, times = ("bits", 1 / 8) if quantity == "bytes" else (quantity, 1)
                cell = found.pop((scenario, results[scenario].names[label]))
                value = float(cell.attributes["data-value"])
                assert value == pytest.approx(times * row[f"{column}_median"], nan_ok=True)
            assert {cell.text for cell in found.values()} == {"-"}


# ---- the curves -----------------------------------------------------------------------------


COUNTED = (
    *("communications", "gradients", "time", "messages", "rounds"),
    *("accuracy", "mean_squared_distance", "suboptimality", "consensus_error"),
)


def column(columns, name):
    found = columns[name]
    if isinstance(found, list):
        return np.array(found, dtype=float)
    return column(columns, found["of"]) * found["times"]


def test_the_curves_are_the_samples(mixed, mixed_page, small):
    for whole, read, id in (
        (mixed, mixed_page, "r0-samples"),
        (small, Page(page({"small": small})), "r0-samples"),
    ):
        data = read.data[id]
        assert data["left_out"] == 0
        assert list(data["algorithms"]) == list(whole.methods)
        for label, runs in data["algorithms"].items():
            rows = whole.runs[whole.runs["algorithm"] == label]
            assert [run["repeat"] for run in runs] == rows["repeat"].tolist()
            assert [run["status"] for run in runs] == rows["status"].tolist()
            for run in runs:
                of_label = whole.curves[whole.curves["algorithm"] == label]
                curves = of_label[of_label["repeat"] == run["repeat"]]
                known = {name: curves[name] for name in COUNTED}
                known["bytes"], known["bits"] = curves["bytes_sent"], 8 * curves["bytes_sent"]
                prices = whole.manifest["scenario"]["report"]["cost"]
                known["cost"] = (
                    prices["gradient"] * curves["gradients"]
                    + prices["communication"] * curves["communications"]
                )
                assert known.keys() <= run["columns"].keys()
                for name, values in known.items():
                    found = column(run["columns"], name)
                    np.testing.assert_allclose(found, values, rtol=6e-6, atol=0, err_msg=name)


def test_the_medians_are_made_here_for_every_axis(mixed, mixed_page):
    found = mixed_page.data["r0-samples"]["bands"]
    assert list(found) == list(mixed.methods)
    for label, along in found.items():
        assert any("of" in one for one in along.values())  # and some are multiples
        of_label = mixed.curves[mixed.curves["algorithm"] == label]
        assert ("rounds" in along) == (of_label["rounds"] > 0).any()
        for x, one in along.items():
            times, of = one.get("times", 1), one.get("of", x)
            for y, metric in mixed.metrics.items():
                expected = median_and_band(runs_of(mixed, label, x, y), log=metric.log)
                grid, *rows = along[of]["y"][y]
                grid = times * np.array(along[of]["grids"][grid])
                np.testing.assert_allclose(grid, expected.x, rtol=6e-6)
                for row, name in zip(rows, ("median", "low", "high"), strict=True):
                    row = [math.inf if value is None else value for value in row]
                    np.testing.assert_allclose(row, getattr(expected, name), rtol=6e-6)


def test_a_run_that_is_alone_has_no_medians():
    alone = result(finished_run("dadao"), *(finished_run("nids", k) for k in range(2)))
    found = Page(page({"alone": alone})).data["r0-samples"]["bands"]
    assert found["dadao"] is None
    assert found["nids"]


@pytest.mark.slow
def test_of_long_runs_some_samples_stay_the_ends_among_them():
    methods = [name for name in METHODS if METHODS[name].look][:20]
    rng = np.random.default_rng(0)
    runs = [finished_run(m, k, rate=0.01, samples=2001) for m in methods for k in range(3)]
    for run in runs:  # nothing is a multiple of anything
        counts = ["gradients", "communications", "messages", "bytes_sent", "rounds"]
        for name in counts:
            steps = rng.integers(1, 100, len(run.curves))
            run.curves[name] = np.cumsum(steps).astype(run.curves[name].dtype)
    whole = result(*runs)
    content = page({"r": whole})
    assert len(content) < MOST_BYTES
    data = Page(content).data["r0-samples"]
    kept = 0
    for label, found in data["algorithms"].items():
        for run in found:
            of_label = whole.curves[whole.curves["algorithm"] == label]
            curves = of_label[of_label["repeat"] == run["repeat"]]
            times, shown = curves["time"].to_numpy(), column(run["columns"], "time")
            assert (shown[0], shown[-1]) == (times[0], times[-1])
            at = np.abs(times[:, None] - shown).argmin(axis=0)
            np.testing.assert_allclose(times[at], shown, rtol=6e-6)
            for name in ("gradients", "bytes_sent"):
                of = name.removesuffix("_sent")
                assert (column(run["columns"], of) == curves[name].to_numpy()[at]).all()
            gaps = np.diff(at)
            assert gaps.max() - gaps.min() <= 1
            kept += len(shown)
        longest = max(len(grid) for one in data["bands"][label].values()
                      for grid in one.get("grids", ()))  # fmt: skip
        assert 10 <= longest < 1000
    assert data["left_out"] == len(whole.curves) - kept > 0
    assert f"{data['left_out']:,} are left out" in Page(content).text


def test_methods_look_as_in_every_figure(mixed, mixed_page, small):
    figure = mixed_page.data["r0-curves"]
    chosen = styles(mixed.methods, mixed.looks)
    for label, algorithm in zip(mixed.methods, figure["algorithms"], strict=True):
        style = chosen[label]
        assert algorithm["name"] == mixed.names[label]
        assert algorithm["colour"] == style.colour
        assert tuple(algorithm["dash"]) == style.dash[1]
        assert style.dash in DASH_NAMES.values()
    # Compared, a method has its own look under its own name, though a label of it came before.
    mine = result(finished_run("dadao", label="mine"), finished_run("msda"))
    figure = Page(page({"mine": mine, "small": small})).data["comparison-curves"]
    found = {algorithm["name"]: algorithm for algorithm in figure["algorithms"]}
    assert found["DADAO"]["colour"] == style_of("dadao").colour != found["mine"]["colour"]
    assert found["DADAO"]["labels"] == [None, "dadao"]
    assert found["mine"]["labels"] == ["mine", None]


def test_axes_are_those_on_which_something_happens(mixed_page, small, world_page):
    names = [axis["name"] for axis in mixed_page.data["r0-curves"]["x"]]
    assert names == [
        *("communications", "gradients", "time", "bytes", "bits", "messages", "events", "cost")
    ]  # no rounds, and no world whose seconds are known
    assert "rounds" in [axis["name"] for axis in Page(page({"r": small})).data["r0-curves"]["x"]]
    assert "seconds" in [axis["name"] for axis in world_page.data["r0-curves"]["x"]]


# ---- one file that asks for nothing ---------------------------------------------------------


def test_nothing_is_fetched(mixed_page, world_page):
    for read in (mixed_page, world_page):
        for _, attributes in read.elements:
            for name in ("src", "href", "action", "srcset", "poster", "formaction"):
                assert re.match(r"#|data:,$", attributes.get(name, "#"))
        policy = next(
            of["content"]
            for tag, of in read.elements
            if tag == "meta" and of.get("http-equiv") == "Content-Security-Policy"
        )
        assert "default-src 'none'" in policy
        assert "http" not in policy
        own = [script for script in read.scripts if "plotly.js v" not in script[:100]]
        assert len(own) == len(read.scripts) - 1
        assert [s for s in own if "://" in s.replace("http://www.w3.org/2000/svg", "")] == []


@pytest.mark.slow
def test_a_page_is_below_6_mb_however_much_there_is():
    methods = [name for name in METHODS if METHODS[name].look][:35]
    runs = [finished_run(m, k, rate=0.05 + 0.01 * k) for m in methods for k in range(3)]
    whole = result(*runs)
    assert len(page({str(k): whole for k in range(3)})) <= MOST_BYTES


def test_what_does_not_fit_is_refused(mixed, monkeypatch):
    monkeypatch.setattr("dadao_sim.plotting.page.write.MOST_BYTES", 4_000_000)
    with pytest.raises(InputError, match=r"^results: a page of .* 4 is the most; give fewer$"):
        page({"mixed": mixed})


NASTY = "<script>window.caught = 1</script>"
NASTIER = "</script><img src=x onerror='window.caught=2'>&amp; \"$x$\""


def test_names_are_text():
    runs = [finished_run("dadao", label=NASTY), finished_run("msda", label=NASTIER, rate=-0.2)]
    runs[1].row["reason"] = "it said <b>no</b>"
    whole = result(*runs)
    content = page({"<i>a</i>": whole, "b": whole})
    plain = Page(page({"a": result(finished_run("dadao")), "b": result(finished_run("msda"))}))
    read = Page(content)
    assert len(read.scripts) == len(plain.scripts)
    assert not {"img", "b", "i"} & {tag for tag, _ in read.elements}
    for text in (NASTY, NASTIER, "it said <b>no</b>", "<i>a</i>"):
        assert text in read.text
    assert list(read.data["r0-samples"]["algorithms"]) == [NASTY, NASTIER]


def test_data_cannot_leave_its_element():
    text = {"a": "</script><!--\u2028", "b": [1.5, None]}
    assert "<" not in embedded(text)
    assert json.loads(embedded(text)) == text


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes(in_a_world, tmp_path):
    in_a_world.save(tmp_path / "r")
    for number in ("1", "2"):
        subprocess.run(
            [sys.executable, "-m", "dadao_sim", "report", "r", "-o", f"{number}.html"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": number},
        )
    first, second = ((tmp_path / f"{number}.html").read_bytes() for number in ("1", "2"))
    assert first == second == page({"r": load_result(tmp_path / "r")})


# ---- the network and the world --------------------------------------------------------------


def test_the_world_of_a_page_is_that_of_the_runs(in_a_world, world_page):
    study = study_of(in_a_world)
    ends = in_a_world.runs.query("repeat == 0").set_index("algorithm")["time"]
    reports = [world_report(study, label, end=end) for label, end in ends.items()]
    table = world_page.table("world")
    assert [cell.text for cell in table.rows[0][1:]] == [
        in_a_world.names[report.label] for report in reports
    ]
    assert [[cell.text for cell in row] for row in table.rows[2:]] == world_rows(reports)
    loads = {load["title"]: load for load in world_page.data["r0-network"]["loads"]}
    for report, drawn in zip(reports, world_page.data["r0-timeline"], strict=True):
        name = in_a_world.names[report.label]
        timeline = world_timeline(report)
        assert drawn["name"] == name
        begun = timeline.computing[timeline.computing[:, 1] < drawn["end"]]
        np.testing.assert_allclose(drawn["bars"]["computing"][0], begun[:, 0])
        np.testing.assert_allclose(drawn["bars"]["computing"][1], begun[:, 1], rtol=6e-6)
        sent = timeline.messages[timeline.messages[:, 0, 0] <= drawn["end"]]
        np.testing.assert_allclose(drawn["messages"], sent.reshape(-1, 4).T, rtol=6e-6)
        load = loads[f"Load: {name}"]
        shown = np.broadcast_to(load["values"], report.link_bytes.shape)
        np.testing.assert_allclose(shown, report.link_bytes / report.end, rtol=6e-6)
        if report.link_losses.any():
            assert loads[f"Losses: {name}"]["values"] == report.link_losses.tolist()
    kinds = {kind for drawn in world_page.data["r0-timeline"] for kind in drawn["bars"]}
    assert kinds == {"computing", "waiting", "gone", "cut"}


def test_seconds_are_those_of_the_world(in_a_world, world_page):
    table = world_page.table("ranking", accuracy="0.1")
    titles = [cell.attributes.get("data-quantity") for cell in table.rows[0]]
    time, seconds = titles.index("time"), titles.index("seconds")
    for row in table.rows[1:]:
        values = [float(row[k].attributes["data-value"]) for k in (time, seconds)]
        assert values[1] == 0.25 * values[0]


def test_joules_are_ranked_where_they_are_known():
    report = {"accuracies": [0.1], "energy": {"gradient": 2.0, "byte": 1e-3}}
    whole = simulate({**SCENARIO, "report": report})
    table = Page(page({"r": whole})).table("ranking", accuracy="0.1")
    place = [cell.attributes.get("data-quantity") for cell in table.rows[0]].index("joules")
    expected = whole.summary_of([0.1], ["joules"]).set_index("algorithm")["joules_median"]
    found = {
        of["data-algorithm"]: float(row[place].attributes["data-value"])
        for of, row in zip(table.of_rows[1:], table.rows[1:], strict=True)
    }
    assert found == expected.to_dict()


def test_the_loads_without_a_world_are_those_asked_for(small):
    read = Page(page({"small": small}))
    asked = asked_of(study_of(small))
    loads = {load["title"]: load["values"] for load in read.data["r0-network"]["loads"]}
    assert loads["Rates of the network"] == [1]
    for label, load in asked.loads.items():
        shown = np.broadcast_to(loads[f"Load: {small.names[label]}"], load.shape)
        np.testing.assert_allclose(shown, load, rtol=6e-6)
    # What the runs spent is what was asked for, over all edges and the time that they took.
    rows = small.runs.query("algorithm == 'dadao'")
    rate = rows["communications"].sum() / rows["time"].sum()
    assert rate == pytest.approx(asked.loads["dadao"].sum(), rel=0.15)
    rows = small.runs.query("algorithm == 'rounds'")
    assert (rows["communications"] / rows["time"] == asked.loads["rounds"].sum()).all()


def test_a_sequence_of_graphs_is_drawn_with_all_their_edges():
    sequence = {"graph": "random_geometric", "nodes": 8, "length": 3}
    whole = simulate({**SCENARIO, "network": {"sequence": sequence}, "algorithms": ["dadao"]})
    read = Page(page({"r": whole}))
    edges = asked_of(study_of(whole)).network.edges
    assert f"8 nodes, {len(edges)} edges, those of 3 graphs in turn." in read.text
    assert read.data["r0-network"]["edges"] == edges.tolist()
    assert read.data["r0-network"]["loads"] == []  # they change with the graph


def test_a_network_that_cannot_be_built_again_is_left_out_with_the_reason():
    cycle = [[k, (k + 1) % 9] for k in range(9)]
    given = simulate(SCENARIO, network=Network(9, cycle))
    read = Page(page({"r": given}))
    assert "Left out: result: its network came from Python." in read.text
    assert "The network came from Python, and no file holds what was" in " ".join(read.text.split())
    assert "r0-network" not in read.data


def test_a_file_that_has_changed_since_is_noticed(tmp_path):
    file = tmp_path / "g.graphml"
    cycle = [[k, (k + 1) % 6] for k in range(6)]
    write_graphml(Network(6, cycle), file)
    scenario = {**SCENARIO, "network": {"file": str(file)}, "repeats": 1}
    whole = simulate(scenario)
    read = Page(page({"r": whole}))
    assert "r0-network" in read.data
    assert f"It reads what is not in this page:\n\n{file}" in read.text
    write_graphml(Network(6, [*cycle, [0, 3]]), file, overwrite=True)
    read = Page(page({"r": whole}))
    assert f"Left out: result: its file {file} has changed since it was run." in read.text
    assert "r0-network" not in read.data


def test_what_is_run_again_is_what_was_run(small, tmp_path):
    content = page({"small": small}).decode()
    text = re.search(r'<pre class="scenario">(.*?)</pre>', content, re.S)[1]
    (tmp_path / "small.yaml").write_text(html.unescape(text))
    again = load_scenario(tmp_path / "small.yaml")
    assert again.to_mapping() == small.manifest["scenario"]
    command = re.search(r'<pre class="command">(.*?)</pre>', content)[1]
    assert command == "dadao-sim run small.yaml --out results/small"
    manifest = re.search(r'<pre class="manifest">(.*?)</pre>', content, re.S)[1]
    assert json.loads(html.unescape(manifest)) == small.manifest


# ---- the command ----------------------------------------------------------------------------


def test_the_command_writes_one_file(dadao_sim, small, mixed, tmp_path):
    small.save(tmp_path / "runs" / "small")
    mixed.save(tmp_path / "runs" / "mixed")
    code, said, _ = dadao_sim("report", "runs/small", "runs/mixed", "-o", "page.html")
    assert (code, said) == (0, f"report: page.html, {size(tmp_path / 'page.html')} MB\n")
    results = {name: load_result(tmp_path / "runs" / name) for name in ("small", "mixed")}
    assert (tmp_path / "page.html").read_bytes() == page(results)
    code, _, said = dadao_sim("report", "runs/small", "runs/small", "--out", "page.html")
    assert (code, said) == (
        2,
        "dadao-sim: report: runs/small is runs/small: give each result once\n",
    )
    (tmp_path / "mine.html").write_text("mine")
    for name, why in {"mine.html": "not one of ours", "page.txt": "ends in .html"}.items():
        code, _, said = dadao_sim("report", "runs/small", "-o", name)
        assert code == 2
        assert why in said
    save_page(results, tmp_path / "page.html")  # ours


def size(path):
    return f"{path.stat().st_size / 1e6:.1f}"


@pytest.mark.parametrize("missing", ["plotly", "jinja2"])
def test_without_the_extra_one_line_says_what_to_install(dadao_sim, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, said = dadao_sim("report", "r", "-o", "page.html")
    assert code == 2
    assert said == (
        f'dadao-sim: report: needs {missing}; install it with: pip install "dadao-sim[report]"\n'
    )
    assert not Path("page.html").exists()
