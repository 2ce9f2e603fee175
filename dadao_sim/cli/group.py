"""How the commands of a file come to the command line."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

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
    ``show`` sees to. A parameter whose type is a dataclass stands for its fields: each is an
    option, and the command gets them in one. Headings come in the order of ``place``. What is heavy
    is imported inside the command, for ``--help`` reads all files.
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
    """The function with the options --json and --quiet, and those of each dataclass singly."""
    signature = inspect.signature(function, eval_str=True)
    parameters = signature.parameters.values()
    grouped: dict[str, Any] = {
        one.name: one.annotation for one in parameters if is_dataclass(one.annotation)
    }

    @wraps(function)
    def command(*args: Any, as_json: bool = False, quiet: bool = False, **others: Any) -> None:
        for name, kind in grouped.items():
            others[name] = kind(**{one.name: others.pop(one.name) for one in fields(kind)})
        with show.speaking(as_json, quiet):
            try:
                function(*args, **others)
            except typer.Exit:
                show.finish()
                raise
            except KeyboardInterrupt as interrupt:  # newer typers end without a word
                raise typer.Abort() from interrupt

    kind = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter("as_json", kind, default=False, annotation=JsonOption),
        inspect.Parameter("quiet", kind, default=False, annotation=QuietOption),
    ]
    every = [single for one in parameters for single in _singly(one)] + added
    vars(command)["__signature__"] = signature.replace(parameters=every)
    command.__annotations__ = {**{one.name: one.annotation for one in every}, "return": None}
    return command


def _singly(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """The parameter itself, or one for each field of the dataclass that is its type."""
    if not is_dataclass(parameter.annotation):
        yield parameter
        return
    hints = get_type_hints(parameter.annotation, include_extras=True)
    for one in fields(parameter.annotation):
        yield parameter.replace(name=one.name, annotation=hints[one.name], default=one.default)
