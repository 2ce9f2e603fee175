"""The page of a sweep in Chromium: its own fits, facets and maps are those of the reports."""

import math

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium
from sweeps import made

from dadao_sim.plotting.page.write import page
from dadao_sim.reports.sweep import against, heat_maps

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]

NODES, KAPPA, GRAPH = "network.nodes", "problem.kappa", "network.graph"
NASTY = "<img src=x onerror='window.caught = 1'> $x$"
WINDOWS = [
    pytest.param(width, dark, id=f"{width}-{'dark' if dark else 'light'}")
    for width in (1280, 390)
    for dark in (False, True)
]


def spends(label, values, repeat, accuracy):
    """Powers with deviations; one method never gets anywhere on large networks."""
    if label == "msda" and values[NODES] == 32:
        return math.inf
    power = {"dadao": 1.5, "msda": 1.0, "nids": 2.0}[label]
    size = values[NODES] ** power * (1 + 0.3 * math.sin(values[NODES] + repeat + values[KAPPA]))
    return math.inf if label == "nids" and repeat == 2 else size * values[KAPPA] / accuracy


@pytest.fixture(scope="module")
def swept():
    keys = {NODES: [4, 8, 16, 32], KAPPA: [10, 100.5], GRAPH: ["path", NASTY]}
    return made(spends, keys, ("dadao", "msda", "nids"), failed=(3,))


@pytest.fixture(scope="module")
def file(swept, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_bytes(page({"s": swept}))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(browser, file):
    """The browser with the page in a wide, light window."""
    browser.messages.clear()
    browser.look()
    browser.open(file)
    return browser


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_it_is_drawn_without_a_word_or_a_request(browser, file, width, dark):
    browser.requests.clear()
    browser.messages.clear()
    browser.look(width, 800, dark)
    browser.open(file)
    assert [asked for asked in browser.requests if asked[:5] != "data:"] == [file.as_uri()]
    assert browser.messages == []
    plots = browser.run(
        """[...document.querySelectorAll(".plot")].map(plot =>
             [plot.id, "drawn" in plot.dataset,
              plot.getBoundingClientRect().right <= innerWidth])"""
    )
    assert plots == [
        *([f"r0-sweep-against-{k}", True, True] for k in range(4)),
        ["r0-sweep-profile-0", True, True],
        *([f"r0-sweep-maps-{k}", True, True] for k in range(3)),
    ]
    assert browser.run("document.documentElement.scrollWidth") == width
    assert browser.run("window.caught") is None
    captions = browser.run(
        """[...document.querySelectorAll(".against figcaption")].map(one => one.textContent)"""
    )
    assert f"kappa = 100.5, graph = {NASTY}" in captions


def facets_in(browser, key, accuracy):
    """The facets of the time against a key, as the page makes them."""
    return browser.run(
        f"""(() => {{
          const sweep = JSON.parse(document.getElementById("r0-sweep").textContent);
          const text = list => list.map(String);
          return dadaoSweep.facetsOf(sweep, sweep.keys.findIndex(k => k.name === "{key}"),
            sweep.quantities.findIndex(q => q.name === "time"),
            sweep.accuracies.indexOf({accuracy}))
            .map(facet => [facet.title, facet.lines.map(line => line && [text(line.x),
              text(line.median), text(line.p10), text(line.p90),
              line.fit && text([line.fit.exponent, line.fit.low, line.fit.high,
                line.fit.factor])])]);
        }})()"""
    )


def numbers_of(texts):
    return [float(text.replace("Infinity", "inf")) for text in texts]


def check_facets(found, expected):
    # A column of numbers that are not all whole has none that is.
    titles = [facet.title.replace(".0,", ",") for facet in expected.facets]
    assert [title for title, _ in found] == titles
    for (_, lines), facet in zip(found, expected.facets, strict=True):
        for (*columns, fit), of in zip(lines, facet.lines, strict=True):
            for some, name in zip(columns, ("x", "median", "p10", "p90"), strict=True):
                np.testing.assert_allclose(numbers_of(some), getattr(of, name), rtol=6e-6)
            law = of.fit
            assert (fit is None) == (law is None)
            if law is not None:
                wanted = [law.exponent, law.low, law.high, law.factor]
                np.testing.assert_allclose(numbers_of(fit), wanted, rtol=6e-6)


@pytest.mark.parametrize("key", [NODES, KAPPA])
def test_facets_and_their_lines_are_those_of_the_reports(opened, swept, key):
    for accuracy in (0.1, 1e-6):
        check_facets(facets_in(opened, key, accuracy), against(swept, key, "time", accuracy))


def test_the_table_of_exponents_is_that_of_the_reports(opened, swept):
    expected = against(swept, NODES, "communications", 1e-6).to_rows()
    found = opened.run(
        """[...document.querySelectorAll("table.exponents tbody tr")].map(row =>
             [...row.cells].map(cell => cell.dataset.value ?? cell.textContent))"""
    )
    titles = {name: one["title"] for name, one in swept.in_print.items()}
    for (kappa, graph, name, *numbers), row in zip(found, expected, strict=True):
        assert (float(kappa), graph, name) == (row[KAPPA], row[GRAPH], titles[row["algorithm"]])
        for text, value in zip(numbers, (row["exponent"], row["low"], row["high"]), strict=True):
            if math.isfinite(value):
                assert float(text) == pytest.approx(value, abs=1e-3)
            else:
                assert text == ""
    assert sum(text == "" for row in found for text in row[3:]) == 3 * 4  # of MSDA


def test_maps_are_those_of_the_reports(opened, swept):
    expected = heat_maps(swept, (NODES, KAPPA), "time", 0.1, {GRAPH: "path"})
    found = opened.run(
        """(() => {
          const sweep = JSON.parse(document.getElementById("r0-sweep").textContent);
          const time = sweep.quantities.findIndex(q => q.name === "time");
          return dadaoSweep.mapsOf(sweep, [0, 1], time, 0, new Map([[2, 0]]))
            .map(map => map.map(row => row.map(String)));
        })()"""
    )
    for map_found, of in zip(found, expected, strict=True):
        values = [[float(v.replace("Infinity", "inf")) for v in row] for row in map_found]
        np.testing.assert_allclose(values, of.median, rtol=6e-6)


AGAINST = """(() => [...document.querySelectorAll(".against .plot")].map(({ data, layout }) => ({
  names: data.map(d => d.name).filter(Boolean), x: layout.xaxis.type, y: layout.yaxis.type,
  titles: [layout.xaxis.title.text, layout.yaxis.title.text],
  bars: data.some(d => d.error_y && d.error_y.visible), lines: data.length,
  ranges: [layout.xaxis.range, layout.yaxis.range] })))()"""


def test_the_figure_against_a_key_is_controlled(opened):
    first = opened.run(AGAINST)
    assert len(first) == 4
    assert all(one["ranges"] == first[0]["ranges"] for one in first)
    assert first[0]["titles"] == [NODES, "Communications to accuracy 1e-06"]
    assert (first[0]["x"], first[0]["y"], first[0]["bars"]) == ("log", "log", True)
    opened.choose(".against", "log x", False)
    opened.choose(".against", "log y", False)
    opened.choose(".against", "10-90 % range", False)
    second = opened.run(AGAINST)
    assert (second[0]["x"], second[0]["y"], second[0]["bars"]) == ("linear", "linear", False)
    opened.choose(".against", "fitted lines", True)
    third = opened.run(AGAINST)
    assert third[0]["lines"] == 5  # MSDA has none
    opened.choose(".against", "graph", "0")
    assert len(opened.run(AGAINST)) == 2
    opened.choose(".against", "against", "1")
    fourth = opened.run(AGAINST)
    assert fourth[0]["titles"][0] == KAPPA
    assert len(fourth) == 4  # sizes
    opened.choose(".against", "cost", "1")
    assert opened.run(AGAINST)[0]["titles"][1].startswith("Time (mean gradient intervals)")
    opened.run("""(async () => {
      document.querySelector(".against .names button").click();
      await new Promise(resolve => setTimeout(resolve, 200));
    })()""")
    assert opened.run(AGAINST)[0]["names"] == ["MSDA", "NIDS"]
    assert opened.messages == []


def test_the_profile_and_the_maps_are_controlled(opened):
    profile = """(() => { const { data, layout } = document.getElementById("r0-sweep-profile-0");
      return [layout.xaxis.title.text, data.map(d => d.y.at(-1))]; })()"""
    title, ends = opened.run(profile)
    assert title.startswith("Communications to accuracy")
    # Of the 15 cells, 11 are not the largest; of three repeats NIDS has two that get there.
    np.testing.assert_allclose(ends, [1, 11 / 15, 2 / 3], rtol=1e-5)
    opened.choose(".profile", "cost", "1")
    assert opened.run(profile)[0] != title
    maps = """[...document.querySelectorAll(".maps .plot")].map(({ data, layout }) =>
      [data[0].z.length, data[0].z[0].length, layout.annotations.map(a => a.text)])"""
    (rows, columns, texts), *_ = opened.run(maps)
    assert (rows, columns, len(texts)) == (4, 2, 8)
    assert opened.run(maps)[1][2].count("never") == 2
    opened.choose(".maps", "rows", "2")
    (rows, columns, texts), *_ = opened.run(maps)
    assert (rows, columns, len(texts)) == (2, 2, 3)  # one cell failed
    assert opened.messages == []


def test_the_table_of_costs_is_that_of_the_summary_and_sorted(opened, swept):
    rows = """[...document.querySelectorAll("table.costs tbody tr")].map(row =>
      [...row.cells].map(cell => cell.dataset.value ?? cell.textContent))"""
    opened.run("document.querySelector('.costs .moves button').click()")
    found = opened.run(rows)
    summary = swept.summary[swept.summary["accuracy"] == 1e-6]
    assert len(found) == len(summary) == 45
    titles = {name: one["title"] for name, one in swept.in_print.items()}
    for row, of in zip(found, summary.to_dict("records"), strict=True):
        assert row[2:5] == [
            *(of[GRAPH], titles[of["algorithm"]], f"{of['reached']}/{of['repeats']}"),
        ]
        assert (float(row[0]), float(row[1])) == (of[NODES], of[KAPPA])
        median = float(row[5].replace("Infinity", "inf"))
        assert median == pytest.approx(of["communications_median"], rel=6e-6)
    for order in ("ascending", "descending"):
        opened.run("document.querySelectorAll('.costs th button')[5].click()")
        values = [float(row[5].replace("Infinity", "inf")) for row in opened.run(rows)]
        assert values == sorted(values, reverse=order == "descending")
        heads = "[...document.querySelectorAll('.costs th')].map(h => h.getAttribute('aria-sort'))"
        assert [head for head in opened.run(heads) if head] == [order]
    opened.choose(".costs", "algorithm", "1")
    assert {row[3] for row in opened.run(rows)} == {"MSDA"}


def test_keys_that_move_together_are_no_facets_and_are_chosen_once(browser, tmp_path):
    keys = {GRAPH: ["path", "star"], NODES: [4, 8, 16], KAPPA: [10, 20, 30]}
    zipped = made(spends, keys, ("dadao", "msda"), zipped=True)
    (tmp_path / "page.html").write_bytes(page({"s": zipped}))
    browser.messages.clear()
    browser.look()
    browser.open(tmp_path / "page.html")
    assert len(browser.run(AGAINST)) == 2
    for key in (NODES, KAPPA):
        check_facets(facets_in(browser, key, 1e-6), against(zipped, key, "time", 1e-6))
    # Over the graph and one of them nothing is to be chosen, over the two of them the graph.
    labels = """[...document.querySelectorAll(".maps .controls label")].map(one =>
      one.firstChild.textContent.trim())"""
    assert browser.run(labels) == ["rows", "columns", "cost", "to accuracy"]
    browser.choose(".maps", "rows", "2")
    browser.choose(".maps", "columns", "1")
    assert browser.run(labels) == ["rows", "columns", "cost", "to accuracy", "graph"]
    browser.choose(".maps", "graph", "1")
    texts = browser.run(
        """[...document.querySelectorAll(".maps .plot")].map(({ data }) =>
          data[0].z.map(row => row.map(v => v === null ? null : 10 ** v)))"""
    )
    for found, of in zip(texts, heat_maps(zipped, (KAPPA, NODES), at={GRAPH: "star"}), strict=True):
        np.testing.assert_allclose(np.array(found, dtype=float), of.median, rtol=6e-6)
    assert browser.messages == []


def test_a_sweep_of_words_or_of_failures_is_opened_too(browser, tmp_path):
    words = made(lambda *_: 3.0, {GRAPH: ["path", "star"]})
    (tmp_path / "page.html").write_bytes(
        page({"words": words, "none": made(lambda *_: 3.0, {NODES: [4, 8]}, failed=(0, 1))})
    )
    browser.messages.clear()
    browser.look()
    browser.open(tmp_path / "page.html")
    assert browser.messages == []
    assert "No swept key has several numbers." in browser.run("document.body.innerText")
