"""What a search for better constants has played: cost and accuracy against the factor of one.

Left the median cost of the repeats to the accuracy asked for, where the median reaches it; right
the median accuracy at the end, with a cross at the top from where on all runs diverged. The factor
is that of the first constant of each method, 1 the paper's; of two constants the best of the second
is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    LEGEND_ROW,
    WIDE,
    Style,
    add_legend,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
    styles,
)
from dadao_sim.results.axes import AXES
from dadao_sim.results.latex import power
from dadao_sim.results.summary import percentile
from dadao_sim.text.labels import drawable, printed_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

WORST = 10.0  # accuracies above are left out
AT_THE_EDGE = "at the edge"


def tuning_figure(
    evaluations: DataFrame,
    best: DataFrame,
    titles: Mapping[str, str],
    looks: Mapping[str, str | None],
    *,
    by: str,
    accuracy: float,
    width: float = WIDE,
) -> Figure:
    """Two panels, one line per algorithm whose constants were multiplied.

    A ring is at the constants that were there before, a star at the best found; a best one at the
    edge of the grid is a triangle that points beyond it.

    Args:
        evaluations: one row per algorithm, factors and repeat, as `Tuned.evaluations`.
        best: one row per algorithm, as `Tuned.best`.
        titles: method -> its name in print.
        looks: method -> its look, or None.
        by: the quantity of the costs.
        accuracy: the one to be reached.
        width: in inches.

    Raises:
        InputError: no constant was multiplied.

    """
    tuned = best[best["first_constant"].notna()]
    if tuned.empty:
        raise InputError("tuning", "no algorithm has a constant to tune: there is nothing to draw")
    methods = dict(zip(best["algorithm"], best["method"], strict=True))
    look = styles(methods, looks)
    with paper():
        names = [_name(row, titles) for row in tuned.to_dict("records")]
        edge = AT_THE_EDGE in set(tuned["edge"])
        said = [*names, "untuned", "best", *(["best, at the edge"] if edge else [])]
        columns = legend_columns(said, width)
        rows = math.ceil(len(said) / columns)
        figure = new_figure(width, 0.38 * width + LEGEND_ROW * (rows + 1))
        left, right = figure.subplots(1, 2)
        for row in tuned.to_dict("records"):
            style = look[row["algorithm"]]
            runs = evaluations[evaluations["algorithm"] == row["algorithm"]]
            _draw(left, medians(runs, "cost"), row, "cost", style)
            _draw(right, medians(runs, "accuracy"), row, "accuracy", style, WORST)
            _cross(right, runs, style)
        for axes, title, none in (
            (left, f"{AXES[by].title} to accuracy {power(accuracy)}", "reached by none"),
            (right, "Accuracy at the end", "all diverged"),
        ):
            axes.set_xscale("log")
            if _has_numbers(axes):
                axes.set_yscale("log")
            else:
                axes.set_yticks([])
                axes.text(0.5, 0.5, none, transform=axes.transAxes, ha="center", va="center")
            axes.set_xlabel("Factor of the paper's constant")
            axes.set_ylabel(title)
            axes.grid(True, which="major")
            finish_ticks(axes)
        add_legend(figure, _handles(tuned, names, look, edge=edge), columns)
    return figure


def medians(runs: DataFrame, column: str) -> list[tuple[float, float]]:
    """By the factor of the first constant, the median over the repeats of what is in a column; inf
    where the median run has none. Of two constants, that of the best point in each quarter of an
    octave of the first.
    """
    lowest: dict[float, tuple[float, float]] = {}
    several = runs["second_constant"].notna().any()
    for key, group in runs.groupby(["first_factor", "second_factor"], dropna=False):
        factor = float(key[0])  # type: ignore[arg-type]
        values = [math.inf if math.isnan(v) else v for v in group[column].astype(float)]
        if column == "accuracy":
            lost = group["status"].isin(["diverged", "refused"]).tolist()
            values = [math.inf if gone else v for v, gone in zip(values, lost, strict=True)]
        place = round(4 * math.log2(factor)) if several else factor
        point = percentile(values, 50), factor
        lowest[place] = min(lowest.get(place, point), point)
    return sorted((factor, value) for value, factor in lowest.values())


def _draw(
    axes: Axes,
    line: list[tuple[float, float]],
    row: dict[Any, Any],
    column: str,
    style: Style,
    most: float = math.inf,
) -> None:
    """A line of (factor, value), and what ``row`` says of the best and of the paper's constants."""
    x = [factor for factor, _ in line]
    y = [value if 0 < value < most else math.nan for _, value in line]
    axes.plot(x, y, **{**style.line, "marker": "", "linewidth": 1.0})
    for factor, value, marker, filled, size in (
        (1.0, row[f"default_{column}"], "o", False, 5),
        (row["first_factor"], row[column], _mark(row), True, 8),
    ):
        axes.plot(
            *([factor], [value if 0 < value < most else math.nan]),
            linestyle="",
            marker=marker,
            markersize=size,
            color=style.colour,
            markerfacecolor=style.colour if filled else "white",
            markeredgecolor="white" if filled else style.colour,
            markeredgewidth=0.5 if filled else 1.0,
            zorder=4 if filled else 3,
        )


def _has_numbers(axes: Axes) -> bool:
    """Whether anything is drawn but crosses, which are at the top of the axes."""
    lines = [line for line in axes.lines if line.get_transform() == axes.transData]
    return any(np.isfinite(np.asarray(line.get_ydata(), float)).any() for line in lines)


def _mark(row: dict[Any, Any]) -> str:
    if row["edge"] != AT_THE_EDGE:
        return "*"
    return ">" if row["first_factor"] > 1 else "<"


def _cross(axes: Axes, runs: DataFrame, style: Style) -> None:
    """At the top, the least factor from which on every run diverged, if any did."""
    gone = runs.assign(lost=runs["status"] == "diverged").groupby("first_factor")["lost"].all()
    if gone.iloc[-1]:
        kept = gone[~gone]
        first = gone.index[0] if kept.empty else gone[gone.index > kept.index[-1]].index[0]
        axes.plot(
            *([first], [0.97]),
            transform=axes.get_xaxis_transform(),
            marker="x",
            markersize=4,
            color=style.colour,
            linestyle="",
        )


def _name(row: dict[Any, Any], titles: Mapping[str, str]) -> str:
    constants = [row["first_constant"], row["second_constant"]]
    name = printed_name(row["algorithm"], row["method"], titles[row["method"]])
    return drawable(f"{name}: {', '.join(c for c in constants if isinstance(c, str))}")


def _handles(
    tuned: DataFrame, names: list[str], look: Mapping[str, Style], *, edge: bool
) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for label, name in zip(tuned["algorithm"], names, strict=True):
        line = {**look[label].line, "marker": ""}
        handles.append(Line2D([], [], label=name, **line))
    marks = [("untuned", "o", "white"), ("best", "*", "0.3")]
    marks += [("best, at the edge", ">", "0.3")] if edge else []
    for name, marker, face in marks:
        mark: dict[str, Any] = {"marker": marker, "markerfacecolor": face, "color": "0.3"}
        handles.append(Line2D([], [], label=name, linestyle="", **mark))
    return handles
