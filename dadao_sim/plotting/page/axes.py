"""What a page can rank by and draw against; all that it knows of costs and their units is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dadao_sim.results.result import Result
from dadao_sim.results.summary import STATISTICS, summarise

if TYPE_CHECKING:
    from pandas import DataFrame

LABELS = {
    "communications": "Communications (edge activations)",
    "gradients": "Local gradients (all nodes)",
    "time": "Time (mean gradient intervals)",
    "seconds": "Time (s)",
    "bytes": "Bytes sent (all nodes)",
    "bits": "Bits sent (all nodes)",
    "messages": "Messages (all nodes)",
    "rounds": "Rounds",
    "cost": "Cost",
}
RANKED = {
    "communications": "Communications",
    "gradients": "Gradients",
    "bytes": "Bytes",
    "time": "Time (mean gradient intervals)",
    "seconds": "Time (s)",
    "cost": "Cost",
}
"""What the tables have, the first of it their order."""
ERRORS = {
    "accuracy": "Relative squared distance",
    "mean_squared_distance": "Mean squared distance",
    "suboptimality": "Suboptimality of the mean",
    "consensus_error": "Consensus error",
}
"""What is measured in every run, in words: a page has no TeX."""


def spent(result: Result) -> dict[str, NDArray[np.float64]]:
    """The costs that a result knows, by name, at each of its samples."""
    curves = result.curves
    gradient, communication = result.cost_weights
    seconds = _seconds(result)
    found = {
        "communications": curves["communications"],
        "gradients": curves["gradients"],
        "time": curves["time"],
        **({} if seconds is None else {"seconds": seconds * curves["time"]}),
        "bytes": curves["bytes_sent"],
        "bits": 8 * curves["bytes_sent"],
        "messages": curves["messages"],
        "rounds": curves["rounds"],
        "cost": gradient * curves["gradients"] + communication * curves["communications"],
    }
    return {name: np.asarray(values, dtype=float) for name, values in found.items()}


def axis_labels(results: Iterable[Result]) -> dict[str, str]:
    """The costs that all of the results know and some have, each with what an axis says."""
    found = [spent(result) for result in results]
    return {
        name: label
        for name, label in LABELS.items()
        if all(name in one for one in found) and any((one[name] > 0).any() for one in found)
    }


def ranked(result: Result) -> dict[str, str]:
    """What the table of a result ranks by, and the heading of each."""
    gradient, communication = result.cost_weights
    titles = {**RANKED, "cost": f"Cost (gradient {gradient:g}, communication {communication:g})"}
    return {n: t for n, t in titles.items() if n != "seconds" or _seconds(result) is not None}


def costs(result: Result, accuracy: float) -> DataFrame:
    """The summary at one accuracy, which need not be among those of the scenario, with the medians
    and percentiles of all that the table ranks by.
    """
    table = summarise(
        result.curves, result.runs, [accuracy], *result.cost_weights, result.stop_accuracy
    )
    seconds = _seconds(result)
    for statistic in STATISTICS:
        table[f"bytes_{statistic}"] = table[f"bits_{statistic}"] / 8
        if seconds is not None:
            table[f"seconds_{statistic}"] = seconds * table[f"time_{statistic}"]
    return table


def _seconds(result: Result) -> float | None:
    """How long a mean gradient interval lasts; None where no world says it."""
    world = result.manifest["scenario"].get("world")
    seconds = world.get("gradient_seconds") if isinstance(world, Mapping) else None
    return float(seconds) if isinstance(seconds, int | float) else None
