"""Tables as text, by the rules of `separated`."""

import itertools
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.formats.columns import (
    Chosen,
    chosen_columns,
    refuse_a_count,
)
from dadao_sim.problems.data.formats.format import Asked, Column, Samples, file_format
from dadao_sim.separated import (
    MISSING,
    check_width,
    is_number,
    lines_of,
    names_of,
    no_number,
    number,
    refuse_other_separators,
    text_of,
)
from dadao_sim.text.lines import written


@file_format("csv", ".csv")
def csv(path: Path, asked: Asked) -> Samples:
    """Numbers with commas between, below one line of names unless ``header`` is false; the targets,
    which may be text, in the column ``target``, or else the last one.
    """
    return _table(path, asked, ",")


@file_format("tsv", ".tsv")
def tsv(path: Path, asked: Asked) -> Samples:
    """The same with tabs between."""
    return _table(path, asked, "\t")


def _table(path: Path, asked: Asked, separator: str) -> Samples:
    require_room(Need("path", f"{path.name} as a text", 2 * path.stat().st_size))
    with within("path"):
        text = text_of(path)
    numbers = text.count(separator) + text.count("\n")
    require_room(Need("path", f"{path.name} as a table", 8 * numbers))
    lines = lines_of(path, text, separator)
    with within("path"):
        line, cells = next(lines)
        if asked.header:
            names = _names(path, line, cells, separator, asked.leave_out or ())
        else:
            refuse_other_separators(path, line, cells, separator)
            names = [str(k) for k in range(1, len(cells) + 1)]
            lines = itertools.chain([(line, cells)], lines)
    chosen = chosen_columns(path, names, asked)
    with within("path"):
        if not asked.header:
            _refuse_names(path, line, cells, asked)
        values, targets, places = _rows(path, lines, names, chosen, underscores="_" in text)
    if not values:
        wrong = "targets and no features" if targets else "names and no samples"
        raise InputError("path", f"{path.name} holds {wrong}", "samples of numbers are needed")
    # Column by column, for the sums over them are then the same as those over one.
    width = len(chosen.features)
    X = np.asfortranarray(np.frombuffer(values, dtype=np.float64).reshape(-1, width))
    good = np.isfinite(X).all(axis=1)
    y: Any = None
    if not asked.points:
        try:
            y = np.array([number(cell) for cell in targets])
            good &= np.isfinite(y)
        except ValueError:
            y = np.array(targets)
    if not good.all():
        where = f"line {places[int(np.argmin(good))]} of {path.name}"
        raise InputError(
            "path", f"{where} is nan or infinite", "give finite numbers, or leave it out"
        )
    refuse_a_count(path, X, names, chosen, asked)
    return Samples(X, y)


def _names(
    path: Path, line: int, cells: list[str], separator: str, left_out: tuple[Column, ...]
) -> list[str]:
    """The names of the first line; InputError for anything that could be a line of samples, or
    leaves it open what a column is that is not ``left_out``.
    """
    names = names_of(path, line, cells, separator, hint="say header: false if it is a sample, or ")
    for place, name in enumerate(names, start=1):
        if name and not re.fullmatch(r"Unnamed: \d+", name):
            continue
        if place in left_out or (name and name in left_out):
            continue
        hint = f"name it, or say leave_out: [{place}]"
        if place == 1:
            hint = "say leave_out: [1] if it is an index (pandas: index=False), or name it"
        elif place == len(names):
            hint = "name it, or remove the comma at the end of the lines"
        raise InputError(f"column {place} of {path.name} has no name; {hint}")
    return names


def _refuse_names(path: Path, line: int, cells: list[str], asked: Asked) -> None:
    """InputError where a first line that is said to be a sample holds names and no number."""
    if not any(map(is_number, cells)) and not all(cell.strip() == "" for cell in cells):
        wrong = f"line {line} of {path.name} holds no number, such as {written(cells[0].strip())}"
        raise InputError(f"{wrong}; leave header: false out if it is names")


def _rows(
    path: Path,
    rows: Iterator[tuple[int, list[str]]],
    names: list[str],
    chosen: Chosen,
    *,
    underscores: bool,
) -> tuple["array[float]", list[str], "array[int]"]:
    """The features of all rows, one after the other, the targets as they are written, and the
    number of each row's line.
    """
    values, targets, places = array("d"), [], array("q")
    width, all_of_them = len(names), chosen.features == list(range(len(names)))
    for line, cells in rows:
        check_width(path, line, cells, width)
        if chosen.target is not None:
            targets.append(cells[chosen.target].strip())
            if not targets[-1]:
                raise _no_number(path, line, names[chosen.target], "")
        if not all_of_them:
            cells = [cells[k] for k in chosen.features]
        try:
            values.extend(map(number if underscores else float, cells))
        except ValueError:
            bad = next(k for k, cell in enumerate(cells) if not is_number(cell))
            raise _no_number(path, line, names[chosen.features[bad]], cells[bad]) from None
        places.append(line)
    return values, targets, places


def _no_number(path: Path, line: int, name: str, cell: str) -> InputError:
    right = "leave the line out"
    if cell.strip().lower() not in MISSING:
        right = f"say leave_out: [{written(name)}]"
    return no_number(path, line, name, cell, f"give a number there, or {right}")
