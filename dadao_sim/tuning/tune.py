"""The search: every method stage by stage, side by side; and the folder of what it played."""

import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import cloudpickle

import dadao_sim
from dadao_sim import plugins
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.files import as_path, atomic_write, identities, json_bytes, read_json
from dadao_sim.results.axes import AXES, TABLED, Terms
from dadao_sim.results.lock import FolderLock
from dadao_sim.scenario.model import AlgorithmSpec, RecordSpec, ReportSpec, Scenario
from dadao_sim.simulation.interrupts import Interrupts
from dadao_sim.simulation.parts import Parts
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.workers import LATER, Later, elsewhere
from dadao_sim.strict import files_named, suggestion
from dadao_sim.tuning.evaluate import Evaluation, Task, evaluate, evaluate_elsewhere
from dadao_sim.tuning.search import Found, Keys, Point, check_budget, search
from dadao_sim.tuning.tuned import Goal, OneTuned, Tuned

BUDGET = 64
EVALUATIONS, BEST, SCENARIO, SUMMARY = "evaluations.csv", "best.csv", "scenario.yaml", "tuning.json"
KEPT = "evaluations"  # the folder of what was played, by content
FILES = (EVALUATIONS, BEST, SCENARIO, SUMMARY)
Tick: TypeAlias = Callable[[str, int, int], None]


def tune(
    scenario: Study | Scenario | Mapping[str, Any] | str | Path,
    *,
    out: str | Path | None = None,
    jobs: int = 1,
    budget: int = BUDGET,
    repeats: int | None = None,
    accuracy: float | None = None,
    by: str = "cost",
    seed: int | None = None,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    tick: Tick | None = None,
) -> Tuned:
    """The best constants of every algorithm of a scenario, on other seeds than its own.

    Args:
        scenario: as for `simulate`; constants that it sets itself (`parameters`) are left alone.
        out: a folder for what is found, and for every evaluation as it comes: interrupted, or
            asked again, the search goes on with what is there.
        jobs: processes at once; their number changes no byte.
        budget: points that are played for each method, the square of a multiple of four.
        repeats: of each point; those of the scenario by default.
        accuracy: to be reached; the smallest of `report.accuracies` by default.
        by: what is to be small: cost (weighted as `report.cost` says), gradients, communications,
            time or bits.
        seed: of the repeats that are tuned on; one that follows from the scenario's by default.
        overwrite: whether the findings of another search in `out` may be replaced.
        inputs: files that are read and must not be replaced, beside those that the scenario names.
        tick: hears of each grid that was played in a repeat: whose, how many those are, and how
            many are known to be needed.

    Raises:
        InputError: what cannot be run at the constants it has; an argument that is none; a folder
            that holds something else.

    """
    study = Study.of(scenario)
    if study.given:
        raise InputError("tune", "what is given in Python cannot be drawn again by another seed")
    if study.scenario.stop.until is not None:
        raise InputError("stop.until", "a search looks at accuracies only", "leave it out")
    told = _Told(study, budget, repeats, accuracy, by, seed)
    if out is None:
        return _Search(told, None, jobs, tick).found()
    folder = as_path("out", out)
    _check_folder(folder, told.identity, overwrite=overwrite)
    read = [*inputs, *files_named(study.scenario)]
    places = [folder / name for name in (*FILES, KEPT)]
    if set(identities(read)) & set(identities(places)):
        raise InputError(
            "out", f"what is read is in {folder}, and would be replaced", "choose another"
        )
    with FolderLock(folder):
        _check_folder(folder, told.identity, overwrite=overwrite)
        (folder / KEPT).mkdir(exist_ok=True)
        (folder / SUMMARY).unlink(missing_ok=True)  # the rest is of it
        atomic_write(folder / KEPT / "search", told.identity.encode())
        tuned = _Search(told, folder / KEPT, jobs, tick).found()
        atomic_write(folder / EVALUATIONS, _csv(tuned.evaluations))
        atomic_write(folder / BEST, _csv(tuned.best))
        atomic_write(folder / SCENARIO, tuned.scenario_text().encode())
        atomic_write(folder / SUMMARY, json_bytes(told.summary))
    return tuned


def _csv(table: Any) -> bytes:
    return bytes(table.to_csv(index=False, lineterminator="\n").encode())


class _Told:
    """What is asked of a search, checked."""

    def __init__(
        self,
        study: Study,
        budget: int,
        repeats: int | None,
        accuracy: float | None,
        by: str,
        seed: int | None,
    ):
        scenario = self.scenario = study.scenario
        self.budget = check_budget(budget)
        self.repeats = scenario.repeats if repeats is None else repeats
        if self.repeats < 1:
            raise InputError("repeats", f"{repeats} given", "at least 1 is needed")
        target = min(scenario.report.accuracies) if accuracy is None else accuracy
        if not 0 < target < 1:
            raise InputError("accuracy", f"{target:g} given", "a number between 0 and 1 is needed")
        if by not in TABLED:
            raise InputError("by", f"unknown value {by!r}{suggestion(str(by), TABLED)}")
        self.seed = another_seed(scenario.seed) if seed is None else seed
        if self.seed == scenario.seed:
            raise InputError(
                "seed",
                f"{seed} is that of the scenario, whose repeats are to be reported",
                "tune on another",
            )
        self.goal = Goal(target, by, Terms.of(scenario.to_mapping()))
        if why := AXES[by].lacks(self.goal.terms):
            raise InputError("by", f"{by}: {why}")
        self.tuned_on = scenario.model_copy(
            update={
                "seed": self.seed,
                "repeats": self.repeats,
                "stop": scenario.stop.model_copy(update={"accuracy": target}),
                "record": scenario.record.model_copy(update={"metrics": RecordSpec().metrics}),
            }
        )
        self.reported = self.tuned_on.model_copy(update={"seed": scenario.seed})
        self.files = study.input_digest
        self.summary = {
            "scenario": scenario.to_mapping(),
            "files": self.files,
            "version": dadao_sim.__version__,
            "seed": self.seed,
            "repeats": self.repeats,
            "accuracy": target,
            "by": by,
            "budget": self.budget,
        }
        self.identity = _digest(self.summary)


def another_seed(seed: int) -> int:
    """A seed that follows from one and shares no stream with it."""
    return int.from_bytes(hashlib.sha256(f"tuned on, not {seed}".encode()).digest()[:8], "big")


def _digest(value: Any) -> str:
    plain = json.loads(json_bytes({"value": value}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _check_folder(folder: Path, identity: str, *, overwrite: bool) -> None:
    """InputError for a folder that holds something that is no search, or, unless it may be
    overwritten, another one.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("out", f"{folder} is no folder", "choose another")
    mark = folder / KEPT / "search"
    there = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not mark.is_file():
        if there and [path.name for path in there] != [KEPT]:
            raise InputError("out", f"{folder} holds other files", "choose another")
    elif mark.read_bytes() != identity.encode() and not overwrite:
        raise InputError(
            "out",
            f"{folder} holds another search, or one of another version",
            "choose another, or overwrite it: evaluations that are the same are kept",
        )


class _Method:
    """The search of one algorithm, under way: its ``points`` are played, in every repeat."""

    def __init__(self, spec: AlgorithmSpec, budget: int):
        method = get_method(spec.name)
        self.spec = spec
        self.names = tuple(name for name in method.tunable if name not in spec.parameters)
        self.evaluations: dict[Point, list[Evaluation]] = {}
        self.steps: Generator[list[Point], Keys, Found] = search(self.names, budget)
        self.points = tuple(next(self.steps))
        self.answers: dict[int, list[Evaluation]] = {}  # by repeat, of the points
        self.found: Found | None = None
        self.is_confirmed = False
        self.fresh: dict[Point, list[Evaluation]] | None = None  # where nothing was chosen

    def heard(self, goal: Goal) -> None:
        """All repeats have answered: on to the next points."""
        of_repeats = [rows for _, rows in sorted(self.answers.items())]
        played = dict(zip(self.points, map(list, zip(*of_repeats, strict=True)), strict=True))
        if self.is_confirmed:
            self.fresh = played
            return
        if self.found is not None:
            self._confirm(played[self.found.best])
            default = (0.0,) * len(self.found.best)
            self.points = tuple(dict.fromkeys((self.found.best, default)))
            return
        self.evaluations |= played
        try:
            label = self.spec.label
            keys = {point: goal.key(label, runs) for point, runs in played.items()}
            self.points = tuple(self.steps.send(keys))
        except StopIteration as end:
            self.found = end.value
            self.points = (self.found.best,)  # once more, by itself

    def _confirm(self, alone: list[Evaluation]) -> None:
        """InputError where the best of a batch does otherwise by itself."""
        assert self.found is not None
        self.is_confirmed = True
        batched = self.evaluations[self.found.best]
        if not all(_agree(one, other) for one, other in zip(alone, batched, strict=True)):
            raise InputError(
                f"{self.spec.label}: its step plays several runs at once otherwise than one by "
                "one; declare broadcasts=False"
            )


class _Search:
    """All algorithms side by side; ``kept`` is where evaluations are kept, and found again."""

    def __init__(self, told: _Told, kept: Path | None, jobs: int, tick: Tick | None):
        if jobs < 1:
            raise InputError("jobs", f"{jobs} given", "at least 1 is needed")
        self.told, self.kept, self.jobs, self.tick = told, kept, jobs, tick
        self.study = Study(told.tuned_on)
        self.reported = Study(told.reported)
        self.interrupts = Interrupts()
        self.parts: dict[tuple[bool, int], Parts] = {}
        self.todo: deque[tuple[_Method, Task]] = deque()
        self.asked = self.done = 0

    def found(self) -> Tuned:
        """Search to the end."""
        told = self.told
        with self.interrupts:
            self.study.require_room(self.jobs)
            self.study.check()
            methods = [_Method(spec, told.budget) for spec in told.scenario.algorithms]
            for method in methods:
                self._ask(method)
            with closing(self._played()) as played:
                for method, task, rows in played:
                    self._keep(task, rows)
                    self.done += 1
                    self.interrupts.check()
                    if self.tick is not None:
                        self.tick(_called(task), self.done, self.asked)
                    self._hear(method, task.repeat, rows)
        return Tuned(
            *(told.scenario, told.goal, told.seed, told.repeats, told.budget),
            tuple(
                OneTuned(one.spec, one.names, one.found, one.evaluations, one.fresh)
                for one in methods
                if one.found is not None and one.fresh is not None
            ),
        )

    def _ask(self, method: _Method) -> None:
        """Put the points of a method on the list, but for what is known of them."""
        method.answers = {}
        for repeat in range(self.told.repeats):
            task = self._task(method, repeat)
            known = self._known(task)
            if known is None:
                self.todo.append((method, task))
                self.asked += 1
            else:
                self._hear(method, repeat, known)

    def _hear(self, method: _Method, repeat: int, rows: list[Evaluation]) -> None:
        method.answers[repeat] = rows
        if len(method.answers) == self.told.repeats:
            method.heard(self.told.goal)
            if method.fresh is None:
                self._ask(method)

    def _task(self, method: _Method, repeat: int) -> Task:
        """Of the repeats that are tuned on; once the best is found, of those of the scenario."""
        told, of = self.told, (method.is_confirmed, repeat)
        if of not in self.parts:
            study = self.reported if method.is_confirmed else self.study
            self.parts[of] = study.parts(repeat)
        return Task(
            *(told.reported if method.is_confirmed else told.tuned_on, method.spec),
            *(repeat, self.parts[of]),
            *(method.names, method.points),
            alone=method.found is not None,
        )

    def _played(self) -> Generator[tuple[_Method, Task, list[Evaluation]], None, None]:
        """What is on the list, and comes onto it, as it is played."""
        if self.jobs == 1:
            while self.todo:
                method, task = self.todo.popleft()
                yield method, task, evaluate(task)
            return
        files = [plugins.loaded(path).file for path in self.told.scenario.plugins]
        under_way: dict[str, tuple[_Method, Task]] = {}

        def messages() -> Iterator[tuple[str, tuple[Any, ...]] | Later]:
            while self.todo or under_way:
                if not self.todo:
                    yield LATER
                    continue
                method, task = self.todo.popleft()
                under_way[_called(task)] = method, task
                _ = task.parts.problem.solutions  # once here, not in every worker
                known = cloudpickle.dumps(get_method(task.spec.name))
                yield _called(task), (files, known, cloudpickle.dumps(task))

        if self.todo:
            workers = min(self.jobs, self.told.repeats * len(self.told.scenario.algorithms))
            with closing(elsewhere(evaluate_elsewhere, messages(), workers)) as finishing:
                for name, rows in finishing:
                    yield *under_way.pop(name), rows

    def _path(self, task: Task) -> Path | None:
        """Where the evaluations of a task are kept: named by all that they depend on."""
        if self.kept is None:
            return None
        question = task.scenario.model_copy(
            update={"name": "x", "repeats": 1, "algorithms": (), "report": ReportSpec()}
        )
        spec = task.spec.model_copy(update={"label": "x"})
        content = {
            "version": dadao_sim.__version__,
            "files": self.told.files,
            "scenario": question.to_mapping(),
            "algorithm": spec.model_dump(mode="json"),
            "repeat": task.repeat,
            "names": task.names,
            "points": task.points,
            "alone": task.alone,
        }
        return self.kept / f"{_digest(content)}.json"

    def _known(self, task: Task) -> list[Evaluation] | None:
        path = self._path(task)
        if path is None or not path.is_file():
            return None
        try:
            rows = read_json(path)["evaluations"]
        except (InputError, KeyError):
            return None  # damaged: played again
        whole = isinstance(rows, list) and len(rows) == len(task.points)
        return rows if whole else None

    def _keep(self, task: Task, rows: list[Evaluation]) -> None:
        path = self._path(task)
        if path is not None:
            atomic_write(path, json_bytes({"evaluations": rows}))


def _called(task: Task) -> str:
    return f"{task.spec.label}, repeat {task.repeat}"


def _agree(one: Evaluation, other: Evaluation) -> bool:
    """Whether two runs of the same constants ended alike, but for rounding."""
    if (one["status"], one["time"]) != (other["status"], other["time"]):
        return False
    a, b = one["accuracy"], other["accuracy"]
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-20)
