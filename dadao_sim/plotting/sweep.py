"""Figures of a sweep: cost against a swept key, a map over two of them, a performance profile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    COLUMN_WIDTH,
    LEGEND_ROW,
    TITLE,
    WIDE,
    Drawn,
    add_legend,
    drawn_as,
    finish_ticks,
    legend_columns,
    logarithmic_limits,
    new_figure,
    paper,
    refuse_empty,
)
from dadao_sim.reports.sweep import (
    EXACT,
    KINDS,
    SLOPE,
    THEOREM,
    Against,
    Facet,
    HeatMap,
    Line,
    Profile,
    accuracy_in_words,
    short,
)
from dadao_sim.results.axes import axis_named
from dadao_sim.results.latex import power
from dadao_sim.results.look import Look
from dadao_sim.results.names import printed_names
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dadao_sim.results.sweep import SweepResult

LOOK = Look()  # where nothing is asked for
PANEL = 1.75  # inches, the height of one
THEORY: dict[str, Any] = {"linewidth": 0.9, "zorder": 1}
OWN_ACCURACY = "the accuracy of each cell"
DASHES: dict[str, Any] = {EXACT: (0, (1, 1.5)), SLOPE: (0, (1, 4)), THEOREM: (0, (5, 3))}


def against_figure(found: Against, result: SweepResult, look: Look = LOOK) -> Figure:
    """Medians and 10-90 % ranges on two logarithms, a panel per facet, all on one scale. The x axis
    is linear where a value has no logarithm.

    In each panel the exponent of the fit with its 95 % interval, and what theory says: dotted what
    is exact, in sparse dots what is by the slope only, dashed what a theorem promises. Where the
    median never got there, there is no mark.

    Raises InputError where nothing got there, and for a look that such a figure cannot have.
    """
    drawn = _drawn(result, _labels(line for facet in found.facets for line in facet.lines), look)
    rows, columns = _grid(found.facets)
    width = look.inches(COLUMN_WIDTH if columns == 1 else WIDE)
    axis = axis_named(found.quantity, "quantity")
    finite = [
        value
        for facet in found.facets
        for line in facet.lines
        for value in line.median.tolist()
        if 0 < value < math.inf
    ]
    if not finite:
        raise InputError(
            "accuracy", f"no algorithm reached {accuracy_in_words(found.accuracy)} in any cell"
        )
    xs = sorted({float(x) for f in found.facets for line in f.lines for x in line.x})
    with paper(look.font):
        kinds = _kinds_of(found, drawn)
        figure, handles = _begun(drawn, width, PANEL * rows, look, kinds)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, facet in zip(panels.flat, found.facets, strict=False):
            _panel(axes, facet, drawn)
            _scales(axes, look, xs)
            refuse_empty(axes, look)
        for axes in panels.flat[len(found.facets) :]:
            axes.set_axis_off()
        _ticks(panels.flat[0], xs, look)
        for axes in panels.flat[: len(found.facets)]:
            finish_ticks(axes)
        figure.supxlabel(drawable(short(found.key)), fontsize=8)
        figure.supylabel(f"{axis.short_label} to {_accuracy(found.accuracy)}", fontsize=8)
        add_legend(figure, handles, _columns(drawn, width, kinds), look.legend, look.title)
    return figure


def profile_figure(found: Profile, result: SweepResult, look: Look = LOOK) -> Figure:
    """For each algorithm the share of problems on which it costs at most so many times the least.

    At 1 is the share on which it is the best; where a line ends below 1, it did not get there on
    the rest. Raises InputError where none got anywhere.
    """
    drawn = _drawn(result, found.ratios, look)
    ratios = [r for label in drawn for r in found.ratios[label].tolist() if math.isfinite(r)]
    if not ratios:
        raise InputError(
            "accuracy", f"no algorithm reached {accuracy_in_words(found.accuracy)} in any cell"
        )
    most = max(max(ratios), 1.5) ** 1.08
    width = look.inches(COLUMN_WIDTH)
    with paper(look.font):
        figure, handles = _begun(drawn, width, 1.3 * PANEL, look)
        axes = figure.subplots()
        for label, one in drawn.items():
            reached = found.ratios[label][np.isfinite(found.ratios[label])]
            share = np.arange(1, len(reached) + 1) / found.problems
            x = np.concatenate([[1.0], reached, [most]])
            y = np.concatenate([[0.0], share, [share[-1] if len(share) else 0.0]])
            axes.step(
                x, y, where="post", color=one.style.colour, linestyle=one.style.dash, label=one.name
            )
        axes.set_xscale("log")
        axes.set_xlim(*logarithmic_limits("x", look.x_limits or (1.0, most), log=True))
        axes.set_ylim(*(look.y_limits or (0.0, 1.03)))
        refuse_empty(axes, look)
        axes.grid(True, which="major")
        if most < 12:
            _plain_ticks(axes.xaxis, [r for r in (1, 1.5, 2, 3, 5, 8, 12) if r <= most])
        spent = axis_named(found.quantity, "quantity").title.lower()
        axes.set_xlabel(f"{spent.capitalize()} to {_power(found.accuracy)} over those of the best")
        axes.set_ylabel(f"Share of {found.problems} problems")
        finish_ticks(axes)
        for handle in handles:
            handle.set_marker("")
        add_legend(figure, handles, _columns(drawn, width), look.legend, look.title)
    return figure


def map_figure(maps: Sequence[HeatMap], result: SweepResult, look: Look = LOOK) -> Figure:
    """A map per algorithm, all on one logarithmic scale, with the medians written in.

    Where the median never got there, or was not to, the field says so; where the sweep has no cell
    it is empty. Raises InputError where none got there.
    """
    from matplotlib.colors import LogNorm

    drawn = _drawn(result, [one.algorithm for one in maps], look)
    maps = [next(one for one in maps if one.algorithm == label) for label in drawn]
    values = [v for one in maps for v in one.median.ravel().tolist() if 0 < v < math.inf]
    if not values:
        raise _none_reached(maps[0].accuracy)
    columns = min(len(maps), 3)
    rows = math.ceil(len(maps) / columns)
    width = look.inches(COLUMN_WIDTH if columns == 1 else WIDE)
    norm = LogNorm(min(values), max(max(values), 1.01 * min(values)))
    with paper(look.font):
        height = rows * (0.3 * len(maps[0].rows) + 0.45) + 0.5 + TITLE * (look.title is not None)
        figure = new_figure(width, look.height or height, look.font)
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes, one, label in zip(panels.flat, maps, drawn, strict=False):
            image = axes.imshow(
                np.where(np.isfinite(one.median), one.median, math.nan),
                norm=norm,
                cmap="cividis_r",
                aspect="auto",
            )
            _write_in(axes, one, norm)
            axes.set_title(drawn[label].name)
            axes.set_xticks(range(len(one.columns)), [drawable(str(v)) for v in one.columns])
            axes.set_yticks(range(len(one.rows)), [drawable(str(v)) for v in one.rows])
            finish_ticks(axes)
            axes.tick_params(length=0)
        for axes in panels.flat[len(maps) :]:
            axes.set_axis_off()
        axis = axis_named(maps[0].quantity, "quantity")
        bar = figure.colorbar(image, ax=panels, pad=0.02, aspect=25)
        bar.set_label(f"{axis.short_label} to {_accuracy(maps[0].accuracy)}")
        figure.supxlabel(drawable(short(maps[0].keys[1])), fontsize=8)
        figure.supylabel(drawable(short(maps[0].keys[0])), fontsize=8)
        if look.title is not None:
            figure.suptitle(look.title, fontsize=8)
    return figure


def _labels(lines: Iterable[Line]) -> list[str]:
    return list(dict.fromkeys(line.algorithm for line in lines))


def _drawn(result: SweepResult, labels: Iterable[str], look: Look) -> dict[str, Drawn]:
    """How the algorithms are drawn, in the order of the look or of the sweep."""
    there = set(labels)
    if look.algorithms is not None:  # others may be named all the same
        there |= {*look.labels, *look.colours} - set(look.algorithms)
    methods = {label: method for label, method in result.methods.items() if label in there}
    costs = result.costs.drop_duplicates("algorithm")
    costs = costs[[label in there for label in costs["algorithm"]]]
    return drawn_as(methods, result.looks, printed_names(costs, result.titles), look)


def _grid(facets: Sequence[Facet]) -> tuple[int, int]:
    """Rows and columns: two keys make the one and the other, one key a row as long as it fits."""
    keys = list(facets[0].values)
    if len(keys) == 2:
        rows, columns = (len(dict.fromkeys(f.values[key] for f in facets)) for key in keys)
        if rows * columns == len(facets):  # otherwise they move together
            return rows, columns
    columns = min(len(facets), 2 if len(facets) == 4 else 3)
    return math.ceil(len(facets) / columns), columns


def _kinds_of(found: Against, drawn: Mapping[str, Drawn]) -> list[str]:
    """What the lines of theory are."""
    there = {
        line.kind
        for facet in found.facets
        for line in facet.lines
        if line.algorithm in drawn and np.isfinite(line.theory).all()
    }
    return [kind for kind in KINDS if kind in there]


def _columns(drawn: dict[str, Drawn], width: float, kinds: Sequence[str] = ()) -> int:
    return legend_columns([*(one.name for one in drawn.values()), *map(_named, kinds)], width)


def _named(kind: str) -> str:
    return f"theory: {kind}"


def _begun(
    drawn: dict[str, Drawn], width: float, height: float, look: Look, kinds: Sequence[str] = ()
) -> tuple[Figure, list[Any]]:
    """A figure with room for its panels and its legend, and what the legend shows."""
    from matplotlib.lines import Line2D

    rows = math.ceil((len(drawn) + len(kinds)) / _columns(drawn, width, kinds))
    height += LEGEND_ROW * (rows + 1.5) + TITLE * (look.title is not None)
    figure = new_figure(width, look.height or height, look.font)
    handles = [Line2D([], [], label=one.name, **one.style.line) for one in drawn.values()]
    for kind in kinds:
        handles.append(
            Line2D([], [], label=_named(kind), color="0.3", linestyle=DASHES[kind], **THEORY)
        )
    return figure, handles


def _panel(axes: Axes, facet: Facet, drawn: dict[str, Drawn]) -> None:
    fits = []
    for line in facet.lines:
        if line.algorithm not in drawn:
            continue
        style = drawn[line.algorithm].style
        median = np.where(np.isfinite(line.median), line.median, math.nan)
        (shown,) = axes.plot(line.x, median, **style.line, zorder=3)
        there = np.isfinite(line.median)
        middle, low, high = (v[there] for v in (line.median, line.p10, line.p90))
        high = np.where(np.isfinite(high), high, middle)  # the rest of the range never got there
        ranges = (middle - low, high - middle)
        axes.errorbar(
            line.x[there], middle, ranges, fmt="none", ecolor=style.colour, elinewidth=0.8, zorder=2
        )
        if np.isfinite(line.theory).all():
            dashes = DASHES[line.kind]
            axes.plot(line.x, line.theory, color=style.colour, linestyle=dashes, **THEORY)
        if line.fit is not None:
            fits.append((shown, str(line.fit)))
    if facet.values:
        axes.set_title(drawable(facet.title))
    axes.grid(True, which="major")
    if fits:
        axes.legend(
            *zip(*fits, strict=True),
            title="exponent [95 %]" if any("[" in text for _, text in fits) else "exponent",
            fontsize=6,
            title_fontsize=6,
            framealpha=0.85,
            edgecolor="none",
            borderpad=0.2,
            labelspacing=0.2,
            handlelength=1.8,
        )


def _scales(axes: Axes, look: Look, xs: Sequence[float]) -> None:
    """Logarithms, but of values that have none, such as the seed 0."""
    usual = {"x": "log" if xs[0] > 0 else "linear", "y": "log"}
    for axis, asked in (("x", look.x_scale), ("y", look.y_scale)):
        scale = usual[axis] if asked == "auto" else asked
        getattr(axes, f"set_{axis}scale")(scale)
        limits = getattr(look, f"{axis}_limits")
        if limits is not None:
            limits = logarithmic_limits(axis, limits, log=scale == "log")
            getattr(axes, f"set_{axis}lim")(*limits)


def _ticks(axes: Axes, xs: list[float], look: Look) -> None:
    """The values themselves where they are few and one decade apart or less."""
    few = len(xs) <= 8 and xs[0] > 0 and xs[-1] / xs[0] < 1000
    if few and look.x_scale != "linear":
        _plain_ticks(axes.xaxis, xs)


def _plain_ticks(axis: Any, values: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _write_in(axes: Axes, one: HeatMap, norm: Any) -> None:
    from matplotlib.ticker import EngFormatter

    number = EngFormatter(sep="", places=None)
    for (row, column), value in np.ndenumerate(one.median):
        if not math.isfinite(value):
            if one.there[row, column]:
                said = "not tried" if math.isnan(value) else "never"
                axes.text(column, row, said, ha="center", va="center", fontsize=6.5, color="0.4")
            continue
        dark = norm(value) > 0.55
        text = number(float(f"{value:.2g}"))
        colour = "white" if dark else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)


def _none_reached(accuracy: float | None) -> InputError:
    return InputError("accuracy", f"no algorithm reached {accuracy_in_words(accuracy)} in any cell")


def _power(accuracy: float | None) -> str:
    return OWN_ACCURACY if accuracy is None else power(accuracy)


def _accuracy(accuracy: float | None) -> str:
    return OWN_ACCURACY if accuracy is None else f"accuracy {power(accuracy)}"
