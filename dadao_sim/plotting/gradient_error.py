"""How far the gradients of an oracle that relaxes are from exact, against the time it relaxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    COLUMN_WIDTH,
    DASHED,
    DOTTED,
    LEGEND_ROW,
    ORANGE,
    SOLID,
    add_legend_of,
    finish_ticks,
    new_figure,
    paper,
)
from dadao_sim.reports.gradient_error import GradientError
from dadao_sim.results.look import Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {"zeros": "from zeros", "activations": "from the activations"}
_LOOKS: dict[str, dict[str, Any]] = {
    "zeros": {"color": BLUE, "marker": "o"},
    "activations": {"color": ORANGE, "marker": "s"},
}
_FAINT: dict[str, Any] = {"color": BLACK, "linewidth": 0.8}


def gradient_error_figure(report: GradientError, look: Look = Look()) -> Figure:  # noqa: B008
    """The relative error of the gradient against t = K h: measured (marks) and the closed form of
    both starts (lines), beside exp(-t), that of one hidden layer, and that of L layers, as steps of
    h make them.
    """
    width = look.inches(COLUMN_WIDTH)
    with paper(look.font):
        figure = new_figure(width, look.height or 0.62 * width + 3.5 * LEGEND_ROW, look.font)
        axes = figure.subplots()
        for start, name in NAMES.items():
            style = {"markersize": 3.0, "linestyle": SOLID, "linewidth": 1.0, **_LOOKS[start]}
            line, marks = {**style, "marker": ""}, {**style, "linestyle": ""}
            axes.plot(report.time, report.predicted[start], **line)
            axes.plot(report.time, report.measured[start], label=name, **marks)
        one, all_of_them = report.decay
        axes.plot(report.time, one, label="$e^{-t}$ in steps", linestyle=DOTTED, **_FAINT)
        if (terms := report.layers - 1) > 1:
            more = "" if terms == 2 else f"+ ... + t^{{{terms - 1}}}/{terms - 1}!"
            label = f"$(1 + t{more})\\,e^{{-t}}$ in steps"
            axes.plot(report.time, all_of_them, label=label, linestyle=DASHED, **_FAINT)
        axes.set_yscale("log")
        axes.set(xlabel="Time $t = Kh$", ylabel="Relative error of the gradient")
        axes.set_xlim(0, report.time[-1])
        axes.grid(True, which="major")
        finish_ticks(axes)
        add_legend_of(figure, [axes], width, look)
    return figure
