"""What the nodes made of data whose truth is known: images, and the coefficients of a signal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.plotting.pictures import Shown, show
from dadao_sim.plotting.style import (
    LEGEND_ROW,
    WIDE,
    Drawn,
    Style,
    add_legend,
    drawn_as,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.recovered import Recovered, psnr, relative_error
from dadao_sim.results.columns import DIVERGED
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

PICTURES_IN_A_ROW = 5
NAME_LENGTH = 24  # characters in a line above a picture


def recovered_figure(report: Recovered, look: Look = Look()) -> Figure:  # noqa: B008
    """Truth and recovery, of an image or a signal.

    Args:
        report: what there is to show.
        look: which algorithms, what they are called, width, font and title.

    An image: the truth, what the nodes saw (pixels that nobody saw in a colour), and each
    algorithm's picture, in greys from 0 (black) to 1 with its peak signal-to-noise ratio. A signal:
    for each algorithm the coefficients against the true ones, with ||x - truth||/||truth||.

    """
    result, width = report.result, look.inches(WIDE)
    every = drawn_as(result.methods, result.looks, result.names, look)
    chosen = look.algorithms or report.found
    drawn = {label: every[label] for label in chosen if label in report.found}
    with paper(look.font):
        if report.seen is not None:
            figure = _image_figure(report, report.seen, drawn, width)
        else:
            figure = _signal_figure(report, drawn, width)
        if look.title is not None:
            figure.suptitle(look.title)
    return figure


def _image_figure(
    report: Recovered, seen: Array, drawn: Mapping[str, Drawn], width: float
) -> Figure:
    truth, known = report.truth, ~np.isnan(seen)
    share = f"{100 * known.mean():.0f} % of the pixels"
    shown = [Shown("Truth", "", truth)]
    shown += [Shown("Seen", _decibels(seen, truth) if known.all() else share, seen)]
    for label, one in drawn.items():
        found = report.found[label]
        quality = DIVERGED if label in report.diverged else _decibels(found, truth)
        shown.append(Shown(one.name, quality, found))
    rows = math.ceil(len(shown) / PICTURES_IN_A_ROW)
    columns = math.ceil(len(shown) / rows)
    lines = 1 + max(len(textwrap.wrap(one.title, NAME_LENGTH)) for one in shown)
    figure = new_figure(width, rows * (width / columns + 0.15 * lines))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, picture in zip(grid, shown, strict=False):
        show(axes, picture, NAME_LENGTH, "nearest")
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    return figure


def _decibels(picture: Array, truth: Array) -> str:
    return f"{psnr(picture, truth):.1f} dB"


def _signal_figure(report: Recovered, drawn: Mapping[str, Drawn], width: float) -> Figure:
    import matplotlib
    from matplotlib.ticker import MaxNLocator

    truth, count = report.truth, len(drawn)
    inside = [report.found[label] for label in drawn if label not in report.diverged]
    reach = 1.25 * np.abs([truth, *inside]).max()
    figure = new_figure(width, max(0.95 * count, 1.3) + 0.35 + LEGEND_ROW)
    grid = figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (label, one) in zip(grid, drawn.items(), strict=True):
        x = report.found[label]
        _draw_signal(axes, truth, x, one.style)
        error = f"relative error {relative_error(x, truth):.2g}"
        axes.set_title(one.name, loc="left")
        axes.set_title(DIVERGED if label in report.diverged else error, loc="right")
        axes.set(xlim=(-1, len(truth)), ylim=(-reach, reach))
        finish_ticks(axes)
    grid[-1].set_xlabel("Coordinate")
    ticks = np.asarray(MaxNLocator(integer=True).tick_values(0, max(len(truth) - 1, 1)))
    grid[-1].set_xticks(ticks[(ticks >= 0) & (ticks < len(truth))])
    figure.supylabel("Coefficient", fontsize=matplotlib.rcParams["axes.labelsize"])
    add_legend(figure, _handles([one.style for one in drawn.values()]), 2)
    return figure


def _draw_signal(axes: Axes, truth: Array, found: Array, style: Style) -> None:
    support = np.flatnonzero(truth)
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    axes.vlines(support, 0, truth[support], color="0.7", linewidth=0.8, zorder=1)
    axes.plot(support, truth[support], label="truth", zorder=2, **_TRUE)
    axes.plot(found, label="recovered", zorder=3, **_dots(style))


def _handles(looks: list[Style]) -> list[Any]:
    """The truth, and what was recovered: in the look of the algorithm if there is only one."""
    from matplotlib.lines import Line2D

    style = looks[0] if len(looks) == 1 else Style("0.35", (0, ()), "o")
    return [
        Line2D([], [], label="true coefficient, where it is not 0", **_TRUE),
        Line2D([], [], label="recovered coefficient", **_dots(style)),
    ]


def _dots(style: Style) -> dict[str, Any]:
    return {**style.line, "linestyle": "", "markersize": 3, "markeredgewidth": 0}


_TRUE: dict[str, Any] = {
    "color": "black",
    "linestyle": "",
    "marker": "o",
    "markersize": 6,
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
}
