"""What a sweep says: cost against a swept key, its exponent, a map over two keys, a profile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.reports.theory import COUNTS, MethodTheory, TheoryReport, theory_report
from dadao_sim.results.axes import AXES, axis_named
from dadao_sim.results.summary import percentile
from dadao_sim.simulation.identity import scenario_as_run
from dadao_sim.simulation.study import Study
from dadao_sim.text.lines import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from dadao_sim.results.sweep import SweepResult, Value

CONFIDENCE = 0.95
EXACT, SLOPE, THEOREM = KINDS = ("exact", "slope only", "theorem")
"""Of a line of theory: read off expected curves, from an error of 1 at the exact exponents, or
enough by a theorem.
"""
QUICK_STATES = 600  # numbers at once up to which theory is worked out: a cell's takes half a minute
MOST_FACETS = 2  # swept keys that are rows and columns of a figure


@dataclass(frozen=True)
class PowerLaw:
    """y = factor * x ** exponent, by least squares on the logarithms of both.

    ``low`` and ``high`` are the ends of the interval of the exponent (Student's t, CONFIDENCE), as
    if the deviations of the logarithms from the line were independent and normal; -inf and inf of
    two points, which leave no deviation.
    """

    exponent: float
    low: float
    high: float
    factor: float

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"{self.exponent:.2f}"
        return f"{self.exponent:.2f} [{self.low:.2f}, {self.high:.2f}]"


def power_law(x: Sequence[float], y: Sequence[float]) -> PowerLaw | None:
    """The fit to positive, finite points; None to fewer than two different x, or where a y is none:
    what was not reached has no exponent.
    """
    values = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(set(values[0].tolist())) < 2 or not all((v > 0).all() for v in values):
        return None
    if not all(np.isfinite(v).all() for v in values):
        return None
    u, v = np.log(values)
    spread, together, _, height = np.cov(u, v, bias=True).flat
    exponent = float(together / spread)
    free, half = len(u) - 2, math.inf
    if free:  # as scipy.stats.linregress, without the p-value it spends its time on
        explained = min(abs(together) / math.sqrt(spread * height), 1.0) ** 2 if height else 1.0
        error = math.sqrt((1 - explained) * height / spread / free)
        half = _standard_errors(free) * error
    return PowerLaw(
        exponent, exponent - half, exponent + half, math.exp(v.mean() - exponent * u.mean())
    )


@lru_cache(maxsize=256)
def _standard_errors(free: int) -> float:
    """How many of them an interval reaches to either side."""
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, free))


@dataclass(frozen=True)
class Line:
    """One algorithm in one facet: its cost (k,) at the values ``x`` (k,) of a swept key.

    ``theory`` is what is known of it, the same at all x, and ``kind`` is what that is (see KINDS);
    nan where it is nothing.
    """

    algorithm: str
    x: NDArray[np.float64]
    median: NDArray[np.float64]
    p10: NDArray[np.float64]
    p90: NDArray[np.float64]
    theory: NDArray[np.float64]
    kind: str

    @property
    def fit(self) -> PowerLaw | None:
        """Of the medians."""
        return power_law(self.x.tolist(), self.median.tolist())

    @property
    def theory_fit(self) -> PowerLaw | None:
        """Of theory's line, over the same x."""
        return power_law(self.x.tolist(), self.theory.tolist())


@dataclass(frozen=True)
class Facet:
    """The lines where the other swept keys have certain ``values``."""

    values: dict[str, Value]
    lines: tuple[Line, ...]

    @property
    def title(self) -> str:
        """Its values, in words."""
        return ", ".join(f"{short(key)} = {value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Against:
    """A cost to an accuracy (None: to that of each cell) against a swept key, by facets."""

    key: str
    quantity: str
    accuracy: float | None
    facets: tuple[Facet, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """A row per facet and algorithm: the exponents, for a table."""
        rows = []
        for facet in self.facets:
            for line in facet.lines:
                fit, theory = line.fit, line.theory_fit
                rows.append(
                    {
                        **facet.values,
                        "algorithm": line.algorithm,
                        "exponent": math.nan if fit is None else fit.exponent,
                        "low": math.nan if fit is None else fit.low,
                        "high": math.nan if fit is None else fit.high,
                        "theory": math.nan if theory is None else theory.exponent,
                        "theory_is": "" if theory is None else line.kind,
                    }
                )
        return rows


def accuracy_in_words(accuracy: float | None) -> str:
    """One accuracy, or that every cell has its own."""
    return "stop.accuracy" if accuracy is None else f"{accuracy:g}"


def short(key: str) -> str:
    """The last part of a dotted key, in words."""
    return key.rpartition(".")[2].replace("_", " ")


def against(
    result: SweepResult,
    key: str | None = None,
    quantity: str = "communications",
    accuracy: float | None = None,
    at: Mapping[str, Value] | None = None,
    *,
    theory: bool = False,
    labels: Sequence[str] | None = None,
) -> Against:
    """The cost to an accuracy against a swept key.

    Args:
        result: of a sweep.
        key: one whose values are numbers; the first such key by default.
        quantity: a cost of the table.
        accuracy: one of the report's; by default the smallest that every cell asks for, and where
            the accuracy at which a run stops is swept, that of each cell.
        at: values of other swept keys that are looked at; all by default, a facet for each.
        theory: whether to work out what theory says of each cell, which may take its time.
        labels: of algorithms; all by default.

    Raises:
        InputError: no such key, quantity, accuracy or value; a key that is not numbers; more other
            keys than a figure has rows and columns.

    """
    costs = chosen(result, accuracy, at)
    key = numeric_key(result, key)
    _check_quantity(result, costs, quantity)
    others = left_open(costs, result.keys, [key])
    if len(independent(costs, others)) > MOST_FACETS:
        raise InputError(
            "at",
            f"{len(others)} swept keys are left beside {key} ({', '.join(others)})",
            f"give values of all but {MOST_FACETS}",
        )
    least = _accuracy_in(costs)
    if labels is not None:
        costs = costs[costs["algorithm"].isin(labels)]
    predicted = predictions(result, costs) if theory else {}
    facets = []
    for values in costs[others].drop_duplicates().to_numpy().tolist() if others else [[]]:
        here = dict(zip(others, values, strict=True))
        rows = costs
        for other, value in here.items():
            rows = rows[rows[other] == value]
        lines = [
            _line(str(label), group, key, quantity, predicted)
            for label, group in rows.groupby("algorithm", sort=False)
        ]
        facets.append(Facet(here, tuple(lines)))
    return Against(key, quantity, least, tuple(facets))


def chosen(
    result: SweepResult, accuracy: float | None, at: Mapping[str, Value] | None
) -> DataFrame:
    """The rows of the costs that a figure is of, with the number of their cell. InputError where
    there are none.
    """
    costs = numbered(result, result.costs)
    costs = costs[costs["reason"] == ""]
    known = sorted(costs["accuracy"].unique().tolist(), reverse=True)
    if not known:
        raise InputError("sweep", "every cell failed: there is nothing to draw")
    if accuracy is None and result.has_own_accuracies:
        costs = costs[costs["accuracy"] == costs.groupby("cell")["accuracy"].transform("min")]
    else:
        wanted = _asked_by_all(costs, known) if accuracy is None else accuracy
        if wanted not in known:
            listed = ", ".join(f"{one:g}" for one in known)
            raise InputError("accuracy", f"{wanted:g} given", f"the report has {listed}")
        costs = costs[costs["accuracy"] == wanted]
    for key, value in (at or {}).items():
        _check_key(result, key, "at")
        there = costs[key].unique().tolist()
        same = [one for one in there if _is(one, value)]
        if not same:
            listed = ", ".join(map(str, there))
            raise InputError("at", f"{key}={value} given", f"the sweep has {listed}")
        costs = costs[costs[key] == same[0]]
    return costs


def _accuracy_in(costs: DataFrame) -> float | None:
    """The one to which costs are; None where cells have their own."""
    found = costs["accuracy"].unique().tolist()
    return float(found[0]) if len(found) == 1 else None


def _asked_by_all(costs: DataFrame, known: Sequence[float]) -> float:
    """The smallest accuracy that a run of every cell was to get to. InputError for none."""
    tried = costs[costs["communications"].notna()]
    cells = set(costs["cell"])
    common = [one for one in known if set(tried["cell"][tried["accuracy"] == one]) == cells]
    if not common:
        listed = ", ".join(f"{one:g}" for one in known)
        raise InputError("accuracy", "no cell asks for that of all others", f"give one of {listed}")
    return min(common)


def numbered(result: SweepResult, table: DataFrame) -> DataFrame:
    """A table of the sweep with the number of each row's cell, as a column ``cell``."""
    numbers = [result.is_number(key) for key in result.keys]

    def told_apart(values: Iterable[Value]) -> tuple[float | str, ...]:
        pairs = zip(values, numbers, strict=True)
        return tuple(float(value) if number else str(value) for value, number in pairs)

    rows = zip(*(table[key].tolist() for key in result.keys), strict=True)
    try:
        known = {told_apart(cell.values.values()): k for k, cell in enumerate(result.cells)}
        numbered = [known[told_apart(row)] for row in rows]
    except (KeyError, TypeError, ValueError):
        raise InputError(
            "sweep", "its cells are not those of its tables: sweep.json was edited", "resume it"
        ) from None
    return table.assign(cell=numbered)


def _is(value: Value, given: Value) -> bool:
    """Whether a value of the table is one that is given, if as text: 4.0 is "4"."""
    with suppress(ValueError):
        return str(value) == str(given) or (not isinstance(value, str) and value == float(given))
    return False


def numeric_key(result: SweepResult, key: str | None) -> str:
    """The swept key itself, or the first whose values are numbers. InputError for another."""
    if key is None:
        numbers = [one for one in result.keys if result.is_number(one)]
        if not numbers:
            raise InputError("key", "no swept key has numbers", "draw a profile instead")
        return numbers[0]
    _check_key(result, key)
    if not result.is_number(key):
        raise InputError("key", f"the values of {key} are no numbers", "choose another swept key")
    return key


def left_open(costs: DataFrame, keys: Sequence[str], given: Sequence[str]) -> list[str]:
    """The keys that still have several values where the given ones have one, as those that move
    with them have not.
    """
    rest = [key for key in keys if key not in given]
    groups = costs.groupby(list(given), sort=False)
    return [key for key in rest if groups[key].nunique().max() > 1]


def independent(costs: DataFrame, keys: Sequence[str]) -> list[str]:
    """The keys but for those that one before them moves along."""
    found: list[str] = []
    for key in keys:
        moved = (costs.groupby(other, sort=False)[key].nunique().max() == 1 for other in found)
        if not any(moved):
            found.append(key)
    return found


def _check_key(result: SweepResult, key: str, where: str = "key") -> None:
    if key not in result.keys:
        raise InputError(where, f"{key!r} is not swept", f"use {', '.join(result.keys)}")


def _check_quantity(result: SweepResult, costs: DataFrame, quantity: str) -> None:
    """InputError for what is no cost of all cells: why, and which there are."""
    axis = axis_named(quantity, "quantity")
    if quantity in costs:
        return
    why = "not every cell has it"
    for cell, one in result.results():
        if said := axis.why_not(one.curves, one.terms):
            why = said if len(result.cells) == 1 else f"{said} ({cell})"
            break
    there = listed(name for name in AXES if name in costs)
    raise InputError("quantity", f"{quantity}: {why}", f"use {there}")


def _line(
    label: str,
    group: DataFrame,
    key: str,
    quantity: str,
    predicted: Mapping[tuple[int, str, str], tuple[float, str]],
) -> Line:
    columns: dict[float, list[float]] = {}
    theory: dict[float, float] = {}
    kind = ""
    for x, cell, cost in zip(group[key], group["cell"], group[quantity], strict=True):
        columns.setdefault(float(x), []).append(float(cost))
        if (cell, label, quantity) in predicted:
            theory[float(x)], kind = predicted[cell, label, quantity]
    order = sorted(columns)
    spent = np.array([[percentile(columns[x], p) for p in (50, 10, 90)] for x in order])
    return Line(
        algorithm=label,
        x=np.array(order),
        median=spent[:, 0],
        p10=spent[:, 1],
        p90=spent[:, 2],
        theory=np.array([theory.get(x, math.nan) for x in order]),
        kind=kind,
    )


def predictions(
    result: SweepResult, costs: DataFrame
) -> dict[tuple[int, str, str], tuple[float, str]]:
    """By cell, algorithm and count, what theory says it costs to reach its accuracy, and of which
    of the KINDS that is: the first that is known in all cells of the algorithm. What is exact is of
    the first repeat of a cell.
    """
    reports: dict[int, TheoryReport] = {}
    accuracies = dict(zip(costs["cell"].tolist(), costs["accuracy"].tolist(), strict=True))
    for number in costs["cell"].unique().tolist():
        cell = result.cells[number]
        with within(str(cell)):
            study = Study(scenario_as_run(cell.result.manifest))
            there = set(costs["algorithm"][costs["cell"] == number])
            reports[number] = theory_report(
                study,
                accuracies=[accuracies[number]],
                labels=[label for label in study.labels if label in there],
                first_only=True,
                quick=QUICK_STATES,
            )
    labels = {method.algorithm for report in reports.values() for method in report.methods}
    found: dict[tuple[int, str, str], tuple[float, str]] = {}
    for label in labels:
        of = {k: m for k, r in reports.items() for m in r.methods if m.algorithm == label}
        ways = _ways(of, accuracies)
        for count in COUNTS:
            whole = (
                kind
                for kind, said in ways.items()
                if all(math.isfinite(counts[count]) for counts in said.values())
            )
            kind = next(whole, THEOREM)
            found |= {(k, label, count): (ways[kind][k][count], kind) for k in of}
    return found


def _ways(
    of: Mapping[int, MethodTheory], to: Mapping[int, float]
) -> dict[str, dict[int, Mapping[str, float]]]:
    """By kind and cell, the counts of an algorithm; of exact ones where all of them are."""
    ways: dict[str, dict[int, Mapping[str, float]]] = {}
    if all(method.predicted[0].crosses(to[k]) for k, method in of.items()):
        ways[EXACT] = {k: method.costs[to[k]]["exact"] for k, method in of.items()}
    ways[SLOPE] = {k: method.predicted[0].slope(to[k]) for k, method in of.items()}
    ways[THEOREM] = {k: method.costs[to[k]]["promised"] for k, method in of.items()}
    return ways


@dataclass(frozen=True)
class Profile:
    """Of each algorithm, the share (k,) of the problems on which it costs at most so many times
    (k,) what the best one does (Dolan and More, 2002). A problem is a cell in a repeat.
    """

    quantity: str
    accuracy: float | None
    problems: int
    ratios: dict[str, NDArray[np.float64]]

    def share(self, label: str, ratio: float) -> float:
        """Of the problems, on which an algorithm is within a ratio of the best."""
        return float((self.ratios[label] <= ratio).mean())


def profile(
    result: SweepResult, quantity: str = "communications", accuracy: float | None = None
) -> Profile:
    """The performance profile over the cells in which all algorithms were run, and their repeats. A
    run that did not get there has no ratio (inf), and where none did, none has; such problems count
    all the same, but for those that some run was not to get to. InputError as `against`, and where
    the algorithms share no cell.
    """
    costs = chosen(result, accuracy, None)
    _check_quantity(result, costs, quantity)
    table = costs.pivot_table(
        index=["cell", "repeat"],
        columns="algorithm",
        values=quantity,
        aggfunc="first",
        sort=False,
        dropna=False,
    ).dropna()
    if table.empty:
        raise InputError("sweep", "there is no cell in which all algorithms were run and tried")
    best = table.min(axis=1)
    ratios = {}
    for label in dict.fromkeys(costs["algorithm"]):
        spent = table[label].to_numpy(dtype=float)
        least = best.to_numpy(dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(spent == least, 1.0, spent / least)
        ratios[label] = np.sort(np.where(np.isfinite(spent), ratio, math.inf))
    return Profile(quantity, _accuracy_in(costs), len(table), ratios)


@dataclass(frozen=True)
class HeatMap:
    """Medians (len(rows), len(columns)) of a cost of one algorithm over two swept keys.

    ``there`` is where the algorithm has a cell: not off the diagonal of keys that move together.
    """

    keys: tuple[str, str]
    quantity: str
    accuracy: float | None
    algorithm: str
    rows: tuple[Value, ...]
    columns: tuple[Value, ...]
    median: NDArray[np.float64]
    there: NDArray[np.bool_]


def heat_maps(
    result: SweepResult,
    keys: tuple[str, str],
    quantity: str = "communications",
    accuracy: float | None = None,
    at: Mapping[str, Value] | None = None,
) -> tuple[HeatMap, ...]:
    """A map for each algorithm. InputError as `against`, and for other keys that are left open."""
    costs = chosen(result, accuracy, at)
    _check_quantity(result, costs, quantity)
    for key in keys:
        _check_key(result, key, "keys")
    if keys[0] == keys[1]:
        raise InputError("keys", f"{keys[0]} is given twice", "two swept keys are needed")
    left = left_open(costs, result.keys, keys)
    if left:
        raise InputError("at", f"{', '.join(left)} is left open", "give its value")
    rows, columns = (tuple(costs[key].unique().tolist()) for key in keys)
    maps = []
    for label, group in costs.groupby("algorithm", sort=False):
        median = np.full((len(rows), len(columns)), math.nan)
        there = np.zeros(median.shape, dtype=bool)
        for (row, column), some in group.groupby(list(keys), sort=False):
            place = rows.index(row), columns.index(column)
            median[place], there[place] = percentile(some[quantity].tolist(), 50), True
        least = _accuracy_in(costs)
        maps.append(HeatMap(keys, quantity, least, str(label), rows, columns, median, there))
    return tuple(maps)
