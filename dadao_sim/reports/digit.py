"""A digit of which every node sees other pixels: what a node alone makes of it, what all make of it
together, and how a F + R falls where one machine does it.
"""

from dataclasses import dataclass

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.convex_network import (
    ConvexNetwork,
    ConvexNetworkOperator,
    gradient,
    prior_at_answer,
)
from dadao_sim.problems.build import picture
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.digit import SIDE, DigitData, conditional_mean, digits
from dadao_sim.problems.data.image import Picture
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

STEPS = 300


@dataclass(frozen=True)
class Filled:
    """What one algorithm made of the digit in the first repeat.

    - weight: a L, of the step a at which it looks for x* and the smoothness L of F: below 1 the
      theorem holds.
    - found: at the node farthest from the truth, (8, 8).
    - alone: what each node alone makes of its own pixels at the same weight of a pixel (n, 8, 8).
    - communications, accuracy: its curve.
    - objective: a F + R after every step of x+ = f(x - a grad F(x)) from 0, on one machine.
    - changes: ||x+ - x|| of these steps.
    """

    weight: float
    found: FloatArray
    alone: FloatArray
    communications: FloatArray
    accuracy: FloatArray
    objective: FloatArray
    changes: FloatArray


@dataclass(frozen=True)
class DigitReport:
    """The digit in [0, 1] and what was seen of it, nan where nobody did; by label what was made of
    it; and the mean given what was seen were digits Gaussian, (8, 8).
    """

    picture: Picture
    found: dict[str, Filled]
    gaussian: FloatArray
    result: Result


@one_blas_thread()
def digit(result: Result) -> DigitReport:
    """Of a result whose data are a digit, and whose local steps are networks of digits. InputError
    for another.
    """
    study = study_of(result)
    scenario = study.scenario
    data = getattr(scenario.problem, "data", None)
    if not isinstance(data, DigitData):
        raise InputError("figures", "there is no digit", "leave the kind digit out")
    parts = study.parts(0)
    nodes = parts.problem.nodes
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    seen = picture(scenario.problem, nodes, rng)
    found = {}
    for label in result.methods:
        plan = study.plan((label, 0))
        problem, step = plan.parts.problem, plan.tuning.prox_step
        operator = None if problem.local_step is None else problem.local_step.operator
        if not isinstance(operator, ConvexNetworkOperator) or step is None:
            why = f"the term of {label} is no network of digits"
            raise InputError("figures", why, "leave the kind digit out")
        found[label] = _filled(result, label, problem, operator.net, step, seen.truth)
    own = np.flatnonzero(~np.isnan(seen.seen.ravel()))
    values = (seen.seen.ravel() - digits().mean)[own]
    gaussian = _in_grey(conditional_mean(own, values, data.noise))
    return DigitReport(seen, found, gaussian, result)


def proximal_gradient(
    net: ConvexNetwork, problem: Problem, step: float, steps: int = STEPS, node: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x after ``steps`` of x+ = f(x - a grad F(x)) from 0 (d,), a F + R after each, and the lengths
    of the steps (steps,); ``node``: of its f_i in the place of F.
    """
    x = np.zeros(problem.dimension)
    objective, changes = np.empty(steps), np.empty(steps)
    for k in range(steps):
        y = x - step * _slope(problem, x, node)
        after = gradient(net, y)
        changes[k] = np.linalg.norm(after - x)
        x = after
        value = problem.mean_value(x) if node is None else problem.value(node, x)
        objective[k] = step * value + float(prior_at_answer(net, y))
    return x, objective, changes


def _slope(problem: Problem, x: FloatArray, node: int | None) -> FloatArray:
    gradients = problem.gradients(np.tile(x, (problem.nodes, 1)))
    return np.asarray(gradients.mean(axis=0) if node is None else gradients[node])


def _filled(
    result: Result,
    label: str,
    problem: Problem,
    net: ConvexNetwork,
    step: float,
    truth: FloatArray,
) -> Filled:
    X = _in_grey(result.estimates(label))
    worst = int(np.argmax(((X - truth) ** 2).sum(axis=(1, 2))))
    smooth = getattr(problem, "smooth", problem)
    alone = [
        proximal_gradient(net, smooth, step / problem.nodes, node=i)[0]
        for i in range(problem.nodes)
    ]
    _, objective, changes = proximal_gradient(net, smooth, step)
    curves = result.curves
    curves = curves[(curves["algorithm"] == label) & (curves["repeat"] == 0)]
    curvature = np.linalg.eigvalsh(smooth.hessian(np.zeros(problem.dimension)))[-1]
    return Filled(
        weight=float(step * curvature),
        found=X[worst],
        alone=_in_grey(np.array(alone)),
        communications=curves["communications"].to_numpy(dtype=float),
        accuracy=curves["accuracy"].to_numpy(dtype=float),
        objective=objective,
        changes=changes,
    )


def _in_grey(x: FloatArray) -> FloatArray:
    """Digits (..., 64), less their mean, as pictures (..., 8, 8)."""
    return np.asarray(x + digits().mean).reshape(*x.shape[:-1], SIDE, SIDE)
