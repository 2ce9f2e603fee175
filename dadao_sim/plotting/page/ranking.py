"""What every algorithm spent to reach an accuracy, as rows of the tables of a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dadao_sim.plotting.page.axes import costs, ranked
from dadao_sim.results.result import Result
from dadao_sim.results.summary import cost_text

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Cell:
    """A median, in full, as text, and the 10-90 % range where the repeats differ; whether it is the
    least of its column.
    """

    value: float
    text: str
    range: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """An algorithm in a table, its ``cells`` in the order of the table's quantities."""

    name: str
    label: str
    reached: str
    cells: Sequence[Cell]
    rank: str = ""


def cell(row: Mapping[Any, Any], quantity: str) -> Cell:
    """What a row of a summary says of a quantity."""
    median, low, high = (row[f"{quantity}_{which}"] for which in ("median", "p10", "p90"))
    between = ""
    if math.isfinite(median) and low != high:
        top = "not reached" if math.isinf(high) else number(high, quantity)
        between = f"{number(low, quantity)} to {top}"
    text = cost_text(median, lambda value: number(value, quantity))
    return Cell(median, text, between)


def number(value: float, quantity: str = "") -> str:
    """A cost for a table: whole from 100 on, bytes with prefixes."""
    if quantity == "bytes":
        for size, prefix in PREFIXES:
            if value >= size:
                return f"{value / size:.3g} {prefix}B" if value < 1e15 else f"{value:.3g} B"
        return f"{value:.0f} B"
    if value >= 1e9:
        return f"{value:.3e}"
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.3g}"


def table(result: Result, accuracy: float) -> list[Row]:
    """The rows of a result at an accuracy, the fewest communications first."""
    rows, names = [], result.names
    for row in costs(result, accuracy).to_dict("records"):
        cells = [cell(row, quantity) for quantity in ranked(result)]
        tried = not math.isnan(cells[0].value)
        reached = f"{row['reached']}/{row['repeats']}" if tried else "-"
        label = row["algorithm"]
        rows.append(Row(names[label], label, reached, cells))
    columns = marked([list(column) for column in zip(*(row.cells for row in rows), strict=True)])
    rows = [
        replace(row, cells=cells)
        for row, cells in zip(rows, zip(*columns, strict=True), strict=True)
    ]
    rows.sort(key=lambda row: _order(row.cells[0].value))
    return [
        replace(row, rank=str(k) if math.isfinite(row.cells[0].value) else "")
        for k, row in enumerate(rows, 1)
    ]


def marked(columns: Sequence[Sequence[Cell | None]]) -> list[list[Cell | None]]:
    """The columns with the least of each, if it is a number, marked as the best."""
    found = []
    for column in columns:
        least = min(
            (cell.value for cell in column if cell and math.isfinite(cell.value)), default=None
        )
        found.append([cell and replace(cell, best=cell.value == least) for cell in column])
    return found


def _order(value: float) -> float:
    """What was not tried comes last, behind what was not reached."""
    return math.inf if math.isnan(value) else min(value, 1e300)


def accuracies(results: Sequence[Result]) -> list[float]:
    """All that one of the scenarios asks for, loosest first."""
    asked = {
        float(accuracy)
        for result in results
        for accuracy in result.manifest["scenario"]["report"]["accuracies"]
    }
    return sorted(asked, reverse=True)


def shown_first(tables: Mapping[float, Sequence[Iterable[Cell | None]]]) -> float:
    """The tightest accuracy that some algorithm reached in each of the columns; where there is
    none, in any; else the loosest.
    """
    reached = {
        accuracy: [any(cell and math.isfinite(cell.value) for cell in column) for column in columns]
        for accuracy, columns in tables.items()
    }
    for enough in (all, any):
        if found := [accuracy for accuracy, columns in reached.items() if enough(columns)]:
            return min(found)
    return max(tables)
