"""The part of a page that is about a sweep: costs over all of its cells, not the curves of each.

The page carries what every algorithm spent in every cell (medians and ranges), and for every key,
cost and accuracy what the reports make of it: it picks what is drawn, and computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.files import slug
from dadao_sim.plotting.page.curves import look_of, rounded
from dadao_sim.plotting.page.part import Part
from dadao_sim.plotting.page.question import phrase, phrases
from dadao_sim.plotting.page.sweep_views import Medians, against_views, map_views
from dadao_sim.plotting.style import styles
from dadao_sim.reports.sweep import numbered, profile, short
from dadao_sim.results.axes import AXES
from dadao_sim.results.columns import DIVERGED
from dadao_sim.results.folder import manifest_of
from dadao_sim.results.names import printed_names
from dadao_sim.results.summary import STATISTICS, quantities_of
from dadao_sim.results.sweep import CELLS, SweepResult
from dadao_sim.text.lines import counted, printable

if TYPE_CHECKING:
    from pandas import DataFrame

Array = NDArray[np.float64]

NOT_TRIED, NOT_THERE = -1, -2  # beside null for what was not reached; costs are not negative
MOST_NUMBERS = 75_000  # of the costs of all sweeps of a page
MOST_STEPS = 120  # of a line of a profile


def sweep_part(id: str, name: str, sweep: SweepResult, room: float = 1.0) -> Part:
    """The section of one sweep, which has so much ``room`` on its page, of 1."""
    names = printed_names(
        sweep.costs[sweep.costs["reason"] == ""].drop_duplicates("algorithm"), sweep.titles
    )
    drawn = costs_of(sweep, names, room)
    context = {
        "asked": _asked(sweep, names),
        "failed": [(str(cell), cell.error) for cell in sweep.failed],
        "whole": len(sweep.cells),
        "source": f"{id}-sweep" if drawn else "",
        "maps": bool(drawn) and sum(len(key["values"]) > 1 for key in drawn["keys"]) > 1,
        "left_out": drawn["left_out"] if drawn else "",
        "keys": sweep.keys,
        "cells": _cells(sweep, names),
        "again": _again(sweep),
    }
    return Part(id, name, "sweep.html", context, {f"{id}-sweep": drawn} if drawn else {})


def costs_of(sweep: SweepResult, names: Mapping[str, str], room: float) -> dict[str, Any]:
    """What is drawn: a row per cell and algorithm, with a column per accuracy, cost and statistic.

    As many accuracies as there is ``room`` for, the tightest first, then as many costs. Empty where
    every cell failed.
    """
    import pandas as pd

    summary = numbered(sweep, sweep.summary)
    summary = summary[summary["reason"] == ""]
    if not len(summary):
        return {}
    labels = list(names)
    rows = summary.drop_duplicates(["cell", "algorithm"])
    places = pd.MultiIndex.from_frame(rows[["cell", "algorithm"]])
    quantities = [q for q in quantities_of(summary) if (summary[f"{q}_median"] > 0).any()]
    accuracies = sorted({float(accuracy) for accuracy in summary["accuracy"]}, reverse=True)
    tables = {
        accuracy: summary[summary["accuracy"] == accuracy]
        .set_index(["cell", "algorithm"])
        .reindex(places)
        for accuracy in accuracies
    }
    written = _columns(tables[accuracies[0]], quantities)
    whole = sum("of" not in column for column in written)
    fit = max(1, int(MOST_NUMBERS * room / (len(STATISTICS) * len(rows))))
    shown = accuracies[-max(1, fit // whole) :]
    left_out = [f"to {accuracy:g}" for accuracy in accuracies if accuracy not in shown]
    if fit < whole:
        left_out += [AXES[name].title.lower() for name in quantities[fit:]]
        quantities = quantities[:fit]
    chosen = styles({names[k]: m for k, m in sweep.methods.items()}, sweep.looks)
    columns = {accuracy: _columns(tables[accuracy], quantities) for accuracy in shown}
    reached = {accuracy: _whole(tables[accuracy]["reached"]) for accuracy in shown}
    best = [accuracy for accuracy in shown if any(reached[accuracy])]
    cells = [rows[key].tolist() for key in sweep.keys]
    values = [list(dict.fromkeys(column)) for column in cells]
    several = [key for key, of in zip(sweep.keys, values, strict=True) if len(of) > 1]
    numbers = [key for key in several if sweep.is_number(key)]
    placed = rows[list(sweep.keys)].assign(algorithm=[labels.index(k) for k in rows["algorithm"]])
    medians = [_medians(tables[a], quantities, columns[a]) for a in shown]
    return {
        "keys": [
            {"name": key, "short": short(key), "values": of, "number": sweep.is_number(key)}
            for key, of in zip(sweep.keys, values, strict=True)
        ],
        "algorithms": [{"name": names[k], **look_of(chosen[names[k]])} for k in labels],
        "quantities": [{"name": q, "label": AXES[q].short_label} for q in quantities],
        "accuracies": shown,
        "shown": min(best) if best else shown[-1],
        "rows": {
            "at": [
                [of.index(value) for value in column]
                for of, column in zip(values, cells, strict=True)
            ],
            "algorithm": placed["algorithm"].tolist(),
            "repeats": _whole(rows["repeats"]),
        },
        "tables": [{"reached": reached[a], "columns": columns[a]} for a in shown],
        "profiles": [
            [
                {"of": column["of"]} if "of" in column else _profile(sweep, labels, quantity, a)
                for quantity, column in zip(quantities, columns[a], strict=True)
            ]
            for a in shown
        ],
        "against": against_views(
            placed, dict(zip(sweep.keys, values, strict=True)), numbers, medians
        ),
        "pairs": map_views(placed, sweep.keys, several),
        "left_out": ", ".join(left_out),
    }


def _columns(table: DataFrame, quantities: Sequence[str]) -> list[dict[str, Any]]:
    """Of each cost its statistics; of one that is a multiple of an earlier one, which and by how
    much.
    """
    written: list[dict[str, Any]] = []
    seen: list[Array] = []
    for quantity in quantities:
        values = table[[f"{quantity}_{which}" for which in STATISTICS]].to_numpy(dtype=float)
        found = (
            {"of": k, "times": float(times)}
            for k, other in enumerate(seen)
            if "of" not in written[k] and (times := _times(values, other)) is not None
        )
        absent = table["repeats"].isna().to_numpy()
        columns = {which: _coded(values[:, k], absent) for k, which in enumerate(STATISTICS)}
        written.append(next(found, {}) or columns)
        seen.append(values)
    return written


def _medians(
    table: DataFrame, quantities: Sequence[str], columns: Sequence[Mapping[str, Any]]
) -> Medians:
    """Of the costs that are no multiples of others."""
    there = table["repeats"].notna().to_numpy()
    return there, {
        k: table[f"{quantity}_median"].to_numpy(dtype=float)
        for k, (quantity, column) in enumerate(zip(quantities, columns, strict=True))
        if "of" not in column
    }


def _times(values: Array, other: Array) -> float | None:
    """By what ``other`` is to be multiplied for the values, if that is one number."""
    there = np.isfinite(other) & (other > 0)
    if not there.any():
        return None
    with np.errstate(invalid="ignore"):
        times = float(values[there][0] / other[there][0])
        same = np.isclose(values, times * other, rtol=1e-9, atol=0.0, equal_nan=True).all()
    return times if same else None


def _coded(values: Array, absent: NDArray[np.bool_]) -> list[float | None]:
    untried = np.where(np.isnan(values), float(NOT_TRIED), values)
    return rounded(np.where(absent, float(NOT_THERE), untried))


def _whole(values: Iterable[float]) -> list[int]:
    return [0 if math.isnan(value) else int(value) for value in values]


def _profile(
    sweep: SweepResult, labels: Sequence[str], quantity: str, accuracy: float
) -> dict[str, Any]:
    """A performance profile as the corners of its lines: ratios, and the share that is within each;
    of many some, evenly.
    """
    try:
        found = profile(sweep, quantity, accuracy)
    except InputError:  # no cell has them all
        return {"problems": 0, "lines": [{"ratio": [], "share": []} for _ in labels]}
    lines = []
    for label in labels:
        ratios = found.ratios.get(label, np.array([]))
        ratios = ratios[np.isfinite(ratios)]
        last = [k for k in range(len(ratios)) if k + 1 == len(ratios) or ratios[k + 1] > ratios[k]]
        if len(last) > MOST_STEPS:
            even = np.linspace(0, len(last) - 1, MOST_STEPS).round().astype(int)
            last = [last[k] for k in even]
        shares = [(k + 1) / found.problems for k in last]
        lines.append({"ratio": rounded(ratios[last]), "share": rounded(shares)})
    return {"problems": found.problems, "lines": lines}


def _asked(sweep: SweepResult, names: Mapping[str, str]) -> list[tuple[str, str]]:
    runs = sweep.costs[sweep.costs["reason"] == ""]
    made = len(numbered(sweep, runs).drop_duplicates(["cell", "algorithm", "repeat"]))
    cells, failed = len(sweep.cells), len(sweep.failed)
    rows = [("scenario", sweep.name)]
    for key in sweep.keys:
        values = list(dict.fromkeys(cell.values[key] for cell in sweep.cells))
        rows.append((f"swept: {key}", ", ".join(phrase(value) for value in values)))
    told = f"{cells:,}, with {counted(made, 'run')}" + (f"; {failed:,} failed" if failed else "")
    rows.append(("cells", told))
    return [*rows, *phrases(_common(sweep)), ("algorithms", ", ".join(names.values()))]


def _common(sweep: SweepResult) -> dict[str, Any]:
    """What the scenarios have in common: that of a cell, without the swept keys."""
    manifests = (manifest_of(cell.folder) for cell in sweep.cells if cell.error is None)
    manifest = next(filter(None, manifests), None)
    if manifest is None:
        return {}
    scenario = manifest["scenario"]
    for key in sweep.keys:
        scenario = _without(scenario, key.split("."))
    return {name: section for name, section in scenario.items() if name != "algorithms"}


def _without(value: Any, keys: Sequence[str]) -> Any:
    """A mapping without what is at the end of some keys."""
    if not isinstance(value, Mapping) or keys[0] not in value:
        return value
    rest = {name: inner for name, inner in value.items() if name != keys[0]}
    if len(keys) == 1:
        return rest
    return {
        name: _without(inner, keys[1:]) if name == keys[0] else inner
        for name, inner in value.items()
    }


def _cells(sweep: SweepResult, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every cell: its values, how its runs ended, where it is."""
    runs = numbered(sweep, sweep.costs)
    runs = runs[runs["reason"] == ""].drop_duplicates(["cell", "algorithm", "repeat"])
    ended = {number: _ended(group, names) for number, group in runs.groupby("cell", sort=False)}
    rows = []
    for number, cell in enumerate(sweep.cells):
        failed = cell.error is not None
        said = f"failed: {cell.error}" if failed else ended[number]
        rows.append(
            {
                "values": [phrase(value) for value in cell.values.values()],
                "ended": printable(said),
                "folder": f"{CELLS}/{cell.folder.name}",
                "bad": failed or DIVERGED in said,
            }
        )
    return rows


def _ended(runs: DataFrame, names: Mapping[str, str]) -> str:
    """Such as "13 converged, 2 diverged (EXTRA)"."""
    said = []
    for status, group in runs.groupby("status", sort=False):
        whose = dict.fromkeys(names[label] for label in group["algorithm"])
        all_of_them = len(whose) == runs["algorithm"].nunique()
        said.append(f"{len(group)} {status}" + ("" if all_of_them else f" ({', '.join(whose)})"))
    return ", ".join(said)


def _again(sweep: SweepResult) -> dict[str, Any]:
    file = f"{slug(sweep.name)}.yaml"
    versions = sweep.said.get("versions")
    return {
        "file": file,
        "scenario": sweep.said.get("scenario") or "",
        "folder": sweep.said.get("folder") or "",
        "command": f"dadao-sim run {file} --out results/{sweep.name}",
        "versions": versions if isinstance(versions, Mapping) else {},
    }
