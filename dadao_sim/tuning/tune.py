"""The search: stage by stage, every method at once, in other processes; and what is kept of it."""

import hashlib
import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import cloudpickle

import dadao_sim
from dadao_sim import plugins
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, json_bytes, read_json
from dadao_sim.results.lock import FolderLock
from dadao_sim.results.summary import QUANTITIES
from dadao_sim.scenario.model import AlgorithmSpec, RecordSpec, ReportSpec, Scenario
from dadao_sim.simulation.interrupts import Interrupts
from dadao_sim.simulation.parts import Parts
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.workers import elsewhere
from dadao_sim.tuning.evaluate import Evaluation, Task, evaluate, evaluate_elsewhere
from dadao_sim.tuning.search import Found, Keys, Point, check_budget, search
from dadao_sim.tuning.tuned import Goal, OneTuned, Tuned

BUDGET = 64
EVALUATIONS, BEST, SCENARIO, SUMMARY = "evaluations.csv", "best.csv", "scenario.yaml", "tuning.json"
KEPT = "evaluations"  # the folder of what was played, by content
FILES = (EVALUATIONS, BEST, SCENARIO, SUMMARY)
# (what was played, its share of what is known to come).
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
    tick: Tick | None = None,
) -> Tuned:
    """The best constants of every algorithm of a scenario, on other seeds than its own.

    Args:
        scenario: as for `simulate`; constants that it sets itself (`parameters`) are left alone.
        out: a folder for what is found, and for every evaluation as it comes: interrupted, or
            asked again, the search goes on with what is there.
        jobs: processes at once; their number changes no byte.
        budget: points that are played for each method, four times a square.
        repeats: of each point; those of the scenario by default.
        accuracy: to be reached; the smallest of `report.accuracies` by default.
        by: what is to be small: cost (weighted as `report.cost` says), gradients, communications,
            time or bits.
        seed: of the repeats that are tuned on; one that follows from the scenario's by default.
        overwrite: whether the findings of another search in `out` may be replaced.
        tick: hears of each method and repeat of a stage, how many there are of it, and how many
            have been played.

    Raises:
        InputError: what cannot be run at the constants it has; an argument that is none; a folder
            that holds something else.

    """
    study = Study.of(scenario)
    if study.given:
        raise InputError("tune", "what is given in Python cannot be drawn again by another seed")
    told = _Told(study, budget, repeats, accuracy, by, seed)
    if out is None:
        return _Search(told, None, jobs, tick).found()
    folder = Path(out)
    _check_folder(folder, told.identity, overwrite=overwrite)
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
        if by not in QUANTITIES:
            raise InputError("by", f"{by!r} given", f"use {', '.join(QUANTITIES)}")
        self.seed = another_seed(scenario.seed) if seed is None else seed
        if self.seed == scenario.seed:
            raise InputError(
                "seed",
                f"{seed} is that of the scenario, whose repeats are to be reported",
                "tune on another",
            )
        cost = scenario.report.cost
        self.goal = Goal(target, by, cost.gradient, cost.communication)
        self.tuned_on = scenario.model_copy(
            update={
                "seed": self.seed,
                "repeats": self.repeats,
                "stop": scenario.stop.model_copy(update={"accuracy": target}),
                "record": scenario.record.model_copy(update={"metrics": RecordSpec().metrics}),
            }
        )
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
    """The search of one algorithm, under way."""

    def __init__(self, spec: AlgorithmSpec, budget: int):
        method = get_method(spec.name)
        self.spec = spec
        self.names = tuple(name for name in method.tunable if name not in spec.parameters)
        self.evaluations: dict[Point, list[Evaluation]] = {}
        self.steps: Generator[list[Point], Keys, Found] = search(self.names, budget)
        self.points = tuple(next(self.steps))
        self.found: Found | None = None

    def heard(self, goal: Goal, repeats: list[list[Evaluation]]) -> None:
        """The evaluations of the points, of each repeat: on to the next stage."""
        played = dict(zip(self.points, map(list, zip(*repeats, strict=True)), strict=True))
        self.evaluations |= played
        try:
            points = self.steps.send({point: goal.key(runs) for point, runs in played.items()})
            self.points = tuple(points)
        except StopIteration as end:
            self.found = end.value


class _Search:
    """All algorithms, stage by stage; ``kept`` is where evaluations are kept, and found again."""

    def __init__(self, told: _Told, kept: Path | None, jobs: int, tick: Tick | None):
        if jobs < 1:
            raise InputError("jobs", f"{jobs} given", "at least 1 is needed")
        self.told, self.kept, self.jobs, self.tick = told, kept, jobs, tick
        self.study = Study(told.tuned_on)
        self.files = [plugins.loaded(path).file for path in told.scenario.plugins]
        self.interrupts = Interrupts()
        self.parts: dict[int, Parts] = {}

    def found(self) -> Tuned:
        """Search to the end."""
        told = self.told
        with self.interrupts:
            self.study.require_room(self.jobs)
            self.study.check()
            methods = [_Method(spec, told.budget) for spec in told.scenario.algorithms]
            while under_way := [method for method in methods if method.found is None]:
                self._play_a_stage(under_way)
            self._confirm(methods)
        return Tuned(
            *(told.scenario, told.goal, told.seed, told.repeats, told.budget),
            tuple(
                OneTuned(one.spec, one.names, one.found, one.evaluations)
                for one in methods
                if one.found is not None
            ),
        )

    def _play_a_stage(self, methods: list[_Method]) -> None:
        keys = [(m, r) for r in range(self.told.repeats) for m in range(len(methods))]
        tasks = {(m, r): self._task(methods[m], r, methods[m].points) for m, r in keys}
        answers = self._played(tasks)
        for m, method in enumerate(methods):
            method.heard(self.told.goal, [answers[m, r] for r in range(self.told.repeats)])

    def _confirm(self, methods: list[_Method]) -> None:
        """InputError where the best of a batch does otherwise by itself."""
        found = {m: one.found.best for m, one in enumerate(methods) if one.found and one.names}
        tasks = {
            (m, r): self._task(methods[m], r, (best,), alone=True)
            for r in range(self.told.repeats)
            for m, best in found.items()
        }
        for (m, r), (alone,) in self._played(tasks).items():
            method = methods[m]
            batched = method.evaluations[found[m]][r]
            if not _agree(alone, batched):
                raise InputError(
                    f"{method.spec.label}: its step plays several runs at once otherwise than one "
                    "by one; declare broadcasts=False"
                )

    def _task(
        self, method: _Method, repeat: int, points: tuple[Point, ...], *, alone: bool = False
    ) -> Task:
        if repeat not in self.parts:
            self.parts[repeat] = self.study.parts(repeat)
        parts = self.parts[repeat]
        scenario = self.told.tuned_on
        return Task(scenario, method.spec, repeat, parts, method.names, points, alone)

    def _played(self, tasks: dict[tuple[int, int], Task]) -> dict[tuple[int, int], Any]:
        """The evaluations of each task: kept ones, and the others played."""
        answers, todo, done = {}, {}, 0
        for key, task in tasks.items():
            known = self._known(task)
            if known is None:
                todo[key] = task
            else:
                answers[key] = known
        with closing(self._playing(todo)) as playing:
            for key, rows in playing:
                self._keep(tasks[key], rows)
                answers[key] = rows
                done += 1
                self.interrupts.check()
                if self.tick is not None:
                    task = tasks[key]
                    self.tick(f"{task.spec.label}, repeat {task.repeat}", done, len(todo))
        return answers

    def _playing(
        self, tasks: dict[tuple[int, int], Task]
    ) -> Generator[tuple[tuple[int, int], list[Evaluation]], None, None]:
        if self.jobs == 1:
            for key, task in tasks.items():
                yield key, evaluate(task)
            return

        keys = {f"{task.spec.label}, repeat {task.repeat}": key for key, task in tasks.items()}

        def messages() -> Iterator[tuple[str, tuple[Any, ...]]]:
            for name, key in keys.items():
                task = tasks[key]
                _ = task.parts.problem.x_star  # once here, not in every worker
                method = cloudpickle.dumps(get_method(task.spec.name))
                yield name, (self.files, method, cloudpickle.dumps(task))

        if tasks:
            workers = min(self.jobs, len(tasks))
            with closing(elsewhere(evaluate_elsewhere, messages(), workers)) as finishing:
                for name, rows in finishing:
                    yield keys[name], rows

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


def _agree(one: Evaluation, other: Evaluation) -> bool:
    """Whether two runs of the same constants ended alike, but for rounding."""
    if (one["status"], one["time"]) != (other["status"], other["time"]):
        return False
    a, b = one["accuracy"], other["accuracy"]
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-20)
