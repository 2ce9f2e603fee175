"""What rates that know the costs of the edges save, against rates that do not."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import BLACK, BLUE, COLUMN_WIDTH, DASHED, new_figure, paper
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW = 0.24  # inches
NAME_LENGTH = 22


def savings_figure(report: dict[str, Any], width: float = COLUMN_WIDTH) -> Figure:
    """One bar per method: its cost per unit of time, and in words what the last one saves of it.

    All rates have the same guarantee, chi1 chi2 = 1/2. The dashed line is the certified bound.

    Args:
        report: of ``reports.rates.rates_report``, of rates found with costs.
        width: in inches.

    Raises:
        InputError: the rates were found without costs.

    """
    if "saved_cost" not in report:
        raise InputError(
            "report", "the rates were found without costs", "give optimal_rates a cost"
        )
    names, rows = list(report["methods"]), list(report["methods"].values())
    costs = np.array([row["total_cost"] for row in rows])
    at = -np.arange(len(rows))
    with paper():
        figure = new_figure(width, ROW * len(rows) + 0.5)
        axes = figure.subplots()
        axes.barh(at, costs, height=0.7, color=["0.72"] * (len(rows) - 1) + [BLUE])
        bound = rows[-1]["lower_bound"]
        if bound > 0:
            axes.axvline(bound, color=BLACK, linestyle=DASHED, linewidth=0.8)
        for y, name, cost in zip(at, names, costs.tolist(), strict=True):
            saved = report["saved_cost"].get(name)
            text = "" if saved is None else f"{100 * saved:.0f} % saved"
            axes.annotate(
                text, (cost, y), (3, 0), textcoords="offset points", va="center", fontsize="small"
            )
        axes.set_yticks(at, [textwrap.fill(drawable(name), NAME_LENGTH) for name in names])
        axes.set_xlim(0, 1.3 * float(costs.max()))
        axes.set_xlabel("Cost per unit of time")
        axes.tick_params(axis="y", length=0)
    return figure
