"""A simulation's folder while it is at work there: what was finished before, and what comes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from dadao_sim.errors import InputError
from dadao_sim.results.folder import (
    UNFINISHED,
    check_content,
    check_folder,
    discard,
    is_unfinished,
    is_whole,
    manifest_of,
    tidy,
)
from dadao_sim.results.lock import FolderLock
from dadao_sim.results.result import FinishedRun, Result, RunKey, load_result
from dadao_sim.results.store import RunStore, identity_of
from dadao_sim.simulation.identity import asked_of, changed_input
from dadao_sim.simulation.manifest import make_manifest
from dadao_sim.simulation.study import Study
from dadao_sim.strict import files_named


class Kept:
    """The runs of a study, kept in a folder as they finish; entered, it holds the folder's lock.

    With ``resume`` the runs of an interrupted simulation are taken, and those of a result to which
    repeats or algorithms have been added. However it ends, the folder holds the earlier result or
    this one, whole, and what was finished. Without a folder the runs are in memory.

    Attributes:
        runs: those that are finished, by label and repeat.
        complete: whether the folder holds this very result already.

    Raises:
        InputError: what is in the folder may not be replaced, or gone on with.

    """

    def __init__(self, study: Study, folder: Path | None, *, resume: bool, overwrite: bool):
        self.study, self.folder = study, folder
        self.resume, self.overwrite = resume, overwrite
        self.runs: dict[RunKey, FinishedRun] = {}
        self.complete = False
        self._store: RunStore | None = None
        self._held = ExitStack()

    def __enter__(self) -> Self:
        if self.folder is None:
            return self
        rules = {"resume": self.resume, "overwrite": self.overwrite}
        check_folder(self.folder, **rules, inputs=files_named(self.study.scenario))
        with ExitStack() as held:
            held.enter_context(FolderLock(self.folder))
            tidy(self.folder)
            check_content(self.folder, **rules)
            self.complete = self.resume and self._is_complete()
            self._held = held.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._held.__exit__(*error)

    @property
    def todo(self) -> list[RunKey]:
        """The runs that are not finished, repeat by repeat."""
        return [key for key in self.study.keys if key not in self.runs]

    def begin(self) -> None:
        """Take what was finished before; from now on what is added is kept."""
        if self.folder is None:
            return
        if self.overwrite:
            discard(self.folder / UNFINISHED)  # the earlier result stays until this one is whole
        elif is_whole(self.folder):
            self.runs |= dict(reusable(load_result(self.folder), self.study))
        self._store = RunStore(self.folder / UNFINISHED, self.study.ground)
        for key in self._store.finished():
            run = self._store.load(key)
            if key not in self.study.keys or run.row.get("asked") != self.study.digests[key[0]]:
                raise self._not_ours(self.folder / UNFINISHED, key)
            self.runs[key] = run

    def adopt(self, result: Result) -> int:
        """Take what another result has of the runs that are to be made; how many those are."""
        found = {k: run for k, run in reusable(result, self.study) if k not in self.runs}
        for run in found.values():
            self.add(run)
        return len(found)

    def share(self, other: "Kept") -> int:
        """Take what another one that is at work has of the runs that are to be made; how many those
        are.
        """
        theirs, had = other.study, len(self.runs)
        if theirs.ground == self.study.ground:
            for key in self.todo:
                label = key[0]
                if key in other.runs and theirs.digests[label] == self.study.digests[label]:
                    self.add(other.runs[key])
        return len(self.runs) - had

    def add(self, run: FinishedRun) -> None:
        """Keep a finished run."""
        if self._store is not None:
            self._store.save(run)
            run = self._store.load(run.key)  # its states stay on disk
        self.runs[run.key] = run

    def finish(self) -> Result:
        """The result, whole, in its folder."""
        result = result_of(self.study, self.runs, interrupted=False)
        if self.folder is None or self._store is None:
            return result
        result.write(self.folder, replace_figures=True)
        self._store.clear()
        return load_result(self.folder)

    def break_off(self) -> None:
        """Leave a result of what was finished, unless there is an earlier one that is whole."""
        if self.folder is not None and not is_whole(self.folder):
            result_of(self.study, self.runs, interrupted=True).write(
                self.folder, replace_figures=True
            )

    def _is_complete(self) -> bool:
        """Whether the folder holds the result of the study, which is not being made again.

        InputError if there is but the result of another one, which cannot grow to that.
        """
        folder, study = self.folder, self.study
        assert folder is not None
        unfinished = is_unfinished(folder)
        if unfinished and identity_of(folder / UNFINISHED) in (None, study.ground):
            return False
        manifest = manifest_of(folder)
        if manifest is None:
            return False
        if manifest.get("simulation") == study.identity:
            return is_whole(folder)
        if unfinished:
            return False  # the store will refuse it
        if manifest.get("ground") != study.ground or not is_whole(folder):
            changed = changed_input(manifest, study.inputs)
            other = "the result of another scenario or of another version"
            if manifest.get("live"):
                other = "the result of a live run, whose processes are gone"
            raise _others(folder, f"a result whose {changed}" if changed else other)
        had = load_result(folder)
        kept = {key for key, _ in reusable(had, study)}
        for key in zip(had.runs["algorithm"], had.runs["repeat"], strict=True):
            if key not in kept:
                raise self._not_ours(folder, key)
        return False

    def _not_ours(self, folder: Path, key: RunKey) -> InputError:
        other = "with other constants" if key in self.study.keys else "which the scenario has not"
        return _others(folder, f"a run of {key[0]!r}, repeat {key[1]}, {other}")


def result_of(study: Study, finished: Mapping[RunKey, FinishedRun], *, interrupted: bool) -> Result:
    """The result of the runs there are."""
    runs = [
        {"algorithm": key[0], "repeat": key[1], "constants": row["tuning"], **_remark(row)}
        for key in study.keys
        if key in finished
        for row in (finished[key].row,)
    ]
    problem = {"conditions": _conditions(finished)}
    network = {"ids": study.node_ids, "added_edges": _added_edges(finished)}
    network |= _costs(finished)
    manifest = make_manifest(
        study.scenario, study.inputs, list(study.given), runs, problem, network
    )
    manifest |= {"simulation": study.identity, "interrupted": interrupted}
    manifest |= {} if study.given else {"ground": study.ground}
    manifest |= {"live": study.live} if study.live else {}
    result = Result.from_runs(manifest, finished.values(), study.labels)
    result.given = study.given
    return result


def _conditions(finished: Mapping[RunKey, FinishedRun]) -> dict[str, Any]:
    """By repeat, the condition numbers of its problem."""
    found = {repeat: run.row.get("conditions") for (_, repeat), run in finished.items()}
    return {str(repeat): numbers for repeat, numbers in sorted(found.items()) if numbers}


def _added_edges(finished: Mapping[RunKey, FinishedRun]) -> dict[str, int]:
    """By repeat, the edges that were added to connect its network; those with none left out."""
    added = {str(repeat): run.row.get("added_edges", 0) for (_, repeat), run in finished.items()}
    return {repeat: count for repeat, count in sorted(added.items()) if count}


def _costs(finished: Mapping[RunKey, FinishedRun]) -> dict[str, Any]:
    """By repeat, the costs by which rates were chosen; nothing where none were."""
    found: dict[str, dict[str, Any]] = {}
    for (_, repeat), run in sorted(finished.items(), key=lambda item: item[0][1]):
        if "costs" in run.row:
            found.setdefault(str(repeat), {}).update(run.row["costs"])
    return {"costs": found} if found else {}


def _remark(row: Mapping[str, Any]) -> dict[str, str]:
    """What the method had to say of a run, if anything."""
    return {"remark": row["remark"]} if row.get("remark") else {}


def reusable(result: Result, study: Study) -> Iterator[tuple[RunKey, FinishedRun]]:
    """The runs of a result that are, byte for byte, runs of a study."""
    manifest = result.manifest
    if study.given or manifest.get("ground") != study.ground:
        return
    specs = manifest["scenario"]["algorithms"]
    asked = {spec["label"]: asked_of(spec, manifest.get("inputs")) for spec in specs}
    made = {(run["algorithm"], run["repeat"]): run for run in manifest["runs"]}
    timing = {(run["algorithm"], run["repeat"]): run for run in _rows(result.timing.get("runs"))}
    curves = dict(list(result.curves.groupby(["algorithm", "repeat"], sort=False)))
    network, problem = manifest.get("network", {}), manifest.get("problem", {})
    for row in result.runs.to_dict("records"):
        key = label, repeat = row["algorithm"], row["repeat"]
        if study.digests.get(label) != asked[label] or repeat >= study.scenario.repeats:
            continue
        costs = network.get("costs", {}).get(str(repeat))
        more = {
            "asked": asked[label],
            "tuning": made[key]["constants"],
            **_remark(made[key]),
            "conditions": problem.get("conditions", {}).get(str(repeat)),
            "added_edges": network.get("added_edges", {}).get(str(repeat), 0),
            **({"costs": costs} if costs else {}),
        }
        seconds = {k: v for k, v in timing.get(key, {}).items() if k not in ("algorithm", "repeat")}
        samples = curves[key].reset_index(drop=True)
        whole = {str(name): value for name, value in (row | more).items()}
        yield key, FinishedRun(samples, whole, result.states.get(key, {}), seconds)


def _rows(runs: Iterable[Any] | None) -> list[dict[str, Any]]:
    """What a file of times says of runs; nothing where it says something else."""
    rows = runs if isinstance(runs, list) else []
    return [row for row in rows if isinstance(row, dict) and {"algorithm", "repeat"} <= set(row)]


def _others(folder: Path, what: str) -> InputError:
    return InputError(
        "folder", f"{folder} holds {what}", "resume with the same, choose another, or overwrite it"
    )
