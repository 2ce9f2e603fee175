"""Error against what was spent: the median over the repeats and its 10-90 % band.

Repeats sample at different counts, so each is interpolated, linearly in the logarithm of the error
(in the value itself where a metric's axis is not logarithmic), at the points where any repeat was
sampled. How a repeat ended decides what stands for it later:

- converged: its last value, until half of the repeats have ended, where the line ends;
- diverged: infinity, so the band opens and the median is lost once half have diverged;
- stopped by a budget: nothing is known, so the line ends there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    COLUMN_WIDTH,
    DASH_DOT,
    DASHED,
    DOTTED,
    SOLID,
    TITLE,
    WIDE,
    Drawn,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    legend_height,
    logarithmic_limits,
    new_figure,
    paper,
    refuse_empty,
)
from dadao_sim.results.axes import Terms, axis_named
from dadao_sim.results.columns import DIVERGED, LAST_ROUND
from dadao_sim.results.look import NEVER_NEGATIVE, FigureSpec, Look
from dadao_sim.results.result import Result
from dadao_sim.results.summary import percentile
from dadao_sim.strict import suggestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Array = NDArray[np.float64]

PANELS = ("communications", "gradients", "time")
LOG_RATIO = 30.0  # methods whose costs differ by more than this share a logarithmic axis
RISE = 100.0  # the axis ends this far above the highest start: a diverging run leaves it
LOOK = Look()  # where nothing is asked for
GRID_POINTS = 1000
LARGEST = 1e150  # what matplotlib can put on an axis with a margin


@dataclass(frozen=True)
class Run:
    """One repeat: its drawable samples (finite, on a logarithmic axis positive) and its end."""

    x: Array
    y: Array
    status: str


@dataclass(frozen=True)
class Band:
    """The median, 10th and 90th percentile of the repeats of one algorithm on the grid `x`."""

    x: Array
    median: Array
    low: Array
    high: Array


def runs_of(
    result: Result,
    label: str,
    x: str,
    y: str,
    terms: Terms | None = None,
    *,
    log: bool | None = None,
) -> list[Run]:
    """The repeats of an algorithm as drawn. On a ``log`` axis (None: if that of the metric is one)
    a zero is left out, and so is what an axis cannot hold.
    """
    log = result.metrics[y].log if log is None else log
    curves = result.curves[result.curves["algorithm"] == label]
    along = axis_named(x).spent(curves, terms or result.terms)
    runs = []
    for row in result.runs[result.runs["algorithm"] == label].to_dict("records"):
        of_run = curves["repeat"].to_numpy() == row["repeat"]
        spent, error = along[of_run], curves[y].to_numpy(dtype=float)[of_run]
        held = (np.abs(error) <= LARGEST) & (np.isfinite(spent))
        held &= (error >= 1 / LARGEST) | (not log)
        runs.append(Run(spent[held], error[held], row["status"]))
    return runs


def median_and_band(runs: list[Run], *, log: bool = True, points: int = GRID_POINTS) -> Band:
    """The median and the 10-90 % band of the repeats, at no more than so many ``points``; the rules
    are those of this module.
    """
    drawn = [run for run in runs if run.x.size]
    grid = _grid(drawn, points)
    if not grid.size:
        return Band(grid, grid, grid, grid)
    values = np.array([_at(grid, run, log) for run in drawn])
    statistics = np.array(
        [[percentile(column, percent) for column in values.T.tolist()] for percent in (50, 10, 90)]
    )
    if log:
        statistics = np.exp(statistics)
    known = np.isfinite(statistics[0])
    return Band(grid[known], *(row[known] for row in statistics))


def _grid(runs: list[Run], points: int) -> Array:
    """Where any repeat was sampled, up to where the median is known; of many some, evenly."""
    if not runs:
        return np.empty(0)
    ends = sorted(run.x[-1] if run.status == "converged" else math.inf for run in runs)
    end = min([ends[len(ends) // 2], *(run.x[-1] for run in runs if run.status == "stopped")])
    grid = np.unique(np.concatenate([run.x for run in runs]))
    grid = grid[(grid >= max(run.x[0] for run in runs)) & (grid <= end)]
    if grid.size > points:
        grid = grid[np.linspace(0, grid.size - 1, points).round().astype(int)]
    return grid


def _at(grid: Array, run: Run, log: bool) -> Array:
    """The errors there, or their logarithms."""
    after = math.inf if run.status == DIVERGED else None  # None: the last value
    return np.interp(grid, run.x, np.log(run.y) if log else run.y, right=after)


def curve_figure(
    result: Result,
    x: str = "communications",
    y: str = "accuracy",
    width: float | None = None,
    *,
    look: Look = LOOK,
    terms: Terms | None = None,
) -> Figure:
    """One error of every algorithm against one cost, on a y axis that is as a rule logarithmic.

    Args:
        result: the runs to draw.
        x: a name of `results.axes.AXES`.
        y: "accuracy", "mean_squared_distance", "suboptimality", "consensus_error", or a metric
            that the scenario asked for (`Result.metrics`).
        width: in inches; that of the look, or COLUMN_WIDTH, if None.
        look: which algorithms, their colours and names, scales, limits, sizes, fonts.
        terms: prices and the like, such as `result.terms.priced(byte=1e-9)`; the result's if None.

    A run that diverged has a cross where it ended or left the axes, and the legend says so. Unless
    the look says otherwise, the x axis is logarithmic if what the algorithms spent differs by a
    factor above LOG_RATIO (those that diverged aside).

    Raises:
        InputError: x or y is none of these, the result does not have it, the look names an
            algorithm that is not there, or there is nothing to draw.

    """
    width = look.inches(COLUMN_WIDTH) if width is None else width
    return _figure(result, (x,), y, width, 0.58 * min(width, 4.5), look, terms)


def panel_figure(
    result: Result,
    y: str = "accuracy",
    width: float | None = None,
    *,
    xs: Sequence[str] = PANELS,
    look: Look = LOOK,
    terms: Terms | None = None,
) -> Figure:
    """The standard figure of a result: the error against communications, gradients and time.

    Several panels, one for each of ``xs``, share the y axis and one legend. Other arguments and
    errors as `curve_figure`; WIDE is the width where nothing is said.
    """
    width = look.inches(WIDE) if width is None else width
    return _figure(result, xs, y, width, 0.28 * width, look, terms)


def draw(result: Result, **keys: Any) -> Figure:
    """A figure of the section `figures` of a scenario, whose keys are the keywords, without file.

    ``draw(result, x=["bytes", "seconds"], algorithms=["dadao", "nids"], width="icml-double")``

    Raises InputError for a key that is unknown or wrong, and as `curve_figure`.
    """
    return figure_of(result, FigureSpec.of(keys))


def figure_of(result: Result, spec: FigureSpec, terms: Terms | None = None) -> Figure:
    """A figure as it is asked for. Raises InputError as `curve_figure`."""
    if spec.kind != "curves":  # one of a report of that name, in a file of that name
        report = import_module(f"dadao_sim.reports.{spec.kind}")
        figure = import_module(f"dadao_sim.plotting.{spec.kind}")
        draw_it = getattr(figure, f"{spec.kind}_figure")
        drawn: Figure = draw_it(getattr(report, spec.kind)(result), look=spec)
        return drawn
    if len(spec.x) == 1:
        return curve_figure(result, spec.x[0], spec.y, look=spec, terms=terms)
    return panel_figure(result, spec.y, xs=spec.x, look=spec, terms=terms)


def _figure(
    result: Result,
    xs: Sequence[str],
    y: str,
    width: float,
    axes_height: float,
    look: Look,
    terms: Terms | None,
) -> Figure:
    for x in xs:
        axis_named(x)
    band, levels = (look.band, look.levels) if isinstance(look, FigureSpec) else (None, ())
    for where, names in (("y", (y,)), ("band", band or ()), ("levels", levels)):
        for name in names:
            if name not in result.metrics:
                near = suggestion(str(name), result.metrics)
                raise InputError(where, f"unknown value {name!r}{near}")
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    with paper(look.font):
        handles = _legend_handles(result, drawn) + _level_handles(result, levels)
        columns = legend_columns([str(handle.get_label()) for handle in handles], width)
        rows = math.ceil(len(handles) / columns)
        height = axes_height + legend_height(rows, look.legend) + TITLE * (look.title is not None)
        if look.x_limits is not None and look.x_limits[1] <= 0:
            raise InputError("x_limits", f"end at {look.x_limits[1]:g}", NEVER_NEGATIVE)
        figure = new_figure(width, look.height or height, look.font)
        panels = figure.subplots(1, len(xs), sharey=True, squeeze=False)[0]
        for axes, x in zip(panels, xs, strict=True):
            _draw_curves(axes, result, x, y, drawn, look, terms or result.terms, band)
            _draw_levels(axes, result, levels, look)
            axes.label_outer()
        if not any(len(line.get_xdata()) for axes in panels for line in axes.lines):
            raise InputError("y", f"the repeats have no {' or '.join(xs)} in common to draw {y} at")
        for axes, x in zip(panels, xs, strict=True):
            refuse_empty(axes, look, x if len(xs) > 1 else "")
        add_legend(figure, handles, columns, look.legend, look.title)
    return figure


def _draw_curves(
    axes: Axes,
    result: Result,
    x: str,
    y: str,
    drawn_as: Mapping[str, Drawn],
    look: Look,
    terms: Terms,
    between: tuple[str, str] | None = None,
) -> None:
    """Draw every algorithm on `axes`; the lines carry the labels of the algorithms. What is shaded
    is `between` two metrics, or the repeats.
    """
    metric = result.metrics[y]
    log = metric.log if look.y_scale == "auto" else look.y_scale == "log"
    runs = {label: runs_of(result, label, x, y, terms, log=log) for label in drawn_as}
    bands = {label: median_and_band(runs[label], log=log) for label in drawn_as}
    drawn = [run for repeats in runs.values() for run in repeats if run.x.size]
    if not drawn:
        kind = "positive" if log else "finite"
        raise InputError("y", f"no run has a {kind} {y} to draw")
    top = _scale_y(axes, drawn) if log else _scale_linear_y(axes, drawn)
    if look.y_limits is not None:
        axes.set_ylim(logarithmic_limits("y", look.y_limits, log=log))
        top = look.y_limits[1]
    crosses = {label: _divergence_points(runs[label], top, log) for label in drawn_as}

    ends = [float(band.x[-1]) for band in bands.values() if band.x.size]
    lasting = [
        float(bands[label].x[-1])
        for label in drawn_as
        if bands[label].x.size and any(run.status != DIVERGED for run in runs[label])
    ]
    furthest = max([*ends, *(x for points in crosses.values() for x, _ in points)], default=0.0)
    _scale_x(axes, lasting or ends, furthest, drawn, look)
    shown = (*axes.get_xlim(), *axes.get_ylim())

    for k, (label, asked) in enumerate(drawn_as.items()):
        band, style = bands[label], asked.style
        every: Any = None
        if axes.get_xscale() == "log" and not (band.x > 0).any():  # no place there is its own
            band = Band(*4 * [np.empty(0)])
        shade: dict[str, Any] = {"color": style.colour, "alpha": 0.18, "linewidth": 0}
        if between is not None:
            low, high = (
                median_and_band(runs_of(result, label, x, end, terms, log=log), log=log)
                for end in between
            )
            upper = np.interp(low.x, high.x, high.median)
            axes.fill_between(low.x, low.median, upper, label=f"{label}: {between}", **shade)
        elif band.x.size and len(runs[label]) > 1:
            upper = np.minimum(band.high, top)
            axes.fill_between(band.x, band.low, upper, label=f"{label}: 10-90 %", **shade)
        if band.x.size:
            every = (0.03 + 0.13 * k / len(drawn_as), 0.13)  # staggered, in parts of the diagonal
            if _ends_by_itself(result, label):
                every = 1
        axes.plot(band.x, band.median, label=label, markevery=every, **style.line)
        points = crosses[label]
        if look.x_limits or look.y_limits:  # a cross is drawn beyond the axes too
            points = [(x, y) for x, y in points if _is_within(x, y, *shown)]
        if points:
            cross_x, cross_y = zip(*points, strict=True)
            axes.plot(cross_x, cross_y, color=style.colour, label=f"{label}: diverged", **_CROSS)
    axes.set_xlabel(axis_named(x).label(terms))
    axes.set_ylabel(metric.label)
    axes.grid(True, which="major")
    finish_ticks(axes)


def _ends_by_itself(result: Result, label: str) -> bool:
    """Whether it is a method of so many rounds and no more: each of them has a marker."""
    reasons = result.runs.loc[result.runs["algorithm"] == label, "reason"]
    return bool((reasons == LAST_ROUND).all())


GREY = "#707070"
LEVELS: tuple[dict[str, Any], ...] = tuple(
    {"color": GREY, "linewidth": 1.0, "linestyle": dash}
    for dash in (SOLID, DASHED, DOTTED, DASH_DOT)
)


def _level_handles(result: Result, levels: Sequence[str]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    looks = zip(levels, cycle(LEVELS), strict=False)
    return [Line2D([], [], label=result.metrics[name].label, **style) for name, style in looks]


def _draw_levels(axes: Axes, result: Result, levels: Sequence[str], look: Look) -> None:
    """Lines at the medians of what does not change, within the axes unless the look limits them."""
    for name, style in zip(levels, cycle(LEVELS), strict=False):
        at = float(np.median(result.curves[name].to_numpy(dtype=float)))
        axes.axhline(at, label=name, zorder=1.5, **style)
        low, high = axes.get_ylim()
        if look.y_limits is None and axes.get_yscale() == "linear":
            room = 0.04 * (max(high, at) - min(low, at))
            axes.set_ylim(min(low, at - room), max(high, at + room))


def _is_within(x: float, y: float, left: float, right: float, bottom: float, top: float) -> bool:
    return left <= x <= right and bottom <= y <= top


def _scale_y(axes: Axes, drawn: list[Run]) -> float:
    """Show all errors, but no more than RISE above the highest start; return the upper end."""
    from matplotlib.ticker import LogLocator

    lowest = min(float(run.y.min()) for run in drawn)
    highest = max(float(run.y.max()) for run in drawn)
    highest = min(highest, RISE * max(float(run.y[0]) for run in drawn))
    margin = (highest / lowest) ** 0.04 if highest > lowest else 2.0
    axes.set_yscale("log")
    axes.set_ylim(lowest / margin, highest * margin)
    axes.yaxis.set_major_locator(LogLocator(numticks=7))
    return highest * margin


def _scale_linear_y(axes: Axes, drawn: list[Run]) -> float:
    """Show everything but what comes after the start of a run that diverged; the upper end."""
    shown = [run.y if run.status != DIVERGED else run.y[:1] for run in drawn]
    lowest, highest = min(float(y.min()) for y in shown), max(float(y.max()) for y in shown)
    margin = 0.04 * (highest - lowest) if highest > lowest else 1.0
    axes.set_ylim(lowest - margin, highest + margin)
    return highest + margin


def _scale_x(axes: Axes, ends: list[float], furthest: float, drawn: list[Run], look: Look) -> None:
    """Show all up to `furthest`; logarithmic if the `ends` of the algorithms lie far apart."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    limits = look.x_limits
    ends = [end for end in ends if end > 0]
    if not ends:
        return
    linear = max(ends) <= LOG_RATIO * min(ends) or (limits is not None and limits[0] <= 0)
    if look.x_scale != "auto":
        linear = look.x_scale == "linear"
    if linear:
        axes.set_xlim(limits or (0, 1.03 * furthest))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        return
    first = min(float(run.x[run.x > 0].min()) for run in drawn if run.x[-1] > 0)
    axes.set_xscale("log", nonpositive="mask")
    axes.set_xlim(limits or (max(first, min(ends) / LOG_RATIO), 1.2 * furthest))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _divergence_points(runs: list[Run], top: float, log: bool) -> list[tuple[float, float]]:
    """Where each diverged run left the axes, or ended if it never left them."""
    points = []
    for run in runs:
        if run.status != DIVERGED or not run.x.size:
            continue
        outside = np.flatnonzero(run.y > top)
        if not outside.size:
            points.append((float(run.x[-1]), float(run.y[-1])))
            continue
        # A start is never outside, so there is a sample before the first one that is.
        step = slice(outside[0] - 1, outside[0] + 1)
        y, end = (np.log(run.y[step]), math.log(top)) if log else (run.y[step], top)
        crossing = np.interp(end, y, run.x[step])
        points.append((float(crossing), top))
    return points


def _legend_handles(result: Result, algorithms: Mapping[str, Drawn]) -> list[Line2D]:
    """One entry per algorithm, also for one without a sample; it says how many runs diverged."""
    from matplotlib.lines import Line2D

    handles = []
    for label, asked in algorithms.items():
        statuses = result.runs.loc[result.runs["algorithm"] == label, "status"].tolist()
        name, diverged = asked.name, statuses.count(DIVERGED)
        if diverged == len(statuses):
            name += " (diverged)"
        elif diverged:
            name += f" ({diverged} of {len(statuses)} diverged)"
        handles.append(Line2D([], [], label=name, **asked.style.line))
    return handles


_CROSS: dict[str, Any] = {
    "linestyle": "",
    "marker": "x",
    "markersize": 4.5,
    "markeredgewidth": 1.0,
    "clip_on": False,
    "zorder": 4,
}
