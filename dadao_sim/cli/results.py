"""The commands that read results: compare several, and draw one."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.looks import AxesOptions, LookOptions, by_look_option, look_of
from dadao_sim.cli.options import (
    COMMUNICATIONS,
    AxisName,
    OverwriteOption,
    PriceOption,
    ResultArgument,
    by_option,
    given_options,
    prices_of,
)
from dadao_sim.cli.show import print_costs, say
from dadao_sim.cli.sweeps import SweepOptions, draw_sweep
from dadao_sim.errors import InputError, within

if TYPE_CHECKING:
    from dadao_sim.results.result import Result

ACCURACY = 1e-6

group = Group("Results", place=1)


class Format(StrEnum):
    """File formats of figures."""

    png = "png"
    pdf = "pdf"
    svg = "svg"


@group.command(
    examples=[
        "compare results/quickstart results/star-32 --accuracy 1e-6",
        "compare results/quickstart results/star-32 --figure both.png",
    ]
)
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    accuracy: Annotated[
        float | None,
        typer.Option(
            help="The accuracy whose cost is compared. [default: 1e-6; where a sweep is over "
            "stop.accuracy, that of each cell]"
        ),
    ] = None,
    x: Annotated[
        AxisName | None,
        typer.Option(
            "--x",
            "--quantity",
            help="What the figure shows, and the table beside what it shows anyway. "
            "[default: communications]",
        ),
    ] = None,
    rank: Annotated[bool, typer.Option(help="The least along --x first.")] = False,
    price: PriceOption = None,
    *,
    look: LookOptions,
    figure: Annotated[Path | None, typer.Option(help="Draw it to this file.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the table: .csv, .json (numbers in full) or .tex."
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Put several results side by side: what each method spent to reach an accuracy.

    Of a sweep each cell is a result, called by its folder and its values.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.comparison import comparison_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.reports.comparison import comparison_table, ranked, titles_of
    from dadao_sim.results.axes import TABLED
    from dadao_sim.results.latex import LATEX
    from dadao_sim.results.table_file import TABLE, save_table

    read = [file for folder in folders for file in _files_read(folder)]
    outputs = {"--figure": (figure, FIGURE), "--out": (out, TABLE)}
    check_outputs(outputs, inputs=read, overwrite=overwrite)
    along, prices = str(x or COMMUNICATIONS), prices_of(price)
    results, failed, own = _each_of(folders)
    to: float | dict[str, float] = ACCURACY if accuracy is None else accuracy
    if accuracy is None and own:
        to = {name: own.get(name, ACCURACY) for name in results}
    style = look_of(results, look)
    options = {"accuracies": "--accuracy", "accuracy": "--accuracy", "price": "--price"}
    options |= {"quantity": "--x", "quantities": "--x"}
    quantities = [*TABLED, *([along] if along not in TABLED else [])]
    with by_option(**options), by_look_option():
        table = comparison_table(results, to, quantities, prices, style.algorithms)
        table = ranked(table, along) if rank else table
        print_costs(table, titles_of(results), ["scenario"])
        for name, why in failed.items():
            say(f"{name}: failed: {why}")
        drawn = figure and comparison_figure(results, to, along, prices=prices, look=style)
    if figure and drawn:
        save_figure(drawn, figure, overwrite=overwrite)
        say(f"figure: {figure}")
    if out:
        shown = LATEX if x is None else (along,)
        save_table(table, titles_of(results), out, shown, overwrite=overwrite)
        say(f"table: {out}")


def _each_of(
    folders: list[Path],
) -> tuple[dict[str, "Result"], dict[str, str], dict[str, float]]:
    """The results in the folders by their names, those of the cells of sweeps among them; why cells
    have none; and of cells that stop at accuracies of their own these. InputError where nothing has
    a result.
    """
    from dadao_sim.results.result import load_result
    from dadao_sim.results.sweep import is_sweep, load_sweep

    results: dict[str, Result] = {}
    failed: dict[str, str] = {}
    own: dict[str, float] = {}
    for name, folder in zip(_told_apart(folders), folders, strict=True):
        if not is_sweep(folder):
            results[name] = load_result(folder)
            continue
        sweep = load_sweep(folder)
        for cell in sweep.cells:
            if cell.error is None:
                result = results[f"{name}: {cell}"] = cell.result
                if sweep.has_own_accuracies and result.stop_accuracy is not None:
                    own[f"{name}: {cell}"] = result.stop_accuracy
            else:
                failed[f"{name}: {cell}"] = cell.error
    if not results:
        raise InputError("compare", "every cell failed", "run the sweep again")
    return results, failed, own


def _told_apart(folders: list[Path], command: str = "compare") -> list[str]:
    """The names of the folders wherever they were seen from, with as much of what is above them as
    tells them apart. InputError for a folder that is given twice.
    """
    places = [folder.resolve() for folder in folders]
    for k, place in enumerate(places):
        if place in places[:k]:
            raise InputError(
                f"{command}: {folders[k]} is {folders[places.index(place)]}: give each result once"
            )
    names: list[str] = []
    for depth in range(1, max(len(place.parts) for place in places) + 1):
        names = [Path(*place.parts[-depth:]).as_posix() for place in places]
        if len(set(names)) == len(names):
            break
    return names


def _files_read(folder: Path) -> list[Path]:
    """The files of a result or a sweep that are read where it is loaded."""
    from dadao_sim.results import folder as of_a_result
    from dadao_sim.results import sweep as of_a_sweep

    one = of_a_sweep if of_a_sweep.is_sweep(folder) else of_a_result
    return one.files_read(folder)


def _errors(incomplete: str) -> list[str]:
    """The errors measured in every run, for the shell."""
    from dadao_sim.metrics import ALWAYS

    return [name for name in ALWAYS if name.startswith(incomplete)]


@group.command(
    examples=[
        "plot results/quickstart --x cost --y suboptimality --format pdf",
        "plot results/quickstart --x time --y consensus_error",
    ]
)
def plot(
    context: typer.Context,
    folder: ResultArgument,
    x: Annotated[
        list[AxisName] | None,
        typer.Option(help="The cost. May be repeated: a panel for each. [default: communications]"),
    ] = None,
    y: Annotated[
        str,
        typer.Option(help="The error, or a metric of the scenario's.", autocompletion=_errors),
    ] = "accuracy",
    price: PriceOption = None,
    *,
    look: AxesOptions,
    figures: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="Draw what its section figures asks for, instead."),
    ] = None,
    format: Annotated[Format, typer.Option(help="File format, without --out.")] = Format.png,
    out: Annotated[
        Path | None, typer.Option(help="Draw it to this file. [default: DIR/figures/Y-X.png]")
    ] = None,
    overwrite: OverwriteOption = False,
    of_sweep: SweepOptions,
) -> None:
    """Draw one error against one cost, or several; of a sweep, a cost against a swept key.

    The figure goes into DIR/figures.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.curves import curve_figure, panel_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.results.folder import files_read
    from dadao_sim.results.result import load_result
    from dadao_sim.results.sweep import is_sweep

    if figures is not None:
        for option in given_options(context):
            if option not in ("--figures", "--overwrite", "--json", "--quiet"):
                right = f"leave it out, or say it in {figures}"
                raise InputError(option, "does not go with --figures", right)
        _draw_figures(folder, figures, overwrite=overwrite)
        return
    xs = [str(one) for one in x or [COMMUNICATIONS]]
    if is_sweep(folder):
        if len(xs) > 1 or y != "accuracy" or price:
            raise InputError("plot", f"{folder} is a sweep: one --x, no --y and no --price")
        draw_sweep(folder, of_sweep, xs[0], look, out, format, overwrite=overwrite)
        return
    if of_sweep.given:
        raise InputError(f"--{of_sweep.given[0]}", f"{folder} is no sweep", "leave it out")
    path = out or folder / "figures" / f"{y}-{'-'.join(xs)}.{format}"
    prices = prices_of(price)
    read = files_read(folder) if out else []
    option = "--out" if out else "figure"
    check_outputs({option: (path, FIGURE)}, inputs=read, overwrite=overwrite)
    result = load_result(folder)
    style = look_of({"": result}, look)
    with by_option(x="--x", y="--y", price="--price"), by_look_option():
        terms = result.terms.priced(**prices)
        if len(xs) == 1:
            drawn = curve_figure(result, xs[0], y, look=style, terms=terms)
        else:
            drawn = panel_figure(result, y, xs=xs, look=style, terms=terms)
    save_figure(drawn, path, overwrite=overwrite)
    say(f"figure: {path}")


def _draw_figures(folder: Path, scenario: str, *, overwrite: bool) -> None:
    """What the section figures of a scenario asks for."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.curves import figure_of
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.results.result import load_result
    from dadao_sim.scenario.reading import load_scenario

    specs = load_scenario(scenario).figures
    if not specs:
        raise InputError("--figures", f"{scenario} has no section figures")
    paths = {one.file: folder / "figures" / one.file for one in specs}
    check_outputs({file: (path, FIGURE) for file, path in paths.items()}, overwrite=overwrite)
    result = load_result(folder)
    for number, one in enumerate(specs):
        with within(f"{scenario}: figures.{number}"):
            save_figure(figure_of(result, one), paths[one.file], overwrite=overwrite)
        say(f"figure: {paths[one.file]}")


@group.command(examples=["report results/quickstart results/star-32 -o report.html"])
def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file, such as report.html.")],
    overwrite: OverwriteOption = False,
) -> None:
    """One page to send: ranking, interactive curves, network, world, how to run it again.

    Of a sweep: cost against its keys with exponents, profile, maps, every cell and how it ended.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.page.write import PAGE, require_extra, save_page
    from dadao_sim.results.result import load_result
    from dadao_sim.results.sweep import is_sweep, load_sweep

    require_extra()
    read = [file for folder in folders for file in _files_read(folder)]
    check_outputs({"--out": (out, PAGE)}, inputs=read, overwrite=overwrite)
    names = _told_apart(folders, "report")
    results = {
        name: load_sweep(folder) if is_sweep(folder) else load_result(folder)
        for name, folder in zip(names, folders, strict=True)
    }
    save_page(results, out, overwrite=overwrite)
    say(f"report: {out}, {out.stat().st_size / 1e6:.1f} MB")


@group.command(examples=["recovered results/deblurring --figure pictures.png"])
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
    """Draw an image, or a signal, beside what each method recovered of it."""
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
