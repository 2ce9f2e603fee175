"""The part of a page that puts several results side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dadao_sim.plotting.page import curves, ranking
from dadao_sim.plotting.page.axes import Ranked, ranked
from dadao_sim.plotting.page.part import Part
from dadao_sim.results.result import Result


def comparison_part(results: Mapping[str, Result], ids: Mapping[str, str]) -> Part:
    """Several results on common axes: their curves side by side, their costs in one table."""
    drawn = curves.figure({f"{ids[name]}-samples": result for name, result in results.items()})
    drawn["titles"] = list(results)
    lists = {name: ranked(result) for name, result in results.items()}
    first = next(iter(lists.values()))
    common = [
        quantity.name
        for quantity in first
        if all(quantity.name in [other.name for other in of] for of in lists.values())
    ]
    titles = {q.name: q.title if q.name != "cost" else "Cost" for q in first}
    names = [algorithm["name"] for algorithm in drawn["algorithms"]]
    tables: dict[float, dict[str, list[tuple[str, list[ranking.Cell | None]]]]] = {}
    for accuracy in ranking.accuracies(list(results.values())):
        rows = {
            name: {
                result.names[row["algorithm"]]: row
                for row in ranking.costs(result, accuracy).to_dict("records")
            }
            for name, result in results.items()
        }
        tables[accuracy] = {
            quantity: _table(results, rows, lists, names, quantity) for quantity in common
        }
    columns = {
        accuracy: list(zip(*(cells for _, cells in of[common[0]]), strict=True))
        for accuracy, of in tables.items()
    }
    shown = ranking.shown_first(columns)
    context = {
        "results": {name: ids[name] for name in results},
        "quantities": {name: titles[name] for name in common},
        "tables": tables,
        "shown": shown,
    }
    return Part(
        "comparison", "Comparison", "comparison.html", context, {"comparison-curves": drawn}
    )


def _called(quantities: Sequence[Ranked], name: str) -> Ranked:
    return next(quantity for quantity in quantities if quantity.name == name)


def _table(
    results: Mapping[str, Result],
    rows: Mapping[str, Mapping[str, Mapping[Any, Any]]],
    quantities: Mapping[str, Sequence[Ranked]],
    algorithms: Sequence[str],
    quantity: str,
) -> list[tuple[str, list[ranking.Cell | None]]]:
    """An algorithm's cell in each result, None where it is not in it."""
    columns = [
        [
            ranking.cell(rows[name][algorithm], _called(quantities[name], quantity))
            if algorithm in rows[name]
            else None
            for algorithm in algorithms
        ]
        for name in results
    ]
    cells = [list(row) for row in zip(*ranking.marked(columns), strict=True)]
    return list(zip(algorithms, cells, strict=True))
