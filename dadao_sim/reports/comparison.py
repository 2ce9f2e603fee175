"""Several results side by side: what each algorithm spends to reach one accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dadao_sim.errors import InputError
from dadao_sim.results.result import Result
from dadao_sim.results.summary import summarise

if TYPE_CHECKING:
    from pandas import DataFrame


def comparison_table(results: Mapping[str, Result], accuracy: float) -> DataFrame:
    """The summaries of several results at one accuracy, each with its own prices.

    Args:
        results: name of a scenario -> its result.
        accuracy: any; it need not be among `report.accuracies`.

    Returns:
        A column `scenario`, then those of `results.summary.summarise`; one row per scenario and
        algorithm, in their orders.

    Raises:
        InputError: no results, or an accuracy that is not positive and finite.

    """
    import pandas as pd

    if not results:
        raise InputError("results", "none given", "give at least one")
    tables = []
    for name, result in results.items():
        table = summarise(
            result.curves, result.runs, [accuracy], *result.cost_weights, result.stop_accuracy
        )
        table.insert(0, "scenario", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def titles_of(results: Mapping[str, Result]) -> dict[str, str]:
    """The name in print of each method of several results."""
    return {method: title for result in results.values() for method, title in result.titles.items()}
