"""What is exact drawn over what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.plotting.curves import curve_figure, median_and_band, runs_of
from dadao_sim.plotting.style import COLUMN_WIDTH, paper
from dadao_sim.reports.theory import COUNTS, MethodTheory, TheoryReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dadao_sim.results.result import Result

DOTS: dict[str, Any] = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 1, "zorder": 6}
HUGE = 700.0  # log of a number that no axis shows


def theory_figure(
    report: TheoryReport, result: Result, x: str = "communications", width: float = COLUMN_WIDTH
) -> Figure:
    """The curves of ``result``, and dotted over each what is exact: the expected curve of the first
    repeat where it is known, else the slope, through the middle of the median.

    ``x`` is one of ``reports.theory.COUNTS``. Raises InputError for another, and as `curve_figure`.
    """
    if x not in COUNTS:
        raise InputError("x", f"{x!r} given", f"use {', '.join(COUNTS)}")
    with paper():
        figure = curve_figure(result, x, "accuracy", width)
        (axes,) = figure.axes
        shown = axes.get_xlim(), axes.get_ylim()
        for method in report.methods:
            spent, accuracy = exact_line(method, result, x)
            if spent.size:
                axes.plot(spent, accuracy, **DOTS)
        axes.set_xlim(shown[0])
        axes.set_ylim(shown[1])
        axes.legend(handles=[axes.plot([], [], label="exact", **DOTS)[0]], loc="upper right")
    return figure


def exact_line(method: MethodTheory, result: Result, x: str) -> tuple[np.ndarray, np.ndarray]:
    """What is exact, as spent and accuracy (k,) each; nothing where it is not known."""
    first = method.predicted[0]
    per_time = {**first.per_time, "time": 1.0}[x]
    start = {**first.start, "time": 0.0}[x]
    if first.curve is not None:
        return start + per_time * first.curve.times, first.curve.accuracies
    band = median_and_band(runs_of(result, method.algorithm, x, "accuracy"))
    if first.decay is None or band.x.size < 2 or per_time == 0:
        return np.empty(0), np.empty(0)
    middle = len(band.x) // 2
    if not band.median[middle] > 0:
        return np.empty(0), np.empty(0)
    times = (band.x - band.x[middle]) / per_time
    logs = np.log(band.median[middle]) - first.decay * times
    seen = np.abs(logs) < HUGE
    return band.x[seen], np.exp(logs[seen])
