"""The share of sparse signals that is recovered, against the number of measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dadao_sim.plotting.style import (
    BLUE,
    COLUMN_WIDTH,
    LEGEND_ROW,
    VERMILION,
    add_legend_of,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.recovery import NEAR, Recovery
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def recovery_figure(report: Recovery, look: Look = Look()) -> Figure:  # noqa: B008
    """A line for the l1 norm, one for the power of the scenario."""
    width = look.inches(COLUMN_WIDTH)
    style: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.0}
    with paper(look.font):
        figure = new_figure(width, look.height or 0.58 * width + LEGEND_ROW, look.font)
        axes = figure.subplots()
        x = report.measurements
        axes.plot(x, report.of_power, "o-", color=BLUE, label=f"p = {report.p:g}", **style)
        axes.plot(x, report.of_l1, "s--", color=VERMILION, label="l1 norm", **style)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xticks(x)
        axes.set_xlabel("Measurements, of all nodes together")
        axes.set_ylabel(f"Share recovered to {100 * NEAR:g} %")
        axes.grid(True, which="major")
        finish_ticks(axes)
        add_legend_of(figure, [axes], width, look)
    return figure
