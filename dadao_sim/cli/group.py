"""How the commands of a file come to the command line."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any

import typer

from dadao_sim.cli import show

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print tables only: no remarks, no progress.")
]


class Group(typer.Typer):
    """The commands of one file, under a heading of their own in ``--help``; ``main`` finds them.

    A command is a function with the decorator ``group.command(examples=[...])``: what to type after
    ``dadao-sim``, shown by its ``--help``. Every command has ``--json`` and ``--quiet``, which
    ``show`` sees to. Headings come in the order of ``place``. What is heavy is imported inside the
    command, for ``--help`` reads all files.
    """

    def __init__(self, heading: str, place: int):
        super().__init__()
        self.heading, self.place = heading, place

    def command(  # type: ignore[override]
        self, name: str | None = None, *, examples: Sequence[str] = (), **options: Any
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Let the function be a command; it stays what it is."""

        def decorated(function: Callable[..., None]) -> Callable[..., None]:
            epilog = help_of(examples) if examples else None
            super(Group, self).command(name, epilog=epilog, **options)(_spoken(function))
            return function

        return decorated


def help_of(examples: Sequence[str]) -> str:
    """The end of a ``--help``."""
    lines = (f"dadao-sim {example}" for example in examples)
    return "\n\n".join(("Examples:", *lines))


def _spoken(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the options --json and --quiet."""

    @wraps(function)
    def command(*args: Any, as_json: bool = False, quiet: bool = False, **others: Any) -> None:
        with show.speaking(as_json, quiet):
            try:
                function(*args, **others)
            except typer.Exit:
                show.finish()
                raise

    signature = inspect.signature(function, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("as_json", kind, default=False, annotation=JsonOption),
        inspect.Parameter("quiet", kind, default=False, annotation=QuietOption),
    ]
    vars(command)["__signature__"] = signature.replace(
        parameters=[*signature.parameters.values(), *added]
    )
    command.__annotations__ = {
        **{name: parameter.annotation for name, parameter in signature.parameters.items()},
        **{parameter.name: parameter.annotation for parameter in added},
        "return": None,
    }
    return command
