"""Every page of the documentation works as written (see ``pages``), and says what is so."""

import json
import math
import re

import numpy as np
import pages
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from synthetic import finished_run, result

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.world.durations import DURATIONS
from dadao_sim.metrics import METRICS
from dadao_sim.results.axes import AXES
from dadao_sim.results.look import Look
from dadao_sim.results.result import load_result
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study

REASONS = {
    "takes minutes": 15,
    "needs torch": 14,
    "needs a cluster": 2,
    "needs jq": 1,
    "is a test": 2,
    "is in docs/your-own.md": 2,
    "is tested by itself": 5,
    "was done above": 1,
    "installs": 3,
    "downloads": 1,
    "differs by processor": 5,
}
"""Why blocks or lines of pages are not run, and how many there are at most."""
BLOCKS = {page: pages.blocks(page) for page in pages.PAGES}
ALL = [block for blocks in BLOCKS.values() for block in blocks]
TEXTS = {page: path.read_text("utf-8") for page, path in pages.PAGES.items()}
PROGRAMS = r"dadao-sim|python|pip|make|cp|sed|dask|import|from|cat|cd"
RUN = [page for page, blocks in BLOCKS.items() if blocks]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What a page leaves that was run, once."""
    kept = {}

    def run(page):
        if page not in kept:
            kept[page] = pages.run(page, tmp_path_factory.mktemp("page"))
        return kept[page]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_a_page_works_as_written(ran, page):
    before = {*METHODS, *METRICS, *DURATIONS}
    ran(page)
    assert {*METHODS, *METRICS, *DURATIONS} == before


# ---- what is no block that runs
# ------------------------------------------------------------------------------------


def test_most_pages_have_something_to_run():
    assert len(RUN) >= 18
    kinds = [block.language for block in ALL]
    for language, least in {"python": 24, "sh": 30, "yaml": 14, "csv": 3, "text": 15}.items():
        assert kinds.count(language) >= least, language


@pytest.mark.parametrize("page", pages.PAGES)
def test_blocks_are_fenced_and_of_a_known_language(page):
    """So that none is overlooked: what is indented is a formula or a drawing."""
    assert TEXTS[page].count("```") == 2 * len(BLOCKS[page])
    for block in BLOCKS[page]:
        assert block.language in pages.LANGUAGES, block
        assert block.language != "csv" or block.name, block
    outside = pages.FENCED.sub("", TEXTS[page])
    assert not re.search(rf"^    (?:\$ )?(?:{PROGRAMS}|\w+:) ", outside, re.M)
    assert outside.count("<!-- tests:") == 0, "a mark that is not right above a block"


def test_what_is_not_run_says_why():
    """Few, each for one of the reasons, and each mark is of something."""
    found = []
    for block in ALL:
        for mark in block.marks:
            lines = block.lines if mark.beginning else [""]
            assert [line for line in lines if line.startswith(mark.beginning)], (str(block), mark)
            assert mark.what == "skip" or mark.beginning, (str(block), mark)
            found += [mark.words] if mark.what == "skip" else []
        assert len(block.marks) == block.comments, f"{block}: a mark that is not understood"
    assert set(found) == set(REASONS)
    for reason, most in REASONS.items():
        assert found.count(reason) <= most, reason
    blocks = [block for block in ALL if block.language in ("python", "sh", "yaml")]
    assert len(found) < len(blocks) / 3


def test_what_make_does_is_there():
    makefile = (pages.ROOT / "Makefile").read_text("utf-8")
    words = {
        word for block in ALL for line in block.lines for word in re.findall(r"^make (\w+)", line)
    }
    assert {"demo", "test", "docs", "notebooks"} <= words
    for word in words:
        assert re.search(rf"^{word}:", makefile, re.M), word


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("a  1,000  2.5 %", "a 1000   2.51 %", True),
        ("a  1,000  2.5 %", "a 1000   2.6 %", False),
        ("a  1,000  2.5 %", "b 1000   2.5 %", False),
        ("a  ...  2.5", "a 17.3 2.5", True),
        ("a  1e-3", "a 1.0e-03", True),
        ("a  1e-3", "a -1.0e-03", False),
        ("a (b)", "a (b)", True),
        ("a", "a 1", False),
    ],
)
def test_what_is_printed_is_compared(said, printed, same):
    block = pages.Block("page", 1, "text", None, f"...\n{said}\n", (), True)
    if same:
        pages.alike(block, ["another line", printed])
    else:
        with pytest.raises(AssertionError, match="page:1"):
            pages.alike(block, ["another line", printed])


# ---- README.md
# ------------------------------------------------------------------------------------


def test_the_method_of_the_readme_is_dgd(ran):
    """Against the equation written with dense matrices."""
    names = ran("README.md").names
    A, b, network = names["A"], names["b"], names["network"]
    laplacian = network.laplacian().toarray()
    W = np.eye(16) - laplacian / np.linalg.eigvalsh(laplacian)[-1]
    step = 1 / (10 * max(2 / 20 * np.linalg.eigvalsh(a.T @ a)[-1] for a in A))
    X = np.zeros((16, 5))
    for _ in range(300):
        residuals = np.einsum("imd,id->im", A, X) - b
        X = W @ X - step * 2 / 20 * np.einsum("imd,im->id", A, residuals)
    found = names["result"].states["my_dgd", 0]["x"]
    np.testing.assert_allclose(found, X, rtol=1e-10)


def test_dgd_is_counted_like_the_others(ran):
    names = ran("README.md").names
    end = names["result"].curves.query("algorithm == 'my_dgd'").iloc[-1]
    assert (end.rounds, end.gradients, end.communications) == (300, 16 * 300, 16 * 300)


# ---- docs/figures.md
# ------------------------------------------------------------------------------------

FIGURES = "docs/figures.md"


@pytest.mark.slow
def test_every_command_draws_what_it_says(ran):
    folder = ran(FIGURES).folder
    lines = [line for block in BLOCKS[FIGURES] if block.language == "sh" for line in block.lines]
    assert len(lines) >= 12
    wanted = re.findall(r"--(?:out|figure) (\S+)", "\n".join(lines))
    for name in [*wanted, "from-python.pdf", "results/sites/figures/bytes.pdf"]:
        assert (folder / name).stat().st_size > 1000, name
    for name in ("accuracy-bytes.png", "suboptimality-seconds-joules.png"):
        assert (folder / "results/sites/figures" / name).is_file()


@pytest.mark.slow
def test_the_figure_of_the_scenario_has_its_width_and_its_fonts(ran):
    content = (ran(FIGURES).folder / "results/sites/figures/bytes.pdf").read_bytes()
    ((width, _),) = re.findall(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", content)
    assert float(width) / 72 == pytest.approx(6.75)
    fonts = re.findall(rb"/Type /FontDescriptor.*?endobj", content, flags=re.DOTALL)
    assert fonts
    assert all(b"/FontFile" in font for font in fonts)


@pytest.mark.slow
def test_the_tables_are_in_the_quantities_asked_for(ran):
    """Recomputed from the samples: the first at or below each accuracy, times prices."""
    folder, names = ran(FIGURES).folder, ran(FIGURES).names
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
    assert f"```text\n{caught.value}\n```" in TEXTS[FIGURES]


def test_the_page_names_every_axis_and_every_key():
    for name in AXES:
        assert f"`{name}`" in TEXTS[FIGURES], name
    for key in Look.model_fields:
        assert f"`{key}`" in TEXTS[FIGURES], key


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


# ---- docs/systems.md
# ------------------------------------------------------------------------------------

SYSTEMS = "docs/systems.md"


def test_the_table_of_systems_has_every_page_every_scenario_and_figures_that_are_there():
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in TEXTS[SYSTEMS].splitlines()
        if line.startswith("| [")
    ]
    assert all(len(row) == 7 and all(row) for row in rows)
    linked = {re.search(r"\((.+?)\)", row[0])[1] for row in rows}
    there = {page.removeprefix("docs/") for page in pages.PAGES if "docs/systems/" in page}
    assert linked == there | {"methods.md"}
    commands = " ".join(row[3] for row in rows)
    scenarios = {f"systems/{path.stem}" for path in (pages.ROOT / "scenarios/systems").iterdir()}
    assert set(re.findall(r"systems/[\w-]+", commands)) == scenarios
    for row in rows:
        drawn = re.findall(r"\((\.\./plots/[\w-]+\.png)\)", row[4])
        assert drawn, row[0]
        for figure in drawn:
            assert (pages.ROOT / "docs" / figure).is_file(), figure
    named = {name for row in rows for name in re.findall(r"methods? ((?:`\w+`(?:, )?)+)", row[2])}
    for name in re.findall(r"\w+", " ".join(named)):
        assert name in METHODS, name


# ---- docs/sweeps.md
# ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_commands_leave_what_the_page_says(ran):
    folder = ran("docs/sweeps.md").folder
    study = folder / "results" / "study"
    summary = pd.read_csv(study / "summary.csv")
    assert list(summary.columns[:2]) == ["network.nodes", "network.graph"]
    assert len(summary) == 4 * 2 * 2 * 2  # sizes, graphs, methods, accuracies
    assert set(summary["repeats"]) == {4}
    costs = pd.read_parquet(study / "cells.parquet")
    assert len(costs) == 4 * len(summary)
    assert {path.name for path in (study / "figures").iterdir()} >= {
        *("communications-network.nodes.png", "communications-profile.pdf")
    }
    assert (folder / "map.pdf").stat().st_size > 1000


@pytest.mark.slow
def test_what_is_beside_it_is_not_run_again(ran):
    """The clock of the machine is in timing.json: the very same times mean the very same runs."""
    folder = ran("docs/sweeps.md").folder
    times = {
        path.read_text()
        for path in (folder / "results" / "study" / "cells").glob("*path*/timing.json")
    }
    for cell in (folder / "results" / "paths" / "cells").iterdir():
        taken = (cell / "timing.json").read_text()
        assert any(_times(taken) <= _times(all_) for all_ in times)


def _times(text):
    return set(re.findall(r'"seconds": ([\d.e-]+)', text))


@pytest.mark.slow
def test_the_python_says_how_costs_grow(ran):
    names = ran("docs/sweeps.md").names
    assert len(names["study"].cells) == 6
    rows = names["rows"]
    assert len(rows) == 4
    for row in rows:
        assert row["low"] < row["exponent"] < row["high"] < math.inf
    on = {(row["network.graph"], row["algorithm"]): row["exponent"] for row in rows}
    assert on["path", "dadao"] > on["star", "dadao"]


# ---- docs/python.md
# ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_result_of_two_objects(ran):
    names = ran("docs/python.md").names
    runs = names["result"].runs
    assert set(runs["status"]) == {"converged"}
    assert len(runs) == 6
    assert len(repr(names["result"])) < 2000


@pytest.mark.slow
def test_what_happened_in_a_run(ran):
    names = ran("docs/python.md").names
    run = names["result"].runs.query("algorithm == 'dadao' and repeat == 0").iloc[0]
    log, nodes = names["log"], names["nodes"]
    assert len(log) == run["events"]
    assert (log["kind"] == "gossip").sum() == run["communications"]
    assert (log["kind"] == "gradient").sum() == nodes["gradients"].sum() == run["gradients"]
    gossip = log[log["kind"] == "gossip"]
    most = gossip.groupby(["i", "j"]).size().nlargest(3)
    assert_array_equal(names["busiest"]["communications"], most)
    A, b = names["A"].reshape(-1, 5), names["b"].ravel()
    x_star = np.linalg.lstsq(A, b, rcond=None)[0]
    assert_allclose(names["seen"].iloc[-1, 2:].astype(float), x_star, atol=0.02)
    assert set(names["seen"]["node"]) == {3}


@pytest.mark.slow
def test_gossip_keeps_the_mean_and_spreads_it(ran):
    names = ran("docs/python.md").names
    spreading, mean = names["spreading"], names["values"].mean()
    assert_allclose(spreading.mean(axis=1), mean, rtol=1e-10)
    assert_array_equal(spreading.iloc[0], names["values"][:, 0])
    assert spreading.iloc[-1].std() < spreading.iloc[0].std() / 5
    with Image.open(ran("docs/python.md").folder / "gossip.gif") as film:
        assert film.n_frames == 20


@pytest.mark.slow
def test_the_log_written_by_hand(ran):
    names = ran("docs/python.md").names
    played = names["played"]
    assert_array_equal(played.states["randomised_gossip", 0]["x"][:, 0], [4, 4, 6, 10])
    end = played.curves.iloc[-1]
    assert (end["time"], end["communications"]) == (4, 4)
    assert_allclose(end["accuracy"], (4 + 4 + 0 + 16) / (36 + 4 + 4 + 36))


@pytest.mark.slow
def test_the_metric_of_the_page(ran):
    names = ran("docs/python.md").names
    curves = names["measured"].curves
    start = curves[curves["time"] == 0]["worst_loss"]
    assert_allclose(start, (names["b"] ** 2).mean())
    ends = curves.groupby("algorithm")["worst_loss"].last()
    assert ends["dadao"] < ends["dgd"] < start.iloc[0]


@pytest.mark.slow
def test_a_run_waits_for_a_metric_that_rises(ran):
    names = ran("docs/python.md").names
    runs, curves = names["waited"].runs, names["waited"].curves
    assert set(runs["status"]) == {"converged"}
    assert set(runs["reason"]) == {"until held_out_accuracy 0.95"}
    for _, run in curves.groupby("algorithm"):
        assert run["held_out_accuracy"].iloc[-1] >= 0.95 > run["held_out_accuracy"].iloc[:-1].max()


# ---- docs/data-and-networks.md
# ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_tables_are_split_as_the_page_says(ran):
    names = ran("docs/data-and-networks.md").names
    assert names["problem"].nodes == 12
    assert names["problem"].samples.tolist() == [5] * 12
    assert names["problem"].dimension == 4
    split, frame = names["split"], names["frame"]
    at_bern = frame[frame["site"] == "Bern"]
    assert_array_equal(split.model.A[:20], at_bern[["a", "b", "c"]])
    assert (split.model.b[:20] == 1).tolist() == (at_bern["diagnosis"] == "malignant").tolist()


@pytest.mark.slow
def test_the_sections_of_the_page_take_the_columns_that_they_name(ran):
    ran("docs/data-and-networks.md")
    played = {}
    for block in BLOCKS["docs/data-and-networks.md"]:
        if block.language == "yaml" and "path:" in block.text:
            (section,) = pages.sections(block.text)
            path = section["problem"]["data"]["path"]
            played[path] = pages.whole(section, ran("docs/data-and-networks.md").folder)
    built = {path: Study(spec).parts(0).problem for path, spec in played.items()}
    assert {path: problem.dimension for path, problem in built.items()} == {
        "measured.csv": 2,
        "patients.tsv": 3,
        "tumours.csv": 3,
    }
    assert all(problem.samples.tolist() == [15] * 4 for problem in built.values())
    assert sorted(built["patients.tsv"].model.b) == sorted(np.arange(60) % 7)


# ---- docs/command-line.md
# ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_other_programs_read(ran):
    page = ran("docs/command-line.md")
    rates = page.names["table"].set_index("method")["design rate"]
    assert (rates["DADAO"], rates["MSDA"]) == (29, 29 * int(np.sqrt(30)))
    document = json.loads((page.folder / "quickstart.json").read_text("utf-8"))
    assert {row["algorithm"] for row in document["costs"]} >= {"dadao", "msda"}
    assert load_result(page.folder / "results/star-64").curves["accuracy"].iloc[0] == 1
