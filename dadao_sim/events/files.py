"""Logs of events on disk and as tables: saved, looked at, replayed."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.archives import Stored, holds, write_state
from dadao_sim.errors import InputError, within
from dadao_sim.events.log import KIND_NAMES, TYPES, Events
from dadao_sim.files import FileKind, as_path, check_output
from dadao_sim.strict import suggestion

if TYPE_CHECKING:
    from pandas import DataFrame

_FIRST_ROW, _UNIT = "first_row", "unit"
EVENT_LOG = FileKind((".npz",), partial(holds, names=(*TYPES, _FIRST_ROW, _UNIT)))


def save_events(path: str | Path, events: Events, *, overwrite: bool = False) -> None:
    """Write a log to a .npz file, atomically; equal logs give equal bytes.

    Raises InputError for a path of another suffix, and for a file that is none of ours, unless
    ``overwrite``.
    """
    if not isinstance(events, Events):
        raise InputError("events", f"Events are needed, not a {type(events).__name__}")
    check_output(path, EVENT_LOG, overwrite=overwrite)
    columns = {name: getattr(events, name) for name in TYPES}
    rest = {_FIRST_ROW: np.array(events.first_row), _UNIT: np.array(events.unit)}
    write_state(Path(path), {**columns, **rest})


def load_events(path: str | Path) -> Events:
    """Read a log written by ``save_events``; it is checked as by :meth:`Events.check`.

    InputError for a file that is not there, is no log, is damaged, or says what cannot have
    happened.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise InputError("path", f"there is no file {path}")
    stored = Stored(path)
    if set(stored) != {*TYPES, _FIRST_ROW, _UNIT}:
        raise InputError(f"{path}: is no log of events; it has {', '.join(sorted(stored))}")
    first_row, unit = stored[_FIRST_ROW], stored[_UNIT]
    columns = {name: stored[name] for name in TYPES}
    with within(str(path)):
        if first_row.shape != () or first_row.dtype != np.int64:
            raise InputError(_FIRST_ROW, f"is {first_row.dtype} {first_row.shape}, not one integer")
        if unit.shape != () or unit.dtype != np.float64:
            raise InputError(_UNIT, f"is {unit.dtype} {unit.shape}, not one number")
        for name, column in columns.items():
            if column.dtype.newbyteorder("=") == TYPES[name]:  # of another machine, perhaps
                columns[name] = column.astype(TYPES[name], copy=False)
        events = Events(**columns, first_row=int(first_row), unit=float(unit))
        events.check(None)
    return events


def event_table(events: Events) -> "DataFrame":
    """A log as a DataFrame, one row per event under its number, the kinds by their names."""
    import pandas as pd

    if not isinstance(events, Events):
        raise InputError("events", f"Events are needed, not a {type(events).__name__}")
    rows = pd.RangeIndex(events.first_row, events.first_row + len(events), name="row")
    columns = {name: getattr(events, name) for name in TYPES}
    table = pd.DataFrame(columns | {"kind": np.array(KIND_NAMES)[events.kind]}, index=rows)
    table.attrs[_UNIT] = events.unit
    return table


def events_of_table(table: "DataFrame") -> Events:
    """The log of which ``table`` is the :func:`event_table`, or one written by hand.

    ``time``, ``kind`` (by name or number) and ``i`` are needed, ``j`` for exchanges; other columns
    of a log may be there. Raises InputError as :meth:`Events.from_arrays`.
    """
    for name in ("time", "kind", "i"):
        if name not in table:
            raise InputError("events", f"has no column {name!r}", "time, kind and i are needed")
    columns: dict[str, Any] = {name: table[name].tolist() for name in TYPES if name in table}
    number = {name: k for k, name in enumerate(KIND_NAMES)}
    for row, kind in enumerate(columns["kind"]):
        if isinstance(kind, str) and kind not in number:
            raise InputError("events.kind", f"row {row}: {kind!r}{suggestion(kind, KIND_NAMES)}")
    columns["kind"] = [number.get(kind, kind) for kind in columns["kind"]]
    with within("events"):
        log = Events.from_arrays(**columns)
        return replace(log, unit=table.attrs.get(_UNIT, 1.0))
