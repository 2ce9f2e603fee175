"""The picture of the gallery with every method in it: what each spends on one problem."""

from typing import TYPE_CHECKING

import numpy as np
from pictures import ACCURACY, Picture, ResultOf, caption

from dadao_sim.plotting.style import BLACK, WIDE, new_figure, paper
from dadao_sim.reports.comparison import comparison_table, titles_of
from dadao_sim.results.names import printed_names
from dadao_sim.results.summary import cost_text
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "methods"
QUANTITIES = {
    "gradients": "Local gradients",
    "communications": "Communications",
    "bits": "Bits sent",
}


def methods_pictures() -> list[Picture]:
    """One: a line for each method, a panel for each quantity."""
    return [
        Picture(
            name=NAME,
            title=NAME,
            caption=caption(NAME),
            command=f"dadao-sim run scenarios/{NAME}.yaml\n"
            f"dadao-sim compare results/{NAME} --accuracy {ACCURACY:g}",
            draw=costs_figure,
            table=costs_table,
        )
    ]


def costs_figure(result_of: ResultOf) -> "Figure":
    """Medians over the repeats; the methods in the order of their gradients, the fewest on top."""
    table = _table(result_of)
    names = [drawable(name) for name in table["name"]]
    rows = np.arange(len(names))
    with paper():
        figure = new_figure(WIDE, 0.155 * len(names) + 0.6)
        panels = figure.subplots(1, len(QUANTITIES), sharey=True)
        for axes, (quantity, title) in zip(panels, QUANTITIES.items(), strict=True):
            spent = table[f"{quantity}_median"].to_numpy(dtype=float)
            reached = np.isfinite(spent)
            axes.scatter(spent[reached], rows[reached], s=9, color=BLACK, zorder=3)
            axes.set_xscale("log")
            axes.set_xlabel(f"{title} to $10^{{-6}}$")
            axes.grid(axis="both", color="0.9", linewidth=0.5)
            axes.tick_params(axis="y", length=0)
            for row in rows[~reached]:
                axes.annotate(
                    "not reached",
                    (0.98, row),
                    xycoords=("axes fraction", "data"),
                    ha="right",
                    va="center",
                    color="0.4",
                )
        panels[0].set_yticks(rows, names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
    return figure


def costs_table(result_of: ResultOf) -> str:
    """The medians in full."""
    table = _table(result_of)
    rows = [
        f"| {row['name']} | "
        + " | ".join(cost_text(row[f"{q}_median"], "{:,.0f}".format) for q in QUANTITIES)
        + " |"
        for row in table.to_dict("records")
    ]
    head = f"| method | {' | '.join(map(str.lower, QUANTITIES.values()))} |"
    return "\n".join([head, "|---|---:|---:|---:|", *rows])


def _table(result_of: ResultOf):  # type: ignore[no-untyped-def]
    results = {NAME: result_of((NAME,))}
    table = comparison_table(results, ACCURACY)
    printed = printed_names(table, titles_of(results))
    table["name"] = [printed[label] for label in table["algorithm"]]
    return table.sort_values(["gradients_median", "communications_median"], kind="stable")
