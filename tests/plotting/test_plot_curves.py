"""What is drawn is the data: medians, bands, ends, crosses; and the parts do not overlap."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from synthetic import TARGET, finished_run, result, style_of

from dadao_sim.errors import InputError
from dadao_sim.metrics import ALWAYS, METRICS
from dadao_sim.plotting.curves import (
    GRID_POINTS,
    PANELS,
    RISE,
    Run,
    curve_figure,
    median_and_band,
    panel_figure,
)
from dadao_sim.plotting.style import WIDE
from dadao_sim.results.axes import TABLED

FIVE = ("dadao", "continuized", "msda", "adom_plus", "adom_plus_multi_consensus")


LABELS = [
    "Communications (edge activations)",
    "Local gradients (all nodes)",
    "Time (mean gradient intervals)",
]


def line_of(figure: Figure, label: str, panel: int = 0):
    (line,) = [line for line in figure.axes[panel].lines if line.get_label() == label]
    return line


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


# ---- the median and the band ----------------------------------------------------------------


def decays(rates, status="stopped", end=50.0):
    x = np.linspace(0, end, 51)
    return [Run(x, np.exp(-rate * x), status) for rate in rates]


def test_median_and_band_of_decays_are_decays_of_the_percentiles_of_the_rates():
    """exp is monotone and the interpolation is in its logarithm, so percentiles pass through."""
    rates = [0.1, 0.5, 0.2, 0.4, 0.3]
    band = median_and_band(decays(rates))
    np.testing.assert_array_equal(band.x, np.linspace(0, 50, 51))
    for values, percent in ((band.median, 50), (band.low, 90), (band.high, 10)):
        np.testing.assert_allclose(values, np.exp(-np.percentile(rates, percent) * band.x))


def test_repeats_on_different_grids_are_interpolated_in_the_logarithm():
    x = [np.linspace(0, 60, 61), np.linspace(0, 60, 7), np.array([0.0, 13.0, 60.0])]
    band = median_and_band([Run(grid, np.exp(-0.2 * grid), "stopped") for grid in x])
    np.testing.assert_array_equal(band.x, np.unique(np.concatenate(x)))
    for values in (band.median, band.low, band.high):
        np.testing.assert_allclose(values, np.exp(-0.2 * band.x), rtol=1e-12)


def test_one_repeat_is_drawn_as_it_is():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(0, 9, 30)), rng.uniform(1e-9, 1, 30)
    for status in ("converged", "stopped", "diverged"):
        band = median_and_band([Run(x, y, status)])
        np.testing.assert_array_equal(band.x, x)
        np.testing.assert_allclose(band.median, y, rtol=1e-14)


def test_the_line_ends_where_half_of_the_repeats_have_converged():
    runs = []
    for end in (10, 20, 30, 40, 50):
        x = np.linspace(0, end, end + 1)
        runs.append(Run(x, TARGET ** (x / end), "converged"))
    band = median_and_band(runs)
    assert band.x[-1] == 30
    assert band.median[-1] == pytest.approx(TARGET)
    assert band.low[-1] == pytest.approx(TARGET)  # those that ended are held there
    assert (np.diff(band.median) < 0).all()


def test_the_line_ends_where_a_repeat_was_stopped():
    runs = [*decays([0.1, 0.2], "stopped", end=50), *decays([0.3], "stopped", end=35)]
    assert median_and_band(runs).x[-1] == 35


def test_a_diverged_repeat_opens_the_band_and_half_of_them_end_the_median():
    good = decays([0.1, 0.2, 0.3, 0.4], "converged")
    bad = decays([-0.5], "diverged", end=20.0)
    band = median_and_band(good + bad)
    after = band.x > 20
    assert np.isinf(band.high[after]).all()
    assert np.isfinite(band.high[~after]).all()
    np.testing.assert_allclose(band.median[after], np.exp(-0.2 * band.x[after]))
    assert median_and_band(good[:1] + bad).x[-1] == 20
    assert median_and_band(bad).x[-1] == 20


def test_long_curves_are_thinned_to_points_of_the_data():
    x = np.arange(50_001.0)
    band = median_and_band([Run(x, np.exp(-1e-4 * x), "stopped")])
    assert band.x.size == GRID_POINTS
    assert (band.x[0], band.x[-1]) == (0, 50_000)
    np.testing.assert_allclose(band.median, np.exp(-1e-4 * band.x))


def test_no_samples_no_band():
    assert median_and_band([]).x.size == 0
    empty = Run(np.empty(0), np.empty(0), "diverged")
    assert median_and_band([empty]).median.size == 0


# ---- figures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def five():
    """Three repeats of five methods, on one grid of times; none reaches the target."""
    rates = dict(zip(FIVE, (0.04, 0.03, 0.035, 0.01, 0.02), strict=True))
    return result(
        *(
            finished_run(method, k, rate=rate * (0.9 + 0.1 * k), communications=20 + 10 * k)
            for method, rate in rates.items()
            for k in range(3)
        )
    )


@pytest.mark.parametrize("x", TABLED)
@pytest.mark.parametrize("y", ALWAYS)
def test_every_pair_draws_the_column_it_names(x, y):
    run = finished_run("dadao", rate=0.03)
    figure = curve_figure(result(run), x, y)
    line = line_of(figure, "dadao")
    curves = run.curves[run.curves[y] > 0]
    spent = dict(curves, cost=(10 + 0.5 * 30) * curves["time"], bits=8 * curves["bytes_sent"])
    expected = spent[x]
    np.testing.assert_array_equal(line.get_xdata(), expected.to_numpy(dtype=float))
    np.testing.assert_allclose(line.get_ydata(), curves[y], rtol=1e-12)
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_ylabel() == METRICS[y].title


def test_lines_and_bands_are_the_percentiles_over_the_repeats(five):
    figure = curve_figure(five, "time")
    curves = five.curves[five.curves["algorithm"] == "msda"]
    logs = np.log(curves.pivot(index="time", columns="repeat", values="accuracy").to_numpy())
    line = line_of(figure, "msda")
    np.testing.assert_allclose(line.get_ydata(), np.exp(np.median(logs, axis=1)))
    (band,) = [
        c
        for c in figure.axes[0].collections
        if isinstance(c, PolyCollection) and c.get_label() == "msda: 10-90 %"
    ]
    vertices = np.asarray(band.get_paths()[0].vertices)
    time = curves["time"].unique()
    for k in (1, 100, 400):
        at = vertices[np.isclose(vertices[:, 0], time[k]), 1]
        assert at.min() == pytest.approx(np.exp(np.percentile(logs[k], 10)))
        assert at.max() == pytest.approx(np.exp(np.percentile(logs[k], 90)))
    shade = np.asarray(band.get_facecolor())[0]
    assert to_hex(tuple(shade)).upper() == style_of("msda").colour


def test_one_repeat_has_no_band():
    assert not curve_figure(result(finished_run("dadao"))).axes[0].collections


def test_a_method_has_its_style_in_every_figure(five):
    alone = result(finished_run("msda"), finished_run("dadao", rate=0.01))
    figures = [curve_figure(five), curve_figure(five, "cost", "suboptimality"), curve_figure(alone)]
    for figure in figures:
        for name in ("dadao", "msda"):
            line = line_of(figure, name)
            assert line.get_color() == style_of(name).colour
            assert line.get_marker() == style_of(name).marker


def test_panels_share_the_y_axis_and_one_legend(five):
    figure = panel_figure(five)
    assert len(figure.axes) == 3
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert [axes.get_xlabel() for axes in figure.axes] == LABELS
    assert [bool(axes.get_ylabel()) for axes in figure.axes] == [True, False, False]
    assert legend_of(figure) == ["DADAO", "Continuized", "MSDA", "ADOM+", "ADOM+ (multi-consensus)"]
    for panel, x in enumerate(PANELS):
        single = line_of(curve_figure(five, x), "adom_plus")
        line = line_of(figure, "adom_plus", panel)
        np.testing.assert_array_equal(line.get_xydata(), single.get_xydata())


def test_x_is_logarithmic_only_for_methods_far_apart():
    near = result(
        finished_run("dadao", communications=10), finished_run("msda", communications=200)
    )
    far = result(finished_run("dadao", communications=10), finished_run("msda", communications=400))
    assert curve_figure(near).axes[0].get_xscale() == "linear"
    assert curve_figure(far).axes[0].get_xscale() == "log"
    assert curve_figure(far, "time").axes[0].get_xscale() == "linear"
    short = result(finished_run("dadao", rate=0.01), finished_run("msda", rate=-5.0))
    assert curve_figure(short).axes[0].get_xscale() == "linear"  # a run that diverged at once


def test_a_diverged_method_has_a_cross_where_it_left_the_axes_and_says_so():
    runs = [finished_run("dadao", k, rate=0.1) for k in range(2)]
    runs += [finished_run("msda", k, rate=-0.2 - 0.1 * k) for k in range(2)]
    figure = curve_figure(result(*runs), "time")
    top = figure.axes[0].get_ylim()[1]
    crosses = line_of(figure, "msda: diverged")
    assert crosses.get_marker() == "x"
    assert crosses.get_color() == style_of("msda").colour
    times, errors = crosses.get_data()
    np.testing.assert_allclose(times, [math.log(top) / 0.2, math.log(top) / 0.3], rtol=1e-6)
    np.testing.assert_allclose(errors, top)
    assert RISE <= top < 1e4 * RISE
    assert legend_of(figure) == ["DADAO", "MSDA (diverged)"]
    assert not [x for x in figure.axes[0].lines if x.get_label() == "dadao: diverged"]


def test_a_cross_inside_the_axes_stands_at_the_end_of_the_run():
    run = finished_run("msda", rate=-0.2, end=10.0, samples=11)
    run.curves.loc[10, "accuracy"] = np.nan
    figure = curve_figure(result(run, finished_run("dadao")), "time")
    times, errors = line_of(figure, "msda: diverged").get_data()
    assert (times[0], errors[0]) == pytest.approx((9.0, math.exp(1.8)))


def test_some_diverged_repeats_are_counted():
    runs = [finished_run("dadao", k, rate=0.1 if k else -0.3) for k in range(5)]
    assert legend_of(curve_figure(result(*runs))) == ["DADAO (1 of 5 diverged)"]


def test_a_method_without_samples_is_in_the_legend():
    both = result(finished_run("dadao"), finished_run("msda", status="diverged"))
    both.curves = both.curves[both.curves["algorithm"] == "dadao"]
    figure = curve_figure(both)
    assert legend_of(figure) == ["DADAO", "MSDA (diverged)"]
    assert line_of(figure, "msda").get_xdata().size == 0


@pytest.mark.parametrize("make", [curve_figure, panel_figure])
def test_nothing_overlaps(five, make):
    """Legend, axes, and labels as laid out, in pixels; nothing outside of the paper."""
    figure = make(five)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    (legend,) = figure.legends
    boxes: list[Any] = [legend.get_window_extent(renderer)]
    boxes += [axes.get_tightbbox(renderer) for axes in figure.axes]
    page = figure.bbox
    for k, box in enumerate(boxes):
        assert box.x0 >= page.x0
        assert box.y0 >= page.y0
        assert box.x1 <= page.x1
        assert box.y1 <= page.y1
        for other in boxes[k + 1 :]:
            assert not box.overlaps(other)
    for axes in figure.axes:
        labels = [x for x in axes.get_xticklabels() if x.get_text()]
        spans = [label.get_window_extent(renderer) for label in labels]
        assert all(a.x1 < b.x0 for a, b in pairwise(spans))


def test_widths_are_those_of_a_paper(five):
    assert curve_figure(five).get_figwidth() == 3.4
    assert curve_figure(five, width=WIDE).get_figwidth() == 7.0
    assert panel_figure(five).get_figwidth() == 7.0


def test_what_cannot_be_drawn_is_refused(five):
    with pytest.raises(InputError, match=r"^x: "):
        curve_figure(five, x="hours")
    with pytest.raises(InputError, match=r"^y: "):
        curve_figure(five, y="loss")
    nothing = result(finished_run("dadao"))
    nothing.curves["suboptimality"] = 0.0
    with pytest.raises(InputError, match="no run has a positive suboptimality"):
        curve_figure(nothing, y="suboptimality")
