"""From a scenario to a result: all runs, here or in other processes, and what is kept of them."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from dadao_sim import plugins
from dadao_sim.algorithms.contract.registry import register
from dadao_sim.errors import InputError, WorkerKilled
from dadao_sim.files import as_path
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.problems import Problem
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
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.interrupts import Interrupts
from dadao_sim.simulation.manifest import make_manifest
from dadao_sim.simulation.one_run import Tick, run_plan
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.workers import elsewhere
from dadao_sim.strict import files_named

if TYPE_CHECKING:
    import networkx


def simulate(
    scenario: Study | Scenario | Mapping[str, Any] | str | Path,
    *,
    problem: Problem | None = None,
    network: "Network | GraphSequence | networkx.Graph | None" = None,
    local_step: LocalStep | None = None,
    out: str | Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    tick: Tick | None = None,
) -> Result:
    """Run every algorithm of a scenario in every repeat.

    ``scenario`` is one, a mapping, the path of a YAML file, or a study made before. ``problem``,
    ``network`` and ``local_step`` take the place of the scenario's sections, for objects made in
    Python. With ``out`` the result is saved there, and finished runs are kept as they come:
    interrupted, it can go on with ``resume``. ``jobs`` processes run at once; their number changes
    no byte of the result. ``tick((label, repeat), share, accuracy)`` hears of each sample when jobs
    is 1, and of each finished run otherwise.

    However it ends, ``out`` holds the earlier result or this one, whole, and what was finished. A
    result that is complete is given back by ``resume`` as it is.

    Raises InputError for anything that cannot be run, before the first run, and where another
    process is at work in ``out``; and for a function of yours that fails later, with the run, its
    event or round, and your line. As with KeyboardInterrupt and WorkerKilled, which pass through, a
    result of what was finished has then been saved, unless there is an earlier one that is whole.
    """
    study = Study.of(scenario, problem=problem, network=network, local_step=local_step)
    folder = None if out is None else as_path("out", out)
    if not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} given; a whole number of at least 1 is needed")
    if resume and overwrite:
        raise InputError("resume and overwrite exclude each other")
    if resume and study.given:
        raise InputError(
            "resume: what is given in Python cannot be compared with that of the interrupted run; "
            "run again with overwrite"
        )
    if folder is None:
        return _simulate(study, None, jobs, tick)
    inputs = files_named(study.scenario)
    check_folder(folder, resume=resume, overwrite=overwrite, inputs=inputs)
    with FolderLock(folder):
        tidy(folder)
        check_content(folder, resume=resume, overwrite=overwrite)
        if resume and _is_complete(folder, study.identity):
            return load_result(folder)
        return _simulate(study, folder, jobs, tick, overwrite=overwrite)


def _is_complete(folder: Path, identity: str) -> bool:
    """Whether a folder holds the result of a simulation, which is not being made again.

    InputError if there is but the result of another one.
    """
    unfinished = is_unfinished(folder)
    if unfinished and identity_of(folder / UNFINISHED) in (None, identity):
        return False
    manifest = manifest_of(folder)
    if manifest is None:
        return False
    if manifest.get("simulation") == identity:
        return is_whole(folder)
    if unfinished:
        return False  # the store will refuse it
    raise InputError(
        "folder",
        f"{folder} holds the result of another scenario or of another version",
        "choose another, or overwrite it",
    )


def _simulate(
    study: Study, folder: Path | None, jobs: int, tick: Tick | None, *, overwrite: bool = False
) -> Result:
    """Play what is to be played, into a folder whose lock is held."""
    interrupts = Interrupts()
    with interrupts:
        study.require_room(jobs)
        study.check()
    store = None
    runs: dict[RunKey, FinishedRun] = {}
    if folder is not None:
        if overwrite:
            discard(folder / UNFINISHED)  # the earlier result stays until this one is whole
        store = RunStore(folder / UNFINISHED, study.identity)
        runs = {key: store.load(key) for key in store.finished()}
    todo = [key for key in study.keys if key not in runs]

    def heard(key: RunKey, share: float, accuracy: float) -> None:
        interrupts.check()
        if tick is not None:
            tick(key, share, accuracy)

    try:
        with interrupts, closing(run_all(study, todo, jobs, heard)) as finishing:
            for run in finishing:
                key = run.key
                if store is not None:
                    store.save(run)
                    run = store.load(key)  # its states stay on disk
                runs[key] = run
                heard(key, 1.0, float(run.curves["accuracy"].iloc[-1]))
    except (KeyboardInterrupt, WorkerKilled):
        if folder is not None and not is_whole(folder):
            make_result(study, runs, interrupted=True).write(folder, replace_figures=True)
        raise
    except InputError as error:  # of a function of a user, in the middle of a run
        if folder is None or not runs:
            raise
        if not is_whole(folder):
            make_result(study, runs, interrupted=True).write(folder, replace_figures=True)
        kept = f"{len(runs)} finished runs are kept" + ("" if study.given else ", for --resume")
        raise InputError(f"{error}; {kept}") from error
    result = make_result(study, runs, interrupted=False)
    if folder is None or store is None:
        return result
    result.write(folder, replace_figures=True)
    store.clear()
    return load_result(folder)


def make_result(
    study: Study, finished: Mapping[RunKey, FinishedRun], *, interrupted: bool
) -> Result:
    """The result of the runs there are."""
    runs = [
        {"algorithm": key[0], "repeat": key[1], "constants": finished[key].row["tuning"]}
        for key in study.keys
        if key in finished
    ]
    problem = {"conditions": _conditions(finished)}
    network = {"ids": study.node_ids, "added_edges": _added_edges(finished)}
    network |= _costs(finished)
    manifest = make_manifest(study.scenario, study.given, runs, problem, network)
    manifest |= {"simulation": study.identity, "interrupted": interrupted}
    return Result.from_runs(manifest, finished.values(), study.labels)


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


def run_all(
    study: Study, keys: list[RunKey], jobs: int, tick: Tick
) -> Generator[FinishedRun, None, None]:
    """The runs as they finish, in this process or in ``jobs`` others.

    All are planned here, whose work the runs of a repeat share; methods and plans travel as bytes,
    for a worker has to know a user's plug-ins and methods before it can read one.
    """
    if jobs == 1:
        for key in keys:
            yield run_plan(study.taken(key), tick)
        return
    files = [plugins.loaded(path).file for path in study.scenario.plugins]

    def tasks() -> Iterator[tuple[str, tuple[Any, ...]]]:
        for key in keys:
            plan = study.taken(key)
            _ = plan.parts.conditions  # once here, not in every worker
            yield (
                f"{key[0]}, repeat {key[1]}",
                (files, cloudpickle.dumps(plan.method), cloudpickle.dumps(plan)),
            )

    with closing(elsewhere(run_elsewhere, tasks(), min(jobs, len(keys)))) as finishing:
        for _, run in finishing:
            yield run


def run_elsewhere(files: list[tuple[str, bytes]], method: bytes, plan: bytes) -> FinishedRun:
    """What a worker process does; ``files`` are the plug-ins, by name and content."""
    plugins.only(files)
    register(cloudpickle.loads(method))
    return run_plan(cloudpickle.loads(plan))
