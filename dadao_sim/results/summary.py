"""Cost to accuracy: what each algorithm spent before it was close enough, over the repeats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.results.axes import TABLED, Axis, Terms, axis_named
from dadao_sim.results.columns import CONVERGED, UNTIL
from dadao_sim.text.cards import Card, flow
from dadao_sim.text.labels import EXPERIMENTAL

if TYPE_CHECKING:
    from pandas import DataFrame

COST_COLUMNS = (
    *("algorithm", "method", "experimental", "constants", "repeat"),
    *("status", "accuracy"),
)
"""Of a table of costs, before what is counted."""
STATISTICS = {"median": 50, "p10": 10, "p90": 90}
NOT_REACHED = "not reached"
NOT_TRIED = "not tried"
TERMS = Terms()
SHOWN = ("communications", "gradients", "time", "seconds")
"""What is shown of a table of costs where it is printed as an object."""


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of values that may be +inf, linear between order statistics.

    As `numpy.percentile` for finite values. Next to an infinite order statistic numpy gives nan
    (inf - inf, or 0 * inf); here a point strictly between a finite and an infinite value is
    infinite, and a point on an order statistic is that value. Next to a nan all are nan.
    """
    if any(math.isnan(value) for value in values):
        return math.nan
    ordered = sorted(float(value) for value in values)
    # In integers: 0.1 * (n - 1) may miss the order statistic it should fall on.
    below, hundredths = divmod((len(ordered) - 1) * percent, 100)
    low = ordered[below]
    if hundredths == 0:
        return low
    high = ordered[below + 1]
    if math.isinf(high):
        return high
    return low + (high - low) * (hundredths / 100)


def costs_to_accuracy(
    curves: DataFrame,
    runs: DataFrame,
    accuracies: Iterable[float],
    terms: Terms = TERMS,
    stop_accuracy: float | None = None,
    quantities: Sequence[str] = TABLED,
) -> DataFrame:
    """What every run had spent at its first sample with an accuracy at or below each target.

    Args:
        curves: as in `Result`.
        runs: as in `Result`; every row counts, with or without samples.
        accuracies: targets, relative mean squared distances to the optimum.
        terms: prices and what else the costs are computed with (`Result.terms`).
        stop_accuracy: where the runs were to end; what lies below it was not tried.
        quantities: what is counted, names of `results.axes.AXES`.

    Returns:
        One row per accuracy and run: algorithm, method, experimental, constants, repeat, status,
        accuracy and the quantities, inf where the run never got there, nan where it was not to: an
        accuracy below `stop_accuracy`, or of a run that ended where it was to, that its last step
        did not happen to reach. No interpolation between samples.

    Raises:
        InputError: an accuracy is not positive and finite; a quantity is unknown, or the result
            does not have it.

    """
    import pandas as pd

    targets = sorted({float(accuracy) for accuracy in accuracies}, reverse=True)
    for target in targets:
        if not 0 < target < math.inf:
            raise InputError("accuracies", f"{target:g} given", "all must be positive and finite")
    axes = checked_quantities(quantities)
    spent_there = {axis.name: axis.spent(curves, terms, "quantities") for axis in axes}
    wanted = curves[["algorithm", "repeat", "accuracy"]].assign(**spent_there)
    samples = dict(list(wanted.groupby(["algorithm", "repeat"], sort=False)))
    names = list(COST_COLUMNS[:-1])
    rows: list[dict[str, Any]] = []
    for reason, *run in zip(runs["reason"], *(runs[name] for name in names), strict=True):
        label, _, _, _, repeat, status = run
        arrived = status == CONVERGED and reason.startswith(UNTIL)
        group = samples.get((label, repeat))
        for target in targets:
            tried = not arrived and (stop_accuracy is None or target >= stop_accuracy)
            spent = dict.fromkeys(spent_there, math.inf if tried else math.nan)
            if group is not None:
                reached = np.flatnonzero(group["accuracy"].to_numpy() <= target)
                if reached.size:
                    first = group.iloc[int(reached[0])]
                    spent = {name: float(first[name]) for name in spent_there}
            rows.append({**dict(zip(names, run, strict=True)), "accuracy": target, **spent})
    return pd.DataFrame(rows, columns=[*names, "accuracy", *spent_there])


def checked_quantities(names: Sequence[str]) -> list[Axis]:
    """The axes of those names. InputError where one is unknown or there twice, or there is none."""
    if not names:
        raise InputError("quantities", "none given", "give at least one")
    if len(set(names)) < len(names):
        raise InputError("quantities", f"{', '.join(names)} given", "each once is needed")
    return [axis_named(name, "quantities") for name in names]


def summarise(
    curves: DataFrame,
    runs: DataFrame,
    accuracies: Iterable[float],
    terms: Terms = TERMS,
    stop_accuracy: float | None = None,
    quantities: Sequence[str] = TABLED,
) -> DataFrame:
    """The cost to each accuracy over the repeats. Arguments and errors of `costs_to_accuracy`.

    Returns:
        One row per algorithm (in the order of `runs`) and accuracy (loosest first):
        algorithm, method, experimental (whether any repeat is), constants (whose: see `Result`),
        accuracy, repeats, reached (how many repeats got to the accuracy), status, and for each of
        the quantities its median, 10th and 90th percentile, e.g. `communications_p90`.
        A repeat that never got there counts as inf and is never dropped, so a median is inf as
        soon as half of the repeats failed. Where one was not to get there (nan), nothing is known.
        `status` is how the runs ended ("converged" when they reached the accuracy the scenario
        stops at, "stopped", "diverged") if all ended alike, and "mixed" otherwise; it does not
        depend on the accuracy of the row.

    """
    return over_repeats(
        costs_to_accuracy(curves, runs, accuracies, terms, stop_accuracy, quantities), quantities
    )


def over_repeats(costs: DataFrame, quantities: Sequence[str]) -> DataFrame:
    """The table of `summarise`, from one of `costs_to_accuracy`."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (label, accuracy), group in costs.groupby(["algorithm", "accuracy"], sort=False):
        endings = set(group["status"])
        row: dict[str, Any] = {
            "algorithm": label,
            "method": group["method"].iloc[0],
            "experimental": bool(group["experimental"].any()),
            "constants": group["constants"].iloc[0],
            "accuracy": accuracy,
            "repeats": len(group),
            "reached": int(np.isfinite(group[quantities[0]]).sum()),
            "status": endings.pop() if len(endings) == 1 else "mixed",
        }
        for quantity in quantities:
            for statistic, percent in STATISTICS.items():
                row[f"{quantity}_{statistic}"] = percentile(group[quantity].tolist(), percent)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(summary_columns(quantities)))


def summary_columns(quantities: Sequence[str] = TABLED) -> tuple[str, ...]:
    """The columns of a summary."""
    of_runs = ("algorithm", "method", "experimental", "constants")
    costs = (f"{quantity}_{statistic}" for quantity in quantities for statistic in STATISTICS)
    return (*of_runs, "accuracy", "repeats", "reached", "status", *costs)


def quantities_of(summary: DataFrame) -> list[str]:
    """What a summary counts, in its order."""
    ending = "_median"
    return [str(name).removesuffix(ending) for name in summary if str(name).endswith(ending)]


def costs_card(title: str, summary: DataFrame, by: Sequence[str] = ()) -> Card:
    """The medians of a table of `summarise`, with the columns ``by`` beside them."""
    shown = [name for name in quantities_of(summary) if name in SHOWN]

    def median(row: Mapping[Any, Any], name: str) -> str:
        return cost_text(row[f"{name}_median"], "{:,.0f}".format)

    rows = [
        [
            *(flow(row[name]) for name in by),
            row["algorithm"] + EXPERIMENTAL * row["experimental"],
            f"{row['accuracy']:g}",
            f"{row['reached']}/{row['repeats']}",
            *(median(row, name) for name in shown),
            row["status"],
        ]
        for row in summary.to_dict("records")
    ]
    columns = [*by, "algorithm", "accuracy", "reached", *shown, "ended"]
    return Card(title, {}, columns, rows, words=len(by) + 1)


def summary_csv(summary: DataFrame) -> bytes:
    """The summary as CSV, numbers in full; "not reached" for inf, "not tried" for nan."""
    text = summary.copy()
    for quantity in quantities_of(summary):
        for statistic in STATISTICS:
            name = f"{quantity}_{statistic}"
            text[name] = [cost_text(value, _in_full) for value in summary[name]]
    return text.to_csv(index=False, lineterminator="\n").encode()


def cost_text(value: float, number: Callable[[float], str]) -> str:
    """A cost as ``number`` writes it, or that it was not reached, or not tried."""
    if math.isnan(value):
        return NOT_TRIED
    return NOT_REACHED if math.isinf(value) else number(value)


def _in_full(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
