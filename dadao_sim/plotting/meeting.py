"""What the point costs that agents find, against gradients, and their paths to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.plotting.curves import median_and_band, runs_of
from dadao_sim.plotting.style import (
    DOTTED,
    TITLE,
    WIDE,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    legend_height,
    new_figure,
    paper,
)
from dadao_sim.reports.meeting import Meeting
from dadao_sim.results.axes import axis_named
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPTIMUM, MEAN = "optimum $x^\\ast$", "mean of the positions"
OF_F, OF_V = "levels of $F$", "levels of the surrogate"
LEVELS = 9
_FAINT: dict[str, Any] = {"color": "0.72", "linewidth": 0.6}
_MEAN: dict[str, Any] = {"color": "black", "linestyle": DOTTED, "linewidth": 0.9}
_LEVEL = "0.8"
_OF_SURROGATE: dict[str, Any] = {"linestyle": (0, (4, 3)), "linewidth": 0.7}
_MARK: dict[str, Any] = {"color": "black", "linestyle": ""}


def meeting_figure(report: Meeting, look: Look = Look()) -> Figure:  # noqa: B008
    """F(x) - F* of every algorithm against gradients, whatever answers them, with the excess of the
    mean of the agents' positions; beside it the agents' paths to x*, over level lines of F and, at
    the same heights above its own least value, of its first surrogate, and where each oracle leads.
    """
    result = report.result
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    width = look.inches(WIDE)
    with paper(look.font):
        from matplotlib.lines import Line2D

        handles = [Line2D([], [], label=one.name, **one.style.line) for one in drawn.values()]
        handles.append(Line2D([], [], label=MEAN, marker="x", markersize=5, **_MEAN))
        handles.append(Line2D([], [], label=OPTIMUM, marker="+", markersize=9, **_MARK))
        handles.append(Line2D([], [], label=OF_F, color=_LEVEL, linewidth=0.8))
        surrogate = drawn.get(report.surrogate or "")
        colour = "" if surrogate is None else str(surrogate.style.line["color"])
        if surrogate is not None:
            handles.append(Line2D([], [], label=OF_V, color=colour, **_OF_SURROGATE))
        columns = legend_columns([str(one.get_label()) for one in handles], width)
        rows = -(-len(handles) // columns)
        above = legend_height(rows, look.legend) + TITLE * (look.title is not None)
        figure = new_figure(width, look.height or 0.46 * width + above, look.font)
        costs, places = figure.subplots(1, 2, width_ratios=(1.15, 1))
        x = axis_named("gradients")
        for number, (label, one) in enumerate(drawn.items()):
            band = median_and_band(runs_of(result, label, "gradients", "suboptimality"))
            every = (0.03 + 0.13 * number / len(drawn), 0.13)
            costs.plot(band.x, band.median, markevery=every, label=label, **one.style.line)
        costs.axhline(report.of_mean, **_MEAN)
        costs.set_yscale("log")
        costs.set(xlabel=x.label(result.terms), ylabel=result.metrics["suboptimality"].label)
        if look.x_limits is not None:
            costs.set_xlim(look.x_limits)
        else:
            costs.set_xlim(left=0)
        if look.y_limits is not None:
            costs.set_ylim(look.y_limits)
        costs.grid(True, which="major")
        finish_ticks(costs)
        _draw_places(places, report, colour)
        for label, one in drawn.items():
            if report.excess[label] > 0:
                style = {**one.style.line, "linestyle": "", "markersize": 5, "zorder": 6}
                places.plot(*report.found[label], **style)
        add_legend(figure, handles, columns, look.legend, look.title)
    return figure


def _draw_places(axes: Axes, report: Meeting, colour: str) -> None:
    """The paths, dots where they begin, over levels that are evenly spaced in the root, and those
    of the surrogate in ``colour``.
    """
    levels = report.values.max() * np.linspace(0, 1, LEVELS + 1)[1:] ** 2
    axes.contour(
        *report.axes, report.values, levels=levels, colors=_LEVEL, linewidths=0.8, zorder=0
    )
    if colour and report.surrogate_values is not None:
        axes.contour(
            *report.axes,
            report.surrogate_values,
            levels=levels,
            colors=colour,
            linestyles=[_OF_SURROGATE["linestyle"]],
            linewidths=_OF_SURROGATE["linewidth"],
            zorder=1,
        )
    for path in report.paths:
        axes.plot(*path.T, marker=".", markersize=2.5, zorder=2, **_FAINT)
        axes.plot(*path[0], marker="o", markersize=4, color="0.35", linestyle="", zorder=3)
    axes.plot(*report.mean, marker="x", markersize=5, zorder=5, **_MARK)
    axes.plot(*report.x_star, marker="+", markersize=9, zorder=7, **_MARK)
    axes.set(xlim=report.axes[0][[0, -1]], ylim=report.axes[1][[0, -1]], aspect="equal")
    axes.set(xlabel="First coordinate", ylabel="Second coordinate")
    finish_ticks(axes)
