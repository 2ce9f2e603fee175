"""What was seen in low light, what the nodes made of it, alone and together, and the truth; below
how far the light of the nodes was off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.plotting.pictures import Shown, show
from dadao_sim.plotting.style import (
    DOTTED,
    LEGEND_ROW,
    WIDE,
    Drawn,
    add_legend_of,
    drawn_as,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.low_light import LowLight, Relit, best_gain
from dadao_sim.reports.recovered import psnr
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES, CURVES = 6, 2.1  # how many in a row, and inches of the curves below


def low_light_figure(report: LowLight, look: Look = Look()) -> Figure:  # noqa: B008
    """Pictures of the first algorithm (of ``look``), and curves of all.

    Pictures: what was seen; the log light that one node infers from its strip, between the two
    lines; that of all nodes, at the one farthest off; the true one; what things reflect, found,
    with the best gain, and truly. The logarithms of light share one scale of greys and their mean.
    Curves: the error of the log light against communications, on average over the nodes, in a band
    from the best to the worst; dotted, what they infer alone, on average.
    """
    result = report.result
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    labels = [label for label in drawn if label in report.found]
    first = report.found[labels[0]]
    if first.alone is None:
        raise InputError(
            f"low_light: {labels[0]} has no prior of light that nodes can use alone",
            "a picture of 64 x 64, at most 8 nodes, illumination as first of the blocks",
        )
    width = look.inches(WIDE)
    with paper(look.font):
        side = width / PICTURES
        height = look.height or side + CURVES + 2 * LEGEND_ROW
        figure = new_figure(width, height, look.font)
        grid = figure.add_gridspec(2, PICTURES, height_ratios=[side, CURVES])
        for k, one in enumerate(_pictures(report, first)):
            show(figure.add_subplot(grid[0, k]), one)
        axes = figure.add_subplot(grid[1, :])
        for label in labels:
            _draw_errors(axes, report.found[label], drawn[label])
        axes.set(xlabel="Communications", ylabel="Error of the log light")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.grid(True, which="major")
        finish_ticks(axes)
        add_legend_of(figure, [axes], width, look)
    return figure


def _pictures(report: LowLight, first: Relit) -> list[Shown]:
    """See :func:`low_light_figure`."""
    truth, seen, light = report.picture
    assert light is not None, "a picture taken in low light has it"
    assert first.alone is not None, "as the figure requires"
    assert first.alone_errors is not None, "they go together"
    scale = float(light.min()), float(light.max())
    node = int(np.argsort(first.alone_errors)[len(first.alone_errors) // 2])
    rows = np.flatnonzero(report.held[node].any(axis=1))
    strip = (int(rows[0]), int(rows[-1]) + 1)
    alone, found = (one - one.mean() + light.mean() for one in (first.alone[node], first.light))
    errors = first.alone_errors[node], (found - light).std()
    reflectance = best_gain(first.reflectance, truth)
    return [
        Shown("Seen", f"{psnr(best_gain(seen, truth), truth):.1f} dB", seen, 0, 1),
        Shown("Light, node alone", f"off by {errors[0]:.2f}", alone, *scale, strip),
        Shown("Light, all nodes", f"off by {errors[1]:.2f}", found, *scale),
        Shown("True light", "", light, *scale),
        Shown("Reflectance", f"{psnr(reflectance, truth):.1f} dB", reflectance, 0, 1),
        Shown("True reflectance", "", truth, 0, 1),
    ]


def _draw_errors(axes: Axes, found: Relit, asked: Drawn) -> None:
    """The mean over the nodes in a band of all, and what they infer alone."""
    sent = found.communications > 0  # a logarithmic axis has no place for the start
    x, (low, mean, high) = found.communications[sent], found.errors[:, sent]
    colour = asked.style.colour
    axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, mean, label=asked.name, **{**asked.style.line, "markevery": (0.1, 0.15)})
    if found.alone_errors is not None:
        level = float(found.alone_errors.mean())
        name = f"{asked.name}: nodes alone"
        axes.axhline(level, color=colour, linestyle=DOTTED, linewidth=1.0, label=name)
