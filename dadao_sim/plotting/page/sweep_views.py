"""How the rows of a sweep's costs stand in its figures, for every choice that a page offers.

What is computed of them is computed by `reports.sweep`: the page picks, and does no statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.plotting.page.curves import rounded
from dadao_sim.reports.sweep import independent, left_open, power_law

if TYPE_CHECKING:
    from pandas import DataFrame

Medians = tuple[NDArray[np.bool_], dict[int, NDArray[np.float64]]]
"""At an accuracy: which rows there are, and of each cost, by its number, the medians in all."""


def against_views(
    rows: DataFrame,
    values: Mapping[str, list[Any]],
    numbers: Sequence[str],
    medians: Sequence[Medians],
) -> list[dict[str, Any]]:
    """For every key of ``numbers`` its facets and the fits in them.

    Args:
        rows: the swept keys and the number of the algorithm, a row per cell and algorithm.
        values: of every swept key, in the order of the figures.
        numbers: the keys that have several numbers.
        medians: by accuracy, of which there are to be fits.

    Returns:
        Of each key its number ``key``; the numbers ``open`` of the keys that have several values
        beside it, and of those ``choices`` that none before them moves along; ``facets``: places
        ``at`` among the values of the open keys, and ``lines``: an algorithm, and its rows in the
        order of the key; ``fits``: by accuracy and cost, of each line of each facet in turn the
        exponent, its interval's ends (None: without end) and the factor, or None.

    """
    keys = list(values)
    algorithm = rows["algorithm"].tolist()
    views = []
    for key in numbers:
        others = left_open(rows, keys, [key])
        x = np.array(rows[key].tolist(), dtype=float)
        found: dict[tuple[int, ...], dict[int, list[int]]] = {}
        places = [[values[other].index(value) for value in rows[other]] for other in others]
        for row in range(len(rows)):
            here = found.setdefault(tuple(place[row] for place in places), {})
            here.setdefault(algorithm[row], []).append(row)
        lines = [of for lines in found.values() for of in lines.values()]
        for of in lines:
            of.sort(key=x.item)
        fits = [
            {k: [_fit(x, y, np.array(of)[there[of]]) for of in lines] for k, y in one.items()}
            for there, one in medians
        ]
        facets = [{"at": at, "lines": list(here.items())} for at, here in found.items()]
        views.append(
            {
                "key": keys.index(key),
                "open": [keys.index(other) for other in others],
                "choices": [keys.index(other) for other in independent(rows, others)],
                "facets": facets,
                "fits": fits,
            }
        )
    return views


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], rows: NDArray[np.int64]
) -> list[float | None] | None:
    law = power_law(x[rows].tolist(), y[rows].tolist())
    return None if law is None else rounded([law.exponent, law.low, law.high, law.factor])


def map_views(rows: DataFrame, keys: Sequence[str], several: Sequence[str]) -> list[dict[str, Any]]:
    """For every two of the keys with ``several`` values those whose values are to be chosen."""
    return [
        {
            "keys": [keys.index(key) for key in pair],
            "choices": [
                keys.index(other) for other in independent(rows, left_open(rows, keys, pair))
            ],
        }
        for pair in combinations(several, 2)
    ]
