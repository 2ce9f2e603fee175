"""The pictures of the gallery about gossip rates: what the best save, and what they look like."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pictures import Picture, ResultOf, scenario_picture

from dadao_sim.networks import Network, read_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates import optimal_rates
from dadao_sim.plotting.networks import network_figure
from dadao_sim.plotting.savings import savings_figure
from dadao_sim.reports.layout import network_layout
from dadao_sim.reports.rates import compare_methods, rates_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAPS = Path(__file__).resolve().parents[1] / "graphs"
GEANT, NSFNET = MAPS / "geant2012.graphml", MAPS / "nsfnet.graphml"
GRAPHS = ("barbell", "lollipop", "random-geometric", "geant2012")
RATES_SCENARIOS = [f"rates/{graph}-rates" for graph in GRAPHS]


def rates_pictures() -> list[Picture]:
    """Uniform against optimal rates, and two networks drawn with the optimal ones."""
    return [
        *map(scenario_picture, RATES_SCENARIOS),
        rates_picture(
            *("barbell", "Rates on a barbell", "--graph barbell --nodes 16"),
            lambda: build("barbell", 16, np.random.default_rng(0)),
        ),
        rates_picture(
            *("geant2012", "Rates on GEANT", "graphs/geant2012.graphml"),
            lambda: read_graphml(GEANT),
        ),
        costs_picture(),
    ]


def costs_picture() -> Picture:
    """What rates that know what the edges cost save."""

    def report() -> dict[str, Any]:
        network = read_graphml(NSFNET)
        return rates_report(network, compare_methods(network, None, cost="length_km"))

    def table(result_of: ResultOf) -> str:
        rows = [
            f"| {method} | {row['total_cost']:,.0f} | {row['total_rate']:,.2f} |"
            for method, row in report()["methods"].items()
        ]
        return "\n".join(["| rates | cost | total rate |", "|---|---:|---:|", *rows])

    return Picture(
        name="rates-at-a-cost",
        title="Rates at a price per link",
        caption="NSFNET, where an exchange over a link costs its length: kilometres per mean\n"
        "gradient interval at rates of the same guarantee. Dashed: the certified bound.",
        command="dadao-sim rates graphs/nsfnet.graphml --cost length_km \\\n"
        "  --figure plots/rates-at-a-cost.png",
        draw=lambda result_of: savings_figure(report()),
        table=table,
    )


def rates_picture(name: str, title: str, source: str, network: Callable[[], Network]) -> Picture:
    """A network with edges as wide as their optimal rate, and what the methods come to on it."""

    def table(result_of: ResultOf) -> str:
        report = rates_report(network(), compare_methods(network(), None))
        rows = [
            f"| {method} | {row['total_rate']:,.2f} | {row['lower_bound']:,.2f} |"
            for method, row in report["methods"].items()
        ]
        return "\n".join(["| rates | total rate | at least |", "|---|---:|---:|", *rows])

    def draw(result_of: ResultOf) -> "Figure":
        best = optimal_rates(network())
        assert isinstance(best.network, Network)
        return network_figure(network_layout(best.network), best.rates)

    return Picture(
        name=f"network-{name}-rates",
        title=title,
        caption="Edges as wide and dark as their optimal gossip rate, in exchanges per mean\n"
        "gradient interval. In the table the total rate that DADAO needs with the rates of each\n"
        "method, and the certified bound that no rates can go below.",
        command=f"dadao-sim rates {source} --figure plots/network-{name}-rates.png",
        draw=draw,
        table=table,
    )
