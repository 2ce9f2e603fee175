"""Who computes, who waits and who talks to whom in a world, node by node."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    ROUND,
    SEND,
    SEND_ONE,
    Events,
)
from dadao_sim.reports.world import WorldReport, computing_and_waiting, spans


@dataclass(frozen=True)
class Timeline:
    """What each of ``nodes`` did up to the time ``end``; times in mean gradient intervals.

    - computing, waiting, gone (bars, 3): node, begin and end of a gradient, of a wait in a round,
      of a time in which a node was not there.
    - cut (bars, 3): node, begin and end of a time in which an edge of the node was cut or out.
    - messages (messages, 2, 2): time and node of the sending, then of the arrival.
    - gradients, losses, resets (points, 2): time and node of a gradient that takes no time, of
      something lost (at both ends of its edge), of a state lost.
    - rounds (rounds,): when each round ended.
    - ids: what the nodes are called; None: by their numbers.
    """

    nodes: int
    end: float
    computing: np.ndarray
    waiting: np.ndarray
    gone: np.ndarray
    cut: np.ndarray
    messages: np.ndarray
    gradients: np.ndarray
    losses: np.ndarray
    resets: np.ndarray
    rounds: np.ndarray
    ids: tuple[str, ...] | None = None


def world_timeline(report: WorldReport) -> Timeline:
    """The timeline of a world."""
    events, time = report.events, report.events.time * report.unit
    computing, waiting = _gradients(events, time, report.unit), np.empty((0, 3))
    if report.history is not None:
        computing, waiting = computing_and_waiting(report.history, report.gone)
    ends = report.network.edges[report.cut[:, 0].astype(int)]
    lost = events.kind == LOST
    return Timeline(
        nodes=report.network.nodes,
        ids=report.network.ids,
        end=report.end,
        computing=computing,
        waiting=waiting,
        gone=report.gone,
        cut=np.vstack([np.column_stack([node, report.cut[:, 1:]]) for node in ends.T]),
        messages=_messages(events, time),
        gradients=_points(time, events.i, events.kind == GRADIENT),
        losses=np.vstack(
            [_points(time, events.i, lost), _points(time, events.j, lost & (events.j >= 0))]
        ),
        resets=_points(time, events.i, events.kind == RESET),
        rounds=time[events.kind == ROUND],
    )


def _gradients(events: Events, time: np.ndarray, unit: float) -> np.ndarray:
    """The gradients that take time; those under way at the end of the log last up to there."""
    rows, over = spans(events, GRADIENT_START, (GRADIENT_END, LOST))
    over = np.where(np.isnan(over), time[-1] if len(time) else 0.0, over * unit)
    return np.column_stack([events.i[rows], time[rows], over])


def _messages(events: Events, time: np.ndarray) -> np.ndarray:
    """Those that arrived, and both ways of an exchange that takes no time as one line."""
    at_i, at_j = (
        np.flatnonzero(np.isin(events.kind, kinds))
        for kinds in ((ARRIVE_I, ARRIVE_ONE), (ARRIVE_J,))
    )
    atomic = np.flatnonzero(events.kind == GOSSIP)
    arrived = np.concatenate([at_i, at_j, atomic])
    sent = np.concatenate([events.start[at_i], events.start[at_j], atomic])
    assert np.isin(events.kind[sent], (SEND, SEND_ONE, GOSSIP)).all()
    sender = np.concatenate([events.j[at_i], events.i[at_j], events.i[atomic]])
    receiver = np.concatenate([events.i[at_i], events.j[at_j], events.j[atomic]])
    ends = [np.column_stack([time[sent], sender]), np.column_stack([time[arrived], receiver])]
    return np.stack(ends, axis=1)


def _points(time: np.ndarray, node: np.ndarray, which: np.ndarray) -> np.ndarray:
    return np.column_stack([time[which], node[which]])
