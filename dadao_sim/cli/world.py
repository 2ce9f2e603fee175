"""The command that looks at a scenario's world, whatever is computed in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import OverwriteOption, ScenarioArgument, SetOption, by_option
from dadao_sim.cli.show import print_table, say
from dadao_sim.errors import InputError
from dadao_sim.text.labels import printed_name

if TYPE_CHECKING:
    from dadao_sim.reports.world import WorldReport

group = Group("Worlds", place=3)


@group.command(
    examples=[
        "world world/loss --end 20",
        "world world/loss --algorithm ad_psgd --timeline timeline.png",
        "world world/loss --set seed=1 --json",
    ]
)
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
    names: Annotated[bool, typer.Option(help="In --load, the nodes by their names.")] = False,
    overwrite: OverwriteOption = False,
) -> None:
    """What happens in a scenario's world: work, waiting, staleness, load, losses."""
    from dadao_sim.events.files import EVENT_LOG, save_events
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.networks import network_figure
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.plotting.timeline import timeline_figure
    from dadao_sim.reports.layout import network_layout
    from dadao_sim.reports.timeline import world_timeline
    from dadao_sim.reports.world import world_report
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.study import Study
    from dadao_sim.strict import files_named

    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, sets or [])
    labels = [spec.label for spec in loaded.algorithms] if algorithm is None else [algorithm]
    if len(labels) > 1 and (log or timeline or load):
        raise InputError("world: --log, --timeline and --load are of one: add --algorithm LABEL")
    outputs = {
        "--log": (log, EVENT_LOG),
        "--timeline": (timeline, FIGURE),
        "--load": (load, FIGURE),
    }
    check_outputs(outputs, inputs=[file, *files_named(loaded)], overwrite=overwrite)
    study = Study(loaded)
    with by_option(end="--end", algorithm="--algorithm"):
        reports = [world_report(study, label, end=end) for label in labels]
    print_worlds(reports)
    report = reports[0]
    if log is not None:
        in_intervals = report.events.in_intervals(report.unit)
        save_events(log, in_intervals, overwrite=overwrite)
        say(f"log: {log}, {len(report.events):,} events")
    if timeline is not None:
        with by_option(timeline="--timeline"):
            drawn = timeline_figure(world_timeline(report), begin, report.end)
        save_figure(drawn, timeline, overwrite=overwrite)
        say(f"figure: {timeline}")
    if load is not None:
        rates = report.link_bytes / report.end
        what = "Bytes per mean gradient interval"
        layout = network_layout(report.network)
        drawn = network_figure(layout, rates, label=what, names=names)
        save_figure(drawn, load, overwrite=overwrite)
        say(f"figure: {load}")


def print_worlds(reports: "Sequence[WorldReport]") -> None:
    """What the world of each algorithm was like: a column each."""
    from dadao_sim.reports.world import world_records, world_rows

    names = [printed_name(r.label, r.method, r.title, r.experimental) for r in reports]
    records = world_records(reports)
    print_table(["of", *names], world_rows(reports), name="worlds", records=records)
