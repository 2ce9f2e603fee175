"""What a picture of the gallery is, and the two kinds there are most of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dadao_sim.plotting.comparison import comparison_figure
from dadao_sim.plotting.curves import panel_figure
from dadao_sim.plotting.sweep import against_figure
from dadao_sim.reports.comparison import comparison_table, titles_of
from dadao_sim.reports.sweep import against
from dadao_sim.results.names import printed_names
from dadao_sim.results.result import Result
from dadao_sim.results.summary import cost_text
from dadao_sim.scenario import shipped
from dadao_sim.simulation.sweep import sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCURACY = 1e-6
RESULTS = Path(__file__).resolve().parents[1] / "results" / "gallery"

# A scenario by its name, and the values to --set in it.
Run = tuple[str, ...]
ResultOf = Callable[[Run], Result]


@dataclass(frozen=True)
class Picture:
    """One figure of the gallery: NAME.png, what it shows, and the command that draws it."""

    name: str
    title: str
    caption: str
    command: str
    draw: Callable[[ResultOf], "Figure"]
    table: Callable[[ResultOf], str] = lambda result_of: ""


def scenario_picture(name: str) -> Picture:
    """The standard figure of a scenario; its caption is the comment that the scenario begins with.

    ``name`` is as `dadao-sim list` prints it, such as paper/star-regression.
    """
    return Picture(
        name=Path(name).name,
        title=name,
        caption=caption(name),
        command=f"dadao-sim run scenarios/{name}.yaml",
        draw=lambda result_of: panel_figure(result_of((name,))),
    )


def caption(name: str) -> str:
    """The question in bold, then what to look for."""
    lines = shipped.scenarios()[name].read_text(encoding="utf-8").splitlines()
    end = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    question, *more = (line.removeprefix("# ") for line in lines[1:end])
    return "\n".join([f"**{question}**", *more])


def sweep_picture(name: str, key: str) -> Picture:
    """What a scenario of a sweep costs against ``key``; NAME.png, of the last part of its name."""
    short = Path(name).name

    def draw(result_of: ResultOf) -> "Figure":
        folder = RESULTS / short
        found = sweep(shipped.scenarios()[name], out=folder, jobs=2, resume=folder.exists())
        return against_figure(against(found, key), found)

    return Picture(
        name=short,
        title=name,
        caption=caption(name),
        command=f"dadao-sim run scenarios/{name}.yaml\n"
        f"dadao-sim plot results/{short} --out plots/{short}.png",
        draw=draw,
    )


def comparison_picture(
    name: str,
    title: str,
    caption: str,
    rows: Mapping[str, Run],
    command: str,
    accuracy: float = ACCURACY,
    quantity: str = "communications",
) -> Picture:
    """What each method spent to reach an accuracy, and a table of it; a row per run."""

    def results(result_of: ResultOf) -> dict[str, Result]:
        return {row: result_of(run) for row, run in rows.items()}

    return Picture(
        name=name,
        title=title,
        caption=caption,
        command=command,
        draw=lambda result_of: comparison_figure(results(result_of), accuracy, quantity, width=4.5),
        table=lambda result_of: median_table(results(result_of), accuracy, quantity),
    )


def median_table(results: Mapping[str, Result], accuracy: float, quantity: str) -> str:
    """Medians of what it cost in Markdown: a row per result, a column per method."""
    table = comparison_table(results, accuracy)
    names = printed_names(table, titles_of(results))
    medians = table.set_index(["scenario", "algorithm"])[f"{quantity}_median"].to_dict()
    lines = ["| | " + " | ".join(names.values()) + " |", "|---" * (len(names) + 1) + "|"]
    for scenario in results:
        cells = [_cell(medians.get((scenario, label))) for label in names]
        lines.append(f"| {scenario} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(median: float | None) -> str:
    if median is None:
        return ""  # the scenario does not have this method
    return cost_text(median, "{:,.0f}".format)
