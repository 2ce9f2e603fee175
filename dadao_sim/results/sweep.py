"""What a sweep leaves: a result for every cell, and two tables over all of them.

    sweep.json       the scenario, the swept keys, the cells with their values, and why each that
                     failed did
    cells.parquet    one row per cell, run and accuracy: what it had spent
    summary.csv      one row per cell, algorithm and accuracy: medians and ranges over the repeats
    cells/NAME-ID/   the results; ID is of what is in them, NAME for who looks

Both tables begin with a column per swept key, under its dotted name. A cell that failed has one row
in each, with the reason. The same sweep leaves the same bytes, but for the times in cells.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError, within
from dadao_sim.files import (
    as_path,
    atomic_write,
    check_digest,
    file_digest,
    json_bytes,
    read_json,
    slug,
)
from dadao_sim.results.axes import AXES
from dadao_sim.results.folder import manifest_of
from dadao_sim.results.result import Result, load_result, read_table, write_table
from dadao_sim.results.summary import (
    COST_COLUMNS,
    costs_card,
    costs_to_accuracy,
    over_repeats,
    summary_columns,
    summary_csv,
)
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    from pandas import DataFrame

SWEEP_FILE, COSTS, SUMMARY, CELLS = "sweep.json", "cells.parquet", "summary.csv", "cells"
FAILED = "failed"
MOST_EXACT = 2**53
"""Whole numbers beyond are not all told apart as floating-point numbers."""
_OF_A_CELL = ("values", "folder", "ground", "error")
Value = int | float | bool | str


@dataclass(frozen=True)
class CellResult:
    """One cell: its values of the swept keys, its folder, the digest of what its runs depend on,
    and why it failed, if it did.
    """

    values: dict[str, Value]
    folder: Path
    ground: str
    error: str | None = None

    @property
    def result(self) -> Result:
        """Its result, read. InputError for a cell that failed, and as `load_result`."""
        if self.error is not None:
            raise InputError(str(self), f"the cell failed: {self.error}")
        return load_result(self.folder)

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.values.items())


@dataclass
class Account:
    """Where the runs of a sweep came from, as it was made.

    Attributes:
        made: runs that were played.
        before: that were in its folder.
        shared: that another of its cells has.
        taken: that were in results beside it, or where it was told to look.
        aside: where the folders of damaged cells are, which were made again.

    """

    made: int = 0
    before: int = 0
    shared: int = 0
    taken: int = 0
    aside: list[Path] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class SweepResult(Carded):
    """The outcome of a sweep.

    Attributes:
        name: of the scenario.
        keys: the swept keys, dotted.
        cells: in their order, the last key fastest.
        costs: one row per cell, run and accuracy: the swept keys, then the columns of
            `costs_to_accuracy`, of every axis that all cells have, and `reason`; a cell that failed
            has one row, of status "failed".
        summary: one row per cell, algorithm and accuracy: the swept keys, then the columns of
            `summarise`, and `reason`.
        in_print: title and look of each method, as in the manifest of a result.
        said: what else is kept: the ``scenario`` as text, section sweep included, the ``folder``
            that paths in it are relative to (None: there are none), and the ``versions``. Sweeps
            of older versions do not have all of it.
        account: where its runs came from; None of one that was read.

    """

    name: str
    keys: tuple[str, ...]
    cells: tuple[CellResult, ...]
    costs: DataFrame
    summary: DataFrame
    in_print: dict[str, dict[str, Any]]
    said: Mapping[str, Any] = field(default_factory=dict)
    account: Account | None = None

    @property
    def methods(self) -> dict[str, str]:
        """The method behind each label, in the order of the cells."""
        made = self.costs[self.costs["reason"] == ""].drop_duplicates("algorithm")
        return dict(zip(made["algorithm"], made["method"], strict=True))

    @property
    def titles(self) -> dict[str, str]:
        """The name in print of each method."""
        return {name: method["title"] for name, method in self.in_print.items()}

    @property
    def looks(self) -> dict[str, str | None]:
        """The colour, dash and marker of each method; see `Result.looks`."""
        return {name: method["look"] for name, method in self.in_print.items()}

    def card(self) -> Card:
        """See `Carded`: the cost to the finest accuracy in every cell."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        cells = f"{counted(len(self.cells), 'cell')}{failed}"
        title = f"Sweep {self.name}: {cells}; swept: {', '.join(self.keys)}"
        finest = self.summary.groupby(list(self.keys), sort=False)["accuracy"].transform("min")
        done = (self.summary["reason"] == "") & (self.summary["accuracy"] == finest)
        return costs_card(title, self.summary[done], self.keys)

    @property
    def failed(self) -> list[CellResult]:
        """The cells that have no result."""
        return [cell for cell in self.cells if cell.error is not None]

    def results(self) -> Iterator[tuple[CellResult, Result]]:
        """The cells that have a result, each read when it is its turn."""
        for cell in self.cells:
            if cell.error is None:
                yield cell, cell.result

    @property
    def has_own_accuracies(self) -> bool:
        """Whether its cells stop at accuracies of their own: see `ends_apart`."""
        return ends_apart(self.keys)

    def is_number(self, key: str) -> bool:
        """Whether a swept key has numbers only."""
        return self.costs[key].dtype.kind in "if"


def ends_apart(keys: Iterable[str]) -> bool:
    """Whether where a run ends is swept, so that every cell has its own finest accuracy: the one at
    which it stops.
    """
    return not {"stop", "stop.accuracy"}.isdisjoint(keys)


def accuracies_of(result: Result, *, own: bool) -> list[float]:
    """To which the costs of a cell are told: those of the report; where cells have their ``own``,
    of these the ones above the accuracy at which it stops, and that one.
    """
    asked: list[float] = list(result.manifest["scenario"]["report"]["accuracies"])
    last = result.stop_accuracy
    if not own or last is None:
        return asked
    return [*(accuracy for accuracy in asked if accuracy > last), last]


def cell_name(values: Mapping[str, Value], ground: str) -> str:
    """The name of a cell's folder: its values for who looks, and a digest of all that is in it."""
    last = [key.rpartition(".")[2] for key in values]
    keys = last if len(set(last)) == len(last) else list(values)
    said = "-".join(f"{key}-{value}" for key, value in zip(keys, values.values(), strict=True))
    digest = hashlib.sha256(json_bytes([dict(values), ground])).hexdigest()
    return f"{slug(said)}-{digest[:8]}"


def grounds_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """The results in a folder, or in the sweep that it holds, and what their runs depend on."""
    for place in sorted((folder / CELLS).glob("*")) if is_sweep(folder) else [folder]:
        ground = (manifest_of(place) or {}).get("ground")
        if isinstance(ground, str):
            yield place, ground


def files_read(folder: Path) -> list[Path]:
    """The files and folders of a sweep that are read where it is loaded."""
    return [folder / name for name in (SWEEP_FILE, COSTS, SUMMARY, CELLS)]


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep of ours, if only its beginning."""
    place = folder / SWEEP_FILE
    if not place.is_file():
        return False
    try:
        return {"name", "keys", "cells"} <= set(read_json(place))
    except InputError:
        return False


def begin_sweep(folder: Path, name: str, keys: Sequence[str]) -> None:
    """Mark a folder as that of a sweep, unless it is."""
    if not is_sweep(folder):
        atomic_write(
            folder / SWEEP_FILE, json_bytes({"name": name, "keys": list(keys), "cells": []})
        )


def cells_listed(folder: Path) -> list[CellResult]:
    """The cells in the tables of a sweep; none where that cannot be told."""
    if not is_sweep(folder):
        return []
    said = read_json(folder / SWEEP_FILE)
    try:
        return [_cell(folder, row, said["keys"]) for row in said["cells"]]
    except (InputError, TypeError):
        return []


def write_sweep(
    folder: Path, name: str, keys: Sequence[str], cells: Sequence[CellResult], said: dict[str, Any]
) -> None:
    """Write the tables of a sweep whose cells are there, and what makes it one; ``said`` is kept
    beside it. A cell whose result cannot be read is one that failed.
    """
    costs, methods, cells = _costs(keys, cells)
    write_table(folder / COSTS, costs)
    atomic_write(folder / SUMMARY, summary_csv(summary_of(keys, costs)))
    listed = [
        {
            "values": cell.values,
            "folder": cell.folder.relative_to(folder).as_posix(),
            "ground": cell.ground,
            "error": cell.error,
        }
        for cell in cells
    ]
    files = {file: file_digest(folder / file) for file in (COSTS, SUMMARY)}
    known = {
        "name": name,
        "keys": list(keys),
        "cells": listed,
        "methods": methods,
        "files": files,
        **said,
    }
    atomic_write(folder / SWEEP_FILE, json_bytes(known))


def load_sweep(folder: str | Path) -> SweepResult:
    """Read a sweep.

    Raises:
        InputError: there is none, it is not finished, or a file of it is damaged.

    """
    folder = as_path("folder", folder)
    if not is_sweep(folder):
        raise InputError("folder", f"{folder} is no sweep: it has no {SWEEP_FILE}")
    said = read_json(folder / SWEEP_FILE)
    if said["cells"] == []:
        raise InputError("folder", f"the sweep in {folder} is not finished", "resume it")
    with within(str(folder / SWEEP_FILE)):
        _check_types(said)
        cells = tuple(_cell(folder, row, said["keys"]) for row in said["cells"])
    for file in (COSTS, SUMMARY):
        if not (folder / file).is_file():
            raise InputError("folder", f"{folder} is incomplete: {file} is missing", "resume it")
        check_digest(folder / file, said["files"][file])
    costs = read_table(folder / COSTS, flags=True)
    keys = tuple(said["keys"])
    also = ("scenario", "folder", "versions")
    kept: dict[str, Any] = {name: said[name] for name in also if name in said}
    summary = summary_of(keys, costs)
    return SweepResult(said["name"], keys, cells, costs, summary, said["methods"], kept)


def _check_types(said: Mapping[str, Any]) -> None:
    """InputError for what is no list or mapping where one is read."""
    for name, kind in (("name", str), ("keys", list), ("cells", list), ("methods", dict)):
        if not isinstance(said.get(name), kind):
            raise InputError(name, f"is no {kind.__name__}", "resume the sweep")
    for method in said["methods"].values():
        if not isinstance(method, dict) or not {"title", "look"} <= set(method):
            raise InputError("methods", "one of them is none", "resume the sweep")
    files = said.get("files")
    if not isinstance(files, dict) or set(files) != {COSTS, SUMMARY}:
        raise InputError("files", f"are not {COSTS} and {SUMMARY}", "resume the sweep")


def _cell(folder: Path, row: Any, keys: Sequence[str]) -> CellResult:
    try:
        values, place, ground, error = (row[name] for name in _OF_A_CELL)
        right = (
            list(values) == list(keys)
            and isinstance(ground, str)
            and place.startswith(f"{CELLS}/")
            and place.removeprefix(f"{CELLS}/").strip(".")
            and "/" not in place.removeprefix(f"{CELLS}/")
            and (error is None or isinstance(error, str))
        )
    except (AttributeError, KeyError, TypeError):
        right = False
    if not right:
        raise InputError("cells", "one of them is none")
    return CellResult(values, folder / place, ground, error)


def _costs(
    keys: Sequence[str], cells: Sequence[CellResult]
) -> tuple[DataFrame, dict[str, dict[str, Any]], list[CellResult]]:
    """The tables of all cells, one under the other, the methods in them, and the cells with those
    failed that cannot be read. A swept key is text where not all of its values are numbers. What is
    counted is all that every cell has.
    """
    import pandas as pd

    cells = list(cells)
    tables: dict[int, DataFrame] = {}
    methods: dict[str, dict[str, Any]] = {}
    counted = list(AXES)
    for number, cell in enumerate(cells):
        if cell.error is None:
            try:
                result = cell.result
            except InputError as error:
                cells[number] = replace(cell, error=_to_be_deleted(cell.folder, error))
                continue
            methods |= result.manifest["methods"]
            has = [q for q in counted if not AXES[q].why_not(result.curves, result.terms)]
            accuracies = accuracies_of(result, own=ends_apart(keys))
            told = (accuracies, result.terms, result.stop_accuracy, has)
            tables[number] = costs_to_accuracy(result.curves, result.runs, *told)
            counted = has
    columns = [*COST_COLUMNS, *counted]
    numbers = {key for key in keys if all(_is_a_number(cell.values[key]) for cell in cells)}
    joined = []
    for number, cell in enumerate(cells):
        table = tables[number][columns] if number in tables else _failed(columns)
        table = table.assign(reason=cell.error or "")
        for place, key in enumerate(keys):
            value = cell.values[key]
            table.insert(place, key, [value if key in numbers else str(value)] * len(table))
        joined.append(table)
    costs = pd.concat(joined, ignore_index=True)
    return costs, methods, cells


def _is_a_number(value: Value) -> bool:
    """Whether it can stand among floating-point numbers and be told apart from all others."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= MOST_EXACT


def _to_be_deleted(folder: Path, error: InputError) -> str:
    """The reason of a cell that failed as what is in its folder is damaged."""
    return f"{error}; delete {folder} and resume: it is made again"


def summary_of(keys: Sequence[str], costs: DataFrame) -> DataFrame:
    """The table `SweepResult.summary` of one `SweepResult.costs`."""
    import pandas as pd

    counted = [name for name in AXES if name in costs]
    tables = []
    for values, group in costs.groupby(list(keys), sort=False, dropna=False):
        reason = group["reason"].iloc[0]
        table = _failed(summary_columns(counted)) if reason else over_repeats(group, counted)
        table["reason"] = reason
        for place, (key, value) in enumerate(zip(keys, values, strict=True)):
            table.insert(place, key, [value] * len(table))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _failed(columns: Sequence[str]) -> DataFrame:
    """The one row of a cell that failed."""
    import pandas as pd

    row: dict[str, Any] = dict.fromkeys(columns, math.nan)
    known: dict[str, Any] = dict.fromkeys(("algorithm", "method", "constants"), "")
    known |= dict.fromkeys(("repeat", "repeats", "reached"), 0)
    known |= {"status": FAILED, "experimental": False}
    return pd.DataFrame([row | {name: known[name] for name in columns if name in known}])
