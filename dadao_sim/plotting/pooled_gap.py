"""What a sum of local errors loses, and a node alone, against how much the nodes differ."""

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
from dadao_sim.reports.pooled_gap import PooledGap
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pooled_gap_figure(report: PooledGap, look: Look = Look()) -> Figure:  # noqa: B008
    """Total variation to the policy of all data together against the concentration of the states,
    which falls to the right: there every node sees few of them.
    """
    width = look.inches(COLUMN_WIDTH)
    style: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.0}
    with paper(look.font):
        figure = new_figure(width, look.height or 0.58 * width + 2 * LEGEND_ROW, look.font)
        axes = figure.subplots()
        x = report.concentration
        axes.plot(x, report.of_one, "s--", color=VERMILION, label="worst node alone", **style)
        axes.plot(x, report.of_sum, "o-", color=BLUE, label="sum of the nodes' errors", **style)
        axes.set(xscale="log", yscale="log")
        axes.set_xlim(1.3 * x.max(), x.min() / 1.3)
        axes.set_xlabel("Dirichlet concentration (right: nodes see fewer states)")
        axes.set_ylabel("Distance to the pooled policy")
        axes.grid(True, which="major")
        finish_ticks(axes)
        add_legend_of(figure, [axes], width, look)
    return figure
