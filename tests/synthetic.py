"""Results whose every number is known: errors that decay at given rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.plotting.style import Style, parse_look
from dadao_sim.results.columns import CURVE_COLUMNS
from dadao_sim.results.result import FinishedRun, Result

TARGET = 1e-8


def scenario(**changes: Any) -> dict[str, Any]:
    report = {
        "accuracies": [1e-2, 1e-4, 1e-6],
        "cost": {"gradient": 1.0, "communication": 0.5},
    }
    whole = {
        "name": "synthetic",
        "seed": 0,
        "repeats": 1,
        "algorithms": [{"name": "dadao", "label": "dadao"}],
        "stop": {"time": 400.0, "accuracy": TARGET},
        "record": {"points": 1000, "metrics": []},
        "report": report,
    }
    return {**whole, **changes}


def finished_run(
    method: str,
    repeat: int = 0,
    *,
    rate: float = 0.1,
    label: str | None = None,
    gradients: int = 10,
    communications: int = 30,
    end: float = 400.0,
    samples: int = 401,
    status: str | None = None,
    experimental: bool = False,
    constants: str = "paper",
) -> FinishedRun:
    """A run with accuracy exp(-rate t), sampled at evenly spaced times and stopped at TARGET.

    `gradients` and `communications` are spent per unit of time. A negative rate diverges.
    """
    time = np.linspace(0.0, end, samples)
    accuracy = np.exp(np.minimum(-rate * time, 700.0))
    done = np.flatnonzero((accuracy <= TARGET) | (accuracy > 1e12))
    last = int(done[0]) + 1 if done.size else samples
    time, accuracy = time[:last], accuracy[:last]
    if status is None:
        status = "converged" if accuracy[-1] <= TARGET else "stopped"
        status = "diverged" if accuracy[-1] > 1 else status
    label = label or method
    columns = {
        "algorithm": label,
        "method": method,
        "repeat": repeat,
        "time": time,
        "gradients": np.round(gradients * time),
        "conjugate_gradients": 0.0,
        "local_solves": 0,
        "communications": np.round(communications * time).astype(np.int64),
        "messages": 2 * np.round(communications * time).astype(np.int64),
        "floats_sent": 0,
        "bytes_sent": 16 * np.round(communications * time).astype(np.int64),
        "rounds": 0,
        "events": np.round(gradients * time) + np.round(communications * time),
        "mean_squared_distance": 7.0 * accuracy,
        "accuracy": accuracy,
        "suboptimality": 3.0 * accuracy,
        "consensus_error": accuracy * (1 - np.exp(-time)),
    }
    curves = pd.DataFrame(columns, columns=list(CURVE_COLUMNS))
    final = curves.iloc[-1]
    row = {
        "algorithm": label,
        "method": method,
        "experimental": experimental,
        "constants": constants,
        "repeat": repeat,
        "status": status,
        "reason": f"rate {rate}, as asked",
        "events": int(final["gradients"] + final["communications"]),
        "time": float(final["time"]),
        "gradients": float(final["gradients"]),
        "communications": int(final["communications"]),
        "tuning": {},
    }
    rng = np.random.default_rng(repeat)
    states = {"x": rng.standard_normal((4, 3)), "file": np.full((4, 3), float(repeat))}
    return FinishedRun(curves, row, states, {"seconds": 0.5, "events_per_second": 1e6})


def declared(method: str) -> dict[str, str | None]:
    """What a manifest says of a method; a user's that is not in the registry has no look."""
    if method in METHODS:
        known = METHODS[method]
        return {"title": known.title, "look": known.look, "estimate": known.estimate}
    return {"title": method, "look": None, "estimate": "x"}


def style_of(method: str) -> Style:
    """How a registered method is drawn."""
    look = METHODS[method].look
    assert look is not None
    return parse_look(look)


def result(*runs: FinishedRun, **changes: Any) -> Result:
    """The runs as a result, algorithms in the order of their first run."""
    methods = {run.key[0]: run.row["method"] for run in runs}
    repeats = 1 + max(run.key[1] for run in runs)
    manifest = {
        "scenario": scenario(
            repeats=repeats,
            algorithms=[{"name": name, "label": label} for label, name in methods.items()],
        )
        | changes,
        "given_in_python": [],
        "seed": 0,
        "versions": {"dadao_sim": "0"},
        "methods": {name: declared(name) for name in methods.values()},
        "metrics": {},
        "plugins": [],
        "runs": [{"algorithm": r.key[0], "repeat": r.key[1], "constants": {}} for r in runs],
        "interrupted": len(runs) < repeats * len(methods),
    }
    return Result.from_runs(manifest, runs, list(methods))
