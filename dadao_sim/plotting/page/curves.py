"""The samples of a result as a page carries them, and the figure that draws them.

Medians and bands are those of `plotting.curves`, for every pair of axes, on the scale of the error:
the page picks, and does no statistics. Numbers have DIGITS digits, enough for any screen; a column
that is a multiple of another is written as such.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from dadao_sim.plotting.curves import GRID_POINTS, median_and_band, runs_of
from dadao_sim.plotting.page.axes import axis_labels, spent
from dadao_sim.plotting.style import MARKERS, Style, styles
from dadao_sim.results.result import Result

DIGITS = 6
MOST_CHARACTERS = 450_000  # of all samples of a page, and of all bands
LEAST_POINTS = 10  # of a band, whatever there is room for
_PER_NUMBER = 8  # characters, as a rule


def look_of(style: Style) -> dict[str, Any]:
    """A style as the page draws it; a dash in widths of its line, none where it is solid."""
    return {"colour": style.colour, "dash": list(style.dash[1]), "symbol": MARKERS[style.marker]}


def samples(result: Result, room: float = 1.0) -> dict[str, Any]:
    """The runs of every algorithm by their labels, each with its columns, in so much ``room`` on a
    page, of 1: of long runs some of the samples, evenly, the first and the last among them.
    """
    curves = result.curves
    columns = _columns(result)
    numbers = sum(not isinstance(values, Mapping) for values in _written(columns).values())
    most = MOST_CHARACTERS * room / (_PER_NUMBER * max(numbers, 1) * max(len(result.runs), 1))
    algorithms: dict[str, list[dict[str, Any]]] = {label: [] for label in result.methods}
    longest = left_out = 0
    places = curves.groupby(["algorithm", "repeat"], sort=False).indices
    for row in result.runs.to_dict("records"):
        rows = np.asarray(places.get((row["algorithm"], row["repeat"]), []), dtype=int)
        kept = _evenly(rows, max(int(most), 2))
        longest, left_out = max(longest, len(rows)), left_out + len(rows) - len(kept)
        run = {name: values[kept] for name, values in columns.items()}
        algorithms[row["algorithm"]].append(
            {"repeat": row["repeat"], "status": row["status"], "columns": _written(run)}
        )
    return {
        "algorithms": algorithms,
        "bands": bands(result, room),
        "left_out": left_out,
        "samples": len(curves),
    }


def bands(result: Result, room: float = 1.0) -> dict[str, Any]:
    """Of every algorithm with several runs, by the names of the x and the y axis, the median and
    the ends of the band; None of one with a single run, which is its own median.

    An x axis that is a multiple of another one is written as such, with ``of`` and ``times``. Its
    ``grids`` are where there is a median; in ``y`` stand which of them, then what is there. One
    along which the algorithm spends nothing, such as rounds that it does not have, is left out.
    """
    columns, labels = spent(result), result.runs["algorithm"]
    several = [label for label in result.methods if (labels == label).sum() > 1]
    of = result.curves["algorithm"].to_numpy()
    axes = {}
    for label in several:
        own_columns = {x: column[of == label] for x, column in columns.items()}
        axes[label] = _written({x: column for x, column in own_columns.items() if column.any()})
    own = sum(not isinstance(one, Mapping) for written in axes.values() for one in written.values())
    numbers = max(own * (3 * len(result.metrics) + 1), 1)
    points = int(MOST_CHARACTERS * room / (_PER_NUMBER * numbers))
    points = min(max(points, LEAST_POINTS), GRID_POINTS)
    found: dict[str, Any] = dict.fromkeys(result.methods)
    for label, written in axes.items():
        found[label] = {
            x: column if isinstance(column, Mapping) else _bands_along(result, label, x, points)
            for x, column in written.items()
        }
    return found


def _bands_along(result: Result, label: str, x: str, points: int) -> dict[str, Any]:
    grids: list[list[float | None]] = []
    drawn: dict[str, Any] = {}
    for y, metric in result.metrics.items():
        runs = runs_of(result, label, x, y)
        band = median_and_band(runs, log=metric.log, points=points)
        grid = rounded(band.x)
        if grid not in grids:
            grids.append(grid)
        drawn[y] = [grids.index(grid), *map(rounded, (band.median, band.low, band.high))]
    return {"grids": grids, "y": drawn}


def figure(results: Mapping[str, Result]) -> dict[str, Any]:
    """The figure of some results, by the id of their samples, a panel each: axes and looks.

    Axes are those that all of them know, and on which anything happens in any.
    """
    names = {source: result.names for source, result in results.items()}
    methods: dict[str, str] = {}
    for source, result in results.items():
        methods |= {names[source][label]: method for label, method in result.methods.items()}
    looks = {method: look for result in results.values() for method, look in result.looks.items()}
    titles = {name for result in results.values() for name in result.titles.values()}
    # Under its own name a method has its own look, whoever else came before.
    first = sorted(methods, key=lambda name: name not in titles)
    chosen = styles({name: methods[name] for name in first}, looks)
    algorithms = [
        {
            "name": name,
            **look_of(chosen[name]),
            "labels": [
                next((label for label in result.methods if names[source][label] == name), None)
                for source, result in results.items()
            ],
        }
        for name in methods
    ]
    shared = [
        {"name": name, "label": label} for name, label in axis_labels(results.values()).items()
    ]
    one = next(iter(results.values()))
    errors = [
        {"name": name, "label": metric.plain or metric.label, "log": metric.log}
        for name, metric in one.metrics.items()
        if all(name in result.metrics for result in results.values())
    ]
    return {"sources": list(results), "algorithms": algorithms, "x": shared, "y": errors}


def _columns(result: Result) -> dict[str, np.ndarray]:
    measured = {name: np.asarray(result.curves[name], dtype=float) for name in result.metrics}
    return {**spent(result), **measured}


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]


def _written(columns: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Columns as lists; one that is a multiple of an earlier one as ``of`` and ``times``."""
    written: dict[str, Any] = {}
    for name, values in columns.items():
        written[name] = next(_as_multiple(values, columns, written), None) or rounded(values)
    return written


def _as_multiple(
    values: np.ndarray, columns: Mapping[str, np.ndarray], written: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for name, known in written.items():
        other = columns[name]
        if isinstance(known, dict) or not (np.isfinite(other).all() and other.any()):
            continue
        at = int(np.abs(other).argmax())
        times = float(values[at] / other[at])
        if np.allclose(values, times * other, rtol=1e-9, atol=0.0):
            yield {"of": name, "times": times}


def rounded(values: Iterable[float]) -> list[float | None]:
    """Numbers of DIGITS digits, whole ones whole, None for what is no finite number."""
    return [_rounded(value) for value in np.asarray(values, dtype=float).tolist()]


def _rounded(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    if value == int(value) and abs(value) < 2**53:
        return int(value)
    return float(f"{value:.{DIGITS - 1}e}")
