"""Formats of data files; one is a function with ``@file_format`` and nothing else."""

import csv as csv_module
import io
import itertools
import re
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.source import Samples
from dadao_sim.text.lines import listed, written

Reader = Callable[[Path, str | None, bool], Samples]


class Format(NamedTuple):
    """How files of one ``name`` and of the ``endings`` are read: (path, target, points) -> Samples.

    The targets may be text yet.
    """

    name: str
    endings: tuple[str, ...]
    read: Reader


FORMATS: dict[str, Format] = {}
"""By name."""


def file_format(name: str, *endings: str) -> Callable[[Reader], Reader]:
    """Decorate what reads a file of a format, whose name ends so where no format is said.

    It is given the path, the name of the targets or None, and whether points are wanted: then there
    are no targets, and only what is named is left out. InputErrors name ``path`` or ``target``; any
    other exception means that the file is not of this format.
    """

    def decorate(read: Reader) -> Reader:
        FORMATS[name] = Format(name, endings, read)
        return read

    return decorate


def by_ending(path: Path) -> Format:
    """The format of a file by the ending of its name; InputError where none has it."""
    for format in FORMATS.values():
        if path.suffix.lower() in format.endings:
            return format
    endings = ", ".join(ending for format in FORMATS.values() for ending in format.endings)
    raise InputError(
        "path", f"{path.name}: its ending says no format", f"{endings} are read, or say format"
    )


# --- svmlight ------------------------------------------------------------------------------------

SVMLIGHT_LINE = re.compile(rb"\s*([^\s:#]+(\s+qid:\d+)?(\s+\d+:[^\s:#]+)*\s*)?(#.*)?")


@file_format("svmlight", ".svmlight", ".svm", ".libsvm")
def svmlight(path: Path, target: str | None, points: bool) -> Samples:
    """Lines of a target and ``number:value`` pairs, the numbers increasing.

    A number is that of a feature, from 0 if the file has a feature 0, else from 1. Comments after #
    and ``qid:`` are passed over.
    """
    from sklearn.datasets import load_svmlight_file

    if target is not None:
        raise InputError("target", "svmlight files name no columns", "leave it out")
    _refuse_underscores(path)
    try:
        with path.open("rb") as file:
            X, y = load_svmlight_file(file, zero_based="auto")
    except OverflowError:
        raise InputError("path", f"{path.name} has a feature number beyond 2^31") from None
    except ValueError:
        raise InputError(
            "path",
            f"{_wrong_line(path)} is no line of an svmlight file",
            "a target and number:value pairs, the numbers increasing, are needed",
        ) from None
    if X.indices.size == 0:
        raise InputError("path", f"{path.name} has targets and no features", "number:value pairs")
    rows, columns = X.shape
    dense = f"{path.name} as a table of {rows:,} samples and {columns:,} features"
    require_room(Need("path", dense, 8 * rows * columns))
    return Samples(X.toarray(), None if points else y)


def _refuse_underscores(path: Path) -> None:
    """InputError for 1_000, which Python takes for a number."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if b"_" in line.split(b"#")[0]:
                where = f"line {number} of {path.name}"
                raise InputError("path", f"{where} has a _ in it", "write 1000, not 1_000")


def _wrong_line(path: Path) -> str:
    """Which line of a file is not of svmlight, as far as can be seen."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not SVMLIGHT_LINE.fullmatch(line.rstrip()):
                return f"line {number} of {path.name}"
            pairs = [int(pair) for pair in re.findall(rb"\s(\d+):", line.split(b"#")[0])]
            if any(left >= right for left, right in itertools.pairwise(pairs)):
                return f"line {number} of {path.name}"
    return f"a line of {path.name}"


# --- npz -----------------------------------------------------------------------------------------


@file_format("npz", ".npz")
def npz(path: Path, target: str | None, points: bool) -> Samples:
    """Features A or X (N, p) and targets b or y (N,), or those named ``target``."""
    with zipfile.ZipFile(path) as archive:
        sizes = {
            entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()
        }

        def one_of(names: list[str], where: str) -> NDArray[Any]:
            there = [name for name in names if name in sizes]
            if len(there) == 1:
                return _array(archive, path, there[0], sizes[there[0]])
            if there:
                wrong, right = f"both {' and '.join(there)}", "one of them"
            else:
                wrong, right = ", ".join(sizes) or "nothing", f"an array named {' or '.join(names)}"
            wrong = wrong if len(wrong) <= 80 else f"{wrong[:77]}..."
            raise InputError(where, f"{path.name} holds {wrong}", f"{right} is needed")

        X = reals(f"path: features in {path.name}", one_of(["A", "X"], "path"), truths=True)
        if points:
            return Samples(X, None)
        named = one_of(["b", "y"], "path") if target is None else one_of([target], "target")
        return Samples(X, _targets(path, named))


def _array(archive: zipfile.ZipFile, path: Path, name: str, bytes: int) -> NDArray[Any]:
    """An array of an archive. What its entry says of its size is checked before it is unpacked."""
    require_room(Need("path", f"the array {name} of {path.name}", bytes))
    try:
        with archive.open(f"{name}.npy") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError:
        raise InputError("path", f"the array {name} in {path.name} is too large") from None
    except Exception as error:
        said = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise InputError(
            "path", f"the array {name} in {path.name} cannot be read ({said})"
        ) from error


def _targets(path: Path, y: NDArray[Any]) -> Any:
    """Numbers, or text; true and false are text."""
    if y.dtype.kind == "b":
        return np.where(y, "true", "false")
    if y.dtype.kind == "U":
        return y
    return reals(f"path: targets in {path.name}", y)


# --- csv, tsv ------------------------------------------------------------------------------------

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@file_format("csv", ".csv")
def csv(path: Path, target: str | None, points: bool) -> Samples:
    """Numbers with commas between, below one line of names; the targets, which may be text, in the
    column ``target``, or else the last one.
    """
    return _table(path, target, points, ",")


@file_format("tsv", ".tsv")
def tsv(path: Path, target: str | None, points: bool) -> Samples:
    """The same with tabs between."""
    return _table(path, target, points, "\t")


def _table(path: Path, target: str | None, points: bool, separator: str) -> Samples:
    text = _text(path)
    numbers = text.count(separator) + text.count("\n")
    require_room(Need("path", f"{path.name} as a table", 8 * numbers))
    lines = csv_module.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        cells = next(filter(None, lines), [])  # below the empty lines
        names = _names(path, lines.line_num, cells, separator)
        column = _target_column(path, names, target, points)
        values, targets, places = _rows(path, lines, names, column, underscores="_" in text)
    except csv_module.Error as error:
        raise InputError("path", f"line {lines.line_num} of {path.name}: {error}") from None
    if not values:
        wrong = "targets and no features" if targets else "names and no samples"
        raise InputError("path", f"{path.name} holds {wrong}", "samples of numbers are needed")
    width = len(names) - (column is not None)
    # Column by column, for the sums over them are then the same as those over one.
    X = np.asfortranarray(np.frombuffer(values, dtype=np.float64).reshape(-1, width))
    good = np.isfinite(X).all(axis=1)
    y: Any = None
    if not points:
        try:
            y = np.array([_number(cell) for cell in targets])
            good &= np.isfinite(y)
        except ValueError:
            y = np.array(targets)
    if not good.all():
        where = f"line {places[int(np.argmin(good))]} of {path.name}"
        raise InputError(
            "path", f"{where} is nan or infinite", "give finite numbers, or leave it out"
        )
    return Samples(X, y)


def _text(path: Path) -> str:
    require_room(Need("path", f"{path.name} as a text", 2 * path.stat().st_size))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "path", f"{path.name}: byte {error.start} is not UTF-8", "save it as text in UTF-8"
        ) from None
    if "\0" in text:
        raise InputError("path", f"{path.name} holds bytes that are no text", "save it in UTF-8")
    if not text.strip():
        raise InputError("path", f"{path.name} is empty", "names and samples are needed")
    return text


def _names(path: Path, line: int, cells: list[str], separator: str) -> list[str]:
    """The names of the first line; InputError for anything that could be a line of samples, or
    leaves it open what a column is.
    """
    first = f"line {line} of {path.name}"
    names = [cell.strip() for cell in cells]
    for name in names:
        for other, word in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
            if other != separator and other in name:
                needed = {",": "commas", "\t": "tabs"}[separator]
                raise InputError("path", f"{first} has {word} in it", f"{needed} separate columns")
        if _is_number(name) or DECIMAL_COMMA.fullmatch(name):
            raise InputError(
                "path",
                f"{first} holds numbers, such as {written(name)}",
                "put names above: x1,x2,y",
            )
    for number, name in enumerate(names, start=1):
        if name and not re.fullmatch(r"Unnamed: \d+", name):
            continue
        hint = "name it, or drop it"
        if number == 1:
            hint = "drop it if it is an index (pandas: index=False), or name it"
        elif number == len(names):
            hint = "name it, or remove the comma at the end of the lines"
        raise InputError("path", f"column {number} of {path.name} has no name", hint)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError("path", f"{first} has the name {written(twice[0])} twice", "rename one")
    return names


def _target_column(path: Path, names: list[str], target: str | None, points: bool) -> int | None:
    if target is None:
        return None if points else len(names) - 1
    if target not in names:
        none = f"no column {written(target)} in {path.name}"
        raise InputError("target", none, f"it has {listed(names, 100)}")
    return names.index(target)


def _rows(
    path: Path, lines: Any, names: list[str], column: int | None, *, underscores: bool
) -> tuple["array[float]", list[str], "array[int]"]:
    """The features of all rows, one after the other, the targets as they are written, and the
    number of each row's line.
    """
    values, targets, places = array("d"), [], array("q")
    width = len(names)
    for cells in lines:
        if not cells:  # an empty line
            continue
        if len(cells) != width:
            found = f"line {lines.line_num} of {path.name} has {len(cells)} values"
            hint = ""
            if len(cells) > width:
                hint = "remove a comma at its end, or name every column"
            raise InputError("path", f"{found} for {width} names", hint)
        if column is not None:
            targets.append(cells.pop(column).strip())
            if not targets[-1]:
                raise _no_number(path, lines.line_num, names[column], "")
        try:
            values.extend(map(_number if underscores else float, cells))
        except ValueError:
            others = [name for k, name in enumerate(names) if k != column]
            bad = next(k for k, cell in enumerate(cells) if not _is_number(cell))
            raise _no_number(path, lines.line_num, others[bad], cells[bad]) from None
        places.append(lines.line_num)
    return values, targets, places


def _no_number(path: Path, line: int, name: str, cell: str) -> InputError:
    where = f"column {written(name)}, line {line} of {path.name}"
    hint = "give a number there, or leave the line out"
    if not cell.strip():
        return InputError("path", f"{where} is empty", hint)
    if DECIMAL_COMMA.fullmatch(cell.strip()):
        hint = "decimals follow a point"
    elif ";" in cell or "\t" in cell:
        hint = "columns are separated by commas (.csv) or tabs (.tsv)"
    return InputError("path", f"{where} is {written(cell)}, no number", hint)


def _number(cell: str) -> float:
    """A number as it is written; ValueError for 1_000, which Python takes for one."""
    if "_" in cell:
        raise ValueError
    return float(cell)


def _is_number(cell: str) -> bool:
    try:
        _number(cell)
    except ValueError:
        return False
    return True
