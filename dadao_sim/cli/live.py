"""The command that runs a scenario by processes instead of simulating it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import (
    OverwriteOption,
    ScenarioArgument,
    SetOption,
    by_option,
    given_options,
)
from dadao_sim.cli.show import print_costs, say
from dadao_sim.errors import InputError
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    from dadao_sim.live.run import LiveRun

INTERRUPTED = 130  # the shell's code for Ctrl-C
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
DURATION = re.compile(r"(\d+(?:\.\d*)?(?:e-?\d+)?) ?(us|ms|s)")
ONLY_FREE = ("--unit", "--horizon", "--kill", "--least-rate")

group = Group("Live runs", place=4)


@group.command(
    examples=[
        "live quickstart --set network.nodes=6 --unit 20ms --figure live.png",
        "live quickstart --set network.nodes=6 --kill 3@150 --out killed",
        "live quickstart --set network.nodes=6 --follow killed/events.npz",
    ]
)
def live(
    context: typer.Context,
    scenario: ScenarioArgument,
    sets: SetOption = None,
    algorithm: Annotated[
        str | None,
        typer.Option(help="Label of the one that runs. [default: the first asynchronous one]"),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Let this one replay the log, too. May be repeated."),
    ] = None,
    unit: Annotated[
        str, typer.Option(metavar="10ms", help="How long a unit of time lasts: us, ms or s.")
    ] = "10ms",
    horizon: Annotated[
        float | None,
        typer.Option(help="Until when, in units. [default: 300, or stop.time where it is less]"),
    ] = None,
    kill: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE@T", help="SIGKILL to a node at time T. May be repeated."),
    ] = None,
    delay: Annotated[
        str, typer.Option(metavar="1ms", help="What each message takes beside its way.")
    ] = "0ms",
    follow: Annotated[
        Path | None,
        typer.Option(metavar="LOG.npz", help="Follow a log of events, in the place of clocks."),
    ] = None,
    least_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Stop where less of the rates is reached."),
    ] = 0.9,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the result. [default: results/NAME-live]")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw its error there, beside that of 20 simulated runs.")
    ] = None,
    resume: Annotated[bool, typer.Option(hidden=True)] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Run a scenario by one process per node, over TCP, and replay what happened to the last bit.

    Exits with 1 where the replay of the log is not equal to the states of the processes.
    """
    from dadao_sim.events.files import load_events
    from dadao_sim.files import check_outputs
    from dadao_sim.live.run import follow_live, run_live
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.results.folder import check_folder
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    if resume:
        wrong = "the processes of a live run are gone, and their clocks with them"
        raise InputError("--resume", wrong, "run it anew with --overwrite")
    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, sets or [])
    if figure is not None and follow is not None:
        raise InputError("--figure", "a log that is followed has no ticks of its own", "leave it")
    check_outputs({"--figure": (figure, FIGURE)}, inputs=[file], overwrite=overwrite)
    folder = out or Path("results") / f"{loaded.name}-live"
    how: dict[str, Any] = {
        "algorithm": algorithm,
        "beside": beside or [],
        "delay": seconds("--delay", delay),
        "out": folder,
        "overwrite": overwrite,
    }
    options = ("algorithm", "beside", "unit", "horizon", "kill", "delay", "path")
    names = {name: f"--{name}" for name in options}
    names |= {"path": "--follow", "events.kind": "--follow", "folder": "--out"}
    with by_option(**names), _broken_off():
        if follow is not None:
            for option in set(given_options(context)) & set(ONLY_FREE):
                raise InputError(option, "a log that is followed has its own", "leave it out")
            check_folder(folder, resume=False, overwrite=overwrite, inputs=[follow])
            run = follow_live(loaded, load_events(follow), **how)
        else:
            run = run_live(
                loaded,
                unit=seconds("--unit", unit),
                horizon=horizon,
                kills=[kill_of(text) for text in kill or []],
                least_rate=least_rate,
                remark=say,
                **how,
            )
    _say_how_it_went(run)
    print_costs(run.result.summary, run.result.titles)
    say(f"result: {folder}", result=str(folder))
    if figure is not None:
        from dadao_sim.plotting.live import live_figure
        from dadao_sim.reports.live import live_error

        save_figure(live_figure(live_error(run.result)), figure, overwrite=overwrite)
        say(f"figure: {figure}")
    if not run.equal:
        raise typer.Exit(1)


@contextmanager
def _broken_off() -> Iterator[None]:
    """Say that nothing is left where the run inside is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted: the processes have ended, and nothing of them is kept")
        raise typer.Exit(INTERRUPTED) from None


def _say_how_it_went(run: "LiveRun") -> None:
    said = run.result.manifest["live"]
    for one in said["ended"]:
        say(
            f"live: node {one['node']} {one['how']} at t = {one['time']:.1f}; its neighbours go on "
            f"without it, and with what its last {' and '.join(said['conserved'])} left to them"
            if said["conserved"]
            else f"live: node {one['node']} {one['how']} at t = {one['time']:.1f}"
        )
    rate = len(run.events) / max(run.seconds, 1e-9)
    say(
        f"{said['processes']} processes, {counted(len(run.events), 'event')} in "
        f"{run.seconds:.2f} s ({rate:,.0f} per second)"
    )
    if run.rates is not None and run.merged is not None:
        over_edges = next(name for name in said["rates"] if name != "gradients")
        say(
            f"rates: gradients {run.rates.gradients:.2f}, {over_edges} {run.rates.exchanges:.2f} "
            f"of theirs; work {run.rates.work.max():.2f} of the time at node {run.rates.busiest}"
        )
        if run.merged.one_sided or run.merged.nobody:
            say(
                f"cut by a death: {counted(run.merged.one_sided, 'exchange')} that acted on one "
                f"end, {run.merged.nobody} on none"
            )
        if run.merged.lost:
            say(f"lost by a death: {counted(run.merged.lost, 'message')}")
    if run.equal:
        say("replay equals the live states to the last bit", replay_equals_live=True)
    else:
        say(
            f"replay differs from the live states: by {run.difference:.1e} of the largest number",
            replay_equals_live=False,
        )


def seconds(option: str, text: str) -> float:
    """A duration such as 10ms. InputError for what is none."""
    found = DURATION.fullmatch(text.strip())
    if not found:
        raise InputError(option, f"{text!r} given", "a number and us, ms or s, as 10ms")
    return float(found[1]) * SECONDS[found[2]]


def kill_of(text: str) -> tuple[str, float]:
    """NODE@T: the name of a node, and a time."""
    node, at, time = text.rpartition("@")
    try:
        return _named(node, at), float(time)
    except ValueError:
        raise InputError("--kill", f"{text!r} given", "NODE@T, as 3@150") from None


def _named(node: str, at: str) -> str:
    if not node or not at:
        raise ValueError
    return node
