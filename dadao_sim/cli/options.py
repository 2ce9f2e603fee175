"""Arguments and options that several commands have."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.errors import InputError
from dadao_sim.results.axes import AXES, PRICED


def scenario_names(incomplete: str) -> list[str]:
    """The shipped scenarios, for the shell."""
    from dadao_sim.scenario.shipped import scenarios

    return [name for name in scenarios() if name.startswith(incomplete)]


def method_names(incomplete: str) -> list[str]:
    """The methods, for the shell."""
    from dadao_sim.algorithms.contract.registry import METHODS

    return [name for name in METHODS if name.startswith(incomplete)]


ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="A YAML file, the name of a shipped scenario, or - for standard input.",
        autocompletion=scenario_names,
    ),
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
if TYPE_CHECKING:
    AxisName = str
else:  # whose values the help lists, and the shell completes
    AxisName = StrEnum("AxisName", {name: name for name in AXES})
COMMUNICATIONS = AxisName("communications")

PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="WHAT=NUMBER",
        help=f"For the cost: {', '.join(PRICED)}. May be repeated. [default: the scenario's]",
    ),
]
FigureOption = Annotated[Path | None, typer.Option(help="Draw it to this file.")]


def prices_of(given: list[str] | None) -> dict[str, float]:
    """Those of the option --price. InputError for what is no price."""
    prices: dict[str, float] = {}
    for text in given or []:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in prices:
            raise InputError("--price", f"two prices of a {name} are given", "give one of each")
        try:
            prices[name] = float(value)
        except ValueError:
            raise InputError("--price", f"{text!r} given", "WHAT=NUMBER, as byte=1e-9") from None
    return prices


def given_options(context: typer.Context) -> list[str]:
    """The options that a command was given, even where they say what is so anyway."""
    found = []
    for one in context.command.params:
        source = context.get_parameter_source(one.name or "")
        if one.param_type_name == "option" and source is not None and source.name == "COMMANDLINE":
            found.append(one.opts[0])
    return found


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
