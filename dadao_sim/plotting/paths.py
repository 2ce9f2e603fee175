"""The paths of the coordinates of quantised models, and the gap that opens between the levels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    BLUE,
    LEGEND_ROW,
    ORANGE,
    WIDE,
    add_legend,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
)
from dadao_sim.reports.paths import Path
from dadao_sim.results.look import Look
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP, LEVEL = "#D9D9D9", "#666666"
NAME_LENGTH = 34  # characters in a line above a panel


def paths_figure(reports: Sequence[Path], look: Look = Look()) -> Figure:  # noqa: B008
    """A panel for each algorithm: a line for each coordinate, its mean over the nodes, in a band
    that holds all of them; blue where it ends in the upper half of the levels. Grey is what is
    infeasible. InputError where ``look`` names one without a path.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    by_label = {report.label: report for report in reports}
    for label in look.algorithms or ():
        if label not in by_label:
            raise InputError(f"paths: {label} has no levels to come to; leave it out")
    reports = [by_label[label] for label in look.algorithms or by_label]
    width = look.inches(WIDE)
    with paper(look.font):
        height = look.height or 0.75 * width / len(reports) + 4 * LEGEND_ROW
        figure = new_figure(width, height, look.font)
        panels = figure.subplots(1, len(reports), sharey=True, squeeze=False)[0]
        for axes, report in zip(panels, reports, strict=True):
            middle = (report.levels[0] + report.levels[-1]) / 2
            for low, high in report.gaps:
                axes.fill_between(report.times, low, high, color=GAP, linewidth=0, zorder=0)
            for level in report.levels:
                axes.axhline(level, color=LEVEL, linewidth=0.6, linestyle=":", zorder=1)
            for k in range(report.points.shape[2]):
                of_nodes = report.points[:, :, k]
                mean = of_nodes.mean(axis=1)
                colour, dash = (BLUE, "-") if mean[-1] >= middle else (ORANGE, "--")
                bounds = of_nodes.min(axis=1), of_nodes.max(axis=1)
                axes.fill_between(report.times, *bounds, color=colour, alpha=0.25, linewidth=0)
                axes.plot(report.times, mean, color=colour, linestyle=dash, linewidth=0.9)
            axes.set_title("\n".join(textwrap.wrap(drawable(report.name), NAME_LENGTH)))
            axes.set_xlabel(f"Time ({report.of_time})")
            axes.set_xlim(0, report.times[-1])
            finish_ticks(axes)
        panels[0].set_ylabel("Coordinates $x_k$")
        handles = [
            Line2D([], [], color=BLUE, linewidth=0.9),
            Line2D([], [], color=ORANGE, linewidth=0.9, linestyle="--"),
            Patch(color=BLUE, alpha=0.25, linewidth=0),
            Patch(color=GAP, linewidth=0),
        ]
        names = ["mean, ends above the middle", "mean, ends below", "all nodes", "infeasible"]
        for handle, name in zip(handles, names, strict=True):
            handle.set_label(name)
        add_legend(figure, handles, legend_columns(names, width), look.legend, look.title)
    return figure
