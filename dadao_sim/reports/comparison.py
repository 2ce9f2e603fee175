"""Several results side by side: what each algorithm spends to reach one accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dadao_sim.errors import InputError
from dadao_sim.results.axes import TABLED
from dadao_sim.results.result import Result

if TYPE_CHECKING:
    from pandas import DataFrame


def comparison_table(
    results: Mapping[str, Result],
    accuracy: float | Mapping[str, float],
    quantities: Sequence[str] = TABLED,
    prices: Mapping[str, float] | None = None,
    algorithms: Sequence[str] | None = None,
) -> DataFrame:
    """The summaries of several results at one accuracy, each with its own prices.

    Args:
        results: name of a scenario -> its result.
        accuracy: any; it need not be among `report.accuracies`. Of a mapping one for each result.
        quantities: what is compared, names of `results.axes.AXES`.
        prices: those of all results, instead of their own; see `results.axes.PRICED`.
        algorithms: labels of those compared; all if None.

    Returns:
        A column `scenario`, then those of `results.summary.summarise`; one row per scenario and
        algorithm, in their orders.

    Raises:
        InputError: no results, an accuracy that is not positive and finite, a price that is none,
            or a quantity that a result does not have.

    """
    import pandas as pd

    if not results:
        raise InputError("results", "none given", "give at least one")
    known = {label for result in results.values() for label in result.methods}
    for label in algorithms or ():
        if label not in known:
            raise InputError("algorithms", f"{label!r} is in none of the results")
    tables = []
    to = accuracy if isinstance(accuracy, Mapping) else dict.fromkeys(results, accuracy)
    for name, result in results.items():
        terms = result.terms.priced(**(prices or {}))
        try:
            table = result.summary_of([to[name]], quantities, terms, algorithms)
        except InputError as error:
            where, wrong, right = error.args
            if where == "quantities" and len(results) > 1:  # which result it is that has it not
                error.args = (where, f"{name}: {wrong}", right)
            raise
        table.insert(0, "scenario", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def ranked(table: DataFrame, quantity: str) -> DataFrame:
    """A comparison, in each scenario the algorithm first whose median is least; those that did not
    get there come last, in their order.
    """
    import pandas as pd

    parts = [part for _, part in table.groupby("scenario", sort=False)]
    ordered = [part.sort_values(f"{quantity}_median", kind="stable") for part in parts]
    return pd.concat(ordered, ignore_index=True)


def titles_of(results: Mapping[str, Result]) -> dict[str, str]:
    """The name in print of each method of several results."""
    return {method: title for result in results.values() for method, title in result.titles.items()}
