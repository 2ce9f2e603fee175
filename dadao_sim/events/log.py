"""The event log: *when* and *where* things happen, never what is computed.

A clock produces a log, the engine replays an algorithm over it. Rows are in order of time; rows at
the same time happen in the order in which they stand, so the log is total.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import AnyNetwork, DirectedNetwork, DirectedSequence
from dadao_sim.networks.edges import edge_keys
from dadao_sim.strict import hides
from dadao_sim.text.lines import shown

GRADIENT = 0  # node i computes a gradient and applies it at once
GOSSIP = 1  # nodes i and j exchange over their edge at once
GRADIENT_START = 2  # node i starts a gradient at the value it has now
GRADIENT_END = 3  # node i applies the gradient begun in row `start`
SEND = 4  # nodes i and j put the difference of their messages on the wire
ARRIVE_I = 5  # the exchange begun in row `start` acts on node i
ARRIVE_J = 6  # the exchange begun in row `start` acts on node j
LOST = 7  # what was begun in row `start` will act no more, at the ends that it has not reached
ROUND = 8  # one step of a synchronous method, all nodes
RESET = 9  # node i lost its state and starts again from zero
RESENT = 10  # nodes i and j make an exchange of the coming round once more: a message was lost
SEND_ONE = 11  # node i puts a message of its own to node j on the wire, and goes on
ARRIVE_ONE = 12  # node i gets the message that node j sent in row `start`
USES = (GOSSIP, SEND, RESENT, SEND_ONE)  # what goes over an edge
EXCHANGES = (GOSSIP, SEND, ARRIVE_I, ARRIVE_J, RESENT, SEND_ONE, ARRIVE_ONE)  # over an edge
BEGIN = (GRADIENT_START, SEND, SEND_ONE)  # what is under way from there on
END = (GRADIENT_END, ARRIVE_I, ARRIVE_J, LOST, ARRIVE_ONE)
KIND_NAMES = (
    *("gradient", "gossip", "gradient_start", "gradient_end"),
    *("send", "arrive_i", "arrive_j", "lost", "round", "reset", "resent"),
    *("send_one", "arrive_one"),
)

COMMUNICATIONS = np.zeros(len(KIND_NAMES))
"""What an event of each kind counts: 1 where an edge is used both ways, half of it one way."""
COMMUNICATIONS[[GOSSIP, SEND, RESENT]] = 1.0
COMMUNICATIONS[SEND_ONE] = 0.5
COMMUNICATIONS.flags.writeable = False

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
    whole log of the first row here. ``unit`` is how many of the intervals of ``time`` a unit of the
    method's own time lasts: not 1 in the saved log of a method that a world slowed down.

    Raises InputError for a column that is no array of its type in ``TYPES``, or of another length
    than ``time``; :meth:`from_arrays` converts what can be converted.
    """

    time: np.ndarray
    kind: np.ndarray
    i: np.ndarray
    j: np.ndarray
    edge: np.ndarray
    mark: np.ndarray
    start: np.ndarray
    first_row: int = 0
    unit: float = 1.0

    def __post_init__(self) -> None:
        # What it says is checked by `check`, where a log comes from outside or is played.
        for name, wanted in TYPES.items():
            values = getattr(self, name)
            if not isinstance(values, np.ndarray) or values.dtype != wanted or values.ndim != 1:
                needed = f"an array of {np.dtype(wanted)}, one per event, is needed"
                raise InputError(name, f"is {_described(values)}", needed)
            if len(values) != len(self.time):
                wrong = f"has {len(values)} rows, but there are {len(self.time)} times"
                raise InputError(name, wrong)
        if not isinstance(self.first_row, int) or self.first_row < 0:
            raise InputError("first_row", f"{self.first_row!r} given", "a row is 0 or more")
        _require_unit(self.unit)

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice) -> "Events":
        """The window ``rows`` (a slice of step 1); it shares memory with this log."""
        first, _, step = rows.indices(len(self))
        if step != 1:
            raise InputError("rows", f"a window has step 1, not {step}")
        arrays = {name: getattr(self, name)[rows] for name in TYPES}
        return replace(self, **arrays, first_row=self.first_row + first)

    @classmethod
    def from_arrays(
        cls,
        time: Any,
        kind: Any,
        i: Any,
        j: Any = None,
        network: "AnyNetwork | None" = None,
        *,
        edge: Any = None,
        mark: Any = None,
        start: Any = None,
    ) -> Self:
        """A log from sequences of equal length, checked.

        ``edge`` is looked up in ``network`` where it is not given. Raises InputError, with the row,
        where the lengths differ, a value does not fit its column, or as :meth:`check`.
        """
        columns = {"time": time, "kind": kind, "i": i, "j": j, "mark": mark, "start": start}
        columns["edge"] = edge
        count = len(_column("time", time))
        absent = {"j": -1, "edge": -1, "mark": 0, "start": -1}
        arrays: dict[str, Any] = {
            name: np.full(count, absent[name], dtype=TYPES[name])
            if values is None and name in absent
            else _column(name, values)
            for name, values in columns.items()
        }
        network = None if network is None else as_any_network(network)
        log = cls(**arrays)
        log.check(None if network is None else network.nodes)
        return log if network is None else replace(log, edge=log.on(network).edge)

    def check(self, nodes: int | None) -> None:
        """Raise InputError, with the column and the row, for what cannot have happened.

        That is a time that is negative, not finite or less than the one before; an unknown kind; a
        node that is not one of ``nodes`` (any if None); an exchange of a node with itself; and an
        end of what is not under way: whose ``start`` is no earlier row of its kind and its nodes,
        or has ended already. What began before a window is not looked at.
        """
        time = self.time
        for wrong, what in (
            (~np.isfinite(time), "is no finite number"),
            (time < 0, "is before the start, time 0"),
            (np.diff(time, prepend=0.0) < 0, "is less than the time of the row before"),
        ):
            self._refuse("time", wrong, what)
        self._refuse("kind", self.kind >= len(KIND_NAMES), f"is unknown; the last is {ARRIVE_ONE}")
        exchanges = np.isin(self.kind, EXCHANGES)
        limit = np.iinfo(np.int32).max if nodes is None else nodes
        for name, rows in (("i", self.kind != ROUND), ("j", exchanges)):
            values = getattr(self, name)
            outside = rows & ((values < 0) | (values >= limit))
            self._refuse(name, outside, f"is not one of the {limit} nodes")
        self._refuse("j", exchanges & (self.i == self.j), "is the node i too")
        self._refuse("edge", self.edge < -1, "is no edge")
        self._check_ends()

    def _check_ends(self) -> None:
        """Raise InputError unless each end of something is the end of what is under way."""
        rows = np.flatnonzero(np.isin(self.kind, END))
        start = self.start[rows] - self.first_row
        early = (start >= rows) | (self.start[rows] < 0)
        self._refuse("start", rows[early], "is given, but it must name an earlier row")
        here = start >= 0
        rows, start = rows[here], start[here]
        kind, begun = self.kind[rows], self.kind[start]
        exchange, message = begun == SEND, begun == SEND_ONE
        of_its_kind = np.where(
            np.isin(kind, (ARRIVE_I, ARRIVE_J)), exchange, begun == GRADIENT_START
        )
        of_its_kind = np.where(kind == ARRIVE_ONE, message, of_its_kind)
        of_its_kind |= (kind == LOST) & (exchange | message)
        idle = "is a row where nothing of its kind is under way"
        self._refuse("start", rows[~of_its_kind], idle)
        i, j = self.i[rows], self.j[rows]
        # What is lost at one end only has that one as i, and no j.
        alone = (kind == LOST) & (j < 0)
        there = np.where(message, i == self.j[start], i == self.i[start])
        there |= alone & exchange & (i == self.j[start])
        there &= alone | np.where(message, j == self.i[start], ~exchange | (j == self.j[start]))
        self._refuse("start", rows[~there], "is a row that began what is of other nodes")
        order = np.argsort(start, kind="stable")
        rows, start, kind, exchange = (column[order] for column in (rows, start, kind, exchange))
        again = start[1:] == start[:-1]
        over = again & (~exchange[1:] | (kind[:-1] == LOST) | (kind[1:] == kind[:-1]))
        over[1:] |= again[1:] & again[:-1]  # an exchange has two ends
        self._refuse(
            "start", rows[1:][over], "is a row where nothing of its kind is under way any more"
        )

    def _refuse(self, column: str, wrong: np.ndarray, what: str) -> None:
        """Raise InputError for the first of the rows that are wrong: a mask, or their numbers."""
        rows = np.flatnonzero(wrong) if wrong.dtype == bool else wrong
        if len(rows) == 0:
            return
        row, value = int(rows.min()), getattr(self, column)[int(rows.min())]
        kind = self.kind[row]
        name = f" ({KIND_NAMES[kind]})" if kind < len(KIND_NAMES) else ""
        raise InputError(column, f"row {self.first_row + row}{name}: {value} {what}")

    def on(self, network: AnyNetwork) -> "Events":
        """The log with the ``edge`` of every exchange, looked up where it is -1.

        Raises InputError where two nodes have no edge, or another than the log says, and where a
        message goes against the arcs of a directed network.
        """
        exchanges = np.flatnonzero(np.isin(self.kind, EXCHANGES))
        network = as_any_network(network)
        found = network.edge_indices(self.i[exchanges], self.j[exchanges])
        if isinstance(network, DirectedNetwork | DirectedSequence):
            arcs, sent = edge_keys(network.arcs, network.nodes), self.kind == SEND_ONE
            along = np.isin(edge_keys(np.column_stack([self.i, self.j]), network.nodes), arcs)
            self._refuse("j", sent & ~along, "hears nothing of i: no arc leads there")
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

    @property
    def communications(self) -> np.ndarray:
        """What each row counts of them."""
        return COMMUNICATIONS[self.kind]

    def relabelled(self, order: np.ndarray, network: AnyNetwork) -> "Events":
        """The same log on the relabelled network, whose node k is node ``order[k]`` of this
        one's.
        """
        name_of = np.empty(len(order), dtype=np.int32)
        name_of[order] = np.arange(len(order), dtype=np.int32)
        i = np.where(self.i >= 0, name_of[self.i], -1)
        j = np.where(self.j >= 0, name_of[self.j], -1)
        rest = {"mark": self.mark, "start": self.start}
        relabelled = Events.from_arrays(self.time, self.kind, i, j, network, **rest)
        return replace(relabelled, unit=self.unit)

    def in_intervals(self, unit: float) -> "Events":
        """A log in a method's units of time, in mean gradient intervals: ``unit`` is one of them.

        ``in_units`` gives back the very times.
        """
        _require_unit(unit)
        time = self.time * unit
        for direction in (np.inf, -np.inf):  # the product may be off by a rounding
            near = np.nextafter(time, direction)
            time = np.where((time / unit != self.time) & (near / unit == self.time), near, time)
        return replace(self, time=time, unit=unit)

    def in_units(self) -> "Events":
        """The log in the method's units of time."""
        return self if self.unit == 1 else replace(self, time=self.time / self.unit, unit=1.0)


def _require_unit(unit: Any) -> None:
    if not isinstance(unit, int | float) or not 0 < unit < np.inf:
        raise InputError("unit", f"{shown(unit)} given", "it is finite and above 0")


def _column(name: str, values: Any) -> np.ndarray:
    """``values`` in the type of the column; InputError for those that it does not hold exactly."""
    wanted = np.dtype(TYPES[name])
    needed = f"numbers of type {wanted} are needed, one per event"
    if hides(values):
        raise InputError(name, "some values are masked", needed)
    try:
        given = np.asarray(values)
        if wanted.kind == "u" and given.dtype == float and not isinstance(values, np.ndarray):
            # NumPy takes integers on both sides of 2^63 for floats, which are not exact.
            exact = np.asarray(values, dtype=object)
            if all(isinstance(value, int | np.integer) for value in exact.flat):
                given = exact.astype(wanted) if min(exact.flat, default=0) >= 0 else given
    except (OverflowError, TypeError, ValueError) as error:
        raise InputError(name, str(error), needed) from None
    if given.ndim != 1 or (given.dtype.kind not in "iuf" and given.size):
        raise InputError(name, f"is {_described(values)}", needed)
    if wanted.kind != "f":
        held: Any = np.iinfo(wanted.name)
        with np.errstate(invalid="ignore"):
            fits = (given >= held.min) & (given <= held.max) & (given == np.floor(given))
        # The float nearest to the largest integer may lie above it.
        fits &= given < float(held.max) if given.dtype.kind == "f" and held.bits == 64 else True
        if not fits.all():
            row = int((~fits).argmax())
            raise InputError(name, f"row {row}: {given[row]} does not fit", needed)
    return np.ascontiguousarray(given, dtype=wanted)


def _described(values: Any) -> str:
    """What was given, in a few words."""
    if isinstance(values, str):
        return "text"
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        return f"a {type(values).__name__}"
    return f"of type {array.dtype} and shape {array.shape}"


def concatenate(windows: "list[Events]") -> Events:
    """One log from consecutive windows."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(w, name) for w in windows]) for name in TYPES
    }
    return replace(windows[0], **arrays)


assert [field.name for field in fields(Events)][:-2] == list(TYPES)
