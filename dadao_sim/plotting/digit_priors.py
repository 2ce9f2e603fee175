"""What a network of digits knows of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dadao_sim.plotting.priors import two_panels
from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    DASHED,
    DOTTED,
    ORANGE,
    SOLID,
    WIDE,
    add_legend_of,
    finish_ticks,
    paper,
)
from dadao_sim.reports.digit_prior import DigitPrior

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISE = "Noise (standard deviation)"


def digit_prior_figure(report: DigitPrior, width: float = WIDE) -> Figure:
    """Left, how much the prior R of noisy digits is above that of the clean ones, on average in a
    band of all; right, the decibels of noisy digits, of the network's answers, and of the
    conditional mean, were digits Gaussian.
    """
    style: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.2}
    with paper():
        figure, left, right = two_panels(width)
        x, rises = report.noises, report.rises
        left.fill_between(x, rises.min(axis=1), rises.max(axis=1), color=BLUE, alpha=0.2, lw=0)
        left.plot(x, rises.mean(axis=1), "o", color=BLUE, linestyle=SOLID, **style)
        left.set(xlabel=NOISE, ylabel="Prior $R$, noisy less clean", ylim=(0, None))
        for values, name, colour, dash, marker in (
            (report.denoised, "learned network", BLUE, SOLID, "o"),
            (report.gaussian, "Gaussian prior", ORANGE, DASHED, "s"),
            (report.seen, "noisy digit", BLACK, DOTTED, "^"),
        ):
            right.plot(x, values, marker, color=colour, linestyle=dash, label=name, **style)
        right.set(xlabel=NOISE, ylabel="Peak signal-to-noise ratio (dB)")
        for axes in (left, right):
            axes.grid(True)
            finish_ticks(axes)
        add_legend_of(figure, [right], width)
    return figure
