"""The command that looks for better constants."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import OverwriteOption, ScenarioArgument, SetOption, by_option
from dadao_sim.cli.show import console, print_table, say
from dadao_sim.errors import InputError, WorkerKilled
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    from dadao_sim.tuning.tuned import Tuned

INTERRUPTED = 130  # the shell's code for Ctrl-C

group = Group("Methods", place=4)


@group.command(
    examples=[
        "tune quickstart --jobs 2",
        "tune quickstart --budget 144 --by communications",
    ]
)
def tune(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option(help="Folder of what is found. [default: results/NAME-tuned]")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once; no number changes.")] = 1,
    budget: Annotated[
        int, typer.Option(help="Points played for each method: 16, 64, 144, 256, ...")
    ] = 64,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Of each point. [default: those of the scenario]")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option(help="To reach. [default: the smallest of report.accuracies]")
    ] = None,
    by: Annotated[
        str, typer.Option(help="What is to be small: cost, gradients, communications, time, bits.")
    ] = "cost",
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the repeats to tune on, not the scenario's.")
    ] = None,
    sets: SetOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Tune the constants of every method of a scenario, on other seeds than its own.

    Writes the scenario with the tuned constants, every evaluation, and a figure. Interrupted, the
    same command goes on.
    """
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.plotting.tuning import tuning_figure
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.tuning.tune import SCENARIO
    from dadao_sim.tuning.tune import tune as search

    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, sets or [])
    folder = out or Path("results") / f"{loaded.name}-tuned"
    say(
        f"{loaded.name}: {counted(len(loaded.algorithms), 'algorithm')}, about {budget} points "
        f"each, {counted(repeats or loaded.repeats, 'repeat')}"
    )
    options = {name: f"--{name}" for name in ("budget", "repeats", "accuracy", "by", "seed", "out")}
    try:
        with by_option(**options), _Bar(loaded.name) as bar:
            tuned = search(
                loaded,
                out=folder,
                jobs=jobs,
                budget=budget,
                repeats=repeats,
                accuracy=accuracy,
                by=by,
                seed=seed,
                overwrite=overwrite,
                inputs=[file],
                tick=bar.tick,
            )
    except KeyboardInterrupt:
        say(f"interrupted: what was played is in {folder}; the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
    except WorkerKilled as error:
        kept = f"what was played is in {folder}; the same command goes on, perhaps with fewer"
        raise WorkerKilled(f"{error}; {kept} --jobs") from None
    _print(tuned)
    _say_what_is_missed(tuned)
    try:
        figure = tuning_figure(
            *(tuned.evaluations, tuned.best, tuned.titles, tuned.looks),
            by=tuned.goal.by,
            accuracy=tuned.goal.accuracy,
        )
    except InputError as error:
        say(f"no figure: {error}")
    else:
        for suffix in ("png", "pdf"):
            save_figure(figure, folder / "figures" / f"tuning.{suffix}", overwrite=True)
    say(
        f"tuned on seed {tuned.seed}; reported: dadao-sim run {folder / SCENARIO}",
        folder=str(folder),
    )


def _print(tuned: "Tuned") -> None:
    """What was found for each method, a line for each."""
    from dadao_sim.text.labels import printed_name

    rows, records = [], tuned.best.to_dict("records")
    for row in records:
        name = printed_name(row["algorithm"], row["method"], tuned.titles[row["method"]])
        if not isinstance(row["first_constant"], str):
            found = "nothing to tune"
        else:
            factors = (
                f"{row[f'{k}_constant']} x {row[f'{k}_factor']:.3g}"
                for k in ("first", "second")
                if isinstance(row[f"{k}_constant"], str)
            )
            found = ", ".join(factors)
        costs = (_cost(row["default_cost"]), _cost(row["cost"]), _gain(row["gain"]))
        fresh = (
            f"{row['fresh_reached']}/{row['repeats']}",
            *(_cost(row["fresh_default_cost"]), _cost(row["fresh_cost"])),
            _gain(row["fresh_gain"]),
        )
        ends = f"{row['accuracy']:.0e}" if math.isfinite(row["accuracy"]) else "diverged"
        unstable = f"{row['unstable_from']:.3g}" if math.isfinite(row["unstable_from"]) else "-"
        reached = f"{row['reached']}/{row['repeats']}"
        rows.append([name, found, reached, *costs, *fresh, ends, unstable, row["edge"]])
    by = f"{tuned.goal.by} to {tuned.goal.accuracy:g}"
    titles = ("algorithm", "best factors", "reached", f"{by}: paper", "tuned", "gain")
    fresh = ("fresh: reached", "fresh: paper", "fresh: tuned", "fresh: gain")
    heads = (*titles, *fresh, "accuracy", "unstable from", "grid")
    print_table(heads, rows, words=2, name="best", records=records)


def _say_what_is_missed(tuned: "Tuned") -> None:
    """Of which methods no point reached the accuracy, what is best there, and what they reach; and
    whose best constants miss it in repeats that they were not chosen on.
    """
    from dadao_sim.text.labels import printed_name

    asked, best = tuned.goal.accuracy, tuned.best
    for row in best[best["fresh_reached"] < best["reached"]].to_dict("records"):
        name = printed_name(row["algorithm"], row["method"], tuned.titles[row["method"]])
        here, there = (f"{row[f'{of}reached']} of {row['repeats']}" for of in ("", "fresh_"))
        more = "more --repeats make the choice safer"
        say(f"{name}: the best reaches {asked:g} in {here} repeats, in {there} fresh ones; {more}")
    missed = best[(best["reached"] == 0) & best["first_constant"].notna()]
    missed = missed[missed["accuracy"] < 1]
    if missed.empty:
        return
    names = [
        printed_name(row["algorithm"], row["method"], tuned.titles[row["method"]])
        for row in missed.to_dict("records")
    ]
    nearest = "the one whose runs end nearest to x* is taken"
    say(f"no point of {', '.join(names)} reaches {asked:g}: {nearest}")
    reached = [a for a in tuned.scenario.report.accuracies if a >= missed["accuracy"].max()]
    if reached:
        say(f"for the cheapest way to an accuracy that is reached: --accuracy {min(reached):g}")


def _gain(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"


def _cost(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "not reached"


class _Bar:
    """A bar for the grids that are known to be needed."""

    def __init__(self, name: str):
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress = Progress(
            TextColumn("{task.description:36.36}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f} grids of {task.total:.0f} so far", markup=False),
            TimeElapsedColumn(),
            console=console(),
            transient=True,
        )
        self.task = self.progress.add_task(name, total=1)

    def __enter__(self) -> "_Bar":
        self.progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.progress.stop()

    def tick(self, what: str, done: int, of: int) -> None:
        """So many grids have been played."""
        self.progress.update(self.task, description=what, completed=done, total=of)
