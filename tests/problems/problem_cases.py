"""Small problems of every kind, and plain transcriptions of what they mean."""

from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.kind import PROBLEMS, ProblemKind
from dadao_sim.strict import ByKind, sentence

LOSSES = ("least_squares", "ridge", "logistic_l2", "huber_l2")
MU, DELTA = 0.3, 0.7


def arrays(loss: str, sizes: tuple[int, ...] = (9, 9, 9, 9), d: int = 3, seed: int = 0) -> Any:
    """Ragged A and b, or one array where the sizes are equal."""
    rng = np.random.default_rng(seed)
    A = [rng.standard_normal((m, d)) for m in sizes]
    b = [rng.standard_normal(m) * 2 for m in sizes]
    if loss == "logistic_l2":
        b = [np.where(part > 0, 1.0, -1.0) for part in b]
    return (np.array(A), np.array(b)) if len(set(sizes)) == 1 else (A, b)


def problem(loss: str, weighting: str = "samples", **options: Any) -> Problem:
    A, b = arrays(loss, **options)
    mu = None if loss == "least_squares" else MU
    return Problem.from_arrays(A, b, loss, mu=mu, weighting=weighting, **constants(loss))


def constants(loss: str) -> dict[str, float]:
    return {"delta": DELTA} if loss == "huber_l2" else {}


def value(loss: str, A: Any, b: Any, i: int, x: Any, weighting: str = "samples") -> float:
    """f_i(x), written out with NumPy alone."""
    z = A[i] @ x
    total = sum(len(part) for part in A)
    scale = len(A) / total if weighting == "samples" else 1 / len(A[i])
    if loss == "logistic_l2":
        losses = np.logaddexp(0, -b[i] * z)
    elif loss == "huber_l2":
        r = np.abs(z - b[i])
        losses = np.where(r <= DELTA, r**2 / 2, DELTA * r - DELTA**2 / 2)
    else:
        losses = (z - b[i]) ** 2
    return float(scale * losses.sum() + (0 if loss == "least_squares" else MU / 2) * x @ x)


def slope(f: Any, x: Any, step: float = 1e-6) -> Any:
    """Gradient of f at x by central differences."""
    shifts = step * np.eye(x.size)
    return np.array([(f(x + shift) - f(x - shift)) / (2 * step) for shift in shifts])


PROBLEM: TypeAdapter[ProblemKind] = TypeAdapter(Annotated[ProblemKind, ByKind(PROBLEMS)])


def spec(kind: str, data: dict[str, Any], **options: Any) -> Any:
    """The problem section of a scenario; 12 samples per node where a number is needed."""
    if data["kind"] == "synthetic" and kind != "averaging":
        data = {"samples_per_node": 12, **data}
    return PROBLEM.validate_python({"kind": kind, "data": data, **options})


def refusal(section: dict[str, Any]) -> str:
    """What is said of the problem section of a scenario: one error, its key first."""
    with pytest.raises(ValidationError) as caught:
        PROBLEM.validate_python(section)
    (error,) = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {sentence(error)}"
