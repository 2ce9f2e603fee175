"""NumPy archives: the state of a run, and trained numbers; the same bytes for the same arrays, read
when asked.
"""

import json
import math
import os
import re
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.files import as_path, atomic_write, check_digest, unreadable


def write_state(path: Path, blocks: Mapping[str, NDArray[np.float64]]) -> None:
    """Write the named blocks, each (n, d), to a .npz file, atomically and reproducibly.

    This is the layout of `numpy.savez` (and `numpy.load` reads it), with the date of the entries
    fixed and with any block name allowed, also those that are arguments of `savez`.
    """

    def write(handle: BinaryIO) -> None:
        with zipfile.ZipFile(handle, "w", allowZip64=True) as archive:
            for name, block in blocks.items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                with archive.open(entry, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(block), allow_pickle=False)

    atomic_write(path, write)


def holds(path: Path, names: Collection[str]) -> bool:
    """Whether a file is an archive of exactly these arrays."""
    try:
        return set(Stored(path)) == set(names)
    except InputError:
        return False


class Stored(Mapping[str, NDArray[Any]]):
    """The arrays of a .npz file of NumPy's, read at each access: opening reads their headers only.

    ``shapes`` and ``types`` are known before anything is read. No pickle is ever opened, and an
    array is only made where the file holds as many bytes: what is compressed is refused, whose size
    is whatever it says.

    Raises:
        InputError: the file is missing, truncated or no archive (tested when made).

    """

    def __init__(self, path: Path):
        self.path = path
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, np.dtype[Any]] = {}
        with self._damage_told(), zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    self._note(entry, file)

    def _note(self, entry: zipfile.ZipInfo, file: Any) -> None:
        name = entry.filename.removesuffix(".npy")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise InputError(f"{self.path} cannot be read: {name} is compressed; use numpy.savez")
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise InputError(f"{self.path} cannot be read: {name} holds objects, not numbers")
        if math.prod(shape) * dtype.itemsize != entry.file_size - file.tell():
            raise ValueError(f"{name} says that its shape is {shape}")
        if name in self.shapes or min(shape, default=0) < 0:
            raise ValueError(f"{name} is there twice")
        self.shapes[name], self.types[name] = shape, dtype

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy and Python warn of some damage
                yield
        except InputError:
            raise
        except Exception as error:  # a damaged archive raises almost anything
            raise unreadable(self.path, error) from error

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self.shapes:
            raise KeyError(name)
        with (
            self._damage_told(),
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{name}.npy") as file,
        ):
            return np.lib.format.read_array(file, allow_pickle=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


class StoredState(Stored):
    """The blocks (n, d) of a state, a file of `write_state`; see :class:`Stored`.

    Args:
        path: the file.
        digest: its SHA-256, compared before its first block is read; None: not known.

    Raises:
        InputError: also where a block is not one of numbers per node and dimension.

    """

    def __init__(self, path: Path, digest: str | None = None):
        super().__init__(path)
        self._digest = digest
        for name, shape in self.shapes.items():
            if len(shape) != 2 or self.types[name] != np.float64:
                raise InputError(
                    f"{path} cannot be read: {name} is an array {shape} of {self.types[name]}, "
                    "where numbers (nodes, dimension) are needed"
                )

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        check_digest(self.path, self._digest)
        self._digest = None
        return super().__getitem__(name)


METADATA = "metadata"
"""The name of the array, a text, that says how trained numbers came about."""


@dataclass(frozen=True)
class TrainedFiles:
    """Files of trained numbers of one sort, some of which come with the package.

    ``key`` is what their argument is called, ``what`` they are, ``folder`` holds those that are
    shipped, and ``command`` makes others.
    """

    key: str
    what: str
    folder: Path
    command: str

    def names(self) -> list[str]:
        """Of those that come with the package."""
        return sorted(path.stem for path in self.folder.glob("*.npz"))

    def path_of(self, name: str | Path) -> Path:
        """Where a shipped file is, by its name; else the path. InputError for unknown names."""
        path = as_path(self.key, name)
        if not is_bare(str(name)):  # asked of the text: a path has lost the slash at its end
            return path
        if str(name) not in (names := self.names()):
            raise InputError(
                self.key,
                f"unknown {self.key} {str(name)!r} (shipped: {', '.join(names)})",
                "for your own give the path of the .npz file",
            )
        return self.folder / f"{name}.npz"

    def opened(self, name: str | Path) -> tuple[Path, Stored, dict[str, Any]]:
        """Its path, its arrays and its metadata, whose ``format`` is there or None.

        InputError for an unknown name, and for what is no such file.
        """
        path = self.path_of(name)
        if not os.path.exists(path):  # that of a Path raises, where a name is too long
            raise self.refused(path, "there is no such file")
        if not os.path.isfile(path):  # a pipe would be waited for
            raise self.refused(path, "it is no file")
        try:
            stored = Stored(path)
            metadata = {"format": None, **json.loads(str(stored[METADATA]))}
        except Exception as error:  # the archive, its text, and what the text says
            raise self.damaged(path) from error
        if not isinstance(metadata["format"], str | None):
            raise self.damaged(path)
        return path, stored, metadata

    def refused(self, path: Path, reason: str) -> InputError:
        """What is wrong with a file."""
        return InputError(self.key, f"{path}: {reason}", f"make one with `{self.command}`")

    def damaged(self, path: Path) -> InputError:
        """Of one that cannot be read."""
        return self.refused(path, f"not {self.what}, or damaged")

    def check_format(self, path: Path, metadata: Mapping[str, Any], wanted: str) -> None:
        """InputError for a file of another sort."""
        if metadata["format"] != wanted:
            raise self.refused(path, f"format {str(metadata['format'])[:60]!r} is not {wanted!r}")

    def check_names(self, path: Path, stored: Collection[str], names: Collection[str]) -> None:
        """InputError for arrays that nobody would read."""
        for name in stored:
            if name not in names and name != METADATA:
                raise self.refused(path, f"{name[:60]} is none of its arrays ({', '.join(names)})")


def is_bare(name: str) -> bool:
    """Whether it is the name of what is shipped, a word with hyphens; else it is a path."""
    return re.fullmatch(r"[\w-]+", name) is not None
