"""The tradeoff of rate, distortion and perception, and what the nodes agreed on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    DASH_DOT,
    DASHED,
    DOTTED,
    GREEN,
    ORANGE,
    SOLID,
    VERMILION,
    WIDE,
    drawn_as,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.rate_distortion import BINARY, Curve, RateDistortionReport
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS, LEAST = 3, 1e-6
"""Panels in a row, and the least divergence that is drawn."""
_LINES: tuple[dict[str, Any], ...] = (
    {"color": BLACK, "linestyle": SOLID},
    {"color": BLUE, "linestyle": DASHED},
    {"color": ORANGE, "linestyle": DASH_DOT},
    {"color": VERMILION, "linestyle": DOTTED},
    {"color": GREEN, "linestyle": (0, (8, 2))},
)
NAMES = {
    "kl": "KL divergence (nats)",
    "reverse_kl": "Reverse KL divergence (nats)",
    "chi2": r"$\chi^2$ divergence",
    "hellinger2": "Squared Hellinger distance",
    "js": "Jensen-Shannon divergence (nats)",
    "tv": "Total variation",
}


def rate_distortion_figure(report: RateDistortionReport, look: Look = Look()) -> Figure:  # noqa: B008
    """Above R(D) of two letters at several prices of perception beside the closed form, R(D) of the
    nodes' source, and its perception; below q of every node: of its own letters alone, and at the
    end of each algorithm.
    """
    result, width = report.result, look.inches(WIDE)
    drawn = drawn_as(result.methods, result.looks, result.names, look)
    rows = 1 + math.ceil((1 + len(drawn)) / COLUMNS)
    with paper(look.font):
        height = look.height or rows * 0.3 * width
        figure = new_figure(width, height, look.font)
        grid = figure.subplots(rows, COLUMNS).ravel()
        _draw_binary(grid[0], report)
        _draw_source(grid[1], grid[2], report)
        shown = {"Nodes alone": report.alone}
        shown |= {one.name: report.found[label] for label, one in drawn.items()}
        top = 1.1 * max(q.max() for q in shown.values() if np.isfinite(q).all())
        for axes, (name, q) in zip(grid[COLUMNS:], shown.items(), strict=False):
            _draw_nodes(axes, q, report.optimum)
            axes.set(title=name, ylim=(min(0.0, 1.1 * q.min()), top))
        for axes in grid[COLUMNS + len(shown) :]:
            axes.set_axis_off()
        for axes in grid[: COLUMNS + len(shown)]:
            finish_ticks(axes)
        if look.title is not None:
            figure.suptitle(look.title)
    return figure


def _draw_binary(axes: Axes, report: RateDistortionReport) -> None:
    for curve, closed, style in zip(report.binary, report.closed, _LINES, strict=False):
        axes.plot(curve.distortion, curve.rate, label=f"$t = {curve.weight:g}$", **style)
        axes.plot(curve.distortion[::2], closed[::2], **{**_CLOSED, "color": style["color"]})
    axes.plot([], [], label="closed form", **_CLOSED)
    _name(axes, f"Two letters ({BINARY:g} and {1 - BINARY:g}), total variation")
    axes.set_xlabel("Distortion $D$ (share of errors)")
    axes.set_ylabel("Rate $R$ (nats a letter)")
    axes.set(xlim=(0, None), ylim=(0, None))


def _draw_source(left: Axes, right: Axes, report: RateDistortionReport) -> None:
    for curve, style in zip(report.curves, _LINES, strict=False):
        left.plot(curve.distortion, curve.rate, label=f"$t = {curve.weight:g}$", **style)
        right.plot(*_shown(curve), label=f"$t = {curve.weight:g}$", **style)
    point = report.point
    mine = "the scenario"
    left.plot([point.distortion], [point.rate], label=mine, **_MINE)
    if report.weight:
        right.plot([point.distortion], [point.perception], label=mine, **_MINE)
    for axes in (left, right):
        axes.set_xlabel("Distortion $D$ of the nodes' source")
        axes.set(xlim=(0, None))
    left.set_ylabel("Rate $R$ (nats a letter)")
    left.set(ylim=(0, None))
    right.set_ylabel(NAMES.get(report.divergence, NAMES["kl"]))
    right.set(yscale="log", ylim=(LEAST, 1))
    _name(left, "All letters together")
    right.set_title("Unlikeness of what is said")


def _shown(curve: Curve) -> tuple[Any, Any]:
    good = np.isfinite(curve.perception) & (curve.perception > LEAST)
    return curve.distortion[good], curve.perception[good]


def _draw_nodes(axes: Axes, q: Any, optimum: Any) -> None:
    letters = np.arange(len(optimum))
    for k, row in enumerate(q):
        name = "a node" if k == 0 else None
        axes.plot(letters, row, color=BLUE, linewidth=0.6, alpha=0.7, label=name)
    axes.plot(letters, optimum, label="best $q$", **_BEST)
    axes.set_xlabel("Letter that is said")
    axes.set_ylabel("Probability $q$")
    axes.set_xticks(letters)
    axes.legend(frameon=False, handlelength=1.6, borderpad=0)


def _name(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.legend(frameon=False, handlelength=2.6, borderpad=0, labelspacing=0.3)


_CLOSED: dict[str, Any] = {
    "color": BLACK,
    "linestyle": "",
    "marker": "o",
    "markersize": 3.6,
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
}
_MINE: dict[str, Any] = {"color": BLACK, "linestyle": "", "marker": "*", "markersize": 7}
_BEST: dict[str, Any] = {
    "color": BLACK,
    "linestyle": "",
    "marker": "o",
    "markersize": 4,
    "markerfacecolor": "none",
}
