"""Who computes, who waits and who talks to whom: a stretch of a world, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    ROUND,
    SEND,
    Events,
)
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
from dadao_sim.reports.world import WorldReport, spans

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NODES = 60
_BAR = 0.62  # of the distance between two nodes
_LOOKS: dict[str, dict[str, Any]] = {
    "computing": {"color": SKY, "linewidth": 0},
    "waiting": {"color": ORANGE, "linewidth": 0, "alpha": 0.45},
    "gradient": {"color": BLUE, "linestyle": "", "marker": "o", "markersize": 3},
    "message": {"color": "0.35", "linewidth": 0.6},
    "lost": {"color": VERMILION, "linestyle": "", "marker": "x", "markersize": 4},
    "state lost": {"color": BLACK, "linestyle": "", "marker": "v", "markersize": 4},
    "end of a round": {"color": BLACK, "linewidth": 0.8, "linestyle": ":"},
}


def timeline_figure(
    report: WorldReport, begin: float, end: float, title: str | None = None, width: float = WIDE
) -> Figure:
    """A Gantt chart of the nodes from ``begin`` to ``end``, in mean gradient intervals.

    Bars are gradients and waiting, dots gradients that take no time, lines messages from the node
    and time of sending to those of arrival, crosses what was lost. Raises InputError for more than
    MOST_NODES nodes, and for a time that the report does not cover.
    """
    nodes = report.network.nodes
    if nodes > MOST_NODES:
        raise InputError(f"timeline: {nodes} nodes are too many to tell apart; up to {MOST_NODES}")
    if not 0 <= begin < end <= report.end:
        raise InputError(
            f"timeline: from {begin:g} to {end:g} is not within 0 and {report.end:g}, the end"
        )
    from matplotlib.ticker import MaxNLocator

    with paper():
        figure = new_figure(width, 0.9 + 0.13 * nodes + LEGEND_ROW)
        axes = figure.subplots()
        drawn = _draw_rounds(axes, report) if report.history is not None else {}
        drawn |= _draw_events(axes, report.events, report.network.edges, report.unit, begin, end)
        axes.set(xlim=(begin, end), ylim=(nodes - 0.5, -0.5))
        axes.set(xlabel="Time (mean gradient intervals)", ylabel="Node", title=title)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        finish_ticks(axes)
        add_legend(figure, _handles(drawn), len(drawn))
    return figure


def _draw_rounds(axes: Axes, report: WorldReport) -> dict[str, bool]:
    assert report.history is not None
    for begun, computed, went_on in report.history:
        _bars(axes, np.arange(len(begun)), begun, computed, "computing")
        _bars(axes, np.arange(len(begun)), computed, went_on, "waiting")
    for time in report.events.time[report.events.kind == ROUND]:
        axes.axvline(time * report.unit, **_LOOKS["end of a round"])
    return dict.fromkeys(("computing", "waiting", "end of a round"), True)


def _draw_events(
    axes: Axes, events: Events, edges: np.ndarray, unit: float, begin: float, end: float
) -> dict[str, bool]:
    time = events.time * unit
    rows, over = spans(events, GRADIENT_START, (GRADIENT_END, LOST))
    over = np.where(np.isnan(over), time[-1] if len(time) else 0.0, over * unit)
    seen = (over >= begin) & (time[rows] <= end)
    _bars(axes, events.i[rows][seen], time[rows][seen], over[seen], "computing")
    lines = [
        *_messages(events, time, events.kind == ARRIVE_I, sender=events.j, receiver=events.i),
        *_messages(events, time, events.kind == ARRIVE_J, sender=events.i, receiver=events.j),
        *(((time[r], events.i[r]), (time[r], events.j[r])) for r in _rows(events, GOSSIP)),
    ]
    lines = [line for line in lines if line[0][0] <= end and line[1][0] >= begin]
    if lines:
        from matplotlib.collections import LineCollection

        axes.add_collection(LineCollection(lines, zorder=2, **_LOOKS["message"]))
    drawn = {"computing": bool(seen.any()), "message": bool(lines)}
    for name, kind in (("gradient", GRADIENT), ("lost", LOST), ("state lost", RESET)):
        shown = _rows(events, kind)
        shown = shown[(time[shown] >= begin) & (time[shown] <= end)]
        at = np.column_stack([time[shown], events.i[shown]])
        if name == "lost":
            over_edge = shown[events.j[shown] >= 0]
            at = np.vstack([at, np.column_stack([time[over_edge], events.j[over_edge]])])
        axes.plot(*at.T, zorder=3, **_LOOKS[name])
        drawn[name] = len(at) > 0
    return {name: True for name, there in drawn.items() if there}


def _rows(events: Events, kind: int) -> np.ndarray:
    return np.flatnonzero(events.kind == kind)


def _messages(
    events: Events, time: np.ndarray, which: np.ndarray, sender: np.ndarray, receiver: np.ndarray
) -> list[Any]:
    rows = np.flatnonzero(which)
    sent = events.start[rows]
    assert (events.kind[sent] == SEND).all()
    ends = (time[sent], sender[rows]), (time[rows], receiver[rows])
    return list(zip(*(list(zip(*end, strict=True)) for end in ends), strict=True))


def _bars(axes: Axes, node: np.ndarray, begin: np.ndarray, end: np.ndarray, look: str) -> None:
    axes.barh(node, end - begin, left=begin, height=_BAR, zorder=1, **_LOOKS[look])


def _handles(drawn: dict[str, bool]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for name in (name for name in _LOOKS if name in drawn):
        made: Any = Patch if name in ("computing", "waiting") else Line2D
        given = {"label": name, **_LOOKS[name]}
        handles.append(made(**given) if made is Patch else Line2D([], [], **given))
    return handles
