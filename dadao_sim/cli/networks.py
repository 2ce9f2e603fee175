"""The commands about networks alone: their constants, and the best rates of their edges."""

import math
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import (
    FigureOption,
    OverwriteOption,
    PluginOption,
    by_option,
    load_plugins,
)
from dadao_sim.cli.show import give, print_table, say
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from dadao_sim.networks import Network

FileArgument = Annotated[
    Path | None, typer.Argument(metavar="[FILE.graphml]", help="In the place of --graph.")
]
GraphOption = Annotated[str | None, typer.Option(help="Name of a graph; see `list`.")]
NodesOption = Annotated[int | None, typer.Option(help="Number of nodes.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="OPTION=VALUE", help="An option of the graph."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of a random graph.")]
NamesOption = Annotated[bool, typer.Option(help="In the figure, the nodes by their names.")]
MapScaleOption = Annotated[bool, typer.Option(help="In the figure, how long things are.")]
KappaOption = Annotated[float, typer.Option(help="L/mu, of the critical factor.")]

ROUNDING = 1e-12  # a share below it is none

group = Group("Networks", place=2)


@group.command(
    examples=[
        "network --graph star --nodes 300",
        "network --graph random_regular --nodes 20 --set degree=3 --json",
        "network graphs/geant2012.graphml --figure geant.png",
    ]
)
def network(
    file: FileArgument = None,
    graph: GraphOption = None,
    nodes: NodesOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    plugin: PluginOption = None,
    rates: Annotated[
        str | None, typer.Option(help="Edge attribute of the file with relative gossip rates.")
    ] = None,
    kappa: KappaOption = 100.0,
    figure: FigureOption = None,
    names: NamesOption = False,
    scale: MapScaleOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Size and constants of a network, and what each method communicates on it."""
    from dadao_sim.files import check_outputs
    from dadao_sim.plotting.style import FIGURE
    from dadao_sim.reports.network import network_report

    read = [file, *(plugin or [])]
    check_outputs({"--figure": (figure, FIGURE)}, inputs=read, overwrite=overwrite)
    load_plugins(plugin)
    built = built_network(file, graph, nodes, sets, seed, rates)
    with by_option(kappa="--kappa"):
        report = network_report(built, kappa)
    give(report)
    print_network(report)
    if figure is not None:
        _draw(built, built.rates if rates else None, figure, overwrite, names, scale)


@group.command(
    examples=[
        "rates graphs/abilene.graphml",
        "rates --graph cycle --nodes 8 --out rated.graphml",
        "rates graphs/geant2012.graphml --cost length_km --json",
    ]
)
def rates(
    file: FileArgument = None,
    graph: GraphOption = None,
    nodes: NodesOption = None,
    sets: SetOption = None,
    seed: SeedOption = 0,
    plugin: PluginOption = None,
    method: Annotated[
        str | None, typer.Option(help="Only this one, beside uniform. [default: a comparison]")
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            help="Edge attribute with what an exchange costs: least cost, not fewest exchanges; "
            "the figure then shows what that saves."
        ),
    ] = None,
    solver: Annotated[str | None, typer.Option(help="For the method exact.")] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds per method.")] = None,
    prune: Annotated[bool, typer.Option(help="Drop edges of negligible rate.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write GraphML with the last rates as `gossip_rate`.")
    ] = None,
    kappa: KappaOption = 100.0,
    figure: FigureOption = None,
    names: NamesOption = False,
    scale: MapScaleOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """The gossip rates of least total, with a certificate, against the usual ones."""
    from dadao_sim.files import check_outputs
    from dadao_sim.networks import Network, write_graphml
    from dadao_sim.networks.graphml import GRAPHML
    from dadao_sim.plotting.style import FIGURE
    from dadao_sim.reports.rates import compare_methods, rates_report

    outputs = {"--out": (out, GRAPHML), "--figure": (figure, FIGURE)}
    check_outputs(outputs, inputs=[file, *(plugin or [])], overwrite=overwrite)
    load_plugins(plugin)
    built = built_network(file, graph, nodes, sets, seed, None)
    named = {"cost": "--cost", "method": "--method", "solver": "--solver"}
    named |= {"time_limit": "--time-limit", "prune": "--prune"}
    with by_option(**named):
        found = compare_methods(
            built, method, cost=cost, solver=solver, time_limit=time_limit, prune=prune
        )
    with by_option(kappa="--kappa"):
        report = rates_report(built, found, kappa)
    give(report)
    print_rates(report)
    last = found[-1]
    assert isinstance(last.network, Network)  # as built
    if out is not None:
        write_graphml(last.network, out, overwrite=overwrite)
    if figure is not None and cost is None:
        _draw(last.network, last.rates, figure, overwrite, names, scale)
    elif figure is not None:
        from dadao_sim.plotting.savings import savings_figure
        from dadao_sim.plotting.style import save_figure

        save_figure(savings_figure(report), figure, overwrite=overwrite)


def print_network(report: dict[str, Any]) -> None:
    """A network's constants and what each method communicates on it."""
    several = f", {report['graphs']} graphs in turn" if report["graphs"] > 1 else ""
    one_way = ""
    if "arcs" in report:
        one_way = f" with {report['arcs']:,} arcs, {report['one_way_edges']:,} of them one-way"
    say(f"{report['name']}: {report['n']:,} nodes, {report['edges']:,} edges{one_way}{several}")
    if report["added_edges"]:
        say(f"{report['added_edges']:,} edges are longer than the radius, added to connect it")
    if "arcs" in report:
        numbers = f"n pi at least {report['least_n_pi']:.4g}, n p {report['least_n_p']:.4g}"
        say(f"{numbers}, n p.pi {report['n_p_pi']:.4g} (weights 1/(1 + degree))")
    else:
        say(f"chi1 {report['chi1']:.6g}, chi2 {report['chi2']:.6g} (rate 1 on every edge)")
    counts = ("communications_per_round", "design_rate")
    rows = [
        [row["title"], *(f"{row[count]:,.6g}" for count in counts)]
        for row in report["methods"].values()
    ]
    print_table(("method", "communications per n gradients", "design rate"), rows)
    if report["critical_left_out"]:
        say(f"critical factor of DADAO left out: {report['critical_left_out']}")
    else:
        say(f"critical factor of DADAO: {report['critical_factor']:.3f} ({_meaning(report)})")


def print_rates(report: dict[str, Any]) -> None:
    """Total rates, or costs, with their certified gaps."""
    say(f"{report['name']}: {report['n']:,} nodes, {report['edges']:,} edges")
    numbers = ["total rate", "at least", "certified gap", "chi1", "chi2", "edges", "seconds"]
    numbers.append("critical factor")
    priced = "saved_cost" in report
    if priced:  # the bound and the gap are those of the cost
        numbers = ["cost", "at least", "certified gap", "total rate", *numbers[3:]]
    rows = []
    for name, row in report["methods"].items():
        rate = f"{row['total_rate']:,.2f}"
        cost = f"{row['total_cost']:,.6g}" if priced else rate
        lower = f"{row['lower_bound']:,.6g}" if priced else f"{row['lower_bound']:,.2f}"
        rows.append(
            [
                *(name, cost, lower, percent(row["gap"])),
                *([rate] if priced else []),
                *(f"{row['chi1']:.4g}", f"{row['chi2']:.4g}"),
                *(f"{row['edges']:,}", f"{row['seconds']:.1f}"),
                "-" if row["critical_factor"] is None else f"{row['critical_factor']:.3f}",
            ]
        )
    print_table(("rates", *numbers), rows)
    for name, saved in report.get("saved_cost", {}).items():
        say(f"saved of the cost of {name}: {percent(saved)}")
    for name, row in report["methods"].items():
        if "unpruned_total" in row:
            say(f"{name} without pruning: {row['unpruned_total']:,.2f}")
    if report["critical_left_out"]:
        say(f"critical factor left out: {report['critical_left_out']}")
    else:
        say(f"critical factor: {_meaning(report)}")


def _meaning(report: dict[str, Any]) -> str:
    return (
        "share of its gossip rate above which DADAO's mean square error is bounded, "
        f"kappa {report['kappa']:g}"
    )


def percent(share: float) -> str:
    """With two digits, or whole where that is more; 0 where it is but rounding."""
    if not math.isfinite(share):
        return "unknown"
    if abs(share) < ROUNDING:
        return "0 %"
    return f"{100 * share:,.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def built_network(
    file: Path | None,
    graph: str | None,
    nodes: int | None,
    sets: list[str] | None,
    seed: int,
    rates: str | None,
) -> "Network":
    """The network of a file or of a builder."""
    import numpy as np

    from dadao_sim.networks import read_graphml
    from dadao_sim.networks.graphs import build
    from dadao_sim.randomness import stream

    if (file is None) == (graph is None):
        raise InputError("give either a GraphML file or --graph NAME --nodes N")
    if file is not None:
        if nodes is not None or sets:
            raise InputError("--nodes and --set go with --graph, not with a file")
        _suggest_a_graph(file)
        return read_graphml(file, rates)
    if rates is not None:
        raise InputError("--rates goes with a file, which holds them")
    rng = np.random.default_rng(stream(seed, 0, "graph"))
    options = graph_options(sets or [])
    with by_option(graph="--graph", nodes="--nodes", **{name: f"--set {name}" for name in options}):
        return build(graph or "", nodes, rng, **options)


def _suggest_a_graph(file: Path) -> None:
    """InputError for a file that is not there and has the name of a graph, or of one shipped."""
    from dadao_sim.networks.graphs import GRAPHS
    from dadao_sim.scenario import shipped

    if file.exists():
        return
    if file.stem in GRAPHS:
        raise InputError(f"there is no file {file}; did you mean --graph {file.stem}?")
    known = shipped.folder("graphs") / f"{file.stem}.graphml"
    if known.is_file() and known != file:
        raise InputError(f"there is no file {file}; did you mean {known}?")


def graph_options(sets: list[str]) -> dict[str, Any]:
    """The numbers of ``OPTION=VALUE``."""
    options = {}
    for text in sets:
        name, _, value = text.partition("=")
        number: float = math.nan
        with suppress(ValueError):
            number = int(value) if re.fullmatch(r"\s*[-+]?\d+\s*", value) else float(value)
        if not math.isfinite(number):
            raise InputError(f"--set {text}: must be OPTION=NUMBER, such as degree=4")
        if name.strip() in ("graph", "nodes"):
            raise InputError(f"--set {text}: the number of nodes is --nodes, the graph --graph")
        options[name.strip()] = number
    return options


def _draw(
    built: "Network", rates: Any, figure: Path, overwrite: bool, names: bool, scale: bool
) -> None:
    from dadao_sim.plotting.networks import network_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.reports.layout import network_layout

    with by_option(scale="--scale"):
        drawn = network_figure(network_layout(built), rates, names=names, scale=scale)
    save_figure(drawn, figure, overwrite=overwrite)
