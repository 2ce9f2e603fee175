"""Pages in Chromium: drawn at both widths, light and dark, without a word or a request."""

import json

import numpy as np
import pytest
from chromium import CHROMIUM, Chromium
from synthetic import finished_run, result, style_of

from dadao_sim import Result, simulate
from dadao_sim.plotting.curves import median_and_band, runs_of
from dadao_sim.plotting.page.write import page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]

NASTY = "<img src=x onerror='window.caught = 1'> $x$"
WINDOWS = [
    pytest.param(width, dark, id=f"{width}-{'dark' if dark else 'light'}")
    for width in (1280, 390)
    for dark in (False, True)
]


def in_a_world():
    return simulate(
        {
            "name": "in-a-world",
            "problem": {
                "kind": "ridge",
                "mu": 0.1,
                "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 4},
            },
            "network": {"graph": "grid_2d", "nodes": 9},
            "world": {
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
            },
            "algorithms": ["dadao", "nids", "ad_psgd"],
            "stop": {"time": 60.0, "accuracy": 1e-6},
            "repeats": 2,
            "record": {"points": 40},
            "report": {"accuracies": [0.1, 1e-3]},
        }
    )


def mixed():
    """Runs that converge, that stop, that diverge and that do some of it; a name that is code."""
    return result(
        *(finished_run("dadao", k, rate=0.08 + 0.01 * k) for k in range(5)),
        *(finished_run("nids", k, rate=0.001 * (k + 1)) for k in range(5)),
        *(finished_run("extra", k, rate=-0.2 if k > 2 else 0.2) for k in range(5)),
        *(finished_run("msda", k, rate=-0.1 - 0.05 * k, label=NASTY) for k in range(5)),
    )


@pytest.fixture(scope="module")
def results():
    return {"world": in_a_world(), "mixed": mixed()}


@pytest.fixture(scope="module")
def file(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "page.html"
    path.write_bytes(page(results))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(browser, file):
    """The browser with the page in a wide, light window."""
    browser.look()
    browser.open(file)
    return browser


def choose(browser, figure, words, value):
    """Choose in the control of a figure that has these words."""
    browser.choose(f'[data-source="{figure}"]', words, value)


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_a_page_is_drawn_without_a_word_or_a_request(browser, file, width, dark):
    browser.requests.clear()
    browser.messages.clear()
    browser.look(width, 800, dark)
    browser.open(file)
    # An older plotly draws a picture of its own, which is in its text.
    assert [asked for asked in browser.requests if asked[:5] != "data:"] == [file.as_uri()]
    assert browser.messages == []
    # Two comparisons, and of each result its curves; the network and timeline of one.
    plots = browser.run(
        """[...document.querySelectorAll(".plot")].map(plot =>
             [plot.id, "drawn" in plot.dataset, plot.querySelectorAll(".main-svg").length > 0,
              plot.getBoundingClientRect().right <= innerWidth])"""
    )
    assert sorted(plots) == [
        [f"{name}-{k}", True, True, True]
        for name, k in (
            *(("comparison-curves", 0), ("comparison-curves", 1), ("r0-curves", 0)),
            *(("r0-network", 0), ("r0-timeline", 0), ("r1-curves", 0)),
        )
    ]
    assert browser.run("document.documentElement.scrollWidth") == width
    grounds = browser.run(
        """[getComputedStyle(document.body).backgroundColor,
            ...[...document.querySelectorAll(".plot .main-svg:first-child")]
              .map(svg => svg.style.background || svg.style.backgroundColor)]"""
    )
    assert len(set(grounds)) == 1
    assert (sum(map(int, grounds[0].strip("rgb()").split(","))) < 150) == dark
    # A name of code is a name.
    assert browser.run("window.caught") is None
    names = browser.run(
        """[...document.querySelectorAll(".names button")].map(b => b.textContent)"""
    )
    assert NASTY in names


def test_a_result_without_a_run_is_opened_too(browser, results, tmp_path):
    whole = results["world"]
    none = Result(
        {**whole.manifest, "interrupted": True, "runs": []}, whole.curves[:0], whole.runs[:0]
    )
    (tmp_path / "page.html").write_bytes(page({"none": none, "some": results["mixed"]}))
    browser.messages.clear()
    browser.open(tmp_path / "page.html")
    assert browser.messages == []
    assert "No run has finished." in browser.run("document.querySelector('#r0').innerText")


def test_colours_change_with_the_hour(opened):
    """Without the page being opened again: black is no longer black, the others stay or lighten."""
    lines = "document.getElementById('r1-curves-0').data.map(line => line.line && line.line.color)"
    light = opened.run(lines)
    assert {style_of("dadao").colour, style_of("msda").colour} <= set(light)
    opened.look(dark=True)
    opened.run("new Promise(resolve => setTimeout(resolve, 500))")
    dark = opened.run(lines)
    changed = dict(zip(light, dark, strict=True))
    assert changed["#000000"] == "#f2f2f2"

    def brightness(colour):
        return sum(int(colour[k : k + 2], 16) for k in (1, 3, 5))

    assert all(brightness(changed[c]) >= brightness(c) for c in light if c and c[0] == "#")


def test_no_button_sends_anything(opened):
    titles = opened.run(
        """[...new Set([...document.querySelectorAll(".modebar-btn")]
             .map(one => one.getAttribute("data-title")))]"""
    )
    assert sorted(titles) == [
        *("Download plot", "Pan", "Reset axes", "Zoom", "Zoom in", "Zoom out")
    ]


@pytest.mark.parametrize("x", ["communications", "bytes", "time"])
def test_medians_and_bands_are_those_of_the_figures(opened, results, x):
    """What is drawn, for every axis, is what `plotting.curves` makes of the runs."""
    for number, whole in enumerate(results.values()):
        for y in ("accuracy", "consensus_error"):
            for label in whole.methods:
                runs = runs_of(whole, label, x, y)
                found = opened.run(
                    f"""(() => {{
                      const stored = document.getElementById("r{number}-samples").textContent;
                      const bands = JSON.parse(stored).bands[{json.dumps(label)}];
                      return dadaoSim.bandOf(bands, [], "{x}", "{y}");
                    }})()"""
                )
                expected = median_and_band(runs)
                for name in ("x", "median", "low", "high"):
                    values = [np.inf if value is None else value for value in found[name]]
                    np.testing.assert_allclose(values, getattr(expected, name), rtol=6e-6)


def test_a_run_that_is_alone_is_its_own_median(browser, tmp_path):
    alone = result(finished_run("dadao", rate=0.1), finished_run("nids", rate=-0.1))
    path = tmp_path / "alone.html"
    path.write_bytes(page({"alone": alone}))
    browser.look()
    browser.open(path)
    runs = [runs_of(alone, label, "communications", "accuracy")[0] for label in alone.methods]
    lines = browser.run(
        """document.getElementById("r0-curves-0").data
             .filter(d => d.mode === "lines+markers").map(d => [d.x, d.y])"""
    )
    assert len(lines) == 2
    for (x, y), run in zip(lines, runs, strict=True):
        np.testing.assert_allclose(x, run.x, rtol=6e-6)
        np.testing.assert_allclose(y, run.y, rtol=6e-6)
    assert browser.messages == []


def drawn(browser, figure="r1-curves-0"):
    return browser.run(
        f"""(() => {{ const {{ data, layout }} = document.getElementById("{figure}");
          return {{ names: data.map(d => d.name).filter(Boolean),
            modes: data.map(d => d.fill || d.mode),
            x: [layout.xaxis.title.text, layout.xaxis.type, layout.xaxis.range],
            y: [layout.yaxis.title.text, layout.yaxis.type],
            end: Math.max(...data.filter(d => d.mode === "lines+markers").map(d => d.x.at(-1)))
          }} }})()"""
    )


def test_axes_are_switched(opened, results):
    first = drawn(opened)
    assert first["x"][0].startswith("Communications")
    assert first["y"] == ["Relative squared distance", "log"]
    choose(opened, "r1-curves", "x", "bytes")
    choose(opened, "r1-curves", "y", "consensus_error")
    second = drawn(opened)
    assert (second["x"][0], second["y"][0]) == ("Bytes sent (all nodes)", "Consensus error")
    assert second["end"] == 16 * first["end"]
    # A tick decides, until there is another axis.
    choose(opened, "r1-curves", "log x", second["x"][1] != "log")
    choose(opened, "r1-curves", "log y", False)
    third = drawn(opened)
    assert {second["x"][1], third["x"][1]} == {"log", "linear"}
    assert third["y"][1] == "linear"
    choose(opened, "r1-curves", "y", "accuracy")
    assert drawn(opened)["y"][1] == "log"
    assert opened.messages == []


def test_bands_runs_and_algorithms_are_hidden_and_shown(opened):
    first = drawn(opened)
    assert first["modes"].count("tonexty") == 4
    choose(opened, "r1-curves", "10-90 % band", False)
    choose(opened, "r1-curves", "every run", True)
    second = drawn(opened)
    assert "tonexty" not in second["modes"]
    assert second["modes"].count("lines") == 20
    opened.run(
        """(async () => {
          document.querySelector('[data-source="r1-curves"] .names button').click();
          await new Promise(resolve => setTimeout(resolve, 200));
        })()"""
    )
    third = drawn(opened)
    assert set(first["names"]) - set(third["names"]) == {"DADAO"}
    assert third["modes"].count("lines") == 15


def test_panels_share_their_axes_also_when_zoomed(opened):
    ranges = """["comparison-curves-0", "comparison-curves-1"].map(id => {
      const { xaxis, yaxis } = document.getElementById(id).layout;
      return [xaxis.range, yaxis.range]; })"""
    first, second = opened.run(ranges)
    assert first == second
    opened.run(
        """Plotly.relayout("comparison-curves-1", { "xaxis.range": [1, 2], "yaxis.range": [-3, 0] })
             .then(() => new Promise(resolve => setTimeout(resolve, 300)))"""
    )
    assert opened.run(ranges) == [[[1, 2], [-3, 0]]] * 2


def test_tables_are_chosen_and_ranked(opened):
    rows = """[...document.querySelectorAll("#r1 table.ranking")].filter(t => t.offsetParent)
      .flatMap(table => [...table.tBodies[0].rows].map(row =>
        [row.cells[0].textContent, row.cells[4].dataset.value,
         row.cells[4].dataset.value === "inf"]))"""
    before = opened.run(rows)
    assert len(before) == 4  # one table is seen
    opened.run("""document.querySelectorAll("#r1 th[data-quantity=gradients] button")
      .forEach(button => button.click())""")
    after = opened.run(rows)
    values = [float(value) for _, value, _ in after]
    assert values == sorted(values)
    assert [rank for rank, _, lost in after if not lost] == [
        str(k + 1) for k in range(sum(not lost for *_, lost in after))
    ]
    opened.run(
        """(() => { const select = document.querySelector("#r1 select[data-chooses=accuracy]");
          select.value = "0.01"; select.dispatchEvent(new Event("change")); })()"""
    )
    shown = """[...document.querySelectorAll("#r1 [data-accuracy]")].filter(t => !t.hidden)
      .map(t => t.dataset.accuracy)"""
    assert opened.run(shown) == ["0.01"]


def test_the_timeline_moves_and_has_all_algorithms(opened):
    state = """(() => { const { data, layout } = document.getElementById("r0-timeline-0");
      return [layout.xaxis.range, data.map(d => d.name)]; })()"""
    (begin, end), names = opened.run(state)
    assert begin == 0
    assert {"computing", "message"} <= set(names)
    opened.run("""document.querySelector("#r0 [aria-label=later]").click()""")
    (later, last), _ = opened.run(state)
    assert later == pytest.approx(0.7 * end)
    assert last - later == pytest.approx(end)
    choose(opened, "r0-timeline", "algorithm", "1")
    _, names = opened.run(state)
    assert {"waiting", "end of a round"} <= set(names)
    assert opened.messages == []
