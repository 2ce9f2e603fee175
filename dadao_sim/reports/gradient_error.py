"""How far the gradients of an oracle that relaxes are from exact, at the start of a result."""

from dataclasses import dataclass, replace

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.gradient_oracle import (
    BACKPROP,
    ActivationRelaxation,
    GradientOracle,
)
from dadao_sim.problems.kinds.mlp import MlpProblem
from dadao_sim.problems.kinds.mlp_model import Mlp
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

LONGEST = 24
"""The time t = K h up to which sweeps are made."""
STARTS = ("zeros", "activations")


@dataclass(frozen=True)
class GradientError:
    """||g - grad F||/||grad F|| at the start, of the gradient g that K sweeps of step h answer.

    - layers, step: L and h.
    - time: t = K h (k,).
    - measured: by where the quantities that relax start, the error (k,).
    - predicted: the same, from its closed form.
    - decay: what h makes of exp(-t), (1 - h)^K, and of exp(-t) sum_{j < L - 1} t^j/j!, its sum with
      C(K, j) (h/(1 - h))^j: of one hidden layer, and of as many as there are.
    """

    layers: int
    step: float
    time: FloatArray
    measured: dict[str, FloatArray]
    predicted: dict[str, FloatArray]
    decay: tuple[FloatArray, FloatArray]


def gradient_error(result: Result) -> GradientError:
    """Of the scenario's oracle, or of the first algorithm's that relaxes, from both starts.

    The problem and its start are made again. InputError for a result without such an oracle.
    """
    study = study_of(result)
    parts, scenario = study.parts(0), study.scenario
    oracles = [getattr(scenario.problem, "oracle", None), *(a.oracle for a in scenario.algorithms)]
    relaxing = [one for one in oracles if isinstance(one, ActivationRelaxation)]
    if not relaxing or not isinstance(parts.problem, MlpProblem):
        raise InputError("figures", "no oracle of the scenario relaxes", "leave gradient_error out")
    model, w, oracle = parts.problem.model, parts.x0.mean(axis=0), relaxing[0]
    sweeps = np.unique(np.ceil(np.arange(1, LONGEST + 1) / oracle.step).astype(int))
    exact = _mean_gradient(model, w, BACKPROP)
    found: dict[str, dict[str, FloatArray]] = {"measured": {}, "predicted": {}}
    for start in STARTS:
        told = [
            oracle.model_copy(update={"sweeps": int(K), "start": start, "nonlinear": True})
            for K in sweeps
        ]
        powers = _powers(model, w, start)
        off = {
            "measured": [_mean_gradient(model, w, one) - exact for one in told],
            "predicted": [np.tensordot(one.coefficients(len(powers)), powers, 1) for one in told],
        }
        for name, vectors in off.items():
            norms = np.linalg.norm(vectors, axis=1)
            found[name][start] = norms / np.linalg.norm(exact)
    layers = len(model.sizes) - 1
    decay = [[abs(one.missing(depth)) for one in told] for depth in (1, layers - 1)]
    return GradientError(
        layers=layers,
        step=oracle.step,
        time=sweeps * oracle.step,
        decay=(np.array(decay[0]), np.array(decay[1])),
        **found,
    )


def _mean_gradient(model: Mlp, w: FloatArray, oracle: GradientOracle) -> FloatArray:
    """The mean over the nodes (d,) of what the oracle answers at w."""
    asked = replace(model, oracle=oracle)
    out = np.empty((len(model.rows), w.size))
    for i, of_node in enumerate(out):
        asked.gradient(i, w, None, of_node)
    return np.asarray(out.mean(axis=0))


def _powers(model: Mlp, w: FloatArray, start: str) -> FloatArray:
    """What N^j e(0) makes of the gradient of F, j = 0, ..., L - 2 (L - 1, d): e(0) is the start's
    distance from the equilibrium.
    """
    layers = len(model.sizes) - 1
    found = np.zeros((layers - 1, w.size))
    for i, rows in enumerate(model.rows):
        there = model.forward(w, rows)
        top = model.top(there, model.targets[i], model.scale[i])
        e = [-x for x in BACKPROP.backward(*there, top)]
        if start == "activations":
            e = [x + xbar for x, xbar in zip(e, there.activations[1:], strict=True)]
        e[-1] = np.zeros_like(top)
        of_node = np.empty_like(w)
        for j in range(layers - 1):
            model.assemble(there, e, of_node)
            found[j] += of_node / len(model.rows)
            lowered = zip(e[1:], there.slopes[1:], there.weights[1:], strict=True)
            e = [*((x * slope) @ W for x, slope, W in lowered), e[-1]]
    return found
