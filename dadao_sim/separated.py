"""Tables as text: values with commas or tabs between, below a line of names.

The rules of every such file that is read: UTF-8, quotes as in RFC 4180, lines of equal length,
names that are no numbers and differ, numbers with a point. An InputError says which file, line and
column, what is wrong there, and what would be right; whose file it is, who calls adds.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dadao_sim.errors import InputError
from dadao_sim.text.lines import written

WORDS = {";": "semicolons", "\t": "tabs", ",": "commas"}
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")
MISSING = ("", "na", "n/a", "null", "none", "?")
"""What stands for a number that is not there."""


def text_of(path: Path) -> str:
    """The text of a file. InputError for what is none, or nothing."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = f"{path.name}: byte {error.start} is not UTF-8"
        raise InputError(f"{wrong}; save it as text in UTF-8") from None
    if "\0" in text:
        raise InputError(f"{path.name} holds bytes that are no text; save it in UTF-8")
    if not text.strip():
        raise InputError(f"{path.name} is empty; a line of names and rows below are needed")
    return text


def lines_of(path: Path, text: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The cells of every line that is not empty, as they are written, with the line's number."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {path.name}: {error}") from None


def refuse_other_separators(path: Path, line: int, cells: Sequence[str], separator: str) -> None:
    """InputError where something else seems to stand between the values of a line."""
    for cell in cells:
        for other, word in WORDS.items():
            if other != separator and other in cell:
                needed = f"{WORDS[separator]} separate columns"
                raise InputError(f"line {line} of {path.name} has {word} in it; {needed}")


def names_of(
    path: Path, line: int, cells: Sequence[str], separator: str = ",", *, hint: str = ""
) -> list[str]:
    """The names in a line. InputError for what could be a row of values (then ``hint`` is one more
    way out), and for one name twice; a column without a name has "".
    """
    names = [cell.strip() for cell in cells]
    for name in names:
        refuse_other_separators(path, line, [name], separator)
        if is_number(name) or DECIMAL_COMMA.fullmatch(name):
            wrong = f"line {line} of {path.name} holds numbers, such as {written(name)}"
            raise InputError(f"{wrong}; {hint}put names above: x1,x2,y")
    twice = [name for name, count in Counter(names).items() if name and count > 1]
    if twice:
        wrong = f"line {line} of {path.name} has the name {written(twice[0])} twice"
        raise InputError(f"{wrong}; rename one")
    return names


def check_width(path: Path, line: int, cells: Sequence[str], width: int) -> None:
    """InputError for a line with more or fewer values than there are names."""
    if len(cells) != width:
        wrong = f"line {line} of {path.name} has {len(cells)} values for {width} names"
        hint = "; remove a comma at its end, or name every column" if len(cells) > width else ""
        raise InputError(wrong + hint)


def number(cell: str) -> float:
    """A number as it is written; ValueError for 1_000, which Python takes for one."""
    if "_" in cell:
        raise ValueError
    return float(cell)


def is_number(cell: str) -> bool:
    """Whether a cell holds one."""
    try:
        number(cell)
    except ValueError:
        return False
    return True


def no_number(path: Path, line: int, column: str, cell: str, right: str) -> InputError:
    """The error for a cell that should be a number; ``right`` unless the cell itself shows what."""
    where = f"column {written(column)}, line {line} of {path.name}"
    if not cell.strip():
        return InputError(f"{where} is empty; {right}")
    if THOUSANDS.fullmatch(cell.strip()):
        right = "write thousands without commas; decimals follow a point"
    elif DECIMAL_COMMA.fullmatch(cell.strip()):
        right = "decimals follow a point"
    elif ";" in cell or "\t" in cell:
        right = "columns are separated by commas (.csv) or tabs (.tsv)"
    return InputError(f"{where} is {written(cell)}, no number; {right}")
