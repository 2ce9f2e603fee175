"""The command that looks for the best constants of a method on a network."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.networks import (
    GraphOption,
    NodesOption,
    SetOption,
    built_network,
    graph_options,
)
from dadao_sim.cli.options import (
    OverwriteOption,
    PluginOption,
    by_option,
    load_plugins,
    method_names,
    scenario_names,
)
from dadao_sim.cli.show import key_of, print_table, say
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from dadao_sim.theory.tuned_constants import Price

INTERRUPTED = 130  # the shell's code for Ctrl-C

group = Group("Methods", place=4)


class Aim(StrEnum):
    """What is to be little."""

    time = "time"
    communications = "communications"
    cost = "cost"


@group.command(
    examples=[
        "tune-constants quickstart --for communications",
        "tune-constants --graph cycle --nodes 8 --kappa 100 --out tuned.yaml",
        "tune-constants graphs/abilene.graphml --for cost --json",
    ]
)
def tune_constants(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCENARIO | FILE.graphml]",
            help="A scenario, whose network and L/mu are taken (- is from stdin), or a network.",
            autocompletion=scenario_names,
        ),
    ] = None,
    graph: GraphOption = None,
    nodes: NodesOption = None,
    sets: SetOption = None,
    rates: Annotated[
        str | None, typer.Option(help="Edge attribute of the file with relative gossip rates.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="Whose constants.", autocompletion=method_names)
    ] = "dadao",
    aim: Annotated[Aim, typer.Option("--for", help="What is to be little.")] = Aim.time,
    gradient_price: Annotated[
        float | None, typer.Option(help="Of one node's gradient, for cost.")
    ] = None,
    communication_price: Annotated[
        float | None, typer.Option(help="Of an exchange, for cost.")
    ] = None,
    kappa: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH", help="L/mu. [default: the scenario's, or 10:1000]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the search.")] = 0,
    budget: Annotated[int, typer.Option(min=1, help="Sets of constants to try.")] = 600,
    margin: Annotated[
        float, typer.Option(help="Share of its gossip rates at which a set must be stable.")
    ] = 0.93,
    out: Annotated[
        Path | None, typer.Option(help="Write a scenario (.yaml) that plays them.")
    ] = None,
    plugin: PluginOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Look for the constants that are best on a network, by their exact rate (needs cmaes)."""
    from dadao_sim.files import check_outputs
    from dadao_sim.reports import tuned as report
    from dadao_sim.theory.tuned_constants import require_cmaes, tuned_constants

    is_file = source is not None and source.lower().endswith(".graphml")
    check_outputs(
        {"--out": (out, report.TUNED_SCENARIO)},
        inputs=[source, *(plugin or [])],
        overwrite=overwrite,
    )
    require_cmaes()
    load_plugins(plugin)
    price = _price(aim, gradient_price, communication_price)
    scenario = None
    if source is not None and not is_file:
        if graph is not None or nodes is not None or sets or rates is not None:
            raise InputError("--graph, --nodes, --set and --rates do not go with a scenario")
        from dadao_sim.scenario.reading import load_scenario
        from dadao_sim.simulation.study import Study

        scenario = load_scenario(source)
        parts = Study(scenario).parts(0)
        network: Any = parts.network
        if kappa is None and not parts.problem.mu > 0:
            raise InputError(f"{source}: its problem has no mu; give --kappa LOW:HIGH")
        kappa = kappa or f"{parts.problem.L / parts.problem.mu:.6g}"
    else:
        network = built_network(Path(source) if source else None, graph, nodes, sets, seed, rates)
    kappas = _kappas(kappa or "10:1000")
    named = {"kappa": "--kappa", "margin": "--margin", "method": "--method", "price": "--for cost"}
    try:
        with by_option(**named), _bar(budget) as tick:
            tuned = tuned_constants(method, network, price, kappas, seed, budget, margin, tick)
    except KeyboardInterrupt:
        say("interrupted: nothing was written")
        raise typer.Exit(INTERRUPTED) from None
    say(f"{network.name}: {network.nodes:,} nodes, {tuned.evaluations:,} sets of constants tried")
    titles, rows, numbers = report.tuned_table(tuned)
    records = [{key_of(title): number for title, number in row.items()} for row in numbers]
    print_table(titles, rows, name="sets", records=records)
    verdict = report.verdict(tuned, aim.value)
    say(verdict, factors=dict(tuned.factors), stable_from=tuned.found.critical)
    unequal = "" if tuned.unequal else "; unequal curvatures were not tried on so many nodes"
    share = f"{tuned.found.critical:.3f} of its gossip rates"
    say(f"the tuned set is stable from {share} on (asked for: {margin:g}){unequal}")
    say("no theorem covers it; as constants of the algorithm:")
    say(f"  {{{', '.join(f'{name}: {factor:g}' for name, factor in tuned.factors.items())}}}")
    if out is None:
        return
    if scenario is None:
        section = _section(source, graph, nodes, sets, rates, out)
        mapping = report.scenario_for(tuned, section, seed)
    else:
        mapping = report.scenario_with(tuned, scenario)
    notes = [f"--for {aim.value} --kappa {kappas[0]:g}:{kappas[1]:g} --seed {seed}", verdict]
    report.write_scenario(mapping, notes, out, overwrite=overwrite)
    say(f"scenario: {out}", scenario=str(out))


def _price(aim: Aim, gradient: float | None, communication: float | None) -> "Price":
    from dadao_sim.theory.tuned_constants import PRICES, Price

    if aim != Aim.cost:
        if gradient is not None or communication is not None:
            raise InputError("--gradient-price and --communication-price go with --for cost")
        return PRICES[aim.value]
    return Price(*(1.0 if given is None else given for given in (gradient, communication)))


def _kappas(text: str) -> tuple[float, float]:
    """The ends of LOW:HIGH, or of one number."""
    try:
        low, *rest = map(float, text.split(":"))
        (high,) = rest or (low,)
    except ValueError:
        raise InputError(f"--kappa {text}: must be LOW:HIGH, such as 10:1000") from None
    if math.isnan(low) or math.isnan(high):
        raise InputError(f"--kappa {text}: must be LOW:HIGH, such as 10:1000")
    return low, high


def _section(
    file: str | None,
    graph: str | None,
    nodes: int | None,
    sets: list[str] | None,
    rates: str | None,
    out: Path,
) -> dict[str, Any]:
    """The section ``network`` of a scenario at ``out`` that makes the same network."""
    if file is not None:
        path = Path(os.path.relpath(file, out.parent)).as_posix()
        return {"file": path, **({} if rates is None else {"rates": {"attribute": rates}})}
    return {"graph": graph, "nodes": nodes, **graph_options(sets or [])}


@contextmanager
def _bar(budget: int) -> Iterator[Callable[[int, float], None]]:
    """Progress on standard error, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda evaluations, gain: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("searching", total=budget)

        def tick(evaluations: int, gain: float) -> None:
            times = f"{gain:.2f} times better than the paper's"
            progress.update(task, completed=evaluations, description=times)

        yield tick
