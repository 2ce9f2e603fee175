"""Several results side by side: what each algorithm spends to reach one accuracy."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    COLUMN_WIDTH,
    LEGEND_ROW,
    TITLE,
    Style,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
)
from dadao_sim.reports.comparison import comparison_table, titles_of
from dadao_sim.results.axes import axis_named
from dadao_sim.results.latex import escape, power
from dadao_sim.results.look import Look
from dadao_sim.results.names import printed_names
from dadao_sim.results.result import Result
from dadao_sim.results.summary import NOT_REACHED, NOT_TRIED
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOK = Look()  # where nothing is asked for
NAME_LENGTH = 24  # characters in a line beside a row


def comparison_figure(
    results: Mapping[str, Result],
    accuracy: float | Mapping[str, float],
    quantity: str = "communications",
    width: float | None = None,
    prices: Mapping[str, float] | None = None,
    look: Look = LOOK,
) -> Figure:
    """One row per scenario, one mark per algorithm: the median and the 10-90 % range.

    The axis is logarithmic; a cost of 0 stands at its left end. An algorithm whose median repeat
    never got there stands, hollow, in a strip of its own at the right; a range that ends there had
    more than a tenth of such repeats. One that was not to get there has the words "not tried".

    Args:
        results: name of a scenario -> its result.
        accuracy: as in `comparison_table`.
        quantity: the x axis, a name of `results.axes.AXES`.
        width: in inches; that of the look, or COLUMN_WIDTH, if None.
        prices: as in `comparison_table`.
        look: which algorithms, in which order and colours, their names, sizes, fonts, where the x
            axis begins and ends. It is always logarithmic, and the scenarios have no scale.

    Raises:
        InputError: as `comparison_table`; another quantity; nothing reached the accuracy; a look
            that such a figure cannot have.

    """
    axis = axis_named(quantity, "quantity")
    _check_look(look)
    width = look.inches(COLUMN_WIDTH) if width is None else width
    table = comparison_table(results, accuracy, [quantity], prices, look.algorithms)
    methods: dict[str, str] = {}
    looks: dict[str, str | None] = {}
    for result in results.values():  # what the look leaves out has its style all the same
        methods |= {label: name for label, name in result.methods.items() if label not in methods}
        looks |= result.looks
    drawn = drawn_as(methods, looks, printed_names(table, titles_of(results)), look)
    costs = table[[f"{quantity}_p10", f"{quantity}_median", f"{quantity}_p90"]]
    finite = [cost for cost in costs.to_numpy().ravel().tolist() if 0 < cost < math.inf]
    if not finite:
        words = "its accuracy" if isinstance(accuracy, Mapping) else f"{accuracy:g}"
        if (costs == 0).any(axis=None):
            raise InputError("accuracy", f"every cost to reach {words} is 0: nothing to draw")
        verb = "tried" if costs.isna().all(axis=None) else "reached"
        raise InputError("accuracy", f"no algorithm {verb} {words} in any result")

    labels = list(drawn)
    write = escape if look.font == "tex" else drawable
    names = [textwrap.fill(write(name), NAME_LENGTH) for name in results]
    with paper(look.font):
        columns = legend_columns([one.name for one in drawn.values()], width)
        rows = math.ceil(len(labels) / columns)
        lines = 1 + max(name.count("\n") for name in names)
        step = max(0.11 * len(labels), 0.12 * lines, 0.25) + 0.12
        height = step * len(results) + 0.5 + LEGEND_ROW * (rows + 1.5)
        height += TITLE * (look.title is not None)
        figure = new_figure(width, look.height or height, look.font)
        axes = figure.subplots()
        some_never = bool(costs.isin([math.inf]).any(axis=None))
        never = _cost_axis(axes, finite, some_never, look.x_limits)
        _scenario_axis(axes, names)
        for name, label, cost in zip(
            table["scenario"], table["algorithm"], costs.to_numpy().tolist(), strict=True
        ):
            slot = (labels.index(label) + 0.5) / len(labels) - 0.5
            height = list(results).index(name) + 0.8 * slot
            if math.isnan(cost[1]):
                _say_not_tried(axes, height, drawn[label].style)
            else:
                _draw_range(axes, height, cost, never, drawn[label].style)
        one = None if isinstance(accuracy, Mapping) else power(accuracy)
        to = "the accuracy of each" if one is None else f"accuracy {one}"
        axes.set_xlabel(f"{axis.short_label} to {to}")
        finish_ticks(axes)
        axes.tick_params(axis="y", length=0)
        marks = [_mark(one.style, label=one.name) for one in drawn.values()]
        add_legend(figure, marks, columns, look.legend, look.title)
    return figure


def _check_look(look: Look) -> None:
    for axis in ("x", "y"):
        if getattr(look, f"{axis}_scale") == "linear":
            raise InputError(f"{axis}_scale", "linear given", "a comparison of costs has none")
    if look.y_limits is not None:
        raise InputError("y_limits", "given", "a comparison has scenarios on its y axis")
    if look.x_limits is not None and look.x_limits[0] <= 0:
        raise InputError("x_limits", f"begin at {look.x_limits[0]:g}", "must be above 0")


def _cost_axis(
    axes: Axes, finite: list[float], some_never: bool, limits: tuple[float, float] | None
) -> float:
    """A log axis with, if needed, a strip for infinite costs; return where infinity is drawn."""
    from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter

    decades = max(math.log10(max(finite) / min(finite)), 0.5)
    left, right = min(finite) / 10 ** (0.08 * decades), max(finite) * 10 ** (0.08 * decades)
    if limits is not None:
        left, right = limits
        if not left <= min(finite) <= max(finite) <= right:
            costs = f"{min(finite):.4g} to {max(finite):.4g}"
            raise InputError("x_limits", f"{left:g} to {right:g}", f"costs are from {costs}")
    never, edge = right * 10 ** (0.12 * decades), right * 10 ** (0.24 * decades)
    axes.set_xscale("log")
    subs = (1.0,) if decades > 1.5 else (1.0, 2.0, 5.0)
    ticks = [tick for tick in LogLocator(subs=subs).tick_values(left, right) if tick <= right]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(left, edge if some_never else right)
    axes.grid(True, axis="x", which="major")
    if some_never:
        axes.axvspan(right, edge, color="0.94", linewidth=0, zorder=0)
        place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center"}
        axes.text(never, 1.01, NOT_REACHED, fontsize=7, va="bottom", **place)
    return never


def _scenario_axis(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for k in range(1, len(names)):
        axes.axhline(k - 0.5, color="0.88", linewidth=0.4, zorder=0)


def _say_not_tried(axes: Axes, height: float, style: Style) -> None:
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "left", "va": "center"}
    axes.text(0.01, height, NOT_TRIED, fontsize=6, color=style.colour, **place)


def _draw_range(axes: Axes, height: float, cost: list[float], never: float, style: Style) -> None:
    least = axes.get_xlim()[0]
    low, median, high = (min(max(value, least), never) for value in cost)
    axes.plot([low, high], [height, height], color=style.colour, linewidth=1.2, zorder=2)
    mark = _mark(style, hollow=math.isinf(cost[1]))
    mark.set_data([median], [height])
    axes.add_line(mark)


def _mark(style: Style, hollow: bool = False, label: str = "") -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        color=style.colour,
        linestyle="",
        marker=style.marker,
        markersize=4.5,
        markerfacecolor="white" if hollow else style.colour,
        markeredgecolor=style.colour if hollow else "white",
        markeredgewidth=1.0 if hollow else 0.4,
        label=label,
        zorder=3,
    )
