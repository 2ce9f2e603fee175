"""What a page can rank by and draw against, of `results.axes`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dadao_sim.results.axes import AXES
from dadao_sim.results.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame

RANKED = ("communications", "gradients", "bytes", "time", "seconds", "joules", "cost")
"""What the tables have where a result has it; they are ordered by the first."""


def spent(result: Result) -> dict[str, NDArray[np.float64]]:
    """The costs that a result knows, by name, at each of its samples; 0 where only some methods
    have any.
    """
    curves, terms = result.curves, result.terms
    return {
        name: np.asarray(axis.of(curves, terms), dtype=float)
        for name, axis in AXES.items()
        if not axis.lacks(terms) and set(axis.columns) <= set(curves)
    }


def axis_labels(results: Iterable[Result]) -> dict[str, str]:
    """The costs that all of the results know and some have, each with what an axis says."""
    results = list(results)
    found = [spent(result) for result in results]
    labels: dict[str, str] = {}
    for name, axis in AXES.items():
        if all(name in one for one in found) and any((one[name] > 0).any() for one in found):
            said = {axis.label(result.terms) for result in results}
            labels[name] = said.pop() if len(said) == 1 else axis.short_label
    return labels


def ranked(result: Result) -> dict[str, str]:
    """What the table of a result ranks by, and the heading of each."""
    terms = result.terms
    return {
        name: AXES[name].label(terms) if name == "cost" else AXES[name].short_label
        for name in RANKED
        if not AXES[name].lacks(terms)
    }


def common_heading(name: str) -> str:
    """The heading of a cost whose terms differ."""
    return AXES[name].short_label


def costs(result: Result, accuracy: float) -> DataFrame:
    """The summary at one accuracy, which need not be among those of the scenario, with the medians
    and percentiles of all that the table ranks by.
    """
    return result.summary_of([accuracy], list(ranked(result)))
