"""The part of a page that puts several results side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dadao_sim.plotting.page import curves, ranking
from dadao_sim.plotting.page.axes import common_heading, costs, ranked
from dadao_sim.plotting.page.part import Part
from dadao_sim.results.result import Result


def comparison_part(results: Mapping[str, Result], ids: Mapping[str, str]) -> Part:
    """Several results on common axes: their curves side by side, their costs in one table."""
    drawn = curves.figure({f"{ids[name]}-samples": result for name, result in results.items()})
    drawn["titles"] = list(results)
    titles = [ranked(result) for result in results.values()]
    quantities = {
        name: title if all(of.get(name) == title for of in titles) else common_heading(name)
        for name, title in titles[0].items()
        if all(name in of for of in titles)
    }
    names = [algorithm["name"] for algorithm in drawn["algorithms"]]
    tables: dict[float, dict[str, list[tuple[str, list[ranking.Cell | None]]]]] = {}
    for accuracy in ranking.accuracies(list(results.values())):
        rows = [_rows(result, accuracy) for result in results.values()]
        tables[accuracy] = {quantity: _table(rows, names, quantity) for quantity in quantities}
    columns = {
        accuracy: list(zip(*(cells for _, cells in next(iter(of.values()))), strict=True))
        for accuracy, of in tables.items()
    }
    shown = ranking.shown_first(columns)
    context = {
        "results": {name: ids[name] for name in results},
        "quantities": quantities,
        "tables": tables,
        "shown": shown,
    }
    data = {"comparison-curves": drawn}
    return Part("comparison", "Comparison", "comparison.html", context, data)


def _rows(result: Result, accuracy: float) -> dict[str, Mapping[Any, Any]]:
    """The summary at an accuracy, by the names of the algorithms in print."""
    names = result.names
    return {names[row["algorithm"]]: row for row in costs(result, accuracy).to_dict("records")}


def _table(
    rows: Sequence[Mapping[str, Mapping[Any, Any]]], algorithms: Sequence[str], quantity: str
) -> list[tuple[str, list[ranking.Cell | None]]]:
    """By algorithm its cell in each result, None where it is not in it."""
    columns = [
        [ranking.cell(of[name], quantity) if name in of else None for name in algorithms]
        for of in rows
    ]
    cells = [list(row) for row in zip(*ranking.marked(columns), strict=True)]
    return list(zip(algorithms, cells, strict=True))
