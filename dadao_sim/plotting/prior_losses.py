"""What networks learn of one prior by different losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.plotting.priors import UNIT, two_panels
from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    DASH_DOT,
    DASHED,
    GREEN,
    ORANGE,
    PURPLE,
    SOLID,
    VERMILION,
    WIDE,
    add_legend_of,
    finish_ticks,
    paper,
)
from dadao_sim.reports.prior import PriorReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOOKS = (
    (BLUE, SOLID),
    (ORANGE, DASHED),
    (GREEN, DASH_DOT),
    (VERMILION, (0, (8, 2))),
    (PURPLE, (0, (1, 1.3))),
)


def prior_losses_figure(reports: Mapping[str, PriorReport], width: float = WIDE) -> Figure:
    """The operators f(y) of several networks, by name, and the priors R(x) whose proximal operators
    they are, where they were trained; black, the soft threshold and |x|.
    """
    with paper():
        figure, left, right = two_panels(width)
        reach = max(report.trained_y[1] for report in reports.values())
        y = np.linspace(-reach, reach, 401)
        exact: dict[str, Any] = {"color": BLACK, "linewidth": 0.8, "zorder": 3}
        left.plot(y, np.sign(y) * np.maximum(np.abs(y) - 1, 0), **exact)
        for (name, report), look in zip(reports.items(), _looks(len(reports)), strict=True):
            inside = np.abs(report.y) <= report.trained_y[1]
            left.plot(report.y[inside], report.f[inside], label=name, **look)
            low, high = report.trained_x
            inside = (report.x >= low) & (report.x <= high)
            right.plot(report.x[inside], report.R[inside], **look)
        x = np.linspace(right.get_xlim()[0], right.get_xlim()[1], 401)
        right.plot(x, np.abs(x), label="soft threshold, absolute value", **exact)
        left.set(xlabel=f"Noisy value $y$ {UNIT}", ylabel=f"Operator $f(y)$ {UNIT}")
        right.set(xlabel=f"Value $x$ {UNIT}", ylabel="Prior $R(x)$ + constant (nats)")
        for axes in (left, right):
            axes.grid(True)
            axes.margins(x=0)
            finish_ticks(axes)
        add_legend_of(figure, [left, right], width)
    return figure


def _looks(count: int) -> list[dict[str, Any]]:
    each = [LOOKS[k % len(LOOKS)] for k in range(count)]
    return [{"color": colour, "linestyle": dash, "linewidth": 1.4} for colour, dash in each]
