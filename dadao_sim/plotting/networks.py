"""A network as it lies, with what its edges are asked to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import COLUMN_WIDTH, new_figure, paper
from dadao_sim.reports.layout import Layout
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-3  # an edge slower than this part of the fastest is drawn as unused
NAME_SIZE = 6  # points, of the names of nodes
_ALONG = np.linspace(0.1, 0.9, 9)  # where edges are looked at that a name may hide
_WAYS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)])
_BAR: dict[str, Any] = {"color": "0.15", "linewidth": 1.2, "solid_capstyle": "butt"}
_LIGHT, _DARK = "#A9CBE3", "#08306B"  # grows darker with the rate, also in grey


def network_figure(
    layout: Layout,
    rates: ArrayLike | None = None,
    title: str | None = None,
    width: float = COLUMN_WIDTH,
    label: str = "Rate of the edge",
    *,
    names: bool = False,
    scale: bool = False,
) -> Figure:
    """The nodes and edges of a network, the faster edges wider and darker; of a directed one with
    an arrow's head at every receiver.

    Args:
        layout: where its nodes and edges lie, from `reports.layout.network_layout`.
        rates: (|E|,) communications per unit of time of each edge, or None to draw all alike.
        label: what the rates are called; they can be any load.
        title: above the figure.
        width: in inches.
        names: whether the nodes are called by their names beside them.
        scale: whether a bar says how long things are, in km on a map.

    Raises:
        InputError: `rates` has another length, or one is negative or not finite; a scale where no
            length means anything.

    """
    values = None if rates is None else _checked(rates, len(layout.edges))
    if scale and layout.unit is None:
        raise InputError("scale", "the nodes have no positions of their own, and lie anywhere")
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
        size = float(np.clip(22 / math.sqrt(len(positions)), 0.7, 5))
        if values is None:
            thin = 0.8 * min(1.0, math.sqrt(100 / len(layout.edges)))
            _draw_lines(axes, positions[layout.edges], colors="0.6", linewidths=thin)
        else:
            _draw_rates(axes, positions[layout.edges], values, label)
        if layout.arcs is not None:
            _draw_heads(axes, layout, size)
        dots: dict[str, Any] = {"linestyle": "", "marker": "o", "markeredgecolor": "white"}
        edge = 0.4 if size > 2 else 0.0
        axes.plot(*positions.T, color="0.15", markersize=size, markeredgewidth=edge, **dots)
        axes.set(xlim=(lower[0], upper[0]), ylim=(lower[1], upper[1]))
        if scale:
            _draw_scale(axes, layout)
        if names:
            draw_names(axes, layout, width / float(across), size)
        if title is not None:
            axes.set_title(title)
    return figure


def _draw_heads(axes: Axes, layout: Layout, size: float) -> None:
    """A head at the receiver of every arc, just outside its dot of ``size`` points."""
    from matplotlib.patches import FancyArrowPatch

    assert layout.arcs is not None
    # Those of many arcs must not close to a collar around each dot.
    head = (1.2 * size + 2.5) * min(1.0, math.sqrt(100 / len(layout.arcs)))
    for sender, receiver in layout.positions[layout.arcs]:
        middle = (sender + receiver) / 2
        look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": head, "shrinkA": 0}
        look |= {"shrinkB": size / 2 + 0.3, "linewidth": 0, "color": "0.3", "zorder": 1.5}
        axes.add_patch(FancyArrowPatch(tuple(middle), tuple(receiver), **look))


def _draw_scale(axes: Axes, layout: Layout) -> None:
    """A bar of a round length, at most a quarter of the width, below the network at the left."""
    left, right = axes.get_xlim()
    most = (right - left) * layout.length / 4
    decade = 10.0 ** math.floor(math.log10(most))
    length = max(factor * decade for factor in (1, 2, 5) if factor * decade <= most)
    place = axes.get_xaxis_transform()
    ends = [left, left + length / layout.length]
    axes.plot(ends, [0, 0], transform=place, clip_on=False, label="scale", **_BAR)
    text = f"{length:,g} {layout.unit}".strip()
    axes.text(sum(ends) / 2, 0.01, text, transform=place, ha="center", va="bottom", fontsize=6)


def draw_names(axes: Axes, layout: Layout, inch: float, size: float) -> None:
    """The name of each node beside it, where it hides least of what is there already.

    One step along x is ``inch`` long; the nodes are dots of ``size`` points.
    """
    from matplotlib.patheffects import withStroke

    names = layout.ids or tuple(map(str, range(len(layout.positions))))
    points = 72 * inch * layout.positions * (1.0, layout.aspect)
    ends = points[layout.edges]
    middles = np.concatenate([ends[:, 0] + t * (ends[:, 1] - ends[:, 0]) for t in _ALONG])
    taken = np.empty((0, 4))
    halo = [withStroke(linewidth=1.2, foreground="white")]
    for k, name in enumerate(map(drawable, names)):
        half = np.array([0.25 * NAME_SIZE * len(name), 0.4 * NAME_SIZE])
        offsets = [(half + 0.6 * size) * way for way in _WAYS]
        boxes = [np.concatenate([points[k] + o - half, points[k] + o + half]) for o in offsets]
        hidden = [
            10 * _overlapping(taken, box) + 3 * _within(points, box) + _within(middles, box)
            for box in boxes
        ]
        best = int(np.argmin(hidden))
        taken = np.vstack([taken, boxes[best]])
        where: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "center"}
        axes.annotate(
            *(name, layout.positions[k], offsets[best]),
            **where,
            fontsize=NAME_SIZE,
            path_effects=halo,
            zorder=3,
        )


def _overlapping(boxes: Array, box: Array) -> int:
    apart = (boxes[:, :2] > box[2:]).any(axis=1) | (boxes[:, 2:] < box[:2]).any(axis=1)
    return int((~apart).sum())


def _within(points: Array, box: Array) -> int:
    return int(((points >= box[:2]) & (points <= box[2:])).all(axis=1).sum())


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
