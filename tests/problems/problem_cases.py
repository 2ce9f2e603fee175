"""Small problems of every kind, and plain transcriptions of what they mean."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.problems import Problem

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
    return Problem.from_arrays(A, b, loss, mu=mu, weighting=weighting, delta=DELTA)


def value(loss: str, A: Any, b: Any, i: int, x: Any, weighting: str = "samples") -> float:
    """f_i(x) as formulas.md has it."""
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


def spec(kind: str, data: dict[str, Any], partition: Any = None, **fields: Any) -> Any:
    """Like the scenario's ProblemSpec, without its checks."""
    defaults = {
        "synthetic": {
            "condition_number": None,
            "heterogeneity": 1.0,
            "noise": 0.1,
            "samples_per_node": 12,
        },
        "authors": {},
        "file": {
            "format": "auto",
            "target": None,
            "standardise": False,
            "limit": None,
            "intercept": False,
        },
    }
    set_defaults = {"standardise": True, "limit": None, "intercept": True}
    options = SimpleNamespace(**{**defaults.get(data["kind"], set_defaults), **data})
    if partition is not None:
        partition = SimpleNamespace(**{"alpha": None, "sizes": "equal", **partition})
    return SimpleNamespace(
        **{"kind": kind, "mu": None, "weighting": "samples", "delta": 1.0, **fields},
        data=options,
        partition=partition,
    )
