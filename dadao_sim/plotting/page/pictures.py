"""Networks and timelines as a page carries them: positions, loads, bars, with few digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.plotting.page.curves import rounded
from dadao_sim.plotting.timeline import LONGEST_ID
from dadao_sim.reports.layout import Layout
from dadao_sim.reports.timeline import Timeline
from dadao_sim.text.lines import printable, shortened

Array = NDArray[np.float64]

MOST_EDGES = 2000
MOST_MARKS = 2500  # bars, lines and points of one timeline
MOST_OF_ALL = 10_000  # and of all timelines of a page
MOST_LOADS = 25_000  # numbers, of all networks of a page


def node_names(ids: Sequence[str] | None, nodes: int) -> list[str]:
    """What the nodes are called on a page."""
    if ids is None:
        return [str(node) for node in range(nodes)]
    return [shortened(printable(name), LONGEST_ID) for name in ids]


def shown_loads(
    loads: Mapping[str, tuple[str, Array]], room: float
) -> dict[str, tuple[str, Array]]:
    """The first of the loads, as many as there is ``room`` for on a page."""
    shown: dict[str, tuple[str, Array]] = {}
    left = MOST_LOADS * room
    for title, (unit, values) in loads.items():
        left -= 1 if _is_same(values) else len(values)
        if left < 0 and shown:
            break
        shown[title] = (unit, values)
    return shown


def _is_same(values: Array) -> bool:
    return bool(np.ptp(values) <= 1e-9 * np.abs(values).max())


def network_picture(
    layout: Layout, ids: Sequence[str] | None, loads: Mapping[str, tuple[str, Array]]
) -> dict[str, Any]:
    """A network with what its edges have, by title a unit and a number per edge, written once where
    it is the same for all.
    """
    return {
        "x": rounded(layout.positions[:, 0]),
        "y": rounded(layout.positions[:, 1]),
        "aspect": _short(layout.aspect),
        "edges": layout.edges.tolist(),
        "nodes": node_names(ids, len(layout.positions)),
        "loads": [
            {
                "title": title,
                "unit": unit,
                "values": rounded(values[:1] if _is_same(values) else values),
            }
            for title, (unit, values) in loads.items()
        ],
    }


def timeline_picture(name: str, timeline: Timeline, room: float = 1.0) -> dict[str, Any]:
    """The beginning of a timeline: as long as there are at most MOST_MARKS things to see, or as
    many as there is ``room`` for on a page.
    """
    end = _seen_until(timeline, int(min(MOST_MARKS, MOST_OF_ALL * room)))
    bars = {kind: getattr(timeline, kind) for kind in ("computing", "waiting", "gone", "cut")}
    points = {
        "gradient": timeline.gradients,
        "lost": timeline.losses,
        "state lost": timeline.resets,
    }
    lines = timeline.messages[timeline.messages[:, 0, 0] <= end]
    return {
        "name": name,
        "end": _short(end),
        "nodes": node_names(timeline.ids, timeline.nodes),
        "bars": {
            kind: [rounded(column) for column in _cut_off(rows, end).T]
            for kind, rows in bars.items()
            if len(_cut_off(rows, end))
        },
        "points": {
            kind: [rounded(column) for column in rows[rows[:, 0] <= end].T]
            for kind, rows in points.items()
            if (rows[:, 0] <= end).any()
        },
        "messages": [rounded(column) for column in lines.reshape(-1, 4).T],
        "rounds": rounded(timeline.rounds[timeline.rounds <= end]),
    }


def _seen_until(timeline: Timeline, most: int) -> float:
    """When so many things have begun, or the end of the timeline."""
    begins = [
        *(getattr(timeline, kind)[:, 1] for kind in ("computing", "waiting", "gone", "cut")),
        *(getattr(timeline, kind)[:, 0] for kind in ("gradients", "losses", "resets")),
        *(timeline.messages[:, 0, 0], timeline.rounds),
    ]
    times = np.sort(np.concatenate(begins))
    return float(min(times[most], timeline.end)) if len(times) > most else timeline.end


def _cut_off(rows: Array, end: float) -> Array:
    """Bars that begin before the end, none longer than up to it."""
    kept = rows[rows[:, 1] < end].copy()
    kept[:, 2] = np.minimum(kept[:, 2], end)
    return kept


def _short(value: float) -> float | None:
    return rounded([value])[0]
