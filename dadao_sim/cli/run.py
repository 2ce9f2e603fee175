"""The commands that take a scenario: run it, or only check it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import ScenarioArgument, SetOption
from dadao_sim.cli.show import console, print_costs, say
from dadao_sim.errors import InputError, WorkerKilled

if TYPE_CHECKING:
    from dadao_sim.results.look import FigureSpec
    from dadao_sim.results.result import Result, RunKey
    from dadao_sim.scenario.model import Scenario
    from dadao_sim.simulation.study import Study

INTERRUPTED = 130  # the shell's code for Ctrl-C

group = Group("Scenarios", place=0)


@group.command()
def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result. [default: results/NAME]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the scenario's.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Instead of the scenario's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once; no number changes.")] = 1,
    sets: SetOption = None,
    resume: Annotated[
        bool, typer.Option(help="Go on with what is there; only what is new is run.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier result.")] = False,
) -> None:
    """Run a scenario: curves, a table of costs, figures."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE
    from dadao_sim.results.columns import DIVERGED
    from dadao_sim.results.folder import check_folder
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.simulate import simulate
    from dadao_sim.simulation.study import Study
    from dadao_sim.strict import files_named

    if resume and overwrite:
        raise InputError("run: --resume and --overwrite exclude each other")
    changes = list(sets or [])
    changes += [f"seed={seed}"] if seed is not None else []
    changes += [f"repeats={repeats}"] if repeats is not None else []
    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, changes)
    folder = out or Path("results") / loaded.name
    check_folder(folder, resume=resume, overwrite=overwrite, inputs=[file, *files_named(loaded)])
    figures = [*_figures(folder), *(folder / "figures" / one.file for one in loaded.figures or ())]
    check_outputs({path.name: (path, FIGURE) for path in figures}, overwrite=overwrite)
    study = Study(loaded)
    say(_announcement(study, jobs))
    _say_added_edges(study)
    try:
        with _Bars(loaded) as bars:
            result = simulate(
                study, out=folder, jobs=jobs, resume=resume, overwrite=overwrite, tick=bars.tick
            )
    except KeyboardInterrupt:
        say(f"interrupted: what was finished is in {folder}; go on with --resume")
        raise typer.Exit(INTERRUPTED) from None
    except WorkerKilled as error:
        kept = f"what was finished is in {folder}; go on with --resume, perhaps with fewer --jobs"
        raise WorkerKilled(f"{error}; {kept}") from None
    print_costs(result.summary, result.titles)
    for row in result.runs.itertuples():
        if row.status == DIVERGED:
            say(
                f"{row.algorithm}, repeat {row.repeat}: diverged at time {row.time:g}: {row.reason}"
            )
    there = len(result.runs) - len(bars.finished)
    if not bars.finished:
        say(f"result: {folder}, complete before: nothing was left to run")
    else:
        say(f"result: {folder}" + (f"; {there} of its runs were there before" if there else ""))
    _draw(result, folder)
    _draw_asked(result, loaded.figures or (), folder)


@group.command()
def validate(scenario: ScenarioArgument, sets: SetOption = None) -> None:
    """Check a scenario down to the constants of its methods, without running it.

    Of a network that takes more than seconds to tune for, only the numbers are checked; it says so.
    """
    from dadao_sim import plugins
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.study import Study

    loaded = load_scenario(scenario, sets or [])
    study = Study(loaded)
    large = study.check_by_numbers()
    if large:
        say(f"network: {large} take their time; the constants of the methods are left to the run")
    else:
        study.check()
        say(f"problem: {study.parts(0).conditions.in_words()}")
        _say_added_edges(study)
    for path in loaded.plugins:
        say(str(plugins.loaded(path)))
    say(f"{scenario}: valid; {len(loaded.algorithms)} algorithms, {loaded.repeats} repeats")


def _draw(result: "Result", folder: Path) -> None:
    """The standard figure of a result, as PNG and PDF; a line where there is nothing to draw."""
    from dadao_sim.plotting.curves import panel_figure
    from dadao_sim.plotting.style import save_figure

    try:
        figure = panel_figure(result)
    except InputError as error:
        say(f"no figure: {error}")
        return
    for path in _figures(folder):
        save_figure(figure, path, overwrite=True)


def _draw_asked(result: "Result", figures: "Sequence[FigureSpec]", folder: Path) -> None:
    """The figures of the scenario; a line of each, and why where one has nothing to draw."""
    from dadao_sim.plotting.curves import figure_of
    from dadao_sim.plotting.style import save_figure

    for spec in figures:
        path = folder / "figures" / spec.file
        try:
            save_figure(figure_of(result, spec), path, overwrite=True)
            say(f"figure: {path}")
        except InputError as error:
            say(f"no figure {spec.file}: {error}")


def _figures(folder: Path) -> list[Path]:
    """The files of the standard figure."""
    return [folder / "figures" / f"curves.{suffix}" for suffix in ("png", "pdf")]


def _say_added_edges(study: "Study") -> None:
    """That the network of the first repeat has edges which its keys do not ask for."""
    network = study.parts(0).network
    if network.added_edges:
        edges = sum(len(graph.edges) for graph in network.graphs)
        say(
            f"network: {network.added_edges:,} of its {edges:,} edges (repeat 0) are longer than "
            "the radius, added to connect it"
        )


def _announcement(study: "Study", jobs: int) -> str:
    """What the run will take at most, said beforehand."""
    scenario, estimate = study.scenario, study.estimate()
    seconds = estimate.seconds / min(jobs, len(scenario.algorithms) * scenario.repeats)
    memory = estimate.memory * jobs / 2**20
    return (
        f"{scenario.name}: {len(scenario.algorithms)} algorithms x {scenario.repeats} repeats; "
        f"at most {estimate.events:,.0f} events, about {_duration(seconds)}, "
        f"{max(1, math.ceil(memory)):,} MiB of arrays"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Bars:
    """A bar for the whole scenario, one step per run, and the accuracy of the run under way."""

    def __init__(self, scenario: "Scenario"):
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            TextColumn("{task.description:32.32}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:5.1f}/{task.total:.0f} runs", markup=False),
            TimeElapsedColumn(),
            console=console(),
            transient=True,
        )
        total = len(scenario.algorithms) * scenario.repeats
        self.task = self.progress.add_task(scenario.name, total=total)
        self.finished: set[RunKey] = set()

    def __enter__(self) -> "_Bars":
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def tick(self, key: "RunKey", share: float, accuracy: float) -> None:
        """A sample of a run, or (share 1) its end."""
        if share >= 1:
            self.finished.add(key)
        part = 0.0 if key in self.finished else share
        self.progress.update(
            self.task,
            completed=len(self.finished) + part,
            description=f"{key[0]}, repeat {key[1]}: {accuracy:.0e}",
        )
