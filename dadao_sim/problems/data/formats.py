"""Formats of data files; one is a function with ``@file_format`` and nothing else."""

import itertools
import re
import zipfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError, within
from dadao_sim.given import reals
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.source import Samples
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
from dadao_sim.text.lines import listed, written

Column = str | int
"""A column of a table: its name, or its number from 1."""


class Asked(NamedTuple):
    """What is asked of a file beside its samples: the column or array of the targets, whether
    there are none (``points``), whether a table has a line of names, and the columns that are no
    features, None where nobody has looked for them.
    """

    target: Column | None = None
    points: bool = False
    header: bool = True
    leave_out: tuple[Column, ...] | None = None

    def of_a_table_only(self, format: str) -> None:
        """InputError for what files without columns cannot have."""
        for key, given in (("header", not self.header), ("leave_out", self.leave_out is not None)):
            if given:
                raise InputError(key, f"{format} files have no columns with names", "leave it out")


Reader = Callable[[Path, Asked], Samples]


class Format(NamedTuple):
    """How files of one ``name`` and of the ``endings`` are read. The targets may be text yet."""

    name: str
    endings: tuple[str, ...]
    read: Reader


FORMATS: dict[str, Format] = {}
"""By name."""


def file_format(name: str, *endings: str) -> Callable[[Reader], Reader]:
    """Decorate what reads a file of a format, whose name ends so where no format is said.

    It is given the path and what is asked: where points are wanted there are no targets, and only
    what is named is left out. InputErrors name the option at fault; any other exception means that
    the file is not of this format.
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
def svmlight(path: Path, asked: Asked) -> Samples:
    """Lines of a target and ``number:value`` pairs, the numbers increasing.

    A number is that of a feature, from 0 if the file has a feature 0, else from 1. Comments after #
    and ``qid:`` are passed over.
    """
    from sklearn.datasets import load_svmlight_file

    asked.of_a_table_only("svmlight")
    if asked.target is not None:
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
    return Samples(X.toarray(), None if asked.points else y)


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
def npz(path: Path, asked: Asked) -> Samples:
    """Features A or X (N, p) and targets b or y (N,), or those named ``target``."""
    asked.of_a_table_only("npz")
    target = asked.target
    if isinstance(target, int):
        raise InputError("target", f"{path.name} has no column {target}", "give the array's name")
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
        if asked.points:
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


class Chosen(NamedTuple):
    """Places of the columns, from 0: of the targets, or None, and of the features in order."""

    target: int | None
    features: list[int]


def chosen_columns(path: Path, names: list[str], asked: Asked) -> Chosen:
    """Which columns are what; InputError for one that is not there, or is asked for twice."""
    left_out = [_place(path, names, column, "leave_out") for column in asked.leave_out or ()]
    target = None
    if asked.target is not None:
        target = _place(path, names, asked.target, "target")
        if target in left_out:
            wrong = f"{written(asked.target)} is the target of {path.name}"
            raise InputError("leave_out", wrong, "leave out something else")
    rest = [k for k in range(len(names)) if k != target and k not in left_out]
    if asked.target is None and not asked.points and rest:
        target = rest.pop()
    return Chosen(target, rest)


def _place(path: Path, names: list[str], column: Column, option: str) -> int:
    if isinstance(column, int) and 1 <= column <= len(names):
        return column - 1
    if isinstance(column, str) and column in names:
        return names.index(column)
    none = f"no column {written(column)} in {path.name}"
    if isinstance(column, int):
        raise InputError(option, none, f"it has columns 1 to {len(names)}")
    raise InputError(option, none, f"it has {listed(names, 100)}")


FEWEST_COUNTED = 3
"""Rows from which 0, 1, 2, ... in a first column are taken for an index."""


def refuse_a_count(
    path: Path, X: NDArray[Any], names: list[str], chosen: Chosen, asked: Asked
) -> None:
    """InputError where the first column counts the rows from 0 or 1 and nothing says what it is."""
    if asked.leave_out is not None or len(chosen.features) < 2 or chosen.features[0] != 0:
        return
    first = X[:, 0]
    if len(first) < FEWEST_COUNTED or first[0] not in (0.0, 1.0):
        return
    if np.array_equal(first, first[0] + np.arange(len(first))):
        raise InputError(
            "leave_out",
            f"column {written(names[0])} of {path.name} counts the rows from {first[0]:g}",
            "say leave_out: [1] if it is an index, leave_out: [] if it is a feature",
        )


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


# --- parquet -------------------------------------------------------------------------------------


@file_format("parquet", ".parquet")
def parquet(path: Path, asked: Asked) -> Samples:
    """Columns of numbers, or of true and false; the targets, which may be text, in the column
    ``target``, or else the last one. What pandas wrote as the index is no column.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    if not asked.header:
        raise InputError("header", "parquet files have names of their own", "leave it out")
    with path.open("rb") as opened, ParquetFile(opened) as file:
        schema = file.schema_arrow
        kept = (schema.pandas_metadata or {}).get("index_columns", [])
        indices = [name for name in kept if isinstance(name, str)]
        names = [name for name in schema.names if name not in indices]
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            wrong = f"{path.name} has the name {written(twice[0])} twice"
            raise InputError("path", wrong, "rename one")
        chosen = chosen_columns(path, names, asked)
        if not chosen.features or file.metadata.num_rows == 0:
            wrong = "no samples" if chosen.features else "no features"
            raise InputError("path", f"{path.name} holds {wrong}", "samples of numbers are needed")
        size = 16 * file.metadata.num_rows * len(names)
        require_room(Need("path", f"{path.name} as a table", size))
        wanted = [names[k] for k in (*chosen.features, chosen.target) if k is not None]
        try:
            table = file.read(columns=wanted)
        except pyarrow.ArrowException as error:
            said = str(error).splitlines()[0][:80]
            raise InputError("path", f"{path.name} cannot be read ({said})") from error
    X = np.empty((table.num_rows, len(chosen.features)), order="F")
    for k, place in enumerate(chosen.features):
        column = _column(path, names[place], table[names[place]])
        if column.dtype.kind not in "biuf":
            what = "text" if column.dtype.kind == "U" else f"{column.dtype} values"
            wrong = f"column {written(names[place])} of {path.name} holds {what}, no numbers"
            raise InputError("path", wrong, f"say leave_out: [{written(names[place])}]")
        X[:, k] = reals(f"path: column {written(names[place])} of {path.name}", column, truths=True)
    refuse_a_count(path, X, names, chosen, asked)
    if chosen.target is None:
        return Samples(X, None)
    name = names[chosen.target]
    return Samples(X, _targets(path, _column(path, name, table[name])))


def _column(path: Path, name: str, values: Any) -> NDArray[Any]:
    """A column of Arrow as numbers, true and false, or text; InputError where one is missing."""
    import pyarrow

    if values.null_count:
        row = values.is_null().to_pylist().index(True)
        wrong = f"column {written(name)}, sample {row} (from 0) of {path.name} is missing"
        raise InputError("path", wrong, "give a value there, or leave the sample out")
    kind = values.type
    if pyarrow.types.is_dictionary(kind):  # categories of pandas
        values, kind = values.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return np.array(values.to_pylist(), dtype=str)
    numbers = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
    if numbers or pyarrow.types.is_boolean(kind):
        return values.to_numpy()
    raise InputError(
        "path",
        f"column {written(name)} of {path.name} holds {kind} values",
        f"numbers are needed; say leave_out: [{written(name)}] if it is no feature",
    )
