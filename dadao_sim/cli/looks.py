"""The options of commands that draw algorithms: what `results.look.Look` has keys for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.options import by_option
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from dadao_sim.results.look import Look
    from dadao_sim.results.result import Result
    from dadao_sim.results.sweep import SweepResult

PANEL = "Look of the figure"
_option = partial(typer.Option, rich_help_panel=PANEL)
_Scale = Annotated[str, _option(metavar="SCALE", help="auto, linear or log.")]
_Limits = Annotated[str | None, _option(metavar="LOW,HIGH", help="Where the axis begins and ends.")]


@dataclass(frozen=True, kw_only=True)
class LookOptions:
    """Of commands that draw algorithms."""

    algorithm: Annotated[
        list[str] | None,
        _option("--algorithm", metavar="LABEL", help="Only this one. May be repeated, in order."),
    ] = None
    label: Annotated[
        list[str] | None,
        _option("--label", metavar="LABEL=TEXT", help="Call it so. May be repeated."),
    ] = None
    colour: Annotated[
        list[str] | None,
        _option("--colour", metavar="LABEL=COLOUR", help="Draw it so. May be repeated."),
    ] = None
    x_limits: _Limits = None
    width: Annotated[
        str | None, _option(help="Inches, column, double, or of a venue: icml, ieee-double.")
    ] = None
    height: Annotated[float | None, _option(help="Inches.")] = None
    title: Annotated[str | None, _option(help="Above; between $ and $ is maths.")] = None
    legend: Annotated[
        str, _option(metavar="PLACE", help="above, below, right, inside or none.")
    ] = "above"
    font: Annotated[str, _option(metavar="FONT", help="serif, sans, computer-modern or tex.")] = (
        "serif"
    )


@dataclass(frozen=True, kw_only=True)
class AxesOptions(LookOptions):
    """Of those whose axes are any."""

    x_scale: _Scale = "auto"
    y_scale: _Scale = "auto"
    y_limits: _Limits = None


_KEYS = {"algorithm": "algorithms", "label": "labels", "colour": "colours"}  # others are as options
_OPTIONS = {
    _KEYS.get(one.name, one.name): f"--{one.name.replace('_', '-')}" for one in fields(AxesOptions)
}


@contextmanager
def by_look_option() -> Iterator[None]:
    """As `by_option`, for the keys of a look and what is below them."""
    try:
        yield
    except InputError as error:
        where, wrong, right = error.args
        key, dot, rest = str(where).partition(".")
        if wrong and key in _OPTIONS:
            error.args = (_OPTIONS[key] + (f" {rest}" if dot else ""), wrong, right)
        raise


def look_of(results: "Mapping[str, Result | SweepResult]", options: LookOptions) -> "Look":
    """The look that options ask for. InputError names the option."""
    from dadao_sim.results.look import Look
    from dadao_sim.results.names import label_called
    from dadao_sim.strict import checked

    methods = {label: name for one in results.values() for label, name in one.methods.items()}
    titles = {name: title for one in results.values() for name, title in one.titles.items()}
    given = {_KEYS.get(name, name): value for name, value in vars(options).items()}
    said: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    for key in ("labels", "colours"):
        pairs = [_pair(_OPTIONS[key], text) for text in said.pop(key, [])]
        with by_option(algorithm=_OPTIONS[key]):
            pairs = [(label_called(name, methods, titles), value) for name, value in pairs]
        said[key] = dict(pairs)
        if len(said[key]) < len(pairs):
            called = [name for name, _ in pairs]
            twice = next(name for name in called if called.count(name) > 1)
            raise InputError(_OPTIONS[key], f"{twice!r} is given twice", "give each label once")
    if "algorithms" in said:
        with by_option(algorithm="--algorithm"):
            names = [label_called(name, methods, titles) for name in said["algorithms"]]
        said["algorithms"] = names
    for key in ("x_limits", "y_limits"):
        if key in said:
            said[key] = _numbers(_OPTIONS[key], said[key])
    if "width" in said:
        said["width"] = _number_or_name(said["width"])
    with by_look_option():
        look: Look = checked(Look, said)
    return look


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InputError(option, f"{text!r} given", "LABEL=TEXT is needed")
    return name.strip(), value.strip()


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise InputError(option, f"{text!r} given", "LOW,HIGH is needed, as 1e-6,1") from None
    return low, high


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
