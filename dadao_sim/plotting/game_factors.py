"""By which factors methods play quadratic games, against rho."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    COLUMN_WIDTH,
    LEGEND_ROW,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    legend_height,
    new_figure,
    paper,
)
from dadao_sim.reports.game_factors import GameFactors
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOK = Look()


def game_factors_figure(report: GameFactors, look: Look = LOOK) -> Figure:
    """What a step multiplies the distance to the zero by, against rho: one machine (lines), and the
    nodes (marks). A method converges where it is below 1.
    """
    result = report.result
    every = drawn_as(result.methods, result.looks, result.names, look)
    drawn = {label: of for label, of in every.items() if label in report.predicted}
    if not drawn:
        raise InputError("algorithms", "none has known factors", "name one that has")
    width = look.inches(COLUMN_WIDTH)
    names = [of.name for of in drawn.values()]
    columns = legend_columns(names, width)
    above = legend_height(-(-len(names) // columns), look.legend)
    with paper(look.font):
        figure = new_figure(width, look.height or 0.62 * width + above + LEGEND_ROW, look.font)
        axes = figure.subplots()
        axes.axhline(1.0, color="0.4", linewidth=0.7, zorder=0)
        handles = []
        for label, of in drawn.items():
            line = {**of.style.line, "linewidth": 1.0, "markersize": 3.5}
            axes.plot(report.rho, report.predicted[label], **{**line, "marker": ""})
            axes.plot(report.rho, report.measured[label], **{**line, "linestyle": ""})
            handles += axes.plot([], [], **line, label=of.name)
        axes.set(xlabel=r"$\rho$ of the game ($L = 1$)", ylabel="Factor of the distance in a step")
        axes.set_xlim(look.x_limits or (-1, 1))
        axes.set_ylim(look.y_limits or (0.6, 1.2))
        axes.grid(True, which="major")
        finish_ticks(axes)
        add_legend(figure, handles, columns, look.legend, look.title)
    return figure
