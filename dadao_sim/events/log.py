"""The event log: *when* and *where* things happen, never what is computed.

A clock produces a log, the engine replays an algorithm over it. Rows are in order of time; rows at
the same time happen in the order in which they stand, so the log is total.
"""

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network

if TYPE_CHECKING:
    from dadao_sim.networks import GraphSequence, Network

GRADIENT = 0  # node i computes a gradient and applies it at once
GOSSIP = 1  # nodes i and j exchange over their edge at once
GRADIENT_START = 2  # node i starts a gradient at the value it has now
GRADIENT_END = 3  # node i applies the gradient begun in row `start`
SEND = 4  # nodes i and j put the difference of their messages on the wire
ARRIVE_I = 5  # the exchange begun in row `start` acts on node i
ARRIVE_J = 6  # the exchange begun in row `start` acts on node j
LOST = 7  # what was begun in row `start` will act no more
ROUND = 8  # one step of a synchronous method, all nodes
RESET = 9  # node i lost its state and starts again from zero
RESENT = 10  # nodes i and j make an exchange of the coming round once more: a message was lost
EXCHANGES = (GOSSIP, SEND, ARRIVE_I, ARRIVE_J, RESENT)  # what has an edge and two ends
KIND_NAMES = (
    *("gradient", "gossip", "gradient_start", "gradient_end"),
    *("send", "arrive_i", "arrive_j", "lost", "round", "reset", "resent"),
)

TYPES = {
    "time": np.float64,
    "kind": np.uint8,
    "i": np.int32,
    "j": np.int32,
    "edge": np.int32,
    "mark": np.uint64,
    "start": np.int64,
}


@dataclass(frozen=True)
class Events:
    """A log of events, or a window of one.

    All arrays have one entry per event. ``time`` is in mean gradient intervals of a node; ``kind``
    is one of the constants of this module; ``i`` the node; ``j`` and ``edge`` are -1 where there is
    no second node; ``mark`` seeds what the event draws (a minibatch); ``start`` is the row of the
    whole log in which a delayed event began, -1 for atomic ones. ``first_row`` is the number in the
    whole log of the first row here.
    """

    time: np.ndarray
    kind: np.ndarray
    i: np.ndarray
    j: np.ndarray
    edge: np.ndarray
    mark: np.ndarray
    start: np.ndarray
    first_row: int = 0

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice) -> "Events":
        """The window ``rows`` (a slice of step 1); it shares memory with this log."""
        first, _, step = rows.indices(len(self))
        if step != 1:
            raise InputError("rows", f"a window has step 1, not {step}")
        arrays = {name: getattr(self, name)[rows] for name in TYPES}
        return Events(**arrays, first_row=self.first_row + first)

    @classmethod
    def from_arrays(
        cls,
        time: Any,
        kind: Any,
        i: Any,
        j: Any = None,
        network: "Network | GraphSequence | None" = None,
        *,
        edge: Any = None,
        mark: Any = None,
        start: Any = None,
    ) -> Self:
        """A log from sequences of equal length, checked.

        ``edge`` is looked up in ``network`` where it is not given. Raises InputError where the
        lengths differ, the times decrease or are not finite, a kind is unknown, or an exchange has
        no edge.
        """
        count = len(time)
        given = {"time": time, "kind": kind, "i": i, "j": j, "mark": mark, "start": start}
        absent = {"j": -1, "mark": 0, "start": -1}
        arrays: dict[str, Any] = {
            name: _column(name, np.full(count, absent[name]) if values is None else values)
            for name, values in given.items()
        }
        for name, values in arrays.items():
            if values.shape != (count,):
                raise InputError(name, f"has shape {values.shape}, but there are {count} times")
        times = arrays["time"]
        if not np.isfinite(times).all() or (np.diff(times) < 0).any():
            raise InputError("time", "must be finite and must not decrease")
        if count and arrays["kind"].max() >= len(KIND_NAMES):
            raise InputError("kind", f"{arrays['kind'].max()} is unknown; the last is {RESENT}")
        exchanges = np.isin(arrays["kind"], EXCHANGES)
        if edge is not None:
            arrays["edge"] = _column("edge", edge)
        else:
            arrays["edge"] = np.full(count, -1, dtype=np.int32)
            if network is not None and exchanges.any():
                arrays["edge"][exchanges] = as_network(network).edge_indices(
                    arrays["i"][exchanges], arrays["j"][exchanges]
                )
        log = cls(**arrays)
        log.check(None if network is None else as_network(network).nodes)
        return log

    def check(self, nodes: int | None) -> None:
        """Raise InputError unless every node is in range and every delayed event has its start; it
        names the column.
        """
        exchanges = np.isin(self.kind, EXCHANGES)
        limit = np.iinfo(np.int32).max if nodes is None else nodes
        for name, rows in (("i", self.kind != ROUND), ("j", exchanges)):
            values = getattr(self, name)[rows]
            if len(values) and (values.min() < 0 or values.max() >= limit):
                worst = values.min() if values.min() < 0 else values.max()
                raise InputError(name, f"node {worst} is not one of the {limit} nodes")
        ends = np.isin(self.kind, (GRADIENT_END, ARRIVE_I, ARRIVE_J, LOST))
        rows = np.flatnonzero(ends)
        start = self.start[rows] - self.first_row
        wrong = (start >= rows) | (self.start[rows] < 0)
        if wrong.any():
            row = rows[wrong][0]
            raise InputError(
                "start",
                f"row {row} ({KIND_NAMES[self.kind[row]]}) must name an earlier row, "
                f"not {self.start[row]}",
            )

    def on(self, network: "Network | GraphSequence") -> "Events":
        """The log with the ``edge`` of every exchange, looked up where it is -1.

        Raises InputError where two nodes have no edge, or another than the log says.
        """
        exchanges = np.flatnonzero(np.isin(self.kind, EXCHANGES))
        found = as_network(network).edge_indices(self.i[exchanges], self.j[exchanges])
        given = self.edge[exchanges]
        wrong = (given != -1) & (given != found)
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                "edge",
                f"row {exchanges[row]} says {given[row]}, but nodes {self.i[exchanges[row]]} and "
                f"{self.j[exchanges[row]]} have edge {found[row]}",
            )
        edge = self.edge.copy()
        edge[exchanges] = found
        return replace(self, edge=edge)

    def relabelled(self, order: np.ndarray, network: "Network | GraphSequence") -> "Events":
        """The same log on the relabelled network, whose node k is node ``order[k]`` of this
        one's.
        """
        name_of = np.empty(len(order), dtype=np.int32)
        name_of[order] = np.arange(len(order), dtype=np.int32)
        i = np.where(self.i >= 0, name_of[self.i], -1)
        j = np.where(self.j >= 0, name_of[self.j], -1)
        rest = {"mark": self.mark, "start": self.start}
        return Events.from_arrays(self.time, self.kind, i, j, network, **rest)


def _column(name: str, values: Any) -> np.ndarray:
    """``values`` in the type of the column; InputError where it cannot hold them."""
    try:
        return np.ascontiguousarray(values, dtype=TYPES[name])
    except (OverflowError, TypeError, ValueError) as error:
        wanted = f"numbers of type {np.dtype(TYPES[name])} are needed"
        raise InputError(name, str(error), wanted) from None


def concatenate(windows: "list[Events]") -> Events:
    """One log from consecutive windows."""
    arrays = {name: np.concatenate([getattr(w, name) for w in windows]) for name in TYPES}
    return Events(**arrays, first_row=windows[0].first_row)


assert [field.name for field in fields(Events)][:-1] == list(TYPES)
