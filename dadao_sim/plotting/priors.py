"""What a learned proximal network does, and the prior that it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    DASHED,
    LEGEND_ROW,
    ORANGE,
    SOLID,
    WIDE,
    add_legend,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
)
from dadao_sim.reports.prior import PriorReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

UNIT = "(in scales of the prior)"


def prior_figure(report: PriorReport, width: float = WIDE) -> Figure:
    """The operator f(y) of a network, and the prior R(x) whose proximal operator it is.

    Args:
        report: of the network.
        width: in inches.

    The range of the training is shaded. A network that was trained on the Laplacian prior is
    compared with the proximal operator of |x|, the soft threshold, and with what training tends to
    at its last gamma.

    """
    target = report.target
    with paper():
        figure, left, right = two_panels(width)
        _draw(left, report.y, report.f, report.trained_y)
        _draw(right, report.x, report.R, report.trained_x)
        left.set(xlabel=f"Noisy value $y$ {UNIT}", ylabel=f"Operator $f(y)$ {UNIT}")
        right.set(xlabel=f"Value $x$ {UNIT}", ylabel="Prior $R(x)$ + constant (nats)")
        if target is not None:
            left.plot(report.y, target.soft, label="soft threshold", **_LOOKS["exact"])
            left.plot(report.y, target.limit, label="limit", **_LOOKS["limit"])
            right.plot(report.x, target.absolute, label="|x|", **_LOOKS["exact"])
        handles = _handles(None if target is None else target.gamma)
        add_legend(figure, handles, legend_columns([h.get_label() for h in handles], width))
    return figure


def two_panels(width: float) -> tuple[Figure, Axes, Axes]:
    """A figure of two axes side by side, below a legend."""
    figure = new_figure(width, 0.36 * width + LEGEND_ROW)
    left, right = figure.subplots(1, 2)
    return figure, left, right


def _draw(axes: Axes, at: Array, values: Array, trained: Any) -> None:
    axes.axvspan(*trained, **_LOOKS["trained"])
    axes.grid(True)
    axes.plot(at, values, label="network", **_LOOKS["network"])
    axes.set_xlim(at[0], at[-1])
    finish_ticks(axes)


def _handles(gamma: float | None) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = {"network": "learned network"}
    if gamma is not None:
        names["exact"] = "soft threshold, absolute value"
        names["limit"] = rf"limit of the training, $\gamma = {gamma:g}$"
    lines = [Line2D([], [], label=label, **_LOOKS[name]) for name, label in names.items()]
    return [*lines, Patch(label="range of the training", **_LOOKS["trained"])]


_LOOKS: dict[str, dict[str, Any]] = {
    "trained": {"color": "0.93", "linewidth": 0, "zorder": 0},
    "network": {"color": BLUE, "linestyle": SOLID, "linewidth": 1.6, "zorder": 2},
    "exact": {"color": BLACK, "linestyle": DASHED, "linewidth": 0.9, "zorder": 3},
    "limit": {"color": ORANGE, "linestyle": (0, (1, 1.3)), "linewidth": 1.4, "zorder": 4},
}
