"""The state of one run as a NumPy archive: the same bytes for the same arrays, read when asked."""

import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, unreadable

# What zipfile and numpy raise for files that are cut short or overwritten.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile)


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
        return set(StoredState(path)) == set(names)
    except InputError:
        return False


class StoredState(Mapping[str, NDArray[np.float64]]):
    """The blocks of a state on disk; each is read at each access, so opening costs nothing.

    Args:
        path: a file of `write_state`.

    Raises:
        InputError: the file is missing, truncated or no archive (tested when made).

    """

    def __init__(self, path: Path):
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = tuple(name.removesuffix(".npy") for name in archive.namelist())
        except _DAMAGE as error:
            raise unreadable(path, error) from error

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._names:
            raise KeyError(name)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        except _DAMAGE as error:
            raise unreadable(self.path, error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
