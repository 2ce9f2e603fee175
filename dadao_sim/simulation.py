"""From a scenario to a result: the only module that knows all the parts."""

import hashlib
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import dadao_sim
from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.registry import get_method, register
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.estimate import Estimate, estimate
from dadao_sim.events.world.physics import make_physics
from dadao_sim.local_steps.build import build_local_step
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.networks import GraphSequence, Network, build_network
from dadao_sim.plan import Parts, Plan, Tick, make_plan, run_plan
from dadao_sim.problems import Problem, build_problem
from dadao_sim.randomness import PARTS, stream
from dadao_sim.results.folder import UNFINISHED, check_folder, remove_result
from dadao_sim.results.result import Part, Result, RunKey, load_result
from dadao_sim.results.store import RunStore, fingerprint
from dadao_sim.scenario.model import BUILT_IN_ALGORITHMS, Scenario
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

LIBRARIES = ["numpy", "scipy", "numba", "networkx", "pandas", "pyarrow", "scikit-learn", "simpy"]


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
    parts: dict[RunKey, Part] = {}
    if folder is not None:
        identity = fingerprint(
            {**scenario.to_mapping(), "files": input_digest(scenario)}, dadao_sim.__version__
        )
        store = RunStore(folder / UNFINISHED, identity)
        parts = {key: store.load_part(key) for key in store.finished()}
    todo = [key for key in run_keys(scenario) if key not in parts]
    try:
        for key, part in _run_all(scenario, todo, given, jobs, tick):
            if store is not None:
                store.save_part(key, part.curves, part.run, part.states, part.timing)
                part = store.load_part(key)  # its states stay on disk
            parts[key] = part
            if tick is not None:
                tick(key, 1.0, float(part.curves["accuracy"].iloc[-1]))
    except KeyboardInterrupt:
        if folder is not None:
            make_result(scenario, sorted(given), parts, interrupted=True).save(folder)
        raise
    result = make_result(scenario, sorted(given), parts, interrupted=False)
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
    scenario: Scenario, given: list[str], parts: Mapping[RunKey, Part], *, interrupted: bool
) -> Result:
    """The result of the runs there are; ``given`` names the sections given in Python."""
    runs = [
        {"algorithm": key[0], "repeat": key[1], "constants": parts[key].run["tuning"]}
        for key in run_keys(scenario)
        if key in parts
    ]
    manifest = make_manifest(scenario, given, runs) | {"interrupted": interrupted}
    return Result.from_parts(manifest, parts, [spec.label for spec in scenario.algorithms])


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
    parts = _parts(scenario, 0, given)
    return [make_plan(scenario, spec, parts) for spec in scenario.algorithms]


@one_blas_thread()
def estimate_scenario(scenario: Scenario, **given: Any) -> Estimate:
    """Memory of one process, and time and events of all runs in turn, if all go to their limits."""
    parts = _parts(scenario, 0, given)
    runs = [estimate(plan, parts) for plan in check_scenario(scenario, **given)]
    return Estimate(
        memory=max(run.memory for run in runs),
        seconds=scenario.repeats * sum(run.seconds for run in runs),
        events=scenario.repeats * sum(run.events for run in runs),
    )


def build_parts(
    scenario: Scenario,
    repeat: int,
    problem: Problem | None = None,
    network: Network | GraphSequence | None = None,
    local_step: LocalStep | None = None,
) -> Parts:
    """Problem, network and start of a repeat, each from its own stream; given ones are taken as
    they are.
    """

    def rng(part: str) -> np.random.Generator:
        return np.random.default_rng(stream(scenario.seed, repeat, part))

    network = network or build_network(scenario.network, rng("graph"))
    problem = problem or build_problem(scenario.problem, network.nodes, rng("data"))
    if problem.nodes != network.nodes:
        raise InputError(
            f"network: has {network.nodes} nodes, but the problem has {problem.nodes}; "
            "make them equal"
        )
    if local_step is None and scenario.local_step is not None:
        local_step = build_local_step(scenario.local_step, problem.dimension)
    if local_step is not None:
        if problem.local_step is not None:
            raise InputError(
                "local_step: the problem given in Python has one; leave that of the scenario out"
            )
        problem = problem.with_local_step(local_step)
    x0 = np.zeros((problem.nodes, problem.dimension))
    if scenario.start.kind == "normal":
        x0 = scenario.start.scale * rng("start").standard_normal(x0.shape)
    world = None
    if scenario.world is not None:
        stop = scenario.stop
        world = make_physics(
            *(scenario.world, network, rng("world")),
            accuracy=stop.accuracy is not None,
            end=stop.time or math.inf,
        )
    return Parts(problem, network, x0, world)


def input_digest(scenario: Scenario) -> str:
    """Digest of the files that a scenario reads: a result is of their content, not their names."""
    digest = hashlib.sha256()
    network, data = scenario.network, scenario.problem.data
    sequence = getattr(network, "sequence", None)
    learned = getattr(scenario.local_step, "learned", None)
    names = [getattr(network, "file", None), *(getattr(sequence, "files", None) or ())]
    for name in [*names, getattr(data, "path", None), getattr(learned, "network", None)]:
        if name is not None and Path(name).is_file():
            digest.update(hashlib.sha256(Path(name).read_bytes()).digest())
    return digest.hexdigest()


def make_manifest(
    scenario: Scenario, given: list[str], runs: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything needed to run it again: the resolved scenario, the streams, versions, every
    constant.
    """
    learned = scenario.local_step is not None and scenario.local_step.learned is not None
    libraries = [*LIBRARIES, "torch"] if learned else LIBRARIES
    return {
        "scenario": scenario.to_mapping(),
        "given_in_python": given,
        "seed": scenario.seed,
        "streams": {"spawn_key": "(repeat, part)", "parts": list(PARTS)},
        "versions": {
            "dadao_sim": dadao_sim.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
        "platform": {"system": platform.system(), "machine": platform.machine()},
        "runs": runs,
    }


@lru_cache(maxsize=2)
def _parts_of(scenario_json: str, files: str, repeat: int) -> Parts:
    return build_parts(Scenario.model_validate_json(scenario_json), repeat)


def _parts(scenario: Scenario, repeat: int, given: Mapping[str, Any]) -> Parts:
    """The parts of a repeat; those of the last two are kept, for the algorithms share them."""
    if given:
        return build_parts(scenario, repeat, **given)
    return _parts_of(scenario.model_dump_json(), input_digest(scenario), repeat)


@one_blas_thread()
def _run_key(
    scenario: Scenario,
    key: RunKey,
    given: Mapping[str, Any],
    tick: Tick | None = None,
    methods: Sequence[Method] = (),
) -> tuple[RunKey, Part]:
    """One run from scratch: what a worker process does, which has to be told a user's methods."""
    for method in methods:
        register(method)
    label, repeat = key
    parts = _parts(scenario, repeat, given)
    spec = next(spec for spec in scenario.algorithms if spec.label == label)
    plan = make_plan(scenario, spec, parts)
    return key, run_plan(plan, parts, key, stream(scenario.seed, repeat, "events"), tick)


def _run_all(
    scenario: Scenario, keys: list[RunKey], given: Mapping[str, Any], jobs: int, tick: Tick | None
) -> Iterator[tuple[RunKey, Part]]:
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
