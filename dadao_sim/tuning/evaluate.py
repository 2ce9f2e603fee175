"""One task of a search: a method in one repeat, at the points of a stage."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle

from dadao_sim import plugins
from dadao_sim.algorithms.contract.registry import get_method, register
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, during
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.simulation.loop import run
from dadao_sim.simulation.parts import Parts
from dadao_sim.simulation.plan import Plan, make_plan, options_of
from dadao_sim.tuning.batch import Accuracies, End, play_batch, single_player, structure
from dadao_sim.tuning.search import Point, factors

REFUSED = "refused"
"""The status of constants that the method does not take."""

# What is known of a point in a repeat, as JSON holds it; see `_row`.
Evaluation = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A method, by its ``spec``, in a repeat of ``scenario``, whose parts are ``parts``.

    ``names`` are the constants that the ``points`` multiply. What is played ``alone`` is played one
    run after the other.
    """

    scenario: Scenario
    spec: AlgorithmSpec
    repeat: int
    parts: Parts
    names: tuple[str, ...]
    points: tuple[Point, ...]
    alone: bool = False


def at(spec: AlgorithmSpec, names: Sequence[str], point: Point) -> AlgorithmSpec:
    """The algorithm with its constants multiplied, beside what its own set multiplies them by.

    InputError for a set that is another at each load of the links.
    """
    if not any(point):
        return spec
    method, options = get_method(spec.name), options_of(spec)
    if method.by_load(options) is not None:
        wrong = f"constants: {options.constants} follows the load of the links"
        raise InputError(f"algorithms: {spec.label}: {wrong}; tune another set")
    chosen = dict(method.factors(options))
    for name, factor in factors(names, point).items():
        chosen[name] = factor * chosen.get(name, 1.0)
    return spec.model_copy(update={"constants": chosen})


@one_blas_thread()
def evaluate(task: Task) -> list[Evaluation]:
    """How the run of each point goes, in the order of the points.

    InputError where a function of a user fails at the constants that the scenario has.
    """
    found: dict[Point, Evaluation] = {}
    plans: dict[Point, Plan] = {}
    for point in task.points:
        spec = at(task.spec, task.names, point)
        scenario = task.scenario.model_copy(update={"algorithms": (spec,)})
        try:
            plans[point] = make_plan(scenario, (spec.label, task.repeat), task.parts)
        except InputError as error:
            if not any(point):
                raise
            found[point] = _row(End(REFUSED, str(error), {}), {})
    for group in groups(plans, alone=task.alone):
        for point, end in zip(group, _played([plans[point] for point in group]), strict=True):
            found[point] = _row(end, plans[point].tuning.constants, plans[point].unit)
    return [found[point] for point in task.points]


def groups(plans: Mapping[Point, Plan], *, alone: bool = False) -> list[list[Point]]:
    """The points whose runs may be played at once."""
    together: list[tuple[Any, list[Point]]] = []
    for point, plan in plans.items():
        kind = None if alone else structure(plan)
        for known, group in together:
            if kind is not None and known == kind:
                group.append(point)
                break
        else:
            together.append((kind, [point]))
    return [group for _, group in together]


def _played(plans: list[Plan]) -> list[End]:
    ends = play_batch(plans) if len(plans) > 1 else None
    return [play_one(plan) for plan in plans] if ends is None else ends


def play_one(plan: Plan) -> End:
    """A run by itself. One in which a function fails is refused, but not at the constants that the
    scenario has.
    """
    label, repeat = plan.key
    problem = plan.parts.problem.with_step(plan.tuning.prox_step)
    accuracies = Accuracies(problem, plan.x0)
    try:
        with during(f"{label}, repeat {repeat}"):
            outcome = run(
                *(single_player(plan), plan.source, accuracies, plan.limits),
                plan.sample_times(),
            )
    except InputError as error:
        if isinstance(plan.spec.constants, str):
            raise
        return End(REFUSED, str(error), {})
    return End(outcome.status, outcome.reason, outcome.samples[-1])


def _row(end: End, constants: Mapping[str, float], unit: float = 1.0) -> Evaluation:
    """What is kept of a run with a ``unit`` of time; what is no finite number is None."""
    last, accuracy = end.last, end.last.get("accuracy", math.nan)
    return {
        "status": end.status,
        "reason": end.reason,
        "constants": dict(constants),
        "time": unit * last["time"] if last else None,
        "gradients": last.get("gradients"),
        "communications": last.get("communications"),
        "bits": 8 * last["bytes_sent"] if last else None,
        "accuracy": accuracy if math.isfinite(accuracy) else None,
    }


def evaluate_elsewhere(
    files: list[tuple[str, bytes]], method: bytes, task: bytes
) -> list[Evaluation]:
    """What a worker process does; ``files`` are the plug-ins, by name and content."""
    plugins.only(files)
    register(cloudpickle.loads(method))
    return evaluate(cloudpickle.loads(task))
