"""From a sweep to its folder: every cell as `simulate` plays it, side by side."""

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import dadao_sim
from dadao_sim.errors import InputError, within
from dadao_sim.files import as_path, check_folder_of
from dadao_sim.memory import NoRoom
from dadao_sim.results.folder import discard, is_empty, is_whole, manifest_of, tidy
from dadao_sim.results.lock import FolderLock, check_unlocked
from dadao_sim.results.result import FinishedRun, RunKey
from dadao_sim.results.sweep import (
    CELLS,
    SWEEP_FILE,
    Account,
    CellResult,
    SweepResult,
    begin_sweep,
    is_sweep,
    load_sweep,
    write_sweep,
)
from dadao_sim.scenario.model import Scenario
from dadao_sim.scenario.reading import load_file, sweep_from_mapping
from dadao_sim.scenario.sweep import Cell, Sweep
from dadao_sim.simulation.earlier import (
    Found,
    check_inputs,
    damage,
    is_aside,
    leaving,
    place_of,
    set_aside,
)
from dadao_sim.simulation.estimate import Estimate
from dadao_sim.simulation.identity import source_digest
from dadao_sim.simulation.interrupts import Interrupts
from dadao_sim.simulation.kept import Kept
from dadao_sim.simulation.one_run import run_plan
from dadao_sim.simulation.progress import Progress
from dadao_sim.simulation.simulate import packed, run_elsewhere
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.threads import AUTO, Threads, threads_of
from dadao_sim.simulation.workers import Others, Task, elsewhere
from dadao_sim.strict import files_named

PATIENCE = 10.0  # seconds that an estimate may take
Tick: TypeAlias = Callable[[Cell, RunKey, float, float], None]


def sweep(
    scenario: Sweep | Mapping[str, Any] | str | Path,
    *,
    out: str | Path,
    jobs: int = 1,
    threads: Threads = AUTO,
    others: Others | None = None,
    resume: bool = False,
    overwrite: bool = False,
    reuse: Iterable[str | Path] = (),
    progress: bool = False,
    tick: Tick | None = None,
) -> SweepResult:
    """Run every cell of a sweep.

    Cells are kept by their content: a run that was made in a result or a sweep beside ``out``, or
    in one of the folders ``reuse``, is taken from there. With ``resume`` what is in ``out`` is gone
    on with: values, repeats and algorithms that have been added are run, and nothing else. However
    it ends, and whenever it is killed, no finished run is lost. ``jobs`` processes run at once, or
    those of ``others``, such as a cluster, with ``threads`` as in `simulate`; they change no byte.

    A cell that cannot be run, or fails, is one that failed, in the tables, and the others go on.
    The folder of one that is damaged is set aside, as NAME.damaged, and made again; ``account`` of
    the result says so, and where the runs came from.
    ``progress`` shows a bar, and ``tick(cell, (label, repeat), share, accuracy)`` hears, as that of
    `simulate`.

    Raises InputError for anything but a sweep; for a folder that holds something else; and, before
    the first run, for what is no scenario, for a cell that the memory is too small for, and for a
    file that has changed since the results in ``out`` read it.
    """
    grid = _as_sweep(scenario)
    folder = as_path("out", out)
    if not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} given; a whole number of at least 1 is needed")
    each = threads_of(threads, jobs if others is None else sys.maxsize)
    if resume and overwrite:
        raise InputError("resume and overwrite exclude each other")
    others_of = _folders("reuse", reuse)
    if overwrite and folder.resolve() in [other.resolve() for other in others_of]:
        raise InputError("reuse", f"{folder} is to be overwritten", "leave one of the two out")
    check_sweep_folder(folder, resume=resume, overwrite=overwrite)
    _require_room(((one.cell, one.study) for one in remaining(grid, folder, overwrite)), jobs)
    with FolderLock(folder):
        tidy(folder)
        begin_sweep(folder, grid.name, grid.keys)
        if others is None and jobs > 1:
            others = partial(elsewhere, jobs=jobs)
        found = Found(others_of, but=folder) if overwrite else Found([folder.parent, *others_of])
        runs = sum(len(cell.scenario.algorithms) * cell.scenario.repeats for cell in grid.cells)
        with Progress(grid.name, runs) if progress else nullcontext() as bar:
            ticks = [] if tick is None else [tick]
            ticks += [] if bar is None else [bar.tick_of_cell]
            playing = _Playing(grid, folder, found, each, overwrite=overwrite, ticks=ticks)
            cells = playing.play(others)
        said = {
            "scenario": grid.text,
            "folder": _folder_of(grid),
            "versions": {"dadao_sim": dadao_sim.__version__, "source": source_digest()},
        }
        write_sweep(folder, grid.name, grid.keys, cells, said)
        if overwrite:
            kept = {cell.folder for cell in cells}
            for path in sorted((folder / CELLS).glob("*")):
                if path in kept or is_aside(path) or manifest_of(path) is None:
                    continue
                check_unlocked(path)
                discard(path)
    return replace(load_sweep(folder), account=playing.account)


@dataclass(frozen=True)
class Remaining:
    """A cell that is to be played, and what is wrong with its folder, if anything is."""

    cell: Cell
    study: Study
    place: Path
    damage: str


def remaining(asked: Sweep, folder: Path, overwrite: bool) -> list[Remaining]:
    """The cells that ``folder`` has no whole result of, or all where that is made again. InputError
    for what is no scenario, and where a file that the results there have read has changed.
    """
    studied = [(cell, Study(cell.scenario)) for cell in asked.cells]
    if not overwrite:
        check_inputs(folder, studied)
    left = []
    for cell, study in studied:
        place = place_of(folder, cell, study)
        why = damage(place, study, overwrite=overwrite)
        manifest = None if overwrite or why else manifest_of(place)
        if (manifest or {}).get("simulation") != study.identity or not is_whole(place):
            left.append(Remaining(cell, study, place, why))
    return left


def _require_room(cells: Iterable[tuple[Cell, Study]], jobs: int = 1) -> None:
    """InputError for a cell that the memory is too small for; one that cannot be fails later."""
    for cell, study in cells:
        try:
            with within(str(cell)):
                study.require_room(jobs)
        except NoRoom:
            raise
        except InputError:
            continue


@dataclass(frozen=True)
class SweepEstimate:
    """At most of ``cells`` cells of the ``remaining`` ones; see `Study.estimate`.

    ``damaged`` are the folders among them that will be set aside, and why.
    """

    whole: Estimate
    cells: int
    remaining: int
    damaged: tuple[tuple[Path, str], ...] = ()


def estimate_sweep(asked: Sweep, folder: Path, *, overwrite: bool = False) -> SweepEstimate:
    """What the cells that remain to be played will take, of as many as can be asked in seconds:
    neither one whose network takes long, nor one that cannot run. InputError for a cell that the
    memory is too small for, and for files that have changed.
    """
    left = remaining(asked, folder, overwrite)
    _require_room((one.cell, one.study) for one in left)
    until = time.monotonic() + PATIENCE
    known: list[Estimate] = []
    for cell in (one.cell for one in left):
        if time.monotonic() > until:
            break
        study = Study(cell.scenario)  # another one each: what it builds is large
        with suppress(InputError):
            if not study.check_by_numbers():
                known.append(study.estimate())
    whole = Estimate(
        memory=max((one.memory for one in known), default=0),
        seconds=sum(one.seconds for one in known),
        events=sum(one.events for one in known),
    )
    damaged = tuple((one.place, one.damage) for one in left if one.damage)
    return SweepEstimate(whole, len(known), len(left), damaged)


def rows_that_leave(asked: Sweep, folder: Path) -> tuple[list[CellResult], int]:
    """See `leaving`."""
    return leaving(folder, [(cell, Study(cell.scenario)) for cell in asked.cells])


def check_sweep_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """InputError for a folder that holds something, unless told what to do with it."""
    check_folder_of(folder / SWEEP_FILE)
    if not folder.exists() or is_empty(folder):
        return
    if not is_sweep(folder):
        raise InputError("folder", f"{folder} exists and is no sweep of ours", "choose another")
    if not (resume or overwrite):
        raise InputError("folder", f"{folder} exists", "choose another, or resume or overwrite it")


def _folders(where: str, given: Iterable[str | Path]) -> list[Path]:
    """What is in a list of folders. InputError for one that is none."""
    if isinstance(given, str | Path):
        raise InputError(where, f"a list of folders is needed, not {str(given)!r}")
    folders = [as_path(where, path) for path in given]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(where, f"there is no folder {folder}")
    return folders


def _as_sweep(scenario: Sweep | Mapping[str, Any] | str | Path) -> Sweep:
    loaded: Any = scenario
    if isinstance(scenario, Mapping):
        loaded = sweep_from_mapping(scenario)
    elif isinstance(scenario, str | Path):
        loaded = load_file(scenario)
    if isinstance(loaded, Scenario):
        raise InputError("sweep", f"{loaded.name} has no section sweep", "simulate runs it")
    if not isinstance(loaded, Sweep):
        wanted = "a Sweep, a mapping or a path is needed"
        raise InputError("scenario", f"{wanted}, not a {type(scenario).__name__}")
    return loaded


def _folder_of(grid: Sweep) -> str | None:
    """Where the scenario has to be for the files that it names, if it names any."""
    if grid.folder is None or not any(any(files_named(c.scenario)) for c in grid.cells):
        return None
    return str(grid.folder.resolve())


@dataclass
class _Begun:
    """A cell whose runs are under way."""

    number: int
    kept: Kept
    waiting: set[RunKey]
    held: ExitStack = field(default_factory=ExitStack)


class _Playing:
    """The cells of a sweep while they are played. A run that several of them have is made once."""

    def __init__(
        self,
        grid: Sweep,
        folder: Path,
        found: Found,
        threads: int,
        *,
        overwrite: bool,
        ticks: list[Tick],
    ):
        self.grid, self.folder, self.found, self.overwrite = grid, folder, found, overwrite
        self.ticks, self.threads = ticks, threads
        self.errors: dict[int, tuple[int, str]] = {}  # the first of each, in the order of its runs
        self.places: dict[int, tuple[Path, str]] = {}
        self.begun: dict[int, _Begun] = {}
        self.tasks: dict[str, tuple[int, RunKey]] = {}
        self.under_way: dict[tuple[str, str, RunKey], list[int]] = {}  # and whose it is besides
        self.interrupts = Interrupts()
        self.account = Account()

    def play(self, others: Others | None) -> list[CellResult]:
        """Play what is to be played, in this process or in others."""
        try:
            made = self._here() if others is None else self._there(others)
            with self.interrupts, closing(made):
                for number, key, answer in made:
                    self.interrupts.check()
                    self._keep(number, key, answer)
        finally:
            for begun in self.begun.values():
                begun.held.close()
        return [
            CellResult(cell.values, *self.places[number], self.errors.get(number, (0, None))[1])
            for number, cell in enumerate(self.grid.cells)
        ]

    def _keep(self, number: int, key: RunKey, answer: FinishedRun | InputError) -> None:
        """Give a run, or why there is none, to all cells that have it."""
        same = _same(self.begun[number].kept.study, key)
        of = [number, *self.under_way.pop(same)]
        for other, begun in self.begun.items():  # whose turn for it has not come
            if other not in of and key in begun.waiting and _same(begun.kept.study, key) == same:
                of.append(other)
        if isinstance(answer, FinishedRun):
            self.account.made += 1
            self.account.shared += len(of) - 1
        for cell in of:
            self._keep_in(cell, key, answer)

    def _keep_in(self, number: int, key: RunKey, answer: FinishedRun | InputError) -> None:
        begun, cell = self.begun[number], self.grid.cells[number]
        begun.waiting.discard(key)
        if isinstance(answer, InputError):
            error = begun.kept.study.keys.index(key), str(answer)
            self.errors[number] = min(error, self.errors.get(number, error))
        else:
            begun.kept.add(answer)
            self._heard(cell, key, 1.0, float(answer.curves["accuracy"].iloc[-1]))
        if not begun.waiting:
            self._end(number)

    def _heard(self, cell: Cell, key: RunKey, share: float, accuracy: float) -> None:
        self.interrupts.check()
        for tick in self.ticks:
            tick(cell, key, share, accuracy)

    def _end(self, number: int) -> None:
        """No run of the cell is under way: it has its result, or failed."""
        begun = self.begun.pop(number)
        with begun.held:
            if number not in self.errors and not begun.kept.complete:
                begun.kept.finish()
                self.found.add(*self.places[number])

    def _ready(self) -> Iterator[tuple[int, Study, RunKey]]:
        """Every run that is to be made, cell by cell; its cell is open until it is kept."""
        for number, cell in enumerate(self.grid.cells):
            study = Study(cell.scenario)
            place = place_of(self.folder, cell, study)
            self.places[number] = place, study.ground
            begun = self._begin(number, study, place)
            if begun is None:
                continue
            self.begun[number] = begun
            todo = [] if begun.kept.complete else begun.kept.todo
            made = [key for key in study.keys if key not in todo]
            begun.waiting |= set(todo)
            for key in made:
                self._heard(cell, key, 1.0, 0.0)
            for key in todo:
                if key not in begun.waiting:  # another cell had it meanwhile
                    continue
                same = _same(study, key)
                if number in self.errors:  # one that failed is not gone on with
                    begun.waiting.discard(key)
                elif same in self.under_way:
                    self.under_way[same].append(number)
                else:
                    self.under_way[same] = []
                    yield number, study, key
            if number in self.begun and not begun.waiting:
                self._end(number)

    def _begin(self, number: int, study: Study, place: Path) -> _Begun | None:
        """A cell with what there is of it, set aside where that is damaged; None for one that
        cannot be run. InputError where its folder holds what it may not replace.
        """
        if damage(place, study, overwrite=self.overwrite):
            self.account.aside.append(set_aside(place))
        with ExitStack() as held:
            there = place.exists()
            kept = held.enter_context(
                Kept(study, place, resume=there and not self.overwrite, overwrite=self.overwrite)
            )
            if kept.complete:
                self.account.before += len(study.keys)
            else:
                try:
                    study.require_room()
                    study.check()
                except InputError as error:
                    self.errors[number] = -1, str(error)
                    return None
                kept.begin()
                self.account.before += len(kept.runs)
                for source, runs in self.found.adopt(kept):
                    if source.resolve().is_relative_to(self.folder.resolve()):
                        self.account.shared += runs
                    else:
                        self.account.taken += runs
                for other in self.begun.values():
                    self.account.shared += kept.share(other.kept)
            return _Begun(number, kept, set(), held.pop_all())

    def _here(self) -> Generator[tuple[int, RunKey, Any]]:
        for number, study, key in self._ready():
            heard = partial(self._heard, self.grid.cells[number])
            try:
                yield number, key, run_plan(study.taken(key), heard, self.threads)
            except InputError as error:
                yield number, key, error

    def _there(self, others: Others) -> Generator[tuple[int, RunKey, Any]]:
        with closing(others(_attempt, self._packed())) as finishing:
            for name, answer in finishing:
                yield (*self.tasks.pop(name), answer)

    def _packed(self) -> Iterator[Task]:
        for number, study, key in self._ready():
            cell = self.grid.cells[number]
            name = f"cell {number + 1} ({cell}): {key[0]}, repeat {key[1]}"  # no two alike
            try:
                arguments = packed(study, key, self.threads)
            except InputError as error:
                self._keep(number, key, error)
                continue
            self.tasks[name] = (number, key)
            yield name, arguments


def _same(study: Study, key: RunKey) -> tuple[str, str, RunKey]:
    """What is equal of two runs that are the same."""
    return study.ground, study.digests[key[0]], key


def _attempt(*task: Any) -> FinishedRun | InputError:
    """What a worker does: the run, or why there is none."""
    try:
        return run_elsewhere(*task)
    except InputError as error:
        return error
