"""The command that makes a film of a run."""

from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import OverwriteOption, ScenarioArgument, SetOption, by_option
from dadao_sim.cli.show import say

group = Group("Worlds", place=3)


@group.command(
    examples=[
        "animate gossip-rate --out dadao.gif --end 20",
        "animate world/loss --algorithm ad_psgd --out film.html",
    ]
)
def animate(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="The film: .gif or .html.")],
    algorithm: Annotated[
        str | None, typer.Option(help="Label of the one to watch. [default: the first]")
    ] = None,
    repeat: Annotated[int, typer.Option(min=0, help="Which one.")] = 0,
    show: Annotated[
        str, typer.Option(metavar="WHAT", help="Of each node: error, or value.")
    ] = "error",
    coordinate: Annotated[int, typer.Option(min=0, help="Of the value.")] = 0,
    end: Annotated[float | None, typer.Option(help="Until when. [default: its end]")] = None,
    frames: Annotated[int, typer.Option(help="How many pictures.")] = 60,
    seconds: Annotated[float, typer.Option(help="How long the film lasts.")] = 8.0,
    names: Annotated[bool, typer.Option(help="Call the nodes by their names.")] = False,
    sets: SetOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Watch a run node by node: a film of the network, the error or value of each node."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.animation import FILM, save_film
    from dadao_sim.reports.spread import spread
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.study import Study
    from dadao_sim.strict import files_named

    file = shipped.scenario_path(scenario)
    loaded = load_scenario(file, sets or [])
    inputs: list[str | Path] = [file, *files_named(loaded)]
    check_outputs({"--out": (out, FILM)}, inputs=inputs, overwrite=overwrite)
    keys = ("algorithm", "repeat", "coordinate", "end", "frames", "seconds")
    with by_option(shows="--show", **{key: f"--{key}" for key in keys}):
        watched = spread(
            Study(loaded),
            algorithm or loaded.algorithms[0].label,
            repeat=repeat,
            frames=frames,
            end=end,
            shows=show,  # type: ignore[arg-type]
            coordinate=coordinate,
        )
        save_film(watched, out, seconds=seconds, names=names, overwrite=overwrite)
    say(f"film: {out}, {len(watched.times)} pictures up to time {watched.times[-1]:g}")
