"""The command line: the commands of every file beside this one, put together."""

import pkgutil
import sys
from importlib import import_module
from typing import Annotated

import typer

import dadao_sim
from dadao_sim import cli
from dadao_sim.cli.group import Group
from dadao_sim.errors import InputError, one_line


def groups() -> list[Group]:
    """The groups of the files beside this one, in their places."""
    names = [module.name for module in pkgutil.iter_modules(cli.__path__) if module.name != "main"]
    modules = [import_module(f"{cli.__name__}.{name}") for name in names]
    things = [thing for module in modules for thing in vars(module).values()]
    return sorted((g for g in things if isinstance(g, Group)), key=lambda group: group.place)


app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for _group in groups():
    for _command in _group.registered_commands:
        _command.rich_help_panel = _group.heading
        app.registered_commands.append(_command)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"dadao-sim {dadao_sim.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Simulate decentralised optimisation: DADAO and its baselines, event by event."""


def main() -> None:
    """Run the command; what a user got wrong is one line on standard error and exit code 2."""
    try:
        app()
    except (InputError, OSError) as error:
        print(f"dadao-sim: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(f"dadao-sim: {one_line(f'not enough memory: {error}')}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
