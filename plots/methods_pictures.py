"""The pictures of the gallery of the field: what every method spends on one problem, what bits are
worth, and how near to x* minibatches come.
"""

from typing import TYPE_CHECKING

import numpy as np
from pictures import ACCURACY, Picture, ResultOf, caption, comparison_picture

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.plateau import plateau
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.networks import Network
from dadao_sim.plotting.curves import curve_figure
from dadao_sim.plotting.style import BLACK, WIDE, add_legend, new_figure, paper, styles
from dadao_sim.problems import Problem
from dadao_sim.reports.comparison import comparison_table, titles_of
from dadao_sim.results.names import printed_names
from dadao_sim.results.result import Result
from dadao_sim.results.summary import cost_text
from dadao_sim.scenario.model import AlgorithmSpec
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study
from dadao_sim.text.labels import drawable
from dadao_sim.theory import stationary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "methods"
QUANTITIES = {
    "gradients": "Local gradients",
    "communications": "Communications",
    "bits": "Bits sent",
}


GRAPHS = ("star", "complete", "cycle", "path", "grid", "barbell")
RIVALS = "algorithms=[dadao, opapc, {name: acc_gt, chebyshev: auto}]"


def rivals(quantity: str, title: str, seen: str) -> Picture:
    """The paper's linear regressions, with the strongest methods that compute gradients."""
    name = f"rivals-{quantity}"
    return comparison_picture(
        name=name,
        title=f"DADAO and its rivals: {title}",
        caption=f"{title.capitalize()} to accuracy 1e-6 on the paper's linear regressions, beside\n"
        "OPAPC and Acc-GT with Chebyshev gossip, which work in rounds. " + seen,
        rows={graph: (f"paper/{graph}-regression", RIVALS) for graph in GRAPHS},
        command=f"for g in {' '.join(GRAPHS)}; do\n"
        f"  dadao-sim run scenarios/paper/$g-regression.yaml --out results/rivals-$g \\\n"
        f'    --set "{RIVALS}"\ndone\n'
        f"dadao-sim compare results/rivals-{{{','.join(GRAPHS)}}} --accuracy 1e-6 \\\n"
        f"  --quantity {quantity} --figure plots/{name}.png",
        quantity=quantity,
    )


def methods_pictures() -> list[Picture]:
    """A line for each method, a panel for each quantity; and two sets of curves."""
    return [
        Picture(
            name=NAME,
            title=NAME,
            caption=caption(NAME),
            command=f"dadao-sim run scenarios/{NAME}.yaml\n"
            f"dadao-sim compare results/{NAME} --accuracy {ACCURACY:g}",
            draw=costs_figure,
            table=costs_table,
        ),
        rivals(
            *("communications", "communications"),
            "DADAO spends half of OPAPC's on the\nstar and a thirtieth on the complete "
            "graph, where a round wakes every edge; on sparse graphs\n1.4 to 3.2 times as many.",
        ),
        rivals(
            *("gradients", "local gradients"),
            "DADAO takes 6 to 8 times as many\nas OPAPC, with the constants of its paper.",
        ),
        Picture(
            name="compression",
            title="compression",
            caption=caption("compression"),
            command="dadao-sim run scenarios/compression.yaml\n"
            "dadao-sim plot results/compression --x bits",
            draw=lambda result_of: curve_figure(result_of(("compression",)), "bits", width=4.5),
        ),
        Picture(
            name="plateaus",
            title="plateaus",
            caption=caption("plateaus"),
            command="dadao-sim run scenarios/plateaus.yaml",
            draw=plateaus_figure,
            table=plateaus_table,
        ),
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


def plateaus_figure(result_of: ResultOf) -> "Figure":
    """Means over the repeats, and where they are to end."""
    result = result_of(("plateaus",))
    looks = styles(result.methods, result.looks)
    names = printed_names(result.summary, titles_of({"plateaus": result}))
    with paper():
        figure = new_figure(4.5, 2.9)
        axes = figure.subplots()
        for label, (predicted, _) in predictions(result).items():
            curves = result.curves[result.curves["algorithm"] == label]
            mean = curves.groupby("time")["accuracy"].mean()
            line = looks[label].line | {"markevery": 8}
            axes.plot(mean.index, mean, label=drawable(names[label]), **line)
            axes.axhline(predicted, color=looks[label].colour, linestyle=(0, (4, 2)), linewidth=1)
        axes.set_yscale("log")
        axes.set_xlabel("Rounds, or time (mean gradient intervals)")
        axes.set_ylabel(r"mean of $\|x - x^*\|^2/\|x_0 - x^*\|^2$")
        add_legend(figure, axes.get_legend_handles_labels()[0], 3)
    return figure


def plateaus_table(result_of: ResultOf) -> str:
    """Predicted and measured, in Markdown."""
    result = result_of(("plateaus",))
    lines = ["| method | predicted | measured |", "|---|---:|---:|"]
    names = printed_names(result.summary, titles_of({"plateaus": result}))
    for label, (predicted, measured) in predictions(result).items():
        lines.append(f"| {names[label]} | {predicted:.4f} | {measured:.4f} |")
    return "\n".join(lines)


def predicted_error(
    method: Method, problem: Problem, network: Network, spec: AlgorithmSpec
) -> float:
    """The limit of the mean over the nodes of E||x_i - x*||^2."""
    parameters = dict(spec.parameters)
    if isinstance(method, RoundMethod):
        return plateau(method, problem, network, spec.batch_size or 1, parameters).error
    options = Options(batch_size=spec.batch_size)
    return stationary(method, problem, network, parameters, options).error


def predictions(result: Result) -> dict[str, tuple[float, float]]:
    """Per algorithm the accuracy that is predicted and the mean one of the last three quarters of
    the rounds, each the mean over the repeats.
    """
    scenario = scenario_from_mapping(result.manifest["scenario"])
    study, found = Study(scenario), {}
    for repeat in range(scenario.repeats):
        f, network = study.parts(repeat).problem, study.parts(repeat).network
        for spec in scenario.algorithms:
            method = METHODS[spec.name]
            error = predicted_error(method, f, network, spec)
            curves = result.curves.query("algorithm == @spec.label and repeat == @repeat")
            late = curves[curves["time"] > curves["time"].max() / 4]["accuracy"]
            pair = error / (f.x_star**2).sum(), late.mean()  # x0 is 0
            found.setdefault(spec.label, []).append(pair)
    return {label: tuple(np.mean(pairs, axis=0)) for label, pairs in found.items()}
