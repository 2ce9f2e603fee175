"""What a sweep finds of before: runs to take, cells that are damaged, inputs that have changed,
rows that will leave its tables.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dadao_sim.errors import InputError
from dadao_sim.files import check_digest
from dadao_sim.results.folder import (
    MANIFEST,
    UNFINISHED,
    check_places,
    file_of,
    is_empty,
    is_unfinished,
    manifest_of,
)
from dadao_sim.results.lock import check_unlocked
from dadao_sim.results.result import check_files, load_result
from dadao_sim.results.store import RunStore, identity_of
from dadao_sim.results.sweep import CELLS, CellResult, cell_name, cells_listed, grounds_in
from dadao_sim.scenario.sweep import Cell
from dadao_sim.simulation.identity import changed_input
from dadao_sim.simulation.kept import Kept
from dadao_sim.simulation.study import Study

Studied = tuple[Cell, Study]


class Found:
    """Results that lie in some folders, ``but`` one, by the digest of what their runs depend on."""

    def __init__(self, places: Iterable[Path], but: Path | None = None):
        self._by_ground: dict[str, list[Path]] = defaultdict(list)
        folders = dict.fromkeys(path.resolve() for path in _within(places))
        if but is not None:
            folders.pop(but.resolve(), None)
        for folder in folders:
            with suppress(OSError):  # of another user
                for place, ground in grounds_in(folder):
                    self.add(place, ground)

    def add(self, place: Path, ground: str) -> None:
        """One more, that has been made meanwhile."""
        self._by_ground[ground].append(place)

    def __bool__(self) -> bool:
        return bool(self._by_ground)

    def adopt(self, kept: Kept) -> Iterator[tuple[Path, int]]:
        """Let what is kept have the runs that were made before: from where, and how many. Of a
        damaged result those that come before the damage.
        """
        for folder in self._by_ground.get(kept.study.ground, ()):
            if not kept.todo:
                return
            had = len(kept.runs)
            with suppress(InputError):
                kept.adopt(load_result(folder))
            yield folder, len(kept.runs) - had


def without_results(folders: Iterable[Path]) -> list[Path]:
    """Those in which there is no result that a run could be taken from."""
    return [folder for folder in folders if not Found([folder])]


def _within(places: Iterable[Path]) -> Iterator[Path]:
    """The places, and the folders in them."""
    for place in places:
        yield place
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.is_dir())


def place_of(folder: Path, cell: Cell, study: Study) -> Path:
    """The folder of a cell."""
    return folder / CELLS / cell_name(cell.values, study.ground)


def damage(place: Path, study: Study, *, overwrite: bool) -> str:
    """Why the folder of a cell can neither be gone on with nor, to ``overwrite``, be replaced;
    empty where it can be, and where there is nothing. The tables of a result that is complete are
    not read: see `check_files`.
    """
    if not os.path.lexists(place):
        return ""
    if not place.is_dir():
        return "it is no folder"
    manifest, unfinished = manifest_of(place), is_unfinished(place)
    if manifest is None and not unfinished:
        return "" if is_empty(place) else f"{MANIFEST} is missing or damaged"
    try:
        check_places(place)
        if overwrite:
            return ""
        if manifest is not None:
            _, known = check_files(place)
            for state in known.final_states:
                check_digest(file_of(place, state.file), known.files.get(state.file))
            if manifest.get("ground") != study.ground:
                return f"{MANIFEST} is that of another scenario"
            if manifest.get("simulation") != study.identity:  # its runs will be read
                load_result(place)
        if unfinished:
            made = identity_of(place / UNFINISHED)
            if made not in (None, study.ground):
                return f"{UNFINISHED} are those of another scenario"
            if made is not None:
                RunStore(place / UNFINISHED, study.ground).finished()
    except InputError as error:
        return str(error)
    return ""


def set_aside(place: Path) -> Path:
    """Give the folder of a damaged cell another name, beside it: which. InputError where another
    process is at work in it.
    """
    if place.is_dir():
        check_unlocked(place)
    aside = aside_of(place)
    place.rename(aside)
    return aside


def is_aside(path: Path) -> bool:
    """Whether it is the folder of a cell that was set aside."""
    return re.search(r"\.damaged(-\d+)?$", path.name) is not None


def aside_of(place: Path) -> Path:
    """Where what is damaged goes: a name that is free."""
    aside, number = place.with_name(f"{place.name}.damaged"), 1
    while os.path.lexists(aside):
        number += 1
        aside = place.with_name(f"{place.name}.damaged-{number}")
    return aside


def check_inputs(folder: Path, cells: Iterable[Studied]) -> None:
    """InputError where a file that the cells read has changed since the sweep in a folder read
    it, as for a single result.
    """
    inputs = {name: content for _, study in cells for name, content in study.inputs.items()}
    for place in sorted((folder / CELLS).glob("*")) if inputs else ():
        if changed := changed_input(manifest_of(place) or {}, inputs):
            raise InputError(
                "folder",
                f"{folder} holds results whose {changed}",
                "resume with the same, choose another, or overwrite it",
            )


def leaving(folder: Path, cells: Iterable[Studied]) -> tuple[list[CellResult], int]:
    """The cells in the tables of a folder whose values are asked for no longer; and how many of the
    others are not those of before, and will be made anew.
    """
    listed = cells_listed(folder)
    asked = {place_of(folder, cell, study).name: cell.values for cell, study in cells if listed}
    gone = [cell for cell in listed if cell.folder.name not in asked]
    still = list(asked.values())
    left = [cell for cell in gone if cell.values not in still]
    return left, len(gone) - len(left)
