"""A result's folder: what may be written into it, and how a new result takes an old one's place.

    manifest.json, ...    the result; without a manifest there is none
    unfinished_runs/      what is finished of a simulation that is not
    .dadao-sim.new/       a new result that is being written. As soon as it has a manifest it is the
                          one that counts, and moves to its place, the manifest last; each of its
                          files counts where it is (`file_of`)
    .dadao-sim.lock       who is at work
    .dadao-sim-*          what is being written, or removed

At whatever moment a process is killed, the folder holds the old result, the new one, or finished
runs to go on from; what else it left, the next one at work there removes (`tidy`). A user's own
files are not touched.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dadao_sim.errors import InputError
from dadao_sim.files import (
    HIDDEN,
    atomic_write,
    check_folder_of,
    identities,
    is_signed,
    put_in_place,
    read_json,
)
from dadao_sim.results.lock import check_unlocked

MANIFEST = "manifest.json"
LOG = "events.npz"  # of a live run: what its processes left
UNFINISHED = "unfinished_runs"
NEW = f"{HIDDEN}.new"
RESULT_FILES = (
    *(MANIFEST, "timing.json", "curves.parquet", "runs.csv", "summary.csv", "summary.tex", LOG),
)
RESULT_FOLDERS = ("final_states", "figures", UNFINISHED)
_OF_A_RESULT = {"scenario", "final_states"}  # in every manifest of ours


def files_read(folder: Path) -> list[Path]:
    """The files and folders of a result that are read where it is loaded."""
    return [folder / name for name in (*RESULT_FILES, "final_states")]


def file_of(folder: Path, name: str) -> Path:
    """Where a file of the result in a folder is: still among the new ones, or in its place."""
    new = folder / NEW
    return new / name if (new / MANIFEST).is_file() and (new / name).is_file() else folder / name


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of the result in a folder; None where there is no result of ours."""
    place = file_of(folder, MANIFEST)
    if not place.is_file():  # a pipe would be waited for
        return None
    try:
        manifest = read_json(place)
    except InputError:
        return None
    return manifest if set(manifest) >= _OF_A_RESULT else None


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a result of ours that is not one of an interrupted simulation."""
    manifest = manifest_of(folder)
    return manifest is not None and not manifest.get("interrupted")


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds a simulation of ours that is not finished, if only its beginning."""
    runs = folder / UNFINISHED
    return runs.is_dir() and ((runs / "simulation").is_file() or is_empty(runs))


def check_folder(
    folder: Path, *, resume: bool, overwrite: bool, inputs: Iterable[str | Path] = ()
) -> None:
    """Whether a simulation may write its result to a folder; nothing in it is changed.

    Raises InputError for a folder in which another process is at work; that cannot be written; that
    holds something, unless told what to do with it; or in which one of the ``inputs`` is in the
    place of what will be written.
    """
    check_folder_of(folder / MANIFEST)
    check_unlocked(folder)
    check_content(folder, resume=resume, overwrite=overwrite)
    places = [folder / name for name in (*RESULT_FILES, *RESULT_FOLDERS)]
    for path in inputs:
        if set(identities([path])) & set(identities(places)):
            raise InputError("folder", f"{path} is read, and would be replaced", "choose another")


def check_content(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """InputError for a folder that holds something, unless told what to do with it."""
    if not os.path.lexists(folder) or (is_empty(folder) and manifest_of(folder) is None):
        return
    ours = is_unfinished(folder) or manifest_of(folder) is not None
    if not ours and resume:
        raise InputError("folder", f"there is nothing to resume in {folder}: it is not ours")
    if not ours and overwrite:
        raise InputError("folder", f"{folder} exists and is no result of ours", "choose another")
    if not (resume or overwrite):
        raise InputError("folder", f"{folder} exists", "choose another, or resume or overwrite it")
    check_places(folder)


def check_places(folder: Path) -> None:
    """InputError where something else is in the place of a file or folder of a result."""
    for name in RESULT_FILES:
        if (folder / name).exists() and not (folder / name).is_file():
            raise InputError("folder", f"{folder / name} is no regular file", "choose another")
    for name in RESULT_FOLDERS:
        if (folder / name).exists() and not (folder / name).is_dir():
            raise InputError("folder", f"{folder / name} is no folder", "choose another")
    if (folder / UNFINISHED).is_dir() and not is_unfinished(folder):
        raise InputError("folder", f"{folder / UNFINISHED} holds other files", "choose another")


def take_place(folder: Path) -> None:
    """Put a new result that is whole in the place of the old one.

    Broken off, it goes on where it was: the new manifest moves last. Of the old result go the
    states, and the log, that the new one has not, and, if it has a folder for figures, the figures
    drawn of it.
    """
    new = folder / NEW
    for name in _own_files(folder / MANIFEST) - _own_files(new / MANIFEST):
        (folder / name).unlink(missing_ok=True)
    if (new / "figures").is_dir():
        for path in (folder / "figures").glob("*"):
            if path.is_file() and is_signed(path):
                path.unlink()
    for path in sorted(new.rglob("*"), key=lambda path: path.name == MANIFEST):
        if path.is_file():
            _move(path, folder / path.relative_to(new))
    shutil.rmtree(new)


def discard(path: Path) -> None:
    """Remove a folder within a result's: first, in one step, from what counts."""
    if path.exists():
        old = path.with_name(f"{HIDDEN}-{uuid.uuid4().hex}.old")
        os.replace(path, old)
        _remove(old)


def tidy(folder: Path) -> None:
    """Finish or remove what a killed process left. To be called by who holds the lock."""
    if (folder / NEW / MANIFEST).is_file():
        take_place(folder)
    elif (folder / NEW).exists():
        shutil.rmtree(folder / NEW)
    for place in (folder, *(folder / name for name in RESULT_FOLDERS)):
        for path in place.glob(f"{HIDDEN}-*"):
            _remove(path)


def _move(source: Path, place: Path) -> None:
    """Move a new file to its place, or to where a link there leads."""
    target = Path(os.path.realpath(place))
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        put_in_place(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        atomic_write(target, source.read_bytes())  # on another disk
        source.unlink()


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder; what cannot be removed stays, hidden."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _own_files(manifest: Path) -> set[str]:
    """The files of states that a manifest lists, and the log of a live run: not every result has
    those.
    """
    with suppress(InputError, KeyError, TypeError):
        said = read_json(manifest) if manifest.is_file() else {"final_states": []}
        names = {Path(row["file"]) for row in said["final_states"]}
        states = {str(name) for name in names if name.parent == Path("final_states")}
        return states | ({LOG} if said.get("live") else set())
    return set()


def is_empty(folder: Path) -> bool:
    """Whether there is nothing in a folder but what we put there for a while."""
    return folder.is_dir() and all(path.name.startswith(HIDDEN) for path in folder.iterdir())
