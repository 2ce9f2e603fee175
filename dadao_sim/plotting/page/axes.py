"""What a page can rank by and draw against: one list, and the words for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dadao_sim.results.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame, Series


@dataclass(frozen=True)
class Axis:
    """A quantity that is spent: its name, what an axis says, and its values.

    ``of(result, curves)`` has one value per row of curves; it is asked where ``known(result)``.
    """

    name: str
    label: str
    of: Callable[[Result, DataFrame], Series]
    known: Callable[[Result], bool] = lambda result: True


def seconds_of(result: Result) -> float | None:
    """How long a mean gradient interval lasts; None where no world says it."""
    world = result.manifest["scenario"].get("world")
    return None if world is None else float(world["gradient_seconds"])


def _column(name: str) -> Callable[[Result, DataFrame], Series]:
    return lambda result, curves: curves[name]


def _seconds(result: Result, curves: DataFrame) -> Series:
    return curves["time"] * (seconds_of(result) or 1.0)


def _cost(result: Result, curves: DataFrame) -> Series:
    gradient, communication = result.cost_weights
    return gradient * curves["gradients"] + communication * curves["communications"]


AXES = (
    Axis("communications", "Communications (edge activations)", _column("communications")),
    Axis("gradients", "Local gradients (all nodes)", _column("gradients")),
    Axis("time", "Time (mean gradient intervals)", _column("time")),
    Axis("seconds", "Seconds", _seconds, lambda result: seconds_of(result) is not None),
    Axis("bytes", "Bytes sent (all nodes)", _column("bytes_sent")),
    Axis("bits", "Bits sent (all nodes)", lambda result, curves: 8 * curves["bytes_sent"]),
    Axis("messages", "Messages", _column("messages")),
    Axis("rounds", "Rounds", _column("rounds")),
    Axis("cost", "Cost", _cost),
)

ERRORS = {
    "accuracy": "Relative squared distance",
    "mean_squared_distance": "Mean squared distance",
    "suboptimality": "Suboptimality of the mean",
    "consensus_error": "Consensus error",
}
"""What is measured in every run, in words: a page has no TeX."""


@dataclass(frozen=True)
class Ranked:
    """A quantity that the table ranks by: ``column`` of the summary, ``times`` that many."""

    name: str
    title: str
    column: str
    times: float = 1.0


def ranked(result: Result) -> list[Ranked]:
    """What the table of a result ranks by. A factor is the same for all, so ranks and percentiles
    stay what they are.
    """
    gradient, communication = result.cost_weights
    seconds = seconds_of(result)
    return [
        Ranked("communications", "Communications", "communications"),
        Ranked("gradients", "Gradients", "gradients"),
        Ranked("bytes", "Bytes", "bits", 1 / 8),
        Ranked("time", "Time (mean gradient intervals)", "time"),
        *([] if seconds is None else [Ranked("seconds", "Seconds", "time", seconds)]),
        Ranked(
            "cost",
            f"Cost (gradient {gradient:g}, communication {communication:g})",
            "cost",
        ),
    ]
