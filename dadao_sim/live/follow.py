"""The process of a node that follows a log: its own rows in their order, as fast as it can.

An exchange is one message each way, the smaller end's first, and waits for the partner. The log is
a total order that all share, so the earliest exchange that is not made yet can always be made: no
deadlock, at any speed. A message one way is put on the wire and left there, if it arrives at all.
"""

from collections.abc import Mapping

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events import log
from dadao_sim.events.log import KIND_NAMES, Events
from dadao_sim.live.board import Board
from dadao_sim.live.handlers import Handlers
from dadao_sim.live.post import Post
from dadao_sim.live.wires import Wire

BOTH = (log.GOSSIP, log.SEND)  # the rows at which both ends speak
FOLLOWED = (
    *(log.GRADIENT, log.GRADIENT_START, log.GRADIENT_END, *BOTH),
    *(log.ARRIVE_I, log.ARRIVE_J, log.LOST, log.RESET, log.SEND_ONE, log.ARRIVE_ONE),
)


def check_followed(events: Events) -> None:
    """InputError for a log without rows, for a kind of row that no node can follow, and for
    exchanges among messages one way, which go over the same wires otherwise.
    """
    if len(events) == 0:
        raise InputError("--follow", "it has no rows", "give a log in which something happens")
    wrong = np.flatnonzero(~np.isin(events.kind, FOLLOWED))
    if len(wrong):
        name = KIND_NAMES[events.kind[wrong[0]]]
        known = ", ".join(KIND_NAMES[kind] for kind in FOLLOWED)
        raise InputError("--follow", f"row {wrong[0]} is {name}", f"processes follow {known}")
    if np.isin(events.kind, BOTH).any() and (events.kind == log.SEND_ONE).any():
        wrong_log = "the log has exchanges and messages that go one way"
        raise InputError("--follow", wrong_log, "processes follow a log of one of both")


def rows_of_node(events: Events, i: int) -> np.ndarray:
    """The numbers of the rows at which node i does something."""
    at_i = (events.i == i) & (events.kind != log.ARRIVE_J)
    at_j = (events.j == i) & np.isin(events.kind, (*BOTH, log.ARRIVE_J))
    return np.flatnonzero((at_i | at_j) & (events.kind != log.LOST))


class Follower:
    """A node that does what a log says."""

    def __init__(
        self,
        handlers: Handlers,
        wires: Mapping[int, Wire],
        events: Events,
        board: Board,
        patience: float,
        delay: float = 0.0,
    ):
        self.handlers, self.wires, self.board, self.delay = handlers, wires, board, delay
        rows = rows_of_node(events, handlers.i)
        columns = (
            events.time,
            events.kind,
            events.i,
            events.j,
            events.edge,
            events.mark,
            events.start,
        )
        self.rows = list(zip(rows.tolist(), *(c[rows].tolist() for c in columns), strict=True))
        self.begun: dict[int, np.ndarray] = {}  # what is under way, by the row that began it
        self.post = Post(wires, len(handlers.parcel), patience, board)
        self.arriving = set(events.start[events.kind == log.ARRIVE_ONE].tolist())

    def run(self) -> None:
        """Every row. Gone and TooLong, from a wire."""
        handlers, begun = self.handlers, self.begun
        for row, t, kind, i, j, edge, mark, start in self.rows:
            if kind == log.GRADIENT:
                handlers.step_by(handlers.compute(t, mark))
            elif kind == log.GRADIENT_START:
                begun[row] = handlers.compute(t, mark).copy()
            elif kind == log.GRADIENT_END:
                handlers.flow(t)
                handlers.step_by(begun.pop(start))
            elif kind == log.GOSSIP:
                handlers.hear(edge, self._difference(edge, t, i, j))
            elif kind == log.SEND:
                begun[row] = self._difference(edge, t, i, j)
            elif kind in (log.ARRIVE_I, log.ARRIVE_J):
                handlers.flow(t)
                handlers.hear(edge, begun.pop(start))
            elif kind == log.SEND_ONE:
                self._send(row, edge, t, j)
            elif kind == log.ARRIVE_ONE:
                handlers.take(edge, t, self.post.take(j, start))
            else:
                handlers.reset(t)

    def _send(self, row: int, edge: int, t: float, j: int) -> None:
        """What is told to j in that row; what the log loses on the way is not put there."""
        told = self.handlers.tell(edge, t)
        if row in self.arriving:
            self.board.pause(self.delay)
            self.post.send(j, row, told)

    def _difference(self, edge: int, t: float, i: int, j: int) -> np.ndarray:
        """The own message less that of the other end, at a row of nodes i and j."""
        me, ours = self.handlers.i, self.handlers.speak(edge, t)
        other = j if me == i else i
        wire = self.wires[other]
        theirs = None if me < other else wire.receive_vector(len(ours))
        self.board.pause(self.delay)
        wire.send(ours.tobytes())
        if theirs is None:
            theirs = wire.receive_vector(len(ours))
        return ours - theirs if me == i else -(theirs - ours)
