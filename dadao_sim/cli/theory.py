"""The command that says what a scenario's methods need, before any run."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import (
    COMMUNICATIONS,
    AxisName,
    FigureOption,
    OverwriteOption,
    ScenarioArgument,
    SetOption,
    by_option,
)
from dadao_sim.cli.show import accuracy_text, give, print_table, say
from dadao_sim.errors import InputError
from dadao_sim.text.labels import printed_name

if TYPE_CHECKING:
    from dadao_sim.reports.theory import TheoryReport

group = Group("Theory", place=1)


@group.command(
    examples=[
        "theory quickstart --accuracy 1e-4",
        "theory quickstart --result results/quickstart --figure theory.png",
        "theory quickstart --quantity gradients --json",
    ]
)
def theory(
    scenario: ScenarioArgument,
    result: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A result of it, to put beside.")
    ] = None,
    accuracy: Annotated[
        list[float] | None,
        typer.Option(help="May be repeated. [default: those of the scenario's report]"),
    ] = None,
    quantity: Annotated[AxisName, typer.Option(help="What is counted.")] = COMMUNICATIONS,
    patient: Annotated[bool, typer.Option(help="Also what is exact but takes minutes.")] = False,
    sets: SetOption = None,
    figure: FigureOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """What each method needs: promised by its theorem, exactly, and as measured."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.plotting.theory import theory_figure
    from dadao_sim.reports.theory import COUNTS, theory_report
    from dadao_sim.results.folder import files_read
    from dadao_sim.results.result import load_result
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.study import Study
    from dadao_sim.strict import files_named

    if quantity not in COUNTS:
        raise InputError("--quantity", f"{quantity} given", f"use {', '.join(COUNTS)}")
    if figure is not None and result is None:
        raise InputError("--figure", "it is drawn over a result", "give --result DIR")
    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, sets or [])
    read: list[Path] = [Path(file), *map(Path, files_named(loaded))]
    read += files_read(result) if result else []
    check_outputs({"--figure": (figure, FIGURE)}, inputs=read, overwrite=overwrite)
    measured = load_result(result) if result else None
    with by_option(accuracies="--accuracy", result="--result"):
        report = theory_report(Study(loaded), measured, accuracy, patient=patient)
    give(report.to_mapping())
    if report.repeats != loaded.repeats:
        say(f"repeats: the {report.repeats} of the result, not the {loaded.repeats} asked for")
    print_theory(report, str(quantity))
    if figure is not None and measured is not None:
        drawn = theory_figure(report, measured, str(quantity))
        save_figure(drawn, figure, overwrite=overwrite)
        say(f"figure: {figure}")


def print_theory(report: "TheoryReport", quantity: str) -> None:
    """The three counts of each method at each accuracy, their ratios, and what is missing."""
    from dadao_sim.reports.theory import NEVER
    from dadao_sim.results.summary import NOT_REACHED

    rows = []
    compared = any(
        not math.isnan(ways["measured"][quantity])
        for method in report.methods
        for ways in method.costs.values()
    )
    for method in report.methods:
        name = printed_name(method.algorithm, method.method, method.title, method.experimental)
        for accuracy, ways in method.costs.items():
            promised, exact, measured, there = (
                ways[way][quantity]
                for way in ("promised", "exact", "measured", "measured_of_exact")
            )
            cells = [_count(promised, NEVER), _count(exact, NEVER), _count(measured, NOT_REACHED)]
            cells += [_ratio(measured, promised), _ratio(there, exact)]
            rows.append([name, accuracy_text(accuracy), *cells])
    titles = ("promised", "exact", "measured", "of promised", "of exact")
    print_table((quantity, "accuracy", *titles), rows)
    for method in report.methods:
        first = method.predicted[0]
        says = [method.theorem or "no theorem"]
        if first.decay is not None:
            exactly = "the slope, from 1" if first.x_star else "the slope, to where it hovers"
            if first.curve is not None:
                exactly = "the expected curve"
                if first.curve.is_late:
                    exactly += f" from time {first.curve.times[0]:.3g} on"
            exactly += ", near x*" if first.linearised else ""
            if len(method.exact_repeats) < report.repeats:
                exactly += f", of repeat {', '.join(map(str, method.exact_repeats))} alone"
                exactly += ", as is what it is compared with" if compared else ""
            says.append(f"exact: {exactly}")
        if first.why:
            says.append(first.why)
        say(f"{method.algorithm}: {'; '.join(says)}")
    if report.least:
        for accuracy, bound in report.least.items():
            say(
                f"no method to {accuracy_text(accuracy)} on the worst problem with this mu and L: "
                f"{bound.gradients:,} gradients and {bound.rounds:,} rounds one after the other "
                f"({bound.rounds * report.edges:,} communications of rounds)"
            )


def _count(value: float, unreached: str) -> str:
    if math.isnan(value):
        return "-"
    return unreached if value == math.inf else f"{value:,.0f}"


def _ratio(measured: float, predicted: float) -> str:
    ratio = measured / predicted if predicted > 0 else math.nan
    return f"{ratio:.2f}" if math.isfinite(ratio) else "-"
