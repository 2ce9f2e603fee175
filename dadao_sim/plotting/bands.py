"""A band as it was seen, as two algorithms have it, and truly; beside it how good the worst node's
cube is for what was sent: a point for the answer of a layered method, a curve for an iteration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
from dadao_sim.reports.bands import Bands
from dadao_sim.reports.recovered import psnr
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES_SHARE = 0.48  # of the width
HEIGHT = 2.9


def bands_figure(report: Bands, look: Look = Look()) -> Figure:  # noqa: B008
    """Left the axes, right four pictures: the middle band as it was seen, as the best of the
    layered methods has it at its worst node, as the first iteration has it at its worst, and the
    truth, with the PSNR of that band; the axes are of the whole cube.
    """
    result = report.result
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    labels = [label for label in drawn if label in report.found]
    width = look.inches(WIDE)
    with paper(look.font):
        height = look.height or HEIGHT + LEGEND_ROW
        figure = new_figure(width, height, look.font)
        grid = figure.add_gridspec(
            2, 3, width_ratios=[1 - PICTURES_SHARE, PICTURES_SHARE / 2, PICTURES_SHARE / 2]
        )
        axes = figure.add_subplot(grid[:, 0])
        for label in labels:
            found, style = report.found[label], drawn[label].style
            sent, quality = found.communications, found.psnr
            name = drawn[label].name
            if found.layers is None:
                later = sent > 0
                line = {**style.line, "marker": "", "linewidth": 1.4}
                axes.plot(sent[later], quality[later], label=name, **line)
            else:
                axes.plot(
                    sent[-1:],
                    quality[-1:],
                    label=name,
                    color=style.colour,
                    marker=style.marker,
                    linestyle="",
                    markersize=6,
                )
        seen = float(report.problem.psnr(_at_every_node(report))[0])
        axes.axhline(seen, color="0.45", linewidth=0.8)
        axes.annotate(
            "as seen",
            (0.98, seen),
            xycoords=("axes fraction", "data"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize="small",
            color="0.3",
        )
        axes.set(xlabel="Communications (of a cube)", ylabel="PSNR at the worst node (dB)")
        axes.set_xlim(left=0)
        axes.grid(True, which="major")
        finish_ticks(axes)
        for number, one in enumerate(_pictures(report, labels, drawn)):
            show(figure.add_subplot(grid[number // 2, 1 + number % 2]), one)
        add_legend_of(figure, [axes], width, look)
    return figure


def _at_every_node(report: Bands) -> NDArray[np.float64]:
    problem = report.problem
    return np.tile(problem.seen.ravel(), (problem.nodes, 1))


def _pictures(report: Bands, labels: list[str], drawn: dict[str, Drawn]) -> list[Shown]:
    """The middle band."""
    band = len(report.problem.cube) // 2
    truth = report.problem.cube[band]
    found = [("Seen", report.problem.seen[band])]
    layered = [label for label in labels if report.found[label].layers is not None]
    others = [label for label in labels if report.found[label].layers is None]
    best = sorted(layered, key=lambda label: -np.nan_to_num(report.found[label].psnr[-1], nan=-1e9))
    for label in (*best[:1], *others[:1]):
        name = drawn[label].name
        found.append((name[:1].upper() + name[1:], report.found[label].cube[band]))
    white = float(truth.max())
    shown = [Shown(name, f"{psnr(one, truth):.1f} dB", one, high=white) for name, one in found]
    return [*shown, Shown("Truth", "", truth, high=white)]
