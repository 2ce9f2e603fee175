"""Make the gallery: run the shipped scenarios, draw the figures, and write README.md beside them.

    python plots/make_gallery.py [--jobs N] [--again]

Results are kept in results/gallery and used again as long as the scenario is the same. They do not
know of changes of the program: ask for --again after one.
"""

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from local_steps_pictures import LOCAL_STEP_SCENARIOS, local_steps_pictures
from methods_pictures import methods_pictures
from pictures import (
    RESULTS,
    Picture,
    ResultOf,
    Run,
    comparison_picture,
    scenario_picture,
    sweep_picture,
)
from rates_pictures import RATES_SCENARIOS, rates_pictures
from systems_pictures import SYSTEMS_SCENARIOS, systems_pictures
from world_pictures import WORLD_SCENARIOS, world_pictures

import dadao_sim
from dadao_sim.files import atomic_write
from dadao_sim.networks import read_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.plotting.networks import network_figure
from dadao_sim.plotting.style import save_figure
from dadao_sim.randomness import stream
from dadao_sim.reports.layout import network_layout
from dadao_sim.results.result import Result, load_result
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTS = Path(__file__).resolve().parent
ROOT = PLOTS.parent

GRAPHS = ("star", "complete", "cycle", "path", "grid", "barbell", "time-varying")
CONDITION_NUMBERS = (10, 40, 160)


def paper_comparison(kind: str) -> Picture:
    """All graphs for one kind of regression."""
    folders = f"results/{{{','.join(GRAPHS)}}}-{kind}"
    return comparison_picture(
        name=f"paper-{kind}",
        title=f"All graphs, {'linear' if kind == 'regression' else 'logistic'} regression",
        caption="Communications to accuracy 1e-6: medians, 10-90 % ranges and, in the table, the\n"
        "medians in full. Hollow: the scenario's limits came first.",
        rows={graph: (f"paper/{graph}-{kind}",) for graph in GRAPHS},
        command=f"for g in {' '.join(GRAPHS)}; do\n"
        f"  dadao-sim run scenarios/paper/$g-{kind}.yaml\ndone\n"
        f"dadao-sim compare {folders} \\\n  --accuracy 1e-6 --figure plots/paper-{kind}.png",
    )


def condition_numbers() -> Picture:
    """One scenario at several condition numbers."""
    key = "problem.data.condition_number"
    numbers = " ".join(map(str, CONDITION_NUMBERS))
    return comparison_picture(
        name="condition-numbers",
        title="The condition number",
        caption="Communications to accuracy 1e-6 on one grid, at three condition numbers L/mu,\n"
        "each four times the one before it.",
        rows={f"L/mu = {k}": ("condition-number", f"{key}={k}") for k in CONDITION_NUMBERS},
        command=f"for k in {numbers}; do\n"
        f"  dadao-sim run scenarios/condition-number.yaml --set {key}=$k \\\n"
        "    --out results/condition-number-$k\ndone\n"
        f"dadao-sim compare results/condition-number-{{{numbers.replace(' ', ',')}}} \\\n"
        "  --accuracy 1e-6 --figure plots/condition-numbers.png",
    )


def hessians() -> Picture:
    """Both sets of constants of Continuized, where it shows and where it does not."""
    key = "problem.data.heterogeneity"
    return comparison_picture(
        name="continuized-hessians",
        title="Continuized, corrected and published",
        caption="Communications to accuracy 1e-6 as the nodes' Hessians are alike or drawn apart.\n"
        "The published eta is sqrt(2) times as large: faster where they are apart, and divergent\n"
        "where they are alike (hollow).",
        rows={"alike": ("continuized",), "apart": ("continuized", f"{key}=1")},
        command="dadao-sim run scenarios/continuized.yaml\n"
        f"dadao-sim run scenarios/continuized.yaml --set {key}=1 \\\n"
        "  --out results/continuized-1\n"
        "dadao-sim compare results/continuized results/continuized-1 \\\n"
        "  --accuracy 1e-6 --figure plots/continuized-hessians.png",
    )


def partitions() -> Picture:
    """One data set split in two ways."""
    names = ("breast-cancer-geant2012", "breast-cancer-sorted")
    return comparison_picture(
        name="partitions",
        title="The partition of a data set",
        caption="Communications to accuracy 1e-6 on the breast cancer data, shuffled over the\n"
        "nodes and sorted by diagnosis.",
        rows={"shuffled": names[:1], "sorted": names[1:]},
        command="\n".join(f"dadao-sim run scenarios/{name}.yaml" for name in names)
        + f"\ndadao-sim compare results/{names[0]} results/{names[1]} \\\n"
        "  --accuracy 1e-6 --figure plots/partitions.png",
    )


def graph_picture(graph: str, nodes: int, title: str, caption: str) -> Picture:
    """A graph by its name."""
    name = f"network-{graph.replace('_', '-')}"

    def draw(result_of: ResultOf) -> "Figure":
        rng = np.random.default_rng(stream(0, 0, "graph"))  # that of the command, at its seed 0
        return network_figure(network_layout(build(graph, nodes, rng)))

    return Picture(
        name=name,
        title=title,
        caption=caption,
        command=f"dadao-sim network --graph {graph} --nodes {nodes} --figure plots/{name}.png",
        draw=draw,
    )


def map_picture(file: str, title: str, caption: str) -> Picture:
    """A real network, where it lies."""
    return Picture(
        name=f"network-{file}",
        title=title,
        caption=caption,
        command=f"dadao-sim network graphs/{file}.graphml --figure plots/network-{file}.png",
        draw=lambda result_of: network_figure(
            network_layout(read_graphml(ROOT / f"graphs/{file}.graphml"))
        ),
    )


def sections() -> dict[str, list[Picture]]:
    """The whole gallery in its order. A scenario with no place of its own comes at the end."""
    paper = [f"paper/{graph}-{kind}" for graph in GRAPHS for kind in ("regression", "logistic")]
    swept = ["scaling"]
    dadao = ["gossip-rate", "stochastic-averaging", "condition-number"]
    real = ["breast-cancer-geant2012", "breast-cancer-sorted"]
    placed = [
        "quickstart",
        "methods",
        "compression",
        "plateaus",
        "directed",
        *paper,
        *dadao,
        *swept,
        "continuized",
        *real,
    ]
    placed += [*RATES_SCENARIOS, *WORLD_SCENARIOS, *LOCAL_STEP_SCENARIOS, *SYSTEMS_SCENARIOS]
    others = [name for name in shipped.scenarios() if name not in placed]
    gallery = {
        "In a minute": [scenario_picture("quickstart")],
        "The comparison of the paper": [
            *(paper_comparison(kind) for kind in ("regression", "logistic")),
            *map(scenario_picture, paper),
        ],
        "The field": [*methods_pictures(), scenario_picture("directed")],
        "What the rate depends on": [
            *map(scenario_picture, dadao),
            condition_numbers(),
            sweep_picture("scaling", "network.nodes"),
            scenario_picture("continuized"),
            hessians(),
        ],
        "Real data on a real network": [*map(scenario_picture, real), partitions()],
        "The best gossip rates": rates_pictures(),
        "The network as it is": world_pictures(),
        "Local steps": local_steps_pictures(),
        "Beyond convex sums": systems_pictures(),
        "Networks": [
            map_picture("geant2012", "GEANT", "The research network of Europe as of 2012."),
            graph_picture(
                *("barbell", 40, "Barbell"),
                "The network of paper/barbell-regression: two cliques of 20, and one bridge.",
            ),
            graph_picture(
                *("random_geometric", 50, "Random geometric graph"),
                "The first of the ten graphs of paper/time-varying-regression (first repeat).",
            ),
            graph_picture(
                *("k_out", 12, "Directed graph"),
                "Each node sends to four others, at random; heads are at the receivers.",
            ),
        ],
    }
    return gallery | ({"Others": [*map(scenario_picture, others)]} if others else {})


INTRODUCTION = """\
# Gallery

Made by `make gallery` (`plots/make_gallery.py`), this page included. The figure of a scenario
shows the mean squared distance of the nodes to x*, relative to that of the start, against what was
spent: communications (activations of an edge), local gradients (of all nodes, those before the
start included; conjugate gradients for Continuized, MSDA and dual prox-gradient, local solves for
D-ADMM) and time (mean gradient intervals of a node; a round of a synchronous method is one). Lines
are medians over the repeats, bands their 10-90 % range. The command under a figure draws it alone;
`dadao-sim run` leaves it in `results/NAME/figures/curves.png`.
"""


def entry(picture: Picture) -> str:
    """What the page says of a picture, its table aside."""
    image = f"![{picture.title}]({picture.name}.png)"
    command = f"```sh\n{picture.command}\n```"
    return f"### {picture.title}\n\n{picture.caption}\n\n{image}\n\n{command}\n"


def page(gallery: Mapping[str, Sequence[Picture]], result_of: ResultOf) -> str:
    """README.md."""
    parts = [INTRODUCTION]
    for title, pictures in gallery.items():
        parts.append(f"## {title}\n")
        for picture in pictures:
            table = picture.table(result_of)
            parts += [entry(picture), *([table + "\n"] if table else [])]
    return "\n".join(parts)


def current_result(run: Run, jobs: int, again: bool) -> Result:
    """The result of a scenario: the one in results/gallery if it is of the same scenario."""
    name, *changes = run
    scenario = load_scenario(shipped.scenarios()[name], changes)
    values = (re.sub(r"[^\w.]+", "-", change.partition("=")[2]) for change in changes)
    folder = RESULTS / "-".join([scenario.name, *values])
    if not again and (folder / "manifest.json").is_file():
        result = load_result(folder)
        same_version = result.manifest["versions"]["dadao_sim"] == dadao_sim.__version__
        same = same_version and result.manifest["scenario"] == scenario.to_mapping()
        if same and not result.manifest["interrupted"]:
            return result
        if same:
            return simulate(scenario, out=folder, jobs=jobs, resume=True)
    return simulate(scenario, out=folder, jobs=jobs, overwrite=True)


def main() -> None:
    """Draw every picture, write the page, and remove the pictures that left the gallery."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, help="runs at once (default: 2)")
    parser.add_argument("--again", action="store_true", help="run everything again")
    options = parser.parse_args()
    results: dict[Run, Result] = {}

    def result_of(run: Run) -> Result:
        if run not in results:
            begun = time.perf_counter()
            results[run] = current_result(run, options.jobs, options.again)
            print(f"{' '.join(run)}: {time.perf_counter() - begun:.0f} s", flush=True)
        return results[run]

    gallery = sections()
    drawn = set()
    for picture in (picture for pictures in gallery.values() for picture in pictures):
        drawn.add(PLOTS / f"{picture.name}.png")
        save_figure(picture.draw(result_of), PLOTS / f"{picture.name}.png", overwrite=True)
    atomic_write(PLOTS / "README.md", page(gallery, result_of).encode())
    for stale in set(PLOTS.glob("*.png")) - drawn:
        stale.unlink()


if __name__ == "__main__":
    main()
