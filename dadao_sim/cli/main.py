"""The command line: the commands of every file beside this one, put together."""

import gc
import pkgutil
import re
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

import dadao_sim
from dadao_sim import cli
from dadao_sim.cli import ending, streams
from dadao_sim.cli.group import Group
from dadao_sim.errors import InputError, WorkerKilled, failure, place_of
from dadao_sim.text.lines import listed, one_line

INTERRUPTED = 130  # the shell's codes for Ctrl-C, and for what the system killed
KILLED = 137


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
    """Run the command and exit: code 2 and one line on standard error for what a user got wrong,
    137 where the system killed a worker, the shell's code of the signal that ended it.
    """
    # What is imported lives as long as the process: the collector need not look at it every 700
    # objects, which cost a start some tenths of a second.
    gc.set_threshold(50_000, 10, 10)
    with streams.patient() as output:
        with ending.signals_interrupt() as heard:
            code = _run()
        output.flush()
        lost = streams.lost(output)
        if lost:
            print(f"dadao-sim: {lost}", file=sys.stderr)
    if heard:
        code = 128 + heard[0]
    sys.exit(code or (2 if lost else 0))


def _run() -> int:
    """Run the command; its exit code."""
    code = 2
    try:
        return app(standalone_mode=False) or 0
    except (InputError, OSError) as error:
        message = str(error)
    except MemoryError as error:
        message = f"not enough memory: {error}"
    except WorkerKilled as error:
        message, code = str(error), KILLED
    except (KeyboardInterrupt, typer.Abort):
        message, code = "interrupted", INTERRUPTED
    except Exception as error:
        # What typer found wrong in the words: its class is another one in each version.
        if hasattr(error, "format_message"):
            message = _meant(error)
            if not message:  # no command given, and the help is shown already
                return 2
        elif place_of(error) is not None:
            message = str(failure("your code", error))
        else:
            raise
    print(f"dadao-sim: {one_line(message)}", file=sys.stderr)
    return code


NOT_ONE_OF = re.compile(r"Invalid value for '([^']+)'.*?'(.*)' is not one of (.*)", re.DOTALL)
NO_NUMBER = re.compile(r"(?s)Invalid value for '([^']+)'.*?'(.*)' is not a valid (int|float)")
NOT_WITHIN = re.compile(r"(?s)Invalid value for '([^']+)'.*: (\S+) is not in the range (.+?)\.?$")
INVALID = re.compile(r"Invalid value for '([^']+)'")
NUMBERS = {"int": "an integer", "float": "a number"}
NO_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)


def _meant(error: Any) -> str:
    """What typer found wrong in the words, with what may have been meant."""
    from pydantic import ValidationError  # by which newer ones check numbers

    from dadao_sim.strict import sentence, suggestion

    message: str = error.format_message()
    if found := NOT_ONE_OF.match(message):
        where, value = found[1], found[2]
        choices = re.findall("'([^']+)'", found[3])
        return f"{where}: unknown value {value!r}{suggestion(value, choices)}"
    if found := NO_NUMBER.match(message):
        return f"{found[1]}: must be {NUMBERS[found[3]]}, got {found[2]!r}"
    if found := NOT_WITHIN.match(message):
        return f"{found[1]}: must be {found[3].replace('x', '')}, got {found[2]}"
    if (found := INVALID.match(message)) and isinstance(error.__cause__, ValidationError):
        return f"{found[1]}: {sentence(error.__cause__.errors(include_url=False)[0])}"
    if found := NO_COMMAND.match(message):
        return f"No such command {found[1]!r}{suggestion(found[1], _commands())}"
    if message.startswith("No such option"):
        name = str(error.option_name)
        options = [o for p in error.ctx.command.params for o in p.opts if o.startswith("--")]
        words = [option.removeprefix("--") for option in options]  # the dashes are all alike
        question = suggestion(name.lstrip("-"), words).partition(" (")[0].replace("'", "'--", 1)
        return f"No such option: {name}{question} (known: {listed(options)})"
    return message


def _commands() -> list[str]:
    """The names of the commands."""
    from typer.main import get_command

    return list(vars(get_command(app))["commands"])


if __name__ == "__main__":
    main()
