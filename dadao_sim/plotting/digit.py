"""A digit of which every node sees other pixels: pictures of what was made of it, how near the
nodes came to the fixed point, and how a F + R falls on one machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.plotting.pictures import Shown, show
from dadao_sim.plotting.style import (
    LEGEND_ROW,
    WIDE,
    Drawn,
    add_legend_of,
    drawn_as,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.digit import DigitReport, Filled
from dadao_sim.reports.recovered import psnr
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES, TITLES = 2.1, 0.4  # inches of the curves below, and of what stands around the pictures
ROUNDING = 1e-13  # of a F + R, which is of size 1: nothing is to be seen below
NAME_LENGTH = 16  # characters in a line above a picture


def digit_figure(report: DigitReport, look: Look = Look()) -> Figure:  # noqa: B008
    """Pictures: what was seen (pixels that nobody saw in a colour); what one node makes of its own
    pixels, at the step of the first algorithm, the node in the middle of all; what each algorithm
    made of all, at the node farthest from the truth; the conditional mean, were digits Gaussian;
    the truth. Below, the accuracy of each algorithm against communications; and a F + R less its
    least value, along the iteration on one machine at the algorithm's step.
    """
    result = report.result
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    labels = [label for label in drawn if label in report.found]
    pictures = _pictures(report, labels, drawn)
    width = look.inches(WIDE)
    with paper(look.font):
        side = width / len(pictures) + TITLES
        height = look.height or side + CURVES + 2 * LEGEND_ROW
        figure = new_figure(width, height, look.font)
        rows = figure.add_gridspec(2, 1, height_ratios=[side, CURVES])
        grid = rows[0].subgridspec(1, len(pictures))
        for k, one in enumerate(pictures):
            show(figure.add_subplot(grid[k]), one, NAME_LENGTH, "nearest")
        panels = rows[1].subgridspec(1, 2)
        left, right = (figure.add_subplot(panels[k]) for k in range(2))
        for label in labels:
            _draw_curves(left, right, report.found[label], drawn[label])
        left.set(xlabel="Communications", ylabel=r"$\|x-x^\ast\|^2/\,\|x_0-x^\ast\|^2$")
        right.set(xlabel="Steps on one machine", ylabel="$aF + R$, less its least value")
        for axes in (left, right):
            axes.set_yscale("log")
            axes.grid(True, which="major")
            finish_ticks(axes)
        add_legend_of(figure, [left], width, look)
    return figure


def _pictures(report: DigitReport, labels: list[str], drawn: dict[str, Drawn]) -> list[Shown]:
    """See :func:`digit_figure`."""
    truth, seen = report.picture.truth, report.picture.seen
    alone = report.found[labels[0]].alone
    node = int(np.argsort([psnr(one, truth) for one in alone])[len(alone) // 2])
    share = f"{100 * np.mean(~np.isnan(seen)):.0f} % of the pixels"
    found = [("A node alone", alone[node])]
    found += [(drawn[label].name, report.found[label].found) for label in labels]
    found += [("Gaussian prior", report.gaussian)]
    shown = [Shown("Seen", share, seen)]
    shown += [Shown(name, f"{psnr(one, truth):.1f} dB", one) for name, one in found]
    return [*shown, Shown("Truth", "", truth)]


def _draw_curves(left: Axes, right: Axes, found: Filled, asked: Drawn) -> None:
    line = {**asked.style.line, "markevery": (0.1, 0.15)}
    left.plot(found.communications, found.accuracy, label=asked.name, **line)
    above = found.objective - found.objective.min()
    steps = np.arange(1, len(above) + 1)
    kept = above > ROUNDING
    right.plot(steps[kept], above[kept], label=asked.name, **line)
