"""The error of a live run beside that of simulated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    DASHED,
    DOTTED,
    LEGEND_ROW,
    SOLID,
    add_legend,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
)
from dadao_sim.reports.live import LiveError
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def live_figure(report: LiveError, look: Look = Look()) -> Figure:  # noqa: B008
    """The error of the nodes against time: the live run (line), the 10-90 % range (band) and the
    median (dashes) of the simulated ones, and when nodes were killed (dots).
    """
    width = look.inches(COLUMN_WIDTH)
    with paper(look.font):
        figure = new_figure(width, look.height or 0.62 * width + 3 * LEGEND_ROW, look.font)
        axes = figure.subplots()
        simulated = f"{report.runs} simulated runs"
        axes.fill_between(
            report.times,
            report.low,
            report.high,
            color=BLUE,
            alpha=0.3,
            linewidth=0,
            label=f"{simulated}, 10-90 %",
        )
        axes.plot(
            report.times, report.middle, color=BLUE, linestyle=DASHED, linewidth=0.9, label="median"
        )
        axes.plot(
            *(report.times, report.live),
            color=BLACK,
            linestyle=SOLID,
            linewidth=1.0,
            label=f"{report.name}, live",
        )
        for number, death in enumerate(report.deaths):
            label = "a node is killed" if number == 0 else None
            axes.axvline(death, color=BLACK, linestyle=DOTTED, linewidth=0.9, label=label)
        axes.set_yscale("log")
        unit = f"{report.unit * 1e3:g} ms"
        axes.set(xlabel=f"Time in mean gradient intervals ({unit} each)", ylabel="Relative error")
        axes.set_xlim(0, report.times[-1])
        axes.grid(True, which="major")
        finish_ticks(axes)
        handles, labels = axes.get_legend_handles_labels()
        add_legend(figure, handles, legend_columns(labels, width), look.legend, look.title)
    return figure
