"""A comparison as a file: CSV and JSON with numbers in full, LaTeX for a paper."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dadao_sim.files import SIGNATURE, FileKind, atomic_write, check_output, is_signed, json_bytes
from dadao_sim.results.latex import LATEX, comparison_latex
from dadao_sim.results.summary import NOT_REACHED, NOT_TRIED, summary_csv

if TYPE_CHECKING:
    from pandas import DataFrame

_BEGIN = ("scenario", "algorithm", "method", "experimental", "constants", "accuracy", "repeats")


def _is_ours(path: Path) -> bool:
    """Whether a file is a table that `save_table` wrote."""
    try:
        match path.suffix.lower():
            case ".csv":
                with path.open(encoding="utf-8", newline="") as file:
                    columns = tuple(next(csv.reader(file), ()))
            case ".json":
                columns = tuple(json.loads(path.read_text("utf-8"))[0])
            case _:
                return is_signed(path)
    except (csv.Error, ValueError, TypeError, LookupError, RecursionError):
        return False
    return columns[: len(_BEGIN)] == _BEGIN


TABLE = FileKind((".csv", ".json", ".tex"), _is_ours)


def save_table(
    table: DataFrame,
    titles: Mapping[str, str],
    path: Path,
    quantities: Sequence[str] = LATEX,
    *,
    overwrite: bool = False,
) -> None:
    """Write a comparison in the format that the ending of the file names.

    Args:
        table: of `reports.comparison.comparison_table`.
        titles: the name in print of each method.
        path: ends in .csv (as `summary.csv`), .json (a mapping per row) or .tex.
        quantities: those of the LaTeX table; the other two have all.
        overwrite: whether a file that is not ours may be replaced.

    Raises:
        InputError: the file may not be written.

    """
    check_output(path, TABLE, overwrite=overwrite)
    match path.suffix.lower():
        case ".csv":
            content = summary_csv(table)
        case ".json":
            content = json_bytes(_rows(table))
        case _:
            content = f"% {SIGNATURE}\n{comparison_latex(table, titles, quantities)}".encode()
    atomic_write(path, content)


def _rows(table: DataFrame) -> list[dict[str, object]]:
    """What JSON has no number for is said as in `summary.csv`."""

    def plain(value: object) -> object:
        if not isinstance(value, float) or math.isfinite(value):
            return value
        return NOT_TRIED if math.isnan(value) else NOT_REACHED

    return [
        {str(name): plain(value) for name, value in row.items()} for row in table.to_dict("records")
    ]
