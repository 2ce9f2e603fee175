"""Arguments and options that several commands have."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.errors import InputError

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A YAML file, or the name of a shipped scenario.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=VALUE", help="Set a key of the scenario. May be repeated."),
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Know a file of yours. May be repeated."),
]
ResultArgument = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a result.")]
OverwriteOption = Annotated[
    bool, typer.Option(help="Replace what is there and is no such file of ours.")
]
FigureOption = Annotated[Path | None, typer.Option(help="Draw it to this file.")]


def load_plugins(files: list[Path] | None) -> None:
    """Let what is in the user's files be known. InputError as ``plugins.load``."""
    if files:
        from dadao_sim import plugins

        for file in files:
            plugins.load(file)


@contextmanager
def by_option(**options: str) -> Iterator[None]:
    """Call an argument that an InputError inside names by the option that gave it.

    ``by_option(end="--end")`` makes ``end: ...`` to ``--end: ...``.
    """
    try:
        yield
    except InputError as error:
        where, wrong, right = error.args
        if wrong and where in options:
            error.args = (options[where], wrong, right)
        raise
