"""The commands that say what there is: names, the keys of a scenario, whom to cite."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import PluginOption, SetOption, by_option, load_plugins, method_names
from dadao_sim.cli.show import collect, console, give, key_of, print_table, say, say_plainly
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from dadao_sim.reports.methods import Described
    from dadao_sim.scenario.model import Scenario

MethodArgument = Annotated[
    str,
    typer.Argument(
        metavar="METHOD", help="Its name; see `list methods`.", autocompletion=method_names
    ),
]

INDENT = " " * 4
FULL = 85  # characters of a line, with the word after it, that was broken for want of room

group = Group("About", place=6)


def _kinds(incomplete: str) -> list[str]:
    """What there are lists of, for the shell."""
    return [kind for kind in _LISTS if kind.startswith(incomplete)]


@group.command(
    "list",
    examples=[
        "list",
        "list graphs",
        "list --oracle gradient --graphs time-varying",
        "list methods --clock poisson --takes minibatches --json",
    ],
)
def list_names(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="Only these: methods, graphs, scenarios, ...",
            autocompletion=_kinds,
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="Methods of this family: accelerated, tracking, ...")
    ] = None,
    oracle: Annotated[
        str | None,
        typer.Option(help="Methods that ask for this: gradient, conjugate gradient, ..."),
    ] = None,
    graphs: Annotated[
        str | None,
        typer.Option(help="Methods for time-varying graphs, or for fixed ones only."),
    ] = None,
    clock: Annotated[
        str | None, typer.Option(help="Methods of rounds, of Poisson clocks, or of steps.")
    ] = None,
    takes: Annotated[
        str | None,
        typer.Option(help="Methods that take this: minibatches, local step, compression, ..."),
    ] = None,
    solves: Annotated[
        str | None, typer.Option(help="Methods for problems that are convex, non-convex, operator.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """The methods, problems, data, graphs, matrices, faults and shipped scenarios by name.

    Options choose among the methods, by what they declare.
    """
    from dadao_sim.strict import plain, suggestion

    load_plugins(plugin)
    wanted = {"family": family, "oracle": oracle, "graphs": graphs, "clock": clock, "takes": takes}
    wanted["solves"] = solves
    chooses = any(word is not None for word in wanted.values())
    kinds = list(_LISTS)
    if what is not None or chooses:
        kinds = [kind for kind in _LISTS if plain(kind) == plain(what or "methods")]
        if not kinds:
            raise InputError("list", f"there are no {what!r}{suggestion(what or '', _LISTS)}")
        if chooses and kinds != ["methods"]:
            given = ", ".join(f"--{name}" for name, word in wanted.items() if word is not None)
            raise InputError(given, f"is of methods, not of {kinds[0]}", "leave it out")
    for kind in kinds:
        if len(kinds) > 1:
            say(kind)
        if kind == "methods":
            with by_option(**{name: f"--{name}" for name in wanted}):
                _print_methods(wanted)
        else:
            rows, name = _LISTS[kind](), kind.replace(" ", "_")
            titles = ("name", "options" if kind == "graphs" else "what it shows")
            with_notes = any(note for _, note in rows)
            cells = [row if with_notes else row[:1] for row in rows]
            print_table(titles[: 1 + with_notes], cells, words=2, name=name)


def _print_methods(wanted: dict[str, str | None]) -> None:
    from dadao_sim.reports.methods import chosen_methods

    found = [described.declared() for described in chosen_methods(**wanted)]
    rows = [[row["name"], row["title"], row["oracle"], ", ".join(_choices(row))] for row in found]
    titles = ("name", "in print", "oracle", "takes and needs")
    print_table(titles, rows, words=4, name="methods", records=found)
    if not found:
        say("no method declares all of this")


def _choices(row: dict[str, Any]) -> list[str]:
    """What fits a list: which W a method takes is left to `show`."""
    takes = ["time-varying graphs"] * (row["graphs"] == "time-varying")
    takes += [word for word in row["takes"] if word not in ("mixing", "chebyshev")]
    return takes + [f"needs {word}" for word in row["needs"]]


def _names(module: str, name: str) -> list[tuple[str, str]]:
    from importlib import import_module

    return [(thing, "") for thing in getattr(import_module(f"dadao_sim.{module}"), name)]


def _local_steps() -> list[tuple[str, str]]:
    quantised = [
        (f"quantise.{name}", "") for name, _ in _names("local_steps.quantise", "QUANTISERS")
    ]
    return [*_names("local_steps.terms", "TERMS"), ("learned", ""), ("blocks", ""), *quantised]


def _graphs() -> list[tuple[str, str]]:
    from dadao_sim.networks.graphs import GRAPHS

    found = []
    for name, graph in GRAPHS.items():
        options = [key for key in graph.model_fields if key not in ("graph", "nodes")]
        found.append((name, ", ".join(options)))
    return found


def _faults() -> list[tuple[str, str]]:
    from dadao_sim.events.world.fault import FAULTS

    return [(f"{fault.place}.{name}", "") for name, fault in FAULTS.items()]


def _scenarios() -> list[tuple[str, str]]:
    from dadao_sim.scenario import shipped

    return [(name, _first_comment(path)) for name, path in shipped.scenarios().items()]


_LISTS: dict[str, Any] = {
    "methods": None,
    "problems": lambda: _names("problems.kinds.kind", "PROBLEMS"),
    "data": lambda: _names("problems.data.source", "DATA"),
    "local steps": _local_steps,
    "graphs": _graphs,
    "mixing matrices": lambda: _names("networks.mixing", "MIXINGS"),
    "compression": lambda: _names("compression", "COMPRESSORS"),
    "faults": _faults,
    "metrics": lambda: _names("metrics", "METRICS"),
    "scenarios": _scenarios,
}


@group.command(
    "show",
    examples=["show dadao", "show nids --on quickstart", "show choco_sgd --json"],
)
def show_method(
    method: MethodArgument,
    on: Annotated[
        str | None,
        typer.Option(metavar="SCENARIO", help="Constants for its problem and network."),
    ] = None,
    changes: SetOption = None,
    plugin: PluginOption = None,
) -> None:
    """A method: its equations, its constants and their values, its guarantee, what it supports."""
    from dadao_sim.algorithms.contract.registry import citation, get_method
    from dadao_sim.reports.methods import SMALL, Described

    load_plugins(plugin)
    if changes and on is None:
        raise InputError("--set", "there is no scenario to change", "add --on SCENARIO")
    place, parts = SMALL, None
    if on is not None:
        from dadao_sim.scenario import shipped
        from dadao_sim.scenario.reading import load_scenario
        from dadao_sim.simulation.study import Study

        loaded = load_scenario(shipped.scenario_path(on), changes or [])
        parts, place = Study(loaded).parts(0), loaded.name
    described = Described(get_method(method))
    tuning = described.tuning
    if parts is not None:
        described.method.check_supported(parts.problem, parts.network)
        tuning = described.method.tune(parts.problem, parts.network)
    constants = dict(tuning.constants)
    _print_described(described)
    say_plainly("")
    said = f"Constants on {place}; `parameters:` of an algorithm replaces any of them by its name."
    for line in _refilled(said, console().width):
        say_plainly(line)
    sets = described.method.constant_sets
    rows, records = [], []
    titles = ("constant", "value", *(f"times in {name}" for name in sets))
    for name, value in constants.items():
        factors = [of.get(name) for of in sets.values()]
        rows.append([name, f"{value:.6g}", *("-" if f is None else f"{f:g}" for f in factors)])
        records.append(dict(zip(map(key_of, titles), (name, value, *factors), strict=True)))
    print_table(titles, rows, name="values", records=records)
    collect(
        **{**described.declared(), "summary": described.summary, "sections": described.sections},
        constants=constants,
        constants_on=place,
        bibtex=citation(described.method),
    )


def _print_described(described: "Described") -> None:
    """The docstring and what is declared, in the width of the terminal."""
    for line in _refilled(described.summary, console().width):
        say_plainly(line)
    for heading, text in described.sections.items():
        say_plainly(heading)
        for line in _refilled(text, console().width - len(INDENT)):
            say_plainly(f"{INDENT}{line}".rstrip())
    declared = described.declared()
    say_plainly("")
    said = {
        "family": declared["family"],
        "oracle": declared["oracle"],
        "clock": declared["clock"],
        "message": declared["message"],
        "graphs": "time-varying ones too" if described.method.time_varying else "fixed",
        "takes": ", ".join(declared["takes"]) or "no option",
        "solves": ", ".join(declared["solves"]),
        "needs": ", ".join(declared["needs"]),
        "constants": ", ".join(declared["sets"]),
    }
    rows = [[what, words] for what, words in said.items() if words]
    print_table(("declares", described.method.name), rows, words=2, name="declares")


def _refilled(text: str, width: int) -> Iterator[str]:
    """The lines of a text in this width; what its author broke for want of room is one line."""
    lines: list[str] = []
    last = ""
    for line in text.split("\n"):
        words = line.split()
        indent = len(line) - len(line.lstrip())
        full = words and len(f"{INDENT}{last} {words[0]}") > FULL
        if full and lines and indent == len(last) - len(last.lstrip()):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
        last = line
    for line in lines:
        blanks = line[: len(line) - len(line.lstrip())]
        yield from textwrap.wrap(line, width, subsequent_indent=blanks) or [""]


@group.command(examples=["schema > scenario.schema.json"])
def schema(plugin: PluginOption = None) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from dadao_sim.scenario.reading import schema as scenario_schema

    load_plugins(plugin)
    give(found := scenario_schema())
    say_plainly(json.dumps(found, indent=2))


@group.command(examples=["cite dadao", "cite k_gt --json", "cite quickstart"])
def cite(
    what: Annotated[
        str,
        typer.Argument(
            metavar="METHOD|SCENARIO|DIR",
            help="A method, or a scenario or result with all of its methods.",
            autocompletion=method_names,
        ),
    ],
    plugin: PluginOption = None,
) -> None:
    """Print the BibTeX entries of a method, or of all that a scenario compares and uses."""
    from dadao_sim.algorithms.contract.registry import METHODS, entry, get_method, references_to
    from dadao_sim.scenario import shipped

    load_plugins(plugin)
    if what not in METHODS and (what in shipped.scenarios() or Path(what).is_file()):
        references = _references_in(what)
    elif what not in METHODS and Path(what).is_dir():
        references = _references_of_a_result(Path(what))
    else:
        references = references_to(get_method(what))
    say_plainly(found := "\n".join(dict.fromkeys(map(entry, references))))
    collect(bibtex=found)


def _references_in(scenario: str) -> list[str]:
    """Of the methods of a scenario, or of every cell of a sweep, and of what else they use."""
    from dadao_sim.scenario.reading import load_file
    from dadao_sim.scenario.sweep import Sweep

    loaded = load_file(scenario)
    cells = [cell.scenario for cell in loaded.cells] if isinstance(loaded, Sweep) else [loaded]
    return _references_of(cells)


def _references_of_a_result(folder: Path) -> list[str]:
    """As of its scenario; InputError for a folder without a result."""
    from dadao_sim.results.folder import manifest_of
    from dadao_sim.results.sweep import grounds_in
    from dadao_sim.simulation.identity import scenario_of_result

    manifests = [manifest_of(place) for place, _ in grounds_in(folder)]
    cells = [scenario_of_result(manifest) for manifest in manifests if manifest is not None]
    if not cells:
        wrong = f"{folder} is a folder without a result"
        raise InputError("cite", wrong, "name a method, a scenario, or the folder of a result")
    return _references_of(cells)


def _references_of(cells: list["Scenario"]) -> list[str]:
    from dadao_sim.algorithms.contract.registry import get_method, references_to
    from dadao_sim.strict import references_of

    methods = [get_method(spec.name) for cell in cells for spec in cell.algorithms]
    of_methods = [reference for method in methods for reference in references_to(method)]
    return [*of_methods, *(reference for cell in cells for reference in references_of(cell))]


def _first_comment(path: Path) -> str:
    """What a scenario file says it shows: its first comment that is not for editors."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "yaml-language-server" not in line:
            return line[2:]
    return ""
