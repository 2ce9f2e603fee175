"""Where the mean of the nodes went, over a vector field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.plotting.style import (
    COLUMN_WIDTH,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    legend_height,
    new_figure,
    paper,
)
from dadao_sim.reports.trajectories import Trajectories
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOK = Look()
STAYS, DIVERGES = "", ", leaves"


def trajectories_figure(report: Trajectories, look: Look = LOOK) -> Figure:
    """The mean of the nodes of every algorithm, from its start (dot) to its end (marker), over
    the directions in which the players go; a cross is a solution. What diverges leaves the picture.
    """
    result = report.result
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    width = look.inches(COLUMN_WIDTH)
    names = [
        of.name + (DIVERGES if label in report.diverging else STAYS) for label, of in drawn.items()
    ]
    columns = legend_columns(names, width)
    above = legend_height(-(-len(names) // columns), look.legend)
    with paper(look.font):
        figure = new_figure(width, look.height or 0.95 * width + above, look.font)
        axes = figure.subplots()
        lengths = np.linalg.norm(report.field, axis=1, keepdims=True)
        arrows = report.field / np.maximum(lengths, 1e-300)
        axes.quiver(*report.at.T, *arrows.T, color="0.75", pivot="mid", scale=24, width=0.004)
        handles = []
        for number, (label, of) in enumerate(drawn.items()):
            mean, style = report.means[label], of.style
            look_of_line = {**style.line, "linewidth": 1.1, "zorder": 3 + number}
            axes.plot(*mean.T, **{**look_of_line, "marker": ""})
            if label not in report.diverging:
                axes.plot(*report.ends[label], **{**look_of_line, "linestyle": "", "markersize": 6})
            handles += axes.plot([], [], **look_of_line, label=names[number])
        start = next(iter(report.means.values()))[0]
        axes.plot(*start, color="black", marker="o", markersize=4, linestyle="", zorder=20)
        axes.plot(
            *report.solutions.T,
            color="black",
            marker="+",
            markersize=9,
            markeredgewidth=1.2,
            linestyle="",
            zorder=20,
        )
        limits_x, limits_y = (
            given or found
            for given, found in zip((look.x_limits, look.y_limits), report.limits, strict=True)
        )
        axes.set(xlim=limits_x, ylim=limits_y, aspect="equal")
        axes.set(xlabel="First coordinate of the mean", ylabel="Second coordinate of the mean")
        finish_ticks(axes)
        add_legend(figure, handles, columns, look.legend, look.title)
    return figure
