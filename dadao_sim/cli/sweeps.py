"""What `plot` does with the folder of a sweep, and the options that only a sweep has."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.looks import LookOptions, by_look_option, look_of
from dadao_sim.cli.options import by_option
from dadao_sim.cli.show import print_table, say
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dadao_sim.reports.sweep import Against
    from dadao_sim.results.look import Look
    from dadao_sim.results.sweep import SweepResult

OPTIONS = {"key": "--against", "keys": "--map", "quantity": "--x"}
OPTIONS |= {"at": "--at", "accuracy": "--accuracy"}
_option = partial(typer.Option, rich_help_panel="Of a sweep")


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What `plot` draws of a sweep."""

    against: Annotated[
        str | None,
        _option(
            metavar="KEY",
            help="Cost against this swept key. [default: the first that has numbers]",
        ),
    ] = None
    map: Annotated[str | None, _option(metavar="KEY,KEY", help="Cost over two swept keys.")] = None
    profile: Annotated[bool, _option("--profile", help="Cost over the best, all cells.")] = False
    at: Annotated[
        list[str] | None,
        _option(metavar="KEY=VALUE", help="Of these cells only. May be repeated."),
    ] = None
    accuracy: Annotated[
        float | None,
        _option(
            help="One of the report's. [default: the smallest of all cells; of a swept "
            "stop.accuracy that of each cell]"
        ),
    ] = None
    theory: Annotated[bool, _option("--theory", help="What theory says of each cell.")] = False

    @property
    def given(self) -> list[str]:
        """The names of those that ask for something."""
        return [name for name, value in vars(self).items() if value]


def draw_sweep(
    folder: Path,
    options: SweepOptions,
    quantity: str,
    look: LookOptions,
    path: Path | None,
    format: str,
    *,
    overwrite: bool,
) -> None:
    """Draw one figure of a sweep."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE, save_figure
    from dadao_sim.results.sweep import files_read, load_sweep

    if sum(map(bool, (options.against, options.map, options.profile))) > 1:
        raise InputError("plot: --against, --map and --profile exclude each other")
    if options.theory and (options.map or options.profile):
        raise InputError("--theory", "is for --against", "leave it out")
    if options.at and options.profile:
        raise InputError("--at", "a profile is over all cells", "leave it out")
    result = load_sweep(folder)
    style = look_of({"": result}, look)
    check = partial(check_outputs, inputs=files_read(folder), overwrite=overwrite)
    if path is not None:  # before the figure is made, which may take its time
        check({"--out": (path, FIGURE)})
    with by_option(**OPTIONS), by_look_option():
        name, figure, found = _figure(result, options, quantity, style)
    path = path or folder / "figures" / f"{name}.{format}"
    check({"--out": (path, FIGURE)})
    save_figure(figure, path, overwrite=overwrite)
    if found is not None:
        print_exponents(found, result)
    say(f"figure: {path}")


def _figure(
    result: "SweepResult", options: SweepOptions, quantity: str, look: "Look"
) -> "tuple[str, Figure, Against | None]":
    """What its file is called, the figure, and the costs against a key where it is of them."""
    from dadao_sim.plotting.sweep import against_figure, map_figure, profile_figure
    from dadao_sim.reports.sweep import against, heat_maps, numeric_key, profile

    at, accuracy = _values(options.at or []), options.accuracy
    if options.map:
        keys = tuple(key.strip() for key in options.map.split(","))
        if len(keys) != 2:
            raise InputError("--map", f"{options.map!r} given", "KEY,KEY is needed")
        maps = heat_maps(result, keys, quantity, accuracy, at)
        return f"{quantity}-map-{'-'.join(keys)}", map_figure(maps, result, look), None
    if options.profile:
        found = profile(result, quantity, accuracy)
        return f"{quantity}-profile", profile_figure(found, result, look), None
    key = numeric_key(result, options.against)
    labels = None if look.algorithms is None else list(look.algorithms)
    costs = against(result, key, quantity, accuracy, at, theory=options.theory, labels=labels)
    return f"{quantity}-{key}", against_figure(costs, result, look), costs


def _values(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for text, (key, equals, value) in zip(given, pairs, strict=True):
        if not (key and equals and value):
            raise InputError("--at", f"{text!r} given", "KEY=VALUE is needed")
    keys = [key.strip() for key, _, _ in pairs]
    if len(set(keys)) < len(keys):
        raise InputError("--at", "two values of one key are given", "give one of each")
    return {key.strip(): value.strip() for key, _, value in pairs}


def print_exponents(found: "Against", result: "SweepResult") -> None:
    """How the cost grows with the key: the fitted exponent and its interval, and theory's."""
    from dadao_sim.reports.sweep import EXACT, SLOPE, accuracy_in_words
    from dadao_sim.results.names import printed_names

    names = printed_names(result.costs.drop_duplicates("algorithm"), result.titles)
    rows = found.to_rows()
    others = list(found.facets[0].values)
    theory = any(row["theory_is"] for row in rows)

    def number(value: float) -> str:
        return "-" if value != value else f"{value:.3f}"

    cells = []
    for row in rows:
        words = [*(str(row[key]) for key in others), names[row["algorithm"]]]
        interval = "-" if abs(row["low"]) == float("inf") else number(row["low"])
        upper = "-" if abs(row["high"]) == float("inf") else number(row["high"])
        told = [number(row["theory"]), row["theory_is"] or "-"] if theory else []
        cells.append([*words, number(row["exponent"]), interval, upper, *told])
    titles = [*others, "algorithm", "exponent", "from", "to"]
    titles += ["theory", "which is"] if theory else []
    to = accuracy_in_words(found.accuracy)
    say(f"{found.quantity} to {to} as a power of {found.key}, 95 % intervals:")
    print_table(titles, cells, words=len(others) + 1, name="exponents", records=rows)
    if any(row["theory_is"] in (EXACT, SLOPE) for row in rows):
        say(f"theory ({EXACT}, {SLOPE}): of the problem of each cell's first repeat")


def sweep_figures(result: "SweepResult") -> "tuple[dict[str, Figure], list[str]]":
    """The standard figures of a sweep, by name: against the first key of numbers, and a profile;
    and a line of each that cannot be drawn.
    """
    from dadao_sim.results.look import Look

    figures, missing = {}, []
    for what, profile in (("of cost against a swept key", False), ("of the profile", True)):
        try:
            options = SweepOptions(profile=profile)
            name, figure, _ = _figure(result, options, "communications", Look())
            figures[name] = figure
        except InputError as error:
            missing.append(f"no figure {what}: {_without_options(error)}")
    return figures, missing


def _without_options(error: InputError) -> str:
    """The error where no figure was asked for: what could be given is an option of `plot`."""
    where, wrong, right = error.args
    if where in ("at", "accuracy"):
        more = f"; `dadao-sim plot` has {OPTIONS[where]}"
        return f"{wrong}{more}: {right}" if right else f"{wrong}{more}"
    return wrong if where == "key" else str(error)
