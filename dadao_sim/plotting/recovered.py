"""What the nodes made of data whose truth is known: images, and the coefficients of a signal.

The final states of the first repeat are shown, of each algorithm those of the node whose estimate
is farthest from the truth: in the end every node should have the whole answer, and so no node is
worse off than the figure says.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import (
    LEGEND_ROW,
    WIDE,
    Style,
    add_legend,
    finish_ticks,
    new_figure,
    paper,
    styles,
)
from dadao_sim.randomness import stream
from dadao_sim.results.names import EXPERIMENTAL, display_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dadao_sim.results.result import Result
    from dadao_sim.scenario.model import Scenario

Array = NDArray[np.float64]

DUAL = ("msda",)
"""Methods whose block x is a dual variable; those without a block x need not be named."""
DIVERGED = "diverged"
LOST = "#F2B27A"  # no grey: it cannot be taken for a pixel
PICTURES_IN_A_ROW = 5
NAME_LENGTH = 24  # characters in a line above a picture


class Estimate(NamedTuple):
    """What an algorithm found: block x (n, d) at the end of the first repeat."""

    name: str
    x: Array
    style: Style
    diverged: bool

    def farthest(self, truth: Array) -> Array:
        """The row (d,) of the node farthest from ``truth`` (d,)."""
        with np.errstate(over="ignore"):  # of a run that diverged
            return self.x[np.argmax(((self.x - truth) ** 2).sum(axis=1))]


def recovered_figure(
    result: Result, labels: Sequence[str] | None = None, width: float = WIDE
) -> Figure:
    """Truth and recovery, for data of kind ``image`` or ``sparse_signal``.

    Args:
        result: of a scenario; its data are made again for the truth.
        labels: the algorithms to show; all of them if None.
        width: in inches.

    An image: the truth, what the nodes saw (pixels that nobody saw in a colour), and each
    algorithm's picture, in greys from 0 (black) to 1 with its peak signal-to-noise ratio. A signal:
    for each algorithm the coefficients against the true ones, with ||x - truth||/||truth||.

    Raises:
        InputError: data of another kind, or a problem given in Python; an interrupted run; an
            unknown label, or a method whose final states hold no estimate of x*.

    """
    from dadao_sim.problems.build import picture, true_signal

    scenario = _scenario(result)
    estimates = _estimates(result, labels)
    nodes = len(estimates[0].x)
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    with paper():
        if _data_kind(scenario) == "image":
            return _image_figure(*picture(scenario.problem, nodes, rng), estimates, width)
        return _signal_figure(true_signal(scenario.problem, rng), estimates, width)


def psnr(picture: Array, truth: Array) -> float:
    """Peak signal-to-noise ratio in dB of a picture whose values lie in [0, 1]."""
    return -10 * math.log10(np.mean((picture - truth) ** 2))


def _scenario(result: Result) -> Scenario:
    from dadao_sim.scenario.reading import scenario_from_mapping

    manifest = result.manifest
    if manifest.get("interrupted"):
        raise InputError("recovered: the run was interrupted; finish it with `run --resume`")
    if "problem" in manifest.get("given_in_python", ()):
        raise InputError("recovered: the problem was given in Python; its truth is not known")
    scenario = scenario_from_mapping(manifest["scenario"])
    if (kind := _data_kind(scenario)) not in ("image", "sparse_signal"):
        raise InputError(
            f"recovered: problem.data.kind is {kind}, which has no truth to compare with; image or"
            " sparse_signal is needed"
        )
    return scenario


def _data_kind(scenario: Scenario) -> str | None:
    """None for a problem without data."""
    data = getattr(scenario.problem, "data", None)
    return None if data is None else str(data.kind)


def _estimates(result: Result, labels: Sequence[str] | None) -> list[Estimate]:
    methods, look = result.methods, styles(result.methods)
    rows = result.runs.to_dict("records")
    diverged = {row["algorithm"] for row in rows if not row["repeat"] and row["status"] == DIVERGED}
    estimates = []
    for label in labels or methods:
        if label not in methods:
            raise InputError(
                f"recovered: no algorithm {label!r} in the result; it has {', '.join(methods)}"
            )
        state = result.states.get((label, 0), {})
        if "x" not in state or methods[label].removesuffix(EXPERIMENTAL) in DUAL:
            raise InputError(
                f"recovered: the final states of {label} hold no estimate of x*; choose other"
                " algorithms of the result"
            )
        name = display_name(label, methods[label])
        estimates.append(Estimate(name, state["x"], look[label], label in diverged))
    return estimates


def _image_figure(truth: Array, seen: Array, estimates: list[Estimate], width: float) -> Figure:
    from matplotlib import colormaps

    known = ~np.isnan(seen)
    share = f"{100 * known.mean():.0f} % of the pixels"
    shown = [("Truth", "", truth)]
    shown += [("Seen", _decibels(seen, truth) if known.all() else share, seen)]
    for estimate in estimates:
        found = estimate.farthest(truth.ravel()).reshape(truth.shape)
        quality = DIVERGED if estimate.diverged else _decibels(found, truth)
        shown.append((textwrap.fill(estimate.name, NAME_LENGTH), quality, found))
    rows = math.ceil(len(shown) / PICTURES_IN_A_ROW)
    columns = math.ceil(len(shown) / rows)
    lines = 2 + max(name.count("\n") for name, _, _ in shown)
    figure = new_figure(width, rows * (width / columns + 0.15 * lines))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    greys = colormaps["gray"].with_extremes(bad=LOST)
    for axes, (name, quality, pixels) in zip(grid, shown, strict=False):
        axes.imshow(pixels, cmap=greys, vmin=0, vmax=1, interpolation="nearest")
        axes.set(title=name, xlabel=quality, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    return figure


def _decibels(picture: Array, truth: Array) -> str:
    return f"{psnr(picture, truth):.1f} dB"


def _signal_figure(truth: Array, estimates: list[Estimate], width: float) -> Figure:
    import matplotlib

    count = len(estimates)
    found = [estimate.farthest(truth) for estimate in estimates]
    drawn = [x for x, estimate in zip(found, estimates, strict=True) if not estimate.diverged]
    reach = 1.25 * np.abs([truth, *drawn]).max()
    figure = new_figure(width, max(0.95 * count, 1.3) + 0.35 + LEGEND_ROW)
    grid = figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, x, estimate in zip(grid, found, estimates, strict=True):
        _draw_signal(axes, truth, x, estimate.style)
        error = f"relative error {np.linalg.norm(x - truth) / np.linalg.norm(truth):.2g}"
        axes.set_title(estimate.name, loc="left")
        axes.set_title(DIVERGED if estimate.diverged else error, loc="right")
        axes.set(xlim=(-1, len(truth)), ylim=(-reach, reach))
        finish_ticks(axes)
    grid[-1].set_xlabel("Coordinate")
    figure.supylabel("Coefficient", fontsize=matplotlib.rcParams["axes.labelsize"])
    add_legend(figure, _handles(estimates), 2)
    return figure


def _draw_signal(axes: Axes, truth: Array, found: Array, style: Style) -> None:
    support = np.flatnonzero(truth)
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    axes.vlines(support, 0, truth[support], color="0.7", linewidth=0.8, zorder=1)
    axes.plot(support, truth[support], label="truth", zorder=2, **_TRUE)
    axes.plot(found, label="recovered", zorder=3, **_dots(style))


def _handles(estimates: list[Estimate]) -> list[Any]:
    """The truth, and what was recovered: in the look of the algorithm if there is only one."""
    from matplotlib.lines import Line2D

    style = estimates[0].style if len(estimates) == 1 else Style("0.35", (0, ()), "o")
    return [
        Line2D([], [], label="true coefficient, where it is not 0", **_TRUE),
        Line2D([], [], label="recovered coefficient", **_dots(style)),
    ]


def _dots(style: Style) -> dict[str, Any]:
    return {**style.line, "linestyle": "", "markersize": 3, "markeredgewidth": 0}


_TRUE: dict[str, Any] = {
    "color": "black",
    "linestyle": "",
    "marker": "o",
    "markersize": 6,
    "markerfacecolor": "none",
    "markeredgewidth": 0.7,
}
