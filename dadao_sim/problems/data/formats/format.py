"""What a format of data files is."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError

Column = str | int
"""A column of a table: its name, or its number from 1."""


class Samples(NamedTuple):
    """Features X (N, p) and targets y (N,); y is None where points were asked for."""

    X: NDArray[np.float64]
    y: NDArray[np.float64] | None


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
