"""The commands that read results: compare several, and draw one."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import FigureOption, OverwriteOption, ResultArgument, by_option
from dadao_sim.cli.show import print_costs, say
from dadao_sim.errors import InputError

group = Group("Results", place=1)


class XAxis(StrEnum):
    """What a figure puts on its x axis."""

    communications = "communications"
    gradients = "gradients"
    time = "time"
    cost = "cost"
    bits = "bits"


class Format(StrEnum):
    """File formats of figures."""

    png = "png"
    pdf = "pdf"
    svg = "svg"


@group.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    accuracy: Annotated[float, typer.Option(help="The accuracy whose cost is compared.")] = 1e-6,
    quantity: Annotated[XAxis, typer.Option(help="What the figure shows.")] = XAxis.communications,
    figure: FigureOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Put several results side by side: what each method spent to reach an accuracy."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.comparison import comparison_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.reports.comparison import comparison_table, titles_of
    from dadao_sim.results.folder import files_read
    from dadao_sim.results.result import load_result

    read = [file for folder in folders for file in files_read(folder)]
    check_outputs({"--figure": (figure, FIGURE)}, inputs=read, overwrite=overwrite)
    names = _told_apart(folders)
    results = {name: load_result(folder) for name, folder in zip(names, folders, strict=True)}
    with by_option(accuracies="--accuracy", accuracy="--accuracy"):
        print_costs(comparison_table(results, accuracy), titles_of(results), ["scenario"])
        drawn = figure and comparison_figure(results, accuracy, quantity)
    if figure and drawn:
        save_figure(drawn, figure, overwrite=overwrite)
        say(f"figure: {figure}")


def _told_apart(folders: list[Path]) -> list[str]:
    """The names of the folders wherever they were seen from, with as much of what is above them as
    tells them apart. InputError for a folder that is given twice.
    """
    places = [folder.resolve() for folder in folders]
    for k, place in enumerate(places):
        if place in places[:k]:
            raise InputError(
                f"compare: {folders[k]} is {folders[places.index(place)]}: give each result once"
            )
    names: list[str] = []
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        names = [Path(*place.parts[-depth:]).as_posix() for place in places]
        if len(set(names)) == len(names):
            break
    return names


def _errors(incomplete: str) -> list[str]:
    """The errors measured in every run, for the shell."""
    from dadao_sim.metrics import METRICS

    return [name for name in METRICS.ours if name.startswith(incomplete)]


@group.command()
def plot(
    folder: ResultArgument,
    x: Annotated[XAxis, typer.Option(help="The cost.")] = XAxis.communications,
    y: Annotated[
        str,
        typer.Option(help="The error, or a metric of the scenario's.", autocompletion=_errors),
    ] = "accuracy",
    format: Annotated[Format, typer.Option(help="File format.")] = Format.png,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw one error against one cost, into DIR/figures."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.curves import curve_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.results.result import load_result

    path = folder / "figures" / f"{y}-{x}.{format}"
    result = load_result(folder)
    check_outputs({"figure": (path, FIGURE)}, overwrite=overwrite)
    with by_option(x="--x", y="--y"):
        drawn = curve_figure(result, x, y)
    save_figure(drawn, path, overwrite=overwrite)
    say(f"figure: {path}")


@group.command()
def recovered(
    folder: ResultArgument,
    figure: Annotated[Path, typer.Option(help="Draw it to this file.")],
    algorithms: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm", metavar="LABEL", help="Only this one. May be repeated. [default: all]"
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw an image, or a sparse signal, beside what each method recovered of it."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.recovered import recovered_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.reports import recovered as report
    from dadao_sim.results.folder import files_read
    from dadao_sim.results.result import load_result

    check_outputs({"--figure": (figure, FIGURE)}, inputs=files_read(folder), overwrite=overwrite)
    with by_option(labels="--algorithm", algorithm="--algorithm"):
        drawn = recovered_figure(report.recovered(load_result(folder), algorithms))
    save_figure(drawn, figure, overwrite=overwrite)
    say(f"figure: {figure}")
