"""What the command line shows while it runs a scenario, and afterwards."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dadao_sim.results.names import display_name

if TYPE_CHECKING:
    from pandas import DataFrame

    from dadao_sim.reports.world import WorldReport
    from dadao_sim.results.result import Result, RunKey
    from dadao_sim.scenario.model import Scenario

INTERRUPTED = 130  # the shell's code for Ctrl-C
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 110)


def say(text: str) -> None:
    """One line for the user."""
    console.print(text, markup=False)


def run(scenario: "Scenario", folder: Path, *, jobs: int, resume: bool, overwrite: bool) -> int:
    """Run a scenario with a progress bar, save and draw it; the exit code."""
    from dadao_sim.results.folder import check_folder
    from dadao_sim.simulation import simulate

    check_folder(folder, resume=resume, overwrite=overwrite)
    say(_announcement(scenario, jobs))
    try:
        with _Bars(scenario, jobs) as bars:
            result = simulate.simulate(
                scenario, out=folder, jobs=jobs, resume=resume, overwrite=overwrite, tick=bars.tick
            )
    except KeyboardInterrupt:
        say(f"interrupted: what was finished is in {folder}; go on with --resume")
        return INTERRUPTED
    print_summary(result.summary)
    for run in result.runs.itertuples():
        if run.status == "diverged":
            say(
                f"{run.algorithm}, repeat {run.repeat}: diverged at time {run.time:g}: {run.reason}"
            )
    say(f"result: {folder}")
    draw(result, folder)
    return 0


def draw(result: "Result", folder: Path) -> None:
    """The standard figure of a result, as PNG and PDF."""
    from dadao_sim.plotting.curves import panel_figure
    from dadao_sim.plotting.style import save_figure

    figure = panel_figure(result)
    for suffix in ("png", "pdf"):
        save_figure(figure, folder / "figures" / f"curves.{suffix}")


def _announcement(scenario: "Scenario", jobs: int) -> str:
    """What the run will take at most, said beforehand."""
    from dadao_sim.simulation import simulate

    estimate = simulate.estimate_scenario(scenario)
    seconds = estimate.seconds / min(jobs, len(scenario.algorithms) * scenario.repeats)
    memory = estimate.memory * jobs / 2**20
    return (
        f"{scenario.name}: {len(scenario.algorithms)} algorithms x {scenario.repeats} repeats; "
        f"at most {estimate.events:,.0f} events, about {_duration(seconds)}, "
        f"{max(1, math.ceil(memory)):,} MiB of arrays"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, math.ceil(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Bars:
    """A bar for the whole scenario, one step per run, and the accuracy of the run under way."""

    def __init__(self, scenario: "Scenario", jobs: int):
        self.progress = Progress(
            TextColumn("{task.description:32.32}"),
            BarColumn(),
            TextColumn("{task.completed:5.1f}/{task.total:.0f} runs"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        total = len(scenario.algorithms) * scenario.repeats
        self.task = self.progress.add_task(scenario.name, total=total)
        self.finished: set[Any] = set()

    def __enter__(self) -> "_Bars":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def tick(self, key: "RunKey", share: float, accuracy: float) -> None:
        """A sample of a run, or (share 1) its end."""
        if share >= 1:
            self.finished.add(key)
        part = 0.0 if key in self.finished else share
        self.progress.update(
            self.task,
            completed=len(self.finished) + part,
            description=f"{key[0]}, repeat {key[1]}: {accuracy:.0e}",
        )


def print_summary(summary: "DataFrame") -> None:
    """The cost to each accuracy, as medians over the repeats; summary.csv has the ranges."""
    table = Table(box=None, pad_edge=False)
    scenario = "scenario" in summary
    titles = ("algorithm", "accuracy", "reached", "communications", "gradients", "time", "cost")
    for title in (("scenario",) if scenario else ()) + titles:
        right = title not in ("scenario", "algorithm")
        table.add_column(title, justify="right" if right else "left", no_wrap=right)
    for row in summary.to_dict("records"):
        cells = [row["scenario"]] if scenario else []
        cells += [display_name(row["algorithm"], row["method"]), f"{row['accuracy']:.0e}"]
        cells.append(f"{row['reached']}/{row['repeats']}")
        cells += [_cost(row, name) for name in titles[3:]]
        table.add_row(*cells)
    console.print(table)


def _cost(row: Mapping[Any, Any], name: str) -> str:
    median = row[f"{name}_median"]
    return f"{median:,.0f}" if math.isfinite(median) else "not reached"


def print_network(report: dict[str, Any]) -> None:
    """A network's constants and what each method communicates on it."""
    several = f", {report['graphs']} graphs in turn" if report["graphs"] > 1 else ""
    say(f"{report['name']}: {report['n']:,} nodes, {report['edges']:,} edges{several}")
    say(f"chi1 {report['chi1']:.6g}, chi2 {report['chi2']:.6g} (rate 1 on every edge)")
    table = Table(box=None, pad_edge=False)
    table.add_column("method")
    table.add_column("communications per n gradients", justify="right")
    table.add_column("design rate", justify="right")
    for name, numbers in report["methods"].items():
        counts = (f"{numbers[key]:,.6g}" for key in ("communications_per_round", "design_rate"))
        table.add_row(display_name(name, name), *counts)
    console.print(table)


def print_rates(report: dict[str, Any]) -> None:
    """Total rates with their certified gaps."""
    say(f"{report['name']}: {report['n']:,} nodes, {report['edges']:,} edges")
    table = Table(box=None, pad_edge=False)
    table.add_column("rates")
    for title in ("total rate", "at least", "certified gap", "chi1", "chi2", "edges", "seconds"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, row in report["methods"].items():
        table.add_row(
            name,
            f"{row['total_rate']:,.2f}",
            f"{row['lower_bound']:,.2f}",
            f"{100 * row['gap']:.2g} %",
            f"{row['chi1']:.4g}",
            f"{row['chi2']:.4g}",
            f"{row['edges']:,}",
            f"{row['seconds']:.1f}",
        )
    console.print(table)
    for name, row in report["methods"].items():
        if "unpruned_total" in row:
            say(f"{name} without pruning: {row['unpruned_total']:,.2f}")


def print_worlds(reports: "Sequence[WorldReport]") -> None:
    """What the world of each algorithm was like: a column each."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for r in reports:
        table.add_column(display_name(r.label, r.method), justify="right")
    rows = {
        "unit of time": lambda r: f"{r.unit:.4g}",
        "events": lambda r: f"{len(r.events):,}",
        "computing, mean": lambda r: f"{r.utilisation.mean():.1%}",
        "computing, least": lambda r: f"{r.utilisation.min():.1%}",
        "waiting, mean": lambda r: f"{r.waiting.mean():.3g}",
        "exchanges in flight": lambda r: f"{r.in_flight:.3g}",
        "staleness of gradients": lambda r: _mean_and_tail(r.gradient_staleness),
        "staleness of messages": lambda r: _mean_and_tail(r.message_staleness),
        "bytes per link, mean": lambda r: f"{r.link_bytes.mean():,.0f}",
        "bytes per link, most": lambda r: f"{r.link_bytes.max():,.0f}",
        "exchanges lost": lambda r: f"{r.link_losses.sum():,}",
    }
    for title, text in rows.items():
        table.add_row(title, *map(text, reports))
    console.print(table)


def _mean_and_tail(values: Any) -> str:
    """The mean, and what one value in a hundred exceeds."""
    import numpy as np

    return f"{values.mean():.3g} (99 %: {np.percentile(values, 99):.0f})" if len(values) else "-"


def print_names() -> None:
    """Everything that a scenario can name."""
    from typing import get_args

    from dadao_sim.algorithms.contract.registry import METHODS
    from dadao_sim.local_steps.spec import PROX_MODELS
    from dadao_sim.networks.spec import GRAPH_OPTIONS, GraphName
    from dadao_sim.problems.data_source import DATA
    from dadao_sim.problems.spec import PROBLEMS
    from dadao_sim.scenario import shipped

    def kinds(*models: Any) -> str:
        return ", ".join(k for m in models for k in get_args(m.model_fields["kind"].annotation))

    say("methods")
    for name, method in METHODS.items():
        needs = [
            "conjugate gradients" if method.needs_conjugate else "gradients",
            *(["time-varying graphs"] if method.time_varying else []),
            *(["stochastic gradients"] if method.stochastic else []),
            *(["local steps"] if method.composite == "proven" else []),
            *(["local steps: experimental"] if method.composite == "experimental" else []),
        ]
        say(f"  {name:28}{display_name(name, name)} ({', '.join(needs)})")
    say("problems\n  " + ", ".join(PROBLEMS))
    say("data\n  " + ", ".join(DATA))
    say("local steps\n  " + kinds(*PROX_MODELS) + ", learned")
    say("graphs")
    for graph in get_args(GraphName):
        options = ", ".join(GRAPH_OPTIONS.get(graph, ()))
        say(f"  {graph:28}{options}")
    say("scenarios")
    files = shipped.scenarios()
    width = max(map(len, files)) + 2
    for name, path in files.items():
        say(f"  {name:{width}}{_first_comment(path)}")


def _first_comment(path: Path) -> str:
    """What a scenario file says it shows: its first comment that is not for editors."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "yaml-language-server" not in line:
            return line[2:]
    return ""
