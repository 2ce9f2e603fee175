"""A network as it lies, with what its edges are asked to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import COLUMN_WIDTH, new_figure, paper
from dadao_sim.reports.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-3  # an edge slower than this part of the fastest is drawn as unused
_LIGHT, _DARK = "#A9CBE3", "#08306B"  # grows darker with the rate, also in grey


def network_figure(
    layout: Layout,
    rates: ArrayLike | None = None,
    title: str | None = None,
    width: float = COLUMN_WIDTH,
    label: str = "Rate of the edge",
) -> Figure:
    """The nodes and edges of a network, the faster edges wider and darker.

    Args:
        layout: where its nodes and edges lie, from `reports.layout.network_layout`.
        rates: (|E|,) communications per unit of time of each edge, or None to draw all alike.
        label: what the rates are called; they can be any load.
        title: above the figure.
        width: in inches.

    Raises:
        InputError: `rates` has another length, or one is negative or not finite.

    """
    values = None if rates is None else _checked(rates, len(layout.edges))
    positions, aspect = layout.positions, layout.aspect
    lower, upper = positions.min(axis=0), positions.max(axis=0)
    pad = 0.05 * np.max((upper - lower) * (1.0, aspect)) / (1.0, aspect)
    lower, upper = lower - pad, upper + pad
    across, along = (upper - lower) * (1.0, aspect)
    height = width * min(float(along / across), 1.0)
    with paper():
        figure = new_figure(width, height + 0.2 * (title is not None) + 0.45 * (rates is not None))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_aspect(aspect)
        if values is None:
            thin = 0.8 * min(1.0, math.sqrt(100 / len(layout.edges)))
            _draw_lines(axes, positions[layout.edges], colors="0.6", linewidths=thin)
        else:
            _draw_rates(axes, positions[layout.edges], values, label)
        size = float(np.clip(22 / math.sqrt(len(positions)), 0.7, 5))
        dots: dict[str, Any] = {"linestyle": "", "marker": "o", "markeredgecolor": "white"}
        edge = 0.4 if size > 2 else 0.0
        axes.plot(*positions.T, color="0.15", markersize=size, markeredgewidth=edge, **dots)
        axes.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]))
        if title is not None:
            axes.set_title(title)
    return figure


def _checked(rates: ArrayLike, edges: int) -> Array:
    values = np.asarray(rates, dtype=float)
    if values.shape != (edges,):
        raise InputError("rates", f"shape {values.shape} given", f"({edges},) is needed")
    if not (np.isfinite(values).all() and (values >= 0).all() and values.max() > 0):
        raise InputError("rates", "must be finite and not negative, and one positive")
    return values


def _draw_rates(axes: Axes, segments: Array, rates: Array, label: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    used = np.flatnonzero(rates > NEGLIGIBLE * rates.max())
    unused = np.setdiff1d(np.arange(len(rates)), used)
    widest = 2.2 * min(1.0, math.sqrt(60 / len(rates)))  # points
    used = used[np.argsort(rates[used], kind="stable")]  # the fastest on top
    _draw_lines(axes, segments[unused], colors="0.7", linewidths=0.5, linestyles=":")
    lines = _draw_lines(
        axes,
        segments[used],
        array=rates[used],
        cmap=LinearSegmentedColormap.from_list("rates", [_LIGHT, _DARK]),
        norm=Normalize(0, rates.max()),
        linewidths=0.4 + widest * rates[used] / rates.max(),
    )
    bar = axes.figure.colorbar(
        lines, ax=axes, location="bottom", shrink=0.6, aspect=30, pad=0.02, label=label
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7)
    bar.locator = _few_ticks()
    if len(unused):
        axes.legend(handles=[_unused_entry(len(unused), len(rates))], **_NOTE)


def _draw_lines(axes: Axes, segments: Array, **look: Any) -> Any:
    from matplotlib.collections import LineCollection

    return axes.add_collection(LineCollection(list(segments), zorder=1, **look))


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4)


def _unused_entry(unused: int, edges: int) -> Line2D:
    from matplotlib.lines import Line2D

    label = f"unused ({unused} of {edges} edges)"
    return Line2D([], [], color="0.7", linewidth=0.5, linestyle=":", label=label)


_NOTE: dict[str, Any] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, 0.0),
    "frameon": False,
    "borderpad": 0,
}
