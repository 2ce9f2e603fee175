"""The command that draws what was recovered of a known truth."""

from pathlib import Path
from typing import Annotated

import typer


def recovered(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a result.")],
    figure: Annotated[Path, typer.Option(help="Draw it to this file.")],
    algorithms: Annotated[
        list[str] | None,
        typer.Option(
            "--algorithm", metavar="LABEL", help="Only this one. May be repeated. [default: all]"
        ),
    ] = None,
) -> None:
    """Draw an image, or a sparse signal, beside what each method recovered of it."""
    from dadao_sim.cli import show
    from dadao_sim.plotting.recovered import recovered_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.reports import recovered as report
    from dadao_sim.results.result import load_result

    save_figure(recovered_figure(report.recovered(load_result(folder), algorithms)), figure)
    show.say(f"figure: {figure}")
