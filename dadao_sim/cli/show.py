"""How commands speak: remarks, tables, and the table of costs that several of them end in.

With ``--json`` all of it is one document at the end instead; with ``--quiet`` there are tables
only; a table is as wide as the terminal, and in a pipe as wide as it is.
"""

import json
import math
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dadao_sim.text.labels import printed_name
from dadao_sim.text.lines import printable

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console

GAP = 2
"""Blanks between two columns; no cell has as many in a row."""
WORDS = (24, 16, 8, 4)
"""Characters of a word that is not broken; fewer where there is less room."""
NUMBER = re.compile(r"-?[\d,]+(\.\d*)?(e[-+]?\d+)?")
_quiet = False
_document: dict[str, Any] | None = None
_is_given = False


@contextmanager
def speaking(as_json: bool, quiet: bool) -> Iterator[None]:
    """Let what is said inside be one JSON document, printed at the end, or be tables only.

    Nothing is printed as JSON where the command fails.
    """
    global _quiet, _document, _is_given
    before = _quiet, _document, _is_given
    _quiet, _document, _is_given = quiet or as_json, {} if as_json else None, False
    try:
        yield
        finish()
    finally:
        _quiet, _document, _is_given = before


def finish() -> None:
    """Print the JSON document, if there is one: at the end, and before an exit with a code."""
    if _document is not None:
        print(json.dumps(plain(_document), indent=2))


def give(document: Mapping[str, Any]) -> None:
    """Let this be the whole JSON document, whatever else is said."""
    global _document, _is_given
    if _document is not None:
        _document, _is_given = dict(document), True


def collect(**parts: Any) -> None:
    """Put these into the JSON document; lists are added to what is there."""
    if _document is None or _is_given:
        return
    for name, part in parts.items():
        _document[name] = _document.get(name, []) + part if isinstance(part, list) else part


def plain(value: Any) -> Any:
    """``value`` as JSON has it: what is no finite number is null."""
    if hasattr(value, "tolist"):  # numpy's
        value = value.tolist()
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): plain(part) for key, part in value.items()}
        case list() | tuple():
            return [plain(part) for part in value]
        case None | bool() | int():
            return value
    return str(value)


def console() -> "Console":
    """Where remarks and bars are printed; as wide as the terminal, if it is one."""
    return _console(sys.stdout, _quiet)


@lru_cache(maxsize=2)
def _console(stream: Any, quiet: bool) -> "Console":
    from rich.console import Console

    width = None if stream.isatty() else 110
    # What is printed was written by others as a rule: "[b]" and ":100:" are text.
    return Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        width=width,
        quiet=quiet,
    )


def encodable(text: str) -> str:
    """A text as standard output can show it: what has no character there is a number."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def say(text: str, **parts: Any) -> None:
    """One line for the user, whatever names are in it; ``parts`` are what it says, for JSON."""
    collect(said=[text], **parts)
    console().print(encodable(text))


def say_plainly(text: str) -> None:
    """A line that was asked for, which is no remark: not in JSON, but with --quiet."""
    if _document is None:
        print(text)


def print_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: int = 1,
    name: str = "table",
    records: Iterable[Mapping[Any, Any]] | None = None,
) -> None:
    """A table whose first ``words`` columns are words, and the others numbers, at the right.

    In JSON it is the list ``name``, of ``records`` or else of what stands in the cells. On a
    terminal columns that have no room come below, with the words again, and a column of names
    becomes a line of them; in a pipe there are two blanks or more between columns, and numbers
    without commas.
    """
    rows, words = [list(row) for row in rows], min(words, len(titles))
    if records is None:
        records = [_record(titles, row, words) for row in rows]
    collect(**{name: [dict(record) for record in records]})
    if _document is not None:
        return
    cells = [[encodable(cell) for cell in row] for row in (titles, *rows)]
    if sys.stdout.isatty() and len(titles) == 1:
        print(textwrap.fill(", ".join(cell for (cell,) in cells[1:]), console().width))
    elif sys.stdout.isatty():
        _print_fitting(cells, words)
    else:
        for line in _plain_lines(cells, words):
            print(line)


def _record(titles: Sequence[str], row: Sequence[str], words: int) -> dict[str, Any]:
    """What stands in a row: numbers, text, and null where there is a dash."""
    found: dict[str, Any] = {}
    for k, (title, cell) in enumerate(zip(titles, row, strict=True)):
        number = cell.replace(",", "")
        value: Any = None if cell in ("", "-") else cell
        if k >= words and NUMBER.fullmatch(cell):
            value = int(number) if re.fullmatch(r"-?\d+", number) else float(number)
        found[key_of(title)] = value
    return found


def key_of(title: str) -> str:
    """How a column of that title is called in JSON."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _plain_lines(cells: list[list[str]], words: int) -> Iterator[str]:
    """A line for each row, whatever its length."""
    from rich.cells import cell_len

    columns = []
    for k, column in enumerate(zip(*cells, strict=True)):
        texts = [re.sub(r" {2,}", " ", cell.strip()) or "-" for cell in column]
        if k >= words:
            texts = [t.replace(",", "") if NUMBER.fullmatch(t) else t for t in texts]
        room = max(map(cell_len, texts))
        blanks = [" " * (room - cell_len(text)) for text in texts]
        pairs = zip(texts, blanks, strict=True)
        columns.append([b + t if k >= words else t + b for t, b in pairs])
    for row in zip(*columns, strict=True):
        yield (" " * GAP).join(row).rstrip()


def _print_fitting(cells: list[list[str]], words: int) -> None:
    """The table in the width of the terminal, in several parts if need be."""
    from rich.console import Console
    from rich.table import Table

    output = Console(markup=False, emoji=False, highlight=False, file=sys.stdout)
    room = output.width
    widths = _widths(cells, words, room)
    for number, part in enumerate(_parts(widths, words, room)):
        if number:
            output.print()
        output.width = max(room, _width(widths, part))
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for k in part:
            justify: Any = "left" if k < words else "right"
            table.add_column(cells[0][k], justify=justify, width=widths[k], overflow="fold")
        for row in cells[1:]:
            table.add_row(*(row[k] for k in part))
        output.print(table)


def _widths(cells: list[list[str]], words: int, room: int) -> list[int]:
    """Of every column: numbers are not broken; words are where that saves a part of the table."""
    from rich.cells import cell_len

    columns = list(zip(*cells, strict=True))
    longest = [
        max(cell_len(w) for cell in column for w in cell.split() or [""]) for column in columns
    ]
    whole = [max(map(cell_len, column)) for column in columns]
    for k, (_, *column) in enumerate(columns[words:], words):
        numbers = [cell for cell in column if any(map(str.isdigit, cell))]
        whole[k] = max(longest[k], *map(cell_len, numbers), 0)
    for most in WORDS:
        least = [min(most, longest[k]) if k < words else w for k, w in enumerate(whole)]
        if not _is_wide(least, words, room):
            break
    fewest = len(_parts(least, words, room))
    while len(_parts(whole, words, room)) > fewest or _is_wide(whole, words, room):
        widest = max(range(words), key=lambda k: whole[k] - least[k])
        if whole[widest] <= least[widest]:
            break
        whole[widest] -= 1
    return whole


def _is_wide(widths: list[int], words: int, room: int) -> bool:
    return any(_width(widths, part) > room for part in _parts(widths, words, room))


def _width(widths: list[int], part: list[int]) -> int:
    return sum(widths[k] + GAP for k in part) - GAP


def _parts(widths: list[int], words: int, room: int) -> list[list[int]]:
    """The columns of each part, which is no wider than the terminal if it need not be."""
    first = list(range(words))
    parts, part = [], list(first)
    for k in range(words, len(widths)):
        if len(part) > words and _width(widths, [*part, k]) > room:
            parts.append(part)
            part = list(first)
        part.append(k)
    return [*parts, part]


def print_costs(summary: "DataFrame", titles: Mapping[str, str], by: Sequence[str] = ()) -> None:
    """The cost to each accuracy, as medians over the repeats; summary.csv has the ranges.

    ``summary`` is one of ``summarise``, with the columns ``by`` beside them; ``titles`` are those
    of its methods.
    """
    from dadao_sim.results.axes import AXES
    from dadao_sim.results.summary import cost_text, quantities_of

    def median(row: Mapping[Any, Any], name: str) -> str:
        number = "{:,.0f}".format if AXES[name].whole else _three_digits
        return cost_text(row[f"{name}_median"], number)

    quantities = quantities_of(summary)
    words = (*by, "algorithm")
    rows = []
    for row in summary.to_dict("records"):
        label, method = row["algorithm"], row["method"]
        cells = [str(row[name]) for name in by]
        flags = row["experimental"], row["constants"]
        cells.append(printed_name(label, method, titles[method], *flags))
        tried = not math.isnan(row[f"{quantities[0]}_median"])
        reached = f"{row['reached']}/{row['repeats']}" if tried else "-"
        cells += [accuracy_text(row["accuracy"]), reached]
        rows.append([*cells, *(median(row, name) for name in quantities)])
    heads = (*words, "accuracy", "reached", *quantities)
    print_table(heads, rows, words=len(words), name="costs", records=summary.to_dict("records"))


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:.3g}"


def accuracy_text(accuracy: float) -> str:
    """1e-02; in more digits where one is not the number itself."""
    short = f"{accuracy:.0e}"
    return short if float(short) == accuracy else f"{accuracy:g}"
