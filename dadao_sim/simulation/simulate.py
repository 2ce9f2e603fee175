"""From a scenario to a result: all runs, here or in other processes, and what is kept of them."""

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
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
from dadao_sim.results.result import FinishedRun, Result, RunKey, load_result
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.interrupts import Interrupts
from dadao_sim.simulation.kept import Kept
from dadao_sim.simulation.one_run import Tick, run_plan
from dadao_sim.simulation.progress import Progress
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.threads import AUTO, Threads, threads_of
from dadao_sim.simulation.workers import Others, Task, elsewhere
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    import networkx
    from pandas import DataFrame

    from dadao_sim.events.log import Events


def simulate(
    scenario: Study | Scenario | Problem | Mapping[str, Any] | str | Path | None = None,
    network: "Network | GraphSequence | networkx.Graph | None" = None,
    algorithms: str | Sequence[str | Mapping[str, Any]] | None = None,
    *,
    problem: Problem | None = None,
    local_step: LocalStep | None = None,
    events: "Events | DataFrame | None" = None,
    out: str | Path | None = None,
    jobs: int = 1,
    threads: Threads = AUTO,
    others: Others | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = False,
    tick: Tick | None = None,
    **asked: Any,
) -> Result:
    """Run every algorithm of a scenario in every repeat.

    ``scenario`` is one, a mapping, the path of a YAML file, or a study made before. ``problem``,
    ``network`` and ``local_step`` take the place of the scenario's sections, for objects made in
    Python. ``simulate(problem, network, ["dadao", "msda"], time=100)`` needs no scenario:
    algorithms are names, or mappings as in a file; what else is ``asked`` are the limits of
    ``stop`` (``time``, ``communications``, ``gradients_per_node``, ``accuracy``), ``metrics``, by
    name or as objects, and any other key of a scenario, such as ``seed`` or ``repeats``.
    ``events``, a log or a table of one, is what the algorithms play in the place of events that a
    clock draws, to its end.

    With ``out`` the result is saved there, and finished runs are kept as they come: interrupted, it
    can go on with ``resume``, as can a result to whose scenario repeats or algorithms have been
    added: only these are run. ``jobs`` processes run at once, or those of ``others``, such as a
    cluster; each plays its runs by so many ``threads``, where they pay. With auto these are all
    cores together, and one at a worker of a cluster. Neither changes a byte of the result.
    ``progress`` shows a bar while it runs, in a terminal or a notebook;
    ``tick((label, repeat), share, accuracy)`` hears of each sample when all runs here, and of each
    finished run otherwise.

    However it ends, ``out`` holds the earlier result or this one, whole, and what was finished. A
    result that is complete is given back by ``resume`` as it is.

    Raises InputError for anything that cannot be run, before the first run, and where another
    process is at work in ``out``; and for a function of yours that fails later, with the run, its
    event or round, and your line. As with KeyboardInterrupt and WorkerKilled, which pass through, a
    result of what was finished has then been saved, unless there is an earlier one that is whole.
    """
    given: dict[str, Any] = {"local_step": local_step, "events": events}
    if isinstance(scenario, Problem):
        if problem is not None:
            raise InputError("problem", "is given twice", "give it once")
        scenario, problem = None, scenario
    if scenario is None:
        if problem is None:
            raise InputError("scenario", "is missing", "give one, or problem, network, algorithms")
        study = Study.on(problem, network, algorithms, **given, **asked)
    else:
        wrong = ["algorithms"] if algorithms is not None else list(asked)
        if wrong:
            raise InputError(wrong[0], "is given beside a scenario", "change it in the scenario")
        study = Study.of(scenario, problem=problem, network=network, **given)
    folder = None if out is None else as_path("out", out)
    if not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} given; a whole number of at least 1 is needed")
    each = threads_of(threads, min(jobs, len(study.keys)) if others is None else sys.maxsize)
    if resume and overwrite:
        raise InputError("resume and overwrite exclude each other")
    if resume and study.given:
        raise InputError(
            "resume: what is given in Python cannot be compared with that of the interrupted run; "
            "run again with overwrite"
        )
    with Kept(study, folder, resume=resume, overwrite=overwrite) as kept:
        if kept.complete and folder is not None:
            return load_result(folder)
        if others is None and jobs > 1:
            others = partial(elsewhere, jobs=min(jobs, len(study.keys)))
        with Progress(study.scenario.name, len(study.keys)) if progress else nullcontext() as bar:
            ticks = [] if tick is None else [tick]
            ticks += [] if bar is None else [bar.tick]
            result = _simulate(study, kept, jobs, each, others, ticks)
        result.given = study.given
        return result


def _simulate(
    study: Study,
    kept: Kept,
    jobs: int,
    threads: int,
    others: Others | None,
    ticks: list[Tick],
) -> Result:
    """Play what is to be played, and keep it as it comes."""
    interrupts = Interrupts()
    with interrupts:
        study.require_room(jobs)
        study.check()
    kept.begin()

    def heard(key: RunKey, share: float, accuracy: float) -> None:
        interrupts.check()
        for tick in ticks:
            tick(key, share, accuracy)

    try:
        made = run_all(study, kept.todo, others, heard, threads)
        with interrupts, closing(made) as finishing:
            for run in finishing:
                kept.add(run)
                heard(run.key, 1.0, float(run.curves["accuracy"].iloc[-1]))
    except (KeyboardInterrupt, WorkerKilled):
        kept.break_off()
        raise
    except InputError as error:  # of a function of a user, in the middle of a run
        if kept.folder is None or not kept.runs:
            raise
        kept.break_off()
        verb = "is" if len(kept.runs) == 1 else "are"
        there = f"{counted(len(kept.runs), 'finished run')} {verb} kept"
        raise InputError(f"{error}; {there}" + ("" if study.given else ", for --resume")) from error
    return kept.finish()


def run_all(
    study: Study, keys: list[RunKey], others: Others | None, tick: Tick, threads: int = 1
) -> Generator[FinishedRun, None, None]:
    """The runs as they finish, in this process or in ``others``.

    All are planned here, whose work the runs of a repeat share; methods and plans travel as bytes,
    for a worker has to know a user's plug-ins and methods before it can read one.
    """
    if others is None:
        for key in keys:
            yield run_plan(study.taken(key), tick, threads)
        return

    def tasks() -> Iterator[Task]:
        for key in keys:
            yield f"{key[0]}, repeat {key[1]}", packed(study, key, threads)

    with closing(others(run_elsewhere, tasks())) as finishing:
        for _, run in finishing:
            yield run


def packed(
    study: Study, key: RunKey, threads: int
) -> tuple[list[tuple[str, bytes]], bytes, bytes, int]:
    """The arguments of `run_elsewhere` for a run. InputError for what cannot be planned."""
    plan = study.taken(key)
    _ = plan.parts.conditions  # once here, not in every worker
    files = [plugins.loaded(path).file for path in study.scenario.plugins]
    return files, cloudpickle.dumps(plan.method), cloudpickle.dumps(plan), threads


def run_elsewhere(
    files: list[tuple[str, bytes]], method: bytes, plan: bytes, threads: int
) -> FinishedRun:
    """What a worker process does; ``files`` are the plug-ins, by name and content."""
    plugins.only(files)
    register(cloudpickle.loads(method))
    return run_plan(cloudpickle.loads(plan), threads=threads)
