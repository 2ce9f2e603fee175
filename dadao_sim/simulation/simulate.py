"""From a scenario to a result: the only module that knows all the parts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dadao_sim
from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.registry import get_method, register
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.networks import GraphSequence, Network
from dadao_sim.problems import Problem
from dadao_sim.randomness import stream
from dadao_sim.results.folder import UNFINISHED, check_folder, remove_result
from dadao_sim.results.result import FinishedRun, Result, RunKey, load_result
from dadao_sim.results.store import RunStore, fingerprint
from dadao_sim.scenario.model import BUILT_IN_ALGORITHMS, Scenario
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.estimate import Estimate, estimate
from dadao_sim.simulation.manifest import input_digest, make_manifest
from dadao_sim.simulation.parts import parts_of
from dadao_sim.simulation.plan import Plan, Tick, make_plan, run_plan


def simulate(
    scenario: Scenario | Mapping[str, Any] | str | Path,
    *,
    problem: Problem | None = None,
    network: Network | GraphSequence | None = None,
    local_step: LocalStep | None = None,
    out: str | Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    tick: Tick | None = None,
) -> Result:
    """Run every algorithm of a scenario in every repeat.

    ``scenario`` is one, a mapping, or the path of a YAML file. ``problem``, ``network`` and
    ``local_step`` take the place of the scenario's sections, for objects made in Python. With
    ``out`` the result is saved there, and finished runs are kept as they come: interrupted, it can
    go on with ``resume``. ``jobs`` processes run at once; their number changes no byte of the
    result. ``tick((label, repeat), share, accuracy)`` hears of each sample when jobs is 1, and of
    each finished run otherwise.

    Raises InputError for anything that cannot be run, before the first run. KeyboardInterrupt
    passes through after what was finished has been saved.
    """
    scenario = as_scenario(scenario)
    all_three: dict[str, Any] = {"problem": problem, "network": network, "local_step": local_step}
    given = {name: part for name, part in all_three.items() if part is not None}
    folder = None if out is None else Path(out)
    if not isinstance(jobs, int) or jobs < 1:
        raise InputError(f"jobs: {jobs!r} given; a whole number of at least 1 is needed")
    if resume and overwrite:
        raise InputError("resume and overwrite exclude each other")
    if resume and given:
        raise InputError(
            "resume: what is given in Python cannot be compared with that of the interrupted run; "
            "run again with overwrite"
        )
    if folder is not None:
        check_folder(folder, resume=resume, overwrite=overwrite)
    check_scenario(scenario, **given)
    if folder is not None and overwrite:
        remove_result(folder)

    store = None
    runs: dict[RunKey, FinishedRun] = {}
    if folder is not None:
        identity = fingerprint(
            {**scenario.to_mapping(), "files": input_digest(scenario)}, dadao_sim.__version__
        )
        store = RunStore(folder / UNFINISHED, identity)
        runs = {key: store.load(key) for key in store.finished()}
    todo = [key for key in run_keys(scenario) if key not in runs]
    try:
        for run in _run_all(scenario, todo, given, jobs, tick):
            key = run.key
            if store is not None:
                store.save(run)
                run = store.load(key)  # its states stay on disk
            runs[key] = run
            if tick is not None:
                tick(key, 1.0, float(run.curves["accuracy"].iloc[-1]))
    except KeyboardInterrupt:
        if folder is not None:
            make_result(scenario, sorted(given), runs, interrupted=True).save(folder)
        raise
    result = make_result(scenario, sorted(given), runs, interrupted=False)
    if folder is None or store is None:
        return result
    result.save(folder)
    store.clear()
    return load_result(folder)


def run_keys(scenario: Scenario) -> list[RunKey]:
    """Every run of a scenario, repeat by repeat."""
    labels = [spec.label for spec in scenario.algorithms]
    return [(label, repeat) for repeat in range(scenario.repeats) for label in labels]


def make_result(
    scenario: Scenario,
    given: list[str],
    finished: Mapping[RunKey, FinishedRun],
    *,
    interrupted: bool,
) -> Result:
    """The result of the runs there are; ``given`` names the sections given in Python."""
    runs = [
        {"algorithm": key[0], "repeat": key[1], "constants": finished[key].row["tuning"]}
        for key in run_keys(scenario)
        if key in finished
    ]
    manifest = make_manifest(scenario, given, runs) | {"interrupted": interrupted}
    return Result.from_runs(
        manifest, finished.values(), [spec.label for spec in scenario.algorithms]
    )


def as_scenario(scenario: Scenario | Mapping[str, Any] | str | Path) -> Scenario:
    """A scenario from itself, a mapping, or the path of a YAML file."""
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, Mapping):
        return scenario_from_mapping(scenario)
    return load_scenario(scenario)


@one_blas_thread()
def check_scenario(scenario: Scenario, **given: Any) -> list[Plan]:
    """Tune every algorithm on the parts of the first repeat; InputError for what cannot run."""
    parts = parts_of(scenario, 0, given)
    return [make_plan(scenario, spec, parts) for spec in scenario.algorithms]


@one_blas_thread()
def estimate_scenario(scenario: Scenario, **given: Any) -> Estimate:
    """Memory of one process, and time and events of all runs in turn, if all go to their limits."""
    parts = parts_of(scenario, 0, given)
    runs = [estimate(plan, parts) for plan in check_scenario(scenario, **given)]
    return Estimate(
        memory=max(run.memory for run in runs),
        seconds=scenario.repeats * sum(run.seconds for run in runs),
        events=scenario.repeats * sum(run.events for run in runs),
    )


@one_blas_thread()
def _run_key(
    scenario: Scenario,
    key: RunKey,
    given: Mapping[str, Any],
    tick: Tick | None = None,
    methods: Sequence[Method] = (),
) -> FinishedRun:
    """One run from scratch: what a worker process does, which has to be told a user's methods."""
    for method in methods:
        register(method)
    label, repeat = key
    parts = parts_of(scenario, repeat, given)
    spec = next(spec for spec in scenario.algorithms if spec.label == label)
    plan = make_plan(scenario, spec, parts)
    return run_plan(plan, parts, key, stream(scenario.seed, repeat, "events"), tick)


def _run_all(
    scenario: Scenario, keys: list[RunKey], given: Mapping[str, Any], jobs: int, tick: Tick | None
) -> Iterator[FinishedRun]:
    """The runs as they finish, in this process or in ``jobs`` others."""
    if jobs == 1:
        for key in keys:
            yield _run_key(scenario, key, given, tick)
        return
    from joblib import Parallel, delayed

    methods = {spec.name: get_method(spec.name) for spec in scenario.algorithms}
    own = [method for name, method in methods.items() if name not in BUILT_IN_ALGORITHMS]
    tasks = (delayed(_run_key)(scenario, key, given, None, own) for key in keys)
    yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
