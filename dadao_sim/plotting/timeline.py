"""Who computes, who waits and who talks to whom: a stretch of a world, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    LEGEND_ROW,
    ORANGE,
    SKY,
    VERMILION,
    WIDE,
    add_legend,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.timeline import Timeline
from dadao_sim.text.lines import printable, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

MOST_NODES = 60
MOST_ROUNDS = 50  # whose ends are drawn: more would hide what happens in them
LONGEST_ID = 16  # characters of a node's id
_BAR = 0.62  # of the distance between two nodes
_BARS = ("computing", "waiting", "gone")
_LOOKS: dict[str, dict[str, Any]] = {
    "computing": {"color": SKY, "linewidth": 0},
    "waiting": {"color": ORANGE, "linewidth": 0, "alpha": 0.45},
    "gone": {"facecolor": "0.93", "edgecolor": "0.6", "hatch": "////", "linewidth": 0},
    "cut": {"color": VERMILION, "linewidth": 1.5},
    "gradient": {"color": BLUE, "linestyle": "", "marker": "o", "markersize": 3},
    "message": {"color": "0.35", "linewidth": 0.6},
    "lost": {"color": VERMILION, "linestyle": "", "marker": "x", "markersize": 4},
    "state lost": {"color": BLACK, "linestyle": "", "marker": "v", "markersize": 4},
    "end of a round": {"color": BLACK, "linewidth": 0.8, "linestyle": ":"},
}


def timeline_figure(
    timeline: Timeline, begin: float, end: float, title: str | None = None, width: float = WIDE
) -> Figure:
    """A Gantt chart of the nodes from ``begin`` to ``end``, in mean gradient intervals.

    Bars are gradients, waiting, and times in which a node was gone, dots gradients that take no
    time, lines messages from the node and time of sending to those of arrival, crosses what was
    lost; a line below a node is a time in which an edge of it was cut or out. The ends of more than
    MOST_ROUNDS rounds are not drawn.

    Raises InputError for more than MOST_NODES nodes, and for a time that the timeline does not
    cover.
    """
    nodes = timeline.nodes
    if nodes > MOST_NODES:
        raise InputError(
            "timeline", f"{nodes} nodes are too many to tell apart", f"up to {MOST_NODES}"
        )
    if not 0 <= begin < end <= timeline.end:
        raise InputError(
            "timeline", f"from {begin:g} to {end:g} is not within 0 and {timeline.end:g}, its end"
        )
    from matplotlib.ticker import MaxNLocator

    with paper():
        figure = new_figure(width, 0.9 + 0.13 * nodes + LEGEND_ROW)
        axes = figure.subplots()
        seen = _seen(timeline, begin, end)
        _draw(axes, seen)
        axes.set(xlim=(begin, end), ylim=(nodes - 0.5, -0.5))
        axes.set(xlabel="Time (mean gradient intervals)", ylabel="Node", title=title)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        finish_ticks(axes)
        if timeline.ids is not None and all(map(_is_latin, timeline.ids)):
            called = [shortened(printable(name), LONGEST_ID) for name in timeline.ids]
            axes.set_yticks(range(nodes), called, parse_math=False)
        handles = _handles([name for name in _LOOKS if len(seen[name])])
        add_legend(figure, handles, len(handles))
    return figure


def _seen(timeline: Timeline, begin: float, end: float) -> dict[str, Array]:
    """What there is to see from ``begin`` to ``end``, by the name of its look."""

    def between(rows: Array, first: Array, last: Array) -> Array:
        return rows[(last >= begin) & (first <= end)]

    bars = {name: getattr(timeline, name) for name in (*_BARS, "cut")}
    points = {
        "gradient": timeline.gradients,
        "lost": timeline.losses,
        "state lost": timeline.resets,
    }
    lines, rounds = timeline.messages, timeline.rounds
    ends = between(rounds, rounds, rounds)
    return {
        **{name: between(rows, rows[:, 1], rows[:, 2]) for name, rows in bars.items()},
        **{name: between(rows, rows[:, 0], rows[:, 0]) for name, rows in points.items()},
        "message": between(lines, lines[:, 0, 0], lines[:, 1, 0]),
        "end of a round": ends if len(ends) <= MOST_ROUNDS else ends[:0],
    }


def _draw(axes: Axes, seen: dict[str, Array]) -> None:
    from matplotlib.collections import LineCollection

    for name in _BARS:
        node, begin, end = seen[name].T
        axes.barh(node, end - begin, left=begin, height=_BAR, zorder=1, **_LOOKS[name])
    axes.add_collection(LineCollection(list(seen["message"]), zorder=2, **_LOOKS["message"]))
    node, begin, end = seen["cut"].T
    axes.hlines(node + _BAR / 2 + 0.09, begin, end, zorder=2, **_LOOKS["cut"])
    for name in ("gradient", "lost", "state lost"):
        axes.plot(*seen[name].T, zorder=3, **_LOOKS[name])
    for time in seen["end of a round"]:
        axes.axvline(time, **_LOOKS["end of a round"])


def _handles(names: list[str]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Patch(label=name, **_LOOKS[name])
        if name in _BARS
        else Line2D([], [], label=name, **_LOOKS[name])
        for name in names
    ]


def _is_latin(name: str) -> bool:
    """Whether the fonts of figures have it; where they have not, numbers are shown."""
    return max(map(ord, name), default=0) < 0x250
