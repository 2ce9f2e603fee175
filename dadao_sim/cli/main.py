"""The command line. Everything heavy is imported inside the command that needs it."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.cli.learned import learn_prior, prior
from dadao_sim.cli.networks import network, rates
from dadao_sim.cli.results import recovered
from dadao_sim.errors import InputError

app = typer.Typer(
    help="Simulate decentralised optimisation: DADAO and its baselines, event by event.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


class XAxis(StrEnum):
    """What a figure puts on its x axis."""

    communications = "communications"
    gradients = "gradients"
    time = "time"
    cost = "cost"


class YAxis(StrEnum):
    """What a figure puts on its y axis."""

    accuracy = "accuracy"
    mean_squared_distance = "mean_squared_distance"
    suboptimality = "suboptimality"
    consensus_error = "consensus_error"


class Format(StrEnum):
    """File formats of figures."""

    png = "png"
    pdf = "pdf"
    svg = "svg"


SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Set a key of the scenario. May be repeated."),
]
ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A YAML file, or the name of a shipped scenario.")
]


@app.command()
def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result. [default: results/NAME]")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's seed.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Instead of the scenario's repeats.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once; no number changes.")] = 1,
    sets: SetOption = None,
    resume: Annotated[bool, typer.Option(help="Go on with what an interrupted run left.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier result.")] = False,
) -> None:
    """Run a scenario: curves, a table of costs, figures."""
    from dadao_sim.cli import show
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    if resume and overwrite:
        raise InputError("run: --resume and --overwrite exclude each other")
    changes = list(sets or [])
    changes += [f"seed={seed}"] if seed is not None else []
    changes += [f"repeats={repeats}"] if repeats is not None else []
    loaded = load_scenario(shipped.scenario_path(scenario), changes)
    folder = out or Path("results") / loaded.name
    code = show.run(loaded, folder, jobs=jobs, resume=resume, overwrite=overwrite)
    if code:
        raise typer.Exit(code)


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of results.")],
    accuracy: Annotated[float, typer.Option(help="The accuracy whose cost is compared.")] = 1e-6,
    quantity: Annotated[XAxis, typer.Option(help="What the figure shows.")] = XAxis.communications,
    figure: Annotated[Path | None, typer.Option(help="Draw it to this file.")] = None,
) -> None:
    """Put several results side by side: what each method spent to reach an accuracy."""
    from dadao_sim.cli import show
    from dadao_sim.plotting.comparison import comparison_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.reports.comparison import comparison_table, titles_of
    from dadao_sim.results.result import load_result

    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]  # the same name twice: tell them apart
    results = {name: load_result(folder) for name, folder in zip(names, folders, strict=True)}
    show.print_summary(comparison_table(results, accuracy), titles_of(results))
    if figure is not None:
        save_figure(comparison_figure(results, accuracy, quantity), figure)
        show.say(f"figure: {figure}")


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a result.")],
    x: Annotated[XAxis, typer.Option(help="The cost.")] = XAxis.communications,
    y: Annotated[YAxis, typer.Option(help="The error.")] = YAxis.accuracy,
    format: Annotated[Format, typer.Option(help="File format.")] = Format.png,
) -> None:
    """Draw one error against one cost, into DIR/figures."""
    from dadao_sim.cli import show
    from dadao_sim.plotting.curves import curve_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.results.result import load_result

    path = folder / "figures" / f"{y}-{x}.{format}"
    save_figure(curve_figure(load_result(folder), x, y), path)
    show.say(f"figure: {path}")


@app.command()
def world(
    scenario: ScenarioArgument,
    algorithm: Annotated[
        str | None, typer.Option(help="Label of the only one to look at. [default: all]")
    ] = None,
    end: Annotated[float | None, typer.Option(help="Until when. [default: stop.time]")] = None,
    sets: SetOption = None,
    log: Annotated[Path | None, typer.Option(help="Save the event log (.npz).")] = None,
    timeline: Annotated[Path | None, typer.Option(help="Draw the nodes' time there.")] = None,
    begin: Annotated[float, typer.Option(help="Where the timeline begins.")] = 0.0,
    load: Annotated[Path | None, typer.Option(help="Draw the bytes per link there.")] = None,
) -> None:
    """What happens in a scenario's world: work, waiting, staleness, load, losses."""
    from dadao_sim.cli import show
    from dadao_sim.events.files import save_events
    from dadao_sim.plotting.networks import network_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.plotting.timeline import timeline_figure
    from dadao_sim.reports.layout import network_layout
    from dadao_sim.reports.timeline import world_timeline
    from dadao_sim.reports.world import world_report
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    loaded = load_scenario(shipped.scenario_path(scenario), sets or [])
    labels = [spec.label for spec in loaded.algorithms] if algorithm is None else [algorithm]
    if len(labels) > 1 and (log or timeline or load):
        raise InputError("world: --log, --timeline and --load are of one: add --algorithm LABEL")
    reports = [world_report(loaded, label, end=end) for label in labels]
    show.print_worlds(reports)
    report = reports[0]
    if log is not None:
        save_events(log, report.events)
        show.say(f"log: {log}, {len(report.events):,} events")
    if timeline is not None:
        save_figure(timeline_figure(world_timeline(report), begin, report.end), timeline)
        show.say(f"figure: {timeline}")
    if load is not None:
        rates = report.link_bytes / report.end
        what = "Bytes per mean gradient interval"
        save_figure(network_figure(network_layout(report.network), rates, label=what), load)
        show.say(f"figure: {load}")


@app.command("list")
def list_names() -> None:
    """The methods, problems, data sets, graphs and shipped scenarios by name."""
    from dadao_sim.cli import show

    show.print_names()


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from dadao_sim.scenario.reading import schema as scenario_schema

    print(json.dumps(scenario_schema(), indent=2))


@app.command()
def validate(scenario: ScenarioArgument, sets: SetOption = None) -> None:
    """Check a scenario down to the constants of its methods, without running it."""
    from dadao_sim.cli import show
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.simulate import check_scenario

    loaded = load_scenario(shipped.scenario_path(scenario), sets or [])
    check_scenario(loaded)
    show.say(f"{scenario}: valid; {len(loaded.algorithms)} algorithms, {loaded.repeats} repeats")


@app.command()
def cite(method: Annotated[str, typer.Argument(metavar="METHOD")]) -> None:
    """Print the BibTeX entry of a method."""
    from dadao_sim.algorithms.contract.registry import citation, get_method

    print(citation(get_method(method)))


app.command()(network)
app.command()(rates)
app.command()(learn_prior)
app.command()(prior)
app.command()(recovered)


def main() -> None:
    """Run the command; what a user got wrong is one line on standard error and exit code 2."""
    try:
        app()
    except (InputError, OSError) as error:
        print(f"dadao-sim: {error}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(f"dadao-sim: not enough memory: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
