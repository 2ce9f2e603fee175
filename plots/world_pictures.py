"""The part of the gallery about physical worlds: delays, stragglers, losses, churn."""

from collections.abc import Mapping, Sequence

from pictures import Picture, comparison_picture, scenario_picture

from dadao_sim.plotting.networks import network_figure
from dadao_sim.plotting.timeline import timeline_figure
from dadao_sim.reports.layout import network_layout
from dadao_sim.reports.timeline import world_timeline
from dadao_sim.reports.world import WorldReport, world_report
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

WORLD_SCENARIOS = tuple(
    f"world/{name}"
    for name in (
        *("straggler", "latency", "loss", "one-sided-loss"),
        *("churn", "geant-wan", "edge-devices"),
    )
)
SLOWNESS = (1, 3, 10, 30, 100)
LATENCIES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
LOSSES = (0.0, 0.03, 0.1, 0.3)
CRASHES = (5000, 500, 100)
ACCURACY = 1e-3


def sweep(name: str, title: str, caption: str, key: str, values: Mapping[str, object]) -> Picture:
    """Simulated time to ACCURACY as one key of a scenario changes."""
    written = " ".join(str(value) for value in values.values())
    folders = ",".join(written.split())
    return comparison_picture(
        name=f"{name}-sweep",
        title=title,
        caption=caption,
        rows={row: (f"world/{name}", f"{key}={value}") for row, value in values.items()},
        command=f"for v in {written}; do\n"
        f"  dadao-sim run scenarios/world/{name}.yaml --set {key}=$v \\\n"
        f"    --out results/{name}-$v\ndone\n"
        f"dadao-sim compare results/{name}-{{{folders}}} \\\n"
        f"  --accuracy {ACCURACY:g} --quantity time --figure plots/{name}-sweep.png",
        accuracy=ACCURACY,
        quantity="time",
    )


def report(name: str, label: str, end: float, changes: Sequence[str] = ()) -> WorldReport:
    """The world of an algorithm of a scenario."""
    return world_report(
        load_scenario(shipped.scenarios()[f"world/{name}"], changes), label, end=end
    )


def timeline(file: str, title: str, caption: str, label: str, end: float) -> Picture:
    """A stretch of the edge devices' time."""
    changes = ("world.nodes.crashes.every=60", "world.nodes.crashes.length=4")
    sets = " ".join(f"--set {change}" for change in changes)
    return Picture(
        name=file,
        title=title,
        caption=caption,
        command=f"dadao-sim world scenarios/world/edge-devices.yaml {sets} \\\n"
        f'  --algorithm "{label}" --end {end:g} --timeline plots/{file}.png',
        draw=lambda result_of: timeline_figure(
            world_timeline(report("edge-devices", label, end, changes)), 0.0, end
        ),
    )


def load_per_link() -> Picture:
    """Bytes per link of the European network."""

    def draw(result_of: object) -> object:
        found = report("geant-wan", "DADAO, rescaled", 500.0)
        rates = found.link_bytes / found.end
        return network_figure(
            network_layout(found.network), rates, label="Bytes per mean gradient interval"
        )

    return Picture(
        name="load-geant",
        title="Load per link",
        caption="What DADAO sends over each link of GEANT, rescaled to the latency of its fibres.\n"
        "Its rates are uniform: the differences are chance.",
        command="dadao-sim world scenarios/world/geant-wan.yaml --end 500 \\\n"
        '  --algorithm "DADAO, rescaled" --load plots/load-geant.png',
        draw=draw,
    )


def world_pictures() -> list[Picture]:
    """Timelines, the scenarios, and a sweep after those that have one."""
    limits = "Hollow: not reached, for the run diverged, met its plateau, or the limit of time."
    sweeps = {
        "straggler": sweep(
            "straggler",
            "A straggler, from 1x to 100x",
            "Simulated time to accuracy 1e-3 as one of sixteen nodes gets slower.\n" + limits,
            "world.nodes.slowness.0",
            {f"{k}x": k for k in SLOWNESS},
        ),
        "latency": sweep(
            "latency",
            "Latency, from nothing to a gradient's time",
            "Simulated time to accuracy 1e-3 as messages take longer, in mean gradient\n"
            "intervals. " + limits,
            "world.links.latency",
            {f"{k:g}": k for k in LATENCIES},
        ),
        "loss": sweep(
            "loss",
            "Loss, from 0 to 30 %",
            "Simulated time to accuracy 1e-3 as more exchanges are lost, noticed by both ends.\n"
            + limits,
            "world.links.loss.probability",
            {f"{k:.0%}": k for k in LOSSES},
        ),
        "churn": sweep(
            "churn",
            "Churn",
            "Simulated time to accuracy 1e-3 as nodes crash more often: a node's mean time\n"
            "between crashes, each of 20. " + limits,
            "world.nodes.crashes.every",
            {f"every {k}": k for k in CRASHES},
        ),
    }
    pictures = [
        timeline(
            "timeline-asynchronous",
            "Time of the nodes: asynchronous",
            "DADAO on sixteen edge devices. Bars are gradients, lines messages from the node and\n"
            "time of sending to those of arrival. Everyone works at the pace of the slowest,\n"
            "node 13; in between a node idles, or is gone, and nobody waits for anybody.",
            "DADAO, rescaled",
            20.0,
        ),
        timeline(
            "timeline-synchronous",
            "Time of the nodes: synchronous",
            "Gradient tracking in the same world: a round ends when the slowest node has computed\n"
            "and every message has arrived. In the first the nodes compute two gradients, for the\n"
            "method starts from one. Hatched is a node that is gone: everyone waits for it.",
            "gradient_tracking",
            60.0,
        ),
    ]
    for name in WORLD_SCENARIOS:
        pictures.append(scenario_picture(name))
        if (short := name.removeprefix("world/")) in sweeps:
            pictures.append(sweeps[short])
    return [*pictures, load_per_link()]
