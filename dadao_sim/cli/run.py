"""The commands that take a scenario: run it, or only check it."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import ScenarioArgument, SetOption, by_option
from dadao_sim.cli.show import console, print_costs, say
from dadao_sim.errors import InputError, WorkerKilled, within
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    from dadao_sim.results.look import FigureSpec
    from dadao_sim.results.result import Result
    from dadao_sim.results.sweep import SweepResult
    from dadao_sim.scenario.model import Scenario
    from dadao_sim.scenario.sweep import Sweep
    from dadao_sim.simulation.estimate import Estimate
    from dadao_sim.simulation.study import Study
    from dadao_sim.simulation.sweep import SweepEstimate
    from dadao_sim.simulation.workers import Others

INTERRUPTED = 130  # the shell's code for Ctrl-C
MOST_NAMED = 5  # cells in one line

group = Group("Scenarios", place=0)


@group.command(
    examples=[
        "run quickstart",
        "run quickstart --set network.nodes=32 --out results/star-32 --jobs 2",
        "run quickstart --resume --repeats 5 --json",
        "run quickstart --jobs 2 --threads 1 --out results/one-thread",
        "run - --out results/piped < scenario.yaml",
    ]
)
def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result. [default: results/NAME]")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the scenario's.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Instead of the scenario's.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once; no number changes.")] = 1,
    threads: Annotated[
        str,
        typer.Option(
            metavar="N|auto",
            help="Threads of each run, where they pay; no number changes.",
        ),
    ] = "auto",
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE",
            help="Run on a cluster: a scheduler's address or FILE.json, or local:N.",
        ),
    ] = None,
    sets: SetOption = None,
    resume: Annotated[
        bool, typer.Option(help="Go on with what is there; only what is new is run.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier result.")] = False,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Of a sweep: take runs that are in here."),
    ] = None,
) -> None:
    """Run a scenario, or all those of a sweep: curves, a table of costs, figures."""
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_file
    from dadao_sim.scenario.sweep import Sweep

    if resume and overwrite:
        raise InputError("run: --resume and --overwrite exclude each other")
    changes = list(sets or [])
    changes += [f"seed={seed}"] if seed is not None else []
    changes += [f"repeats={repeats}"] if repeats is not None else []
    file = shipped.scenario_path(scenario)
    loaded = load_file(file, changes)
    folder = out or Path("results") / loaded.name
    if dask is not None and jobs > 1:
        raise InputError("run: --dask and --jobs exclude each other")
    if reuse and not isinstance(loaded, Sweep):
        raise InputError("--reuse", "is for a sweep; --resume goes on with a result")
    how_many = int(threads) if threads.isdecimal() else threads
    options = {"dask": "--dask", "reuse": "--reuse", "threads": "--threads"}
    with by_option(**options), _others(dask) as others:
        how = {"jobs": jobs, "threads": how_many, "others": others}
        how |= {"resume": resume, "overwrite": overwrite}
        if isinstance(loaded, Sweep):
            _run_sweep(loaded, folder, how | {"reuse": reuse or []})
        else:
            _run_one(loaded, file, folder, how)


@contextmanager
def _others(dask: str | None) -> "Iterator[Others | None]":
    """The workers of a cluster; none where none is asked for."""
    if dask is None:
        yield None
        return
    from dadao_sim.simulation.cluster import cluster

    with cluster(dask) as others:
        yield others


@contextmanager
def _broken_off(folder: Path) -> Iterator[None]:
    """Say how to go on where the work inside is interrupted, or a worker of it is killed."""
    kept = f"what was finished is in {folder}; go on with --resume"
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted: {kept}")
        raise typer.Exit(INTERRUPTED) from None
    except WorkerKilled as error:
        raise WorkerKilled(f"{error}; {kept}, perhaps with fewer --jobs") from None


def _run_one(loaded: "Scenario", file: Path, folder: Path, how: dict[str, Any]) -> None:
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE
    from dadao_sim.results.columns import DIVERGED
    from dadao_sim.results.folder import check_folder
    from dadao_sim.simulation.progress import Progress
    from dadao_sim.simulation.simulate import simulate
    from dadao_sim.simulation.study import Study
    from dadao_sim.strict import files_named

    resume, overwrite = how["resume"], how["overwrite"]
    check_folder(folder, resume=resume, overwrite=overwrite, inputs=[file, *files_named(loaded)])
    figures = [*_figures(folder), *(folder / "figures" / one.file for one in loaded.figures or ())]
    check_outputs({path.name: (path, FIGURE) for path in figures}, overwrite=overwrite)
    study = Study(loaded)
    say(_announcement(study, how["jobs"]))
    _say_what_is_special(study)
    if how["threads"] not in ("auto", 1):
        _say_who_has_one_thread(study)
    with _broken_off(folder), Progress(loaded.name, len(study.keys), console()) as bars:
        result = simulate(study, out=folder, tick=bars.tick, **how)
    print_costs(result.summary, result.titles)
    for row in result.runs.itertuples():
        if row.status == DIVERGED:
            say(
                f"{row.algorithm}, repeat {row.repeat}: diverged at time {row.time:g}: {row.reason}"
            )
    for (label, repeat), remark in result.remarks.items():
        say(f"{label}, repeat {repeat}: {remark}")
    there = len(result.runs) - len(bars.finished)
    if not bars.finished:
        done = "complete before: nothing was left to run"
        say(f"result: {folder}, {done}", result=str(folder))
    else:
        verb = "was" if there == 1 else "were"
        before = f"; {there} of its runs {verb} there before" if there else ""
        say(f"result: {folder}{before}", result=str(folder))
    _draw(result, folder)
    _draw_asked(result, loaded.figures or (), folder, overwrite=True)  # as was checked before


def _run_sweep(asked: "Sweep", folder: Path, how: dict[str, Any]) -> None:
    """Every cell of a sweep; a line for each that failed, and then code 1."""
    from dadao_sim.cli.sweeps import sweep_figures
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.simulation.progress import Progress
    from dadao_sim.simulation.sweep import check_sweep_folder, estimate_sweep, sweep

    names = [*(f"communications-{key}" for key in asked.keys), "communications-profile"]
    drawn = [folder / "figures" / f"{name}.{suffix}" for name in names for suffix in ("png", "pdf")]
    check_outputs({path.name: (path, FIGURE) for path in drawn}, overwrite=how["overwrite"])
    cells, runs = len(asked.cells), sum(_runs(cell.scenario) for cell in asked.cells)
    check_sweep_folder(folder, resume=how["resume"], overwrite=how["overwrite"])
    estimate = estimate_sweep(asked, folder, overwrite=how["overwrite"])
    _say_what_was(asked, folder, estimate, how)
    how_many = f"{counted(cells, 'cell')}, {counted(runs, 'run')}"
    say(f"{asked.name}: {how_many}; swept: {', '.join(asked.keys)}")
    if estimate.cells:
        say(_of_cells(estimate, how["jobs"]))
    with _broken_off(folder), Progress(asked.name, runs, console()) as bars:
        result = sweep(asked, out=folder, tick=bars.tick_of_cell, **how)
    done = result.summary[result.summary["reason"] == ""]
    if len(done):
        finest = done.groupby(list(result.keys), sort=False)["accuracy"].transform("min")
        print_costs(done[done["accuracy"] == finest], result.titles, result.keys)
    for cell in result.failed:
        say(f"{cell}: failed: {cell.error}", failed=[{"cell": str(cell), "error": cell.error}])
    for one, made in zip(asked.cells, result.cells, strict=True):
        if one.scenario.figures and made.error is None:
            asked_for = one.scenario.figures
            _draw_asked(made.result, asked_for, made.folder, overwrite=how["overwrite"])
    figures, missing = sweep_figures(result)
    for why in missing:
        say(why)
    for name, figure in figures.items():
        for suffix in ("png", "pdf"):
            path = folder / "figures" / f"{name}.{suffix}"
            save_figure(figure, path, overwrite=how["overwrite"])
    from_where = _from_where(result)
    ending = ", complete before: nothing was left to run"
    if from_where["before"] < runs:
        ending = _in_words(from_where)
    say(f"sweep: {folder}{ending}", result=str(folder), runs=from_where)
    if result.failed:
        raise typer.Exit(1)


def _say_what_was(
    asked: "Sweep", folder: Path, estimate: "SweepEstimate", how: dict[str, Any]
) -> None:
    """Before a sweep is played: what of its folder will not be gone on with."""
    from dadao_sim.simulation.earlier import aside_of, without_results
    from dadao_sim.simulation.sweep import rows_that_leave

    for place, why in estimate.damaged:
        said = {"cell": str(place), "why": why}
        kept = f"kept as {aside_of(place).name}, and made again"
        say(f"{place} is damaged ({why}): {kept}", damaged=[said])
    for other in without_results(how["reuse"]):
        say(f"--reuse {other}: no result is found in it", nothing_in=[str(other)])
    if how["overwrite"]:
        return
    left, anew = rows_that_leave(asked, folder)
    if anew:
        why = "the scenario or this package is another than it was"
        stay = f"their earlier runs stay in {folder / 'cells'}"
        say(f"cells made anew, as {why}: {anew}; {stay}", made_anew=anew)
    if left:
        named = [str(cell) for cell in left[:MOST_NAMED]]
        listed = "; ".join([*named, "..."] if len(left) > MOST_NAMED else named)
        rows = [{"cell": str(cell), "folder": str(cell.folder)} for cell in left]
        stay = f"their rows leave the tables, their folders stay in {folder / 'cells'}"
        say(f"cells not asked for now: {len(left)} ({listed}); {stay}", left_out=rows)


def _from_where(result: "SweepResult") -> dict[str, int]:
    """How many runs of a sweep came from where."""
    names = ("made", "before", "shared", "taken")
    return {name: getattr(result.account, name) for name in names}


def _in_words(runs: dict[str, int]) -> str:
    words = {  # of one run, of another number
        "before": ("was there before", "were there before"),
        "shared": ("is that of another cell", "are those of another cell"),
        "taken": ("was taken from another result", "were taken from other results"),
    }
    told = [f"{runs[name]} {said[runs[name] != 1]}" for name, said in words.items() if runs[name]]
    verb = "was" if runs["made"] == 1 else "were"
    return "; " + ", ".join([f"{counted(runs['made'], 'run')} {verb} made", *told])


def _runs(scenario: "Scenario") -> int:
    return len(scenario.algorithms) * scenario.repeats


@group.command(
    examples=[
        "validate quickstart",
        "validate scenario.yaml --set stop.time=100 --json",
        "validate - < scenario.yaml",
    ]
)
def validate(scenario: ScenarioArgument, sets: SetOption = None) -> None:
    """Check a scenario down to the constants of its methods, without running it.

    Of a network that takes more than seconds to tune for, only the numbers are checked; it says so.
    """
    from dadao_sim.scenario.reading import load_file
    from dadao_sim.scenario.sweep import Sweep

    loaded = load_file(scenario, sets or [])
    if not isinstance(loaded, Sweep):
        _check(loaded)
        said = _size(loaded, ", ")
    else:
        for cell in loaded.cells:
            with within(str(cell)):
                _check(cell.scenario)
        runs = sum(_runs(cell.scenario) for cell in loaded.cells)
        said = f"{counted(len(loaded.cells), 'cell')}, {counted(runs, 'run')}"
    say(f"{scenario}: valid; {said}", valid=True)


def _check(loaded: "Scenario") -> None:
    from dadao_sim import plugins
    from dadao_sim.simulation.study import Study

    study = Study(loaded)
    large = study.check_by_numbers()
    if large:
        say(f"network: {large} take their time; the constants of the methods are left to the run")
    else:
        study.check()
        say(f"problem: {study.parts(0).conditions.in_words()}")
        _say_what_is_special(study)
    for path in loaded.plugins:
        say(str(plugins.loaded(path)))


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


def _draw_asked(
    result: "Result", figures: "Sequence[FigureSpec]", folder: Path, *, overwrite: bool
) -> None:
    """The figures of the scenario; a line of each, and why where one has nothing to draw."""
    from dadao_sim.plotting.curves import figure_of
    from dadao_sim.plotting.style import save_figure

    for spec in figures:
        path = folder / "figures" / spec.file
        try:
            save_figure(figure_of(result, spec), path, overwrite=overwrite)
            say(f"figure: {path}")
        except InputError as error:
            say(f"no figure {spec.file}: {error}")


def _figures(folder: Path) -> list[Path]:
    """The files of the standard figure."""
    return [folder / "figures" / f"curves.{suffix}" for suffix in ("png", "pdf")]


def _say_what_is_special(study: "Study") -> None:
    """Of the first repeat: what the problem remarks, and that of an algorithm whose own oracle
    answers for other functions; what a method does; that the network has edges which its keys do
    not ask for.
    """
    network, problem = study.parts(0).network, study.parts(0).problem
    if problem.remark:
        say(f"problem: {problem.remark}")
    for algorithm in study.scenario.algorithms:
        if algorithm.oracle is not None:
            asked = study.plan((algorithm.label, 0)).parts.problem
            if not asked.has_exact_oracle:
                say(f"{algorithm.label}: {asked.remark}")
    for plan in study.check():
        if plan.note:
            say(plan.note)
    if network.added_edges:
        edges = sum(len(graph.edges) for graph in network.graphs)
        say(
            f"network: {network.added_edges:,} of its {edges:,} edges (repeat 0) are longer than "
            "the radius, added to connect it"
        )


def _say_who_has_one_thread(study: "Study") -> None:
    """Where several were asked for."""
    from dadao_sim.simulation.threads import why_one_thread

    for plan in study.check():
        if why := why_one_thread(plan):
            say(f"{plan.key[0]}: one thread, for {why}")


def _announcement(study: "Study", jobs: int) -> str:
    """What the run will take at most, said beforehand."""
    scenario, estimate = study.scenario, study.estimate()
    at_once = min(jobs, _runs(scenario))
    seconds = estimate.seconds / at_once
    return f"{scenario.name}: {_size(scenario, ' x ')}; {_at_most(estimate, seconds, at_once)}"


def _size(scenario: "Scenario", between: str) -> str:
    algorithms = counted(len(scenario.algorithms), "algorithm")
    return f"{algorithms}{between}{counted(scenario.repeats, 'repeat')}"


def _of_cells(estimate: "SweepEstimate", jobs: int) -> str:
    """The same of the cells of a sweep that remain to be played."""
    whole = estimate.whole
    which = f"{estimate.remaining} to play"
    if estimate.cells < estimate.remaining:
        which += f", {estimate.cells} of them"
    return f"{which}: {_at_most(whole, whole.seconds / jobs, jobs)}"


def _at_most(estimate: "Estimate", seconds: float, jobs: int) -> str:
    memory = estimate.memory * jobs / 2**20
    return (
        f"at most {estimate.events:,.0f} events, about {_duration(seconds)}, "
        f"{max(1, math.ceil(memory)):,} MiB of arrays"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
