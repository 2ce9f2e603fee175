"""DADAO's sets of constants against those of its paper, on settings that no search has seen.

python benchmarks/constant_sets.py              everything, about two minutes on one core
python benchmarks/constant_sets.py --only 12    one setting, by number
python benchmarks/constant_sets.py --world      a few settings in the worlds of the presets
python benchmarks/constant_sets.py --noise      where minibatches leave each set

Communications and time to an accuracy of 1e-6, medians over three repeats, each with data, network
and clocks of its own. docs/constant-sets.md has the tables.
"""

import argparse
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import Any, NamedTuple

from dadao_sim import Result, simulate

ACCURACY = 1e-6
REPEATS = 3
SETS = ("paper", "fast", "frugal")
# Least factors that are asked for: in the median, and of every setting.
CLAIMED = {"fast": (3.5, 2.5), "frugal": (5.0, 4.0)}
PRESETS = ("datacenter", "wan", "edge_devices")

Section = dict[str, Any]


class Setting(NamedTuple):
    """A network and a problem on it."""

    network: Section
    problem: Section

    def __str__(self) -> str:
        inner = self.network.get("sequence", self.network)
        graph = f"{inner['graph']} {inner['nodes']}"
        if inner is not self.network:
            graph = f"{inner['length']} x {graph}"
        data = self.problem["data"]
        said = [self.problem["kind"]]
        if data["kind"] != "synthetic":
            said.append(data["kind"])
        if "condition_number" in data:
            said += [f"{data['condition_number']:g}", data["hessians"]]
        return f"{graph}: {' '.join(said)}"


def drawn(
    kind: str, kappa: float | None = None, hessians: str = "aligned", **given: Any
) -> Section:
    """A problem on samples drawn at the nodes, with L/mu if one is given."""
    data: Section = {"kind": "synthetic", "dim": 5, "samples_per_node": 20}
    if kappa is not None:
        data |= {"condition_number": kappa, "hessians": hessians}
    return {"kind": kind, "data": data, **given}


def real(kind: str, data: str, partition: str = "iid", **given: Any) -> Section:
    """A problem on a data set of scikit-learn."""
    return {"kind": kind, "data": {"kind": data}, "partition": {"kind": partition}, **given}


def on(graph: str, nodes: int, **options: Any) -> Section:
    """A network by name."""
    return {"graph": graph, "nodes": nodes, **options}


def sequence(graph: str, nodes: int, length: int, **options: Any) -> Section:
    """Networks that take turns."""
    return {"sequence": {**on(graph, nodes, **options), "length": length}}


TREE = {"attach": 1}  # of Barabasi and Albert: every new node is joined to one
SETTINGS = (
    Setting(on("path", 16), drawn("least_squares", 10)),
    Setting(on("path", 24), drawn("least_squares", 100, "random")),
    Setting(on("path", 12), drawn("ridge", 1000)),
    Setting(on("star", 16), drawn("least_squares", 30)),
    Setting(on("star", 32), drawn("ridge", 100, "random")),
    Setting(on("star", 20), drawn("logistic_l2", mu=0.05)),
    Setting(on("cycle", 12), drawn("least_squares", 1000)),
    Setting(on("cycle", 32), drawn("least_squares", 100)),
    Setting(on("cycle", 64), drawn("least_squares", 10, "random")),
    Setting(on("cycle", 20), drawn("huber_l2", mu=0.05)),
    Setting(on("grid_2d", 25), drawn("least_squares", 30, "random")),
    Setting(on("grid_2d", 36), drawn("ridge", 300)),
    Setting(on("grid_2d", 16), drawn("logistic_l2", mu=0.02)),
    Setting(on("barbell", 16), drawn("least_squares", 30)),
    Setting(on("barbell", 20), drawn("logistic_l2", mu=0.05)),
    Setting(on("barbell", 32), drawn("least_squares", 100, "random")),
    Setting(on("complete", 10), drawn("least_squares", 100)),
    Setting(on("complete", 32), drawn("ridge", 1000, "random")),
    Setting(on("complete", 64), drawn("least_squares", 10)),
    Setting(on("erdos_renyi", 20), real("ridge", "diabetes", mu=0.1)),
    Setting(on("erdos_renyi", 30), drawn("least_squares", 300, "random")),
    Setting(on("erdos_renyi", 48), drawn("huber_l2", 50)),
    Setting(on("random_geometric", 30), drawn("least_squares", 100)),
    Setting(on("random_geometric", 40), real("logistic_l2", "breast_cancer", mu=0.1)),
    Setting(on("random_geometric", 64), drawn("least_squares", 30, "random")),
    Setting(on("watts_strogatz", 24), drawn("least_squares", 100)),
    Setting(on("watts_strogatz", 40), real("logistic_l2", "digits", mu=0.1)),
    Setting(on("barabasi_albert", 24, **TREE), drawn("least_squares", 30)),
    Setting(on("barabasi_albert", 40, **TREE), drawn("ridge", 100, "random")),
    Setting(on("cycle", 24), real("logistic_l2", "breast_cancer", "sorted", mu=0.1)),
    Setting(on("grid_2d", 16), real("huber_l2", "diabetes", mu=0.1)),
    Setting(on("watts_strogatz", 16), real("ridge", "digits", mu=1.0)),
    Setting(sequence("random_geometric", 20, 4), drawn("least_squares", 100)),
    Setting(sequence("erdos_renyi", 16, 5), drawn("logistic_l2", mu=0.05)),
    Setting(sequence("watts_strogatz", 30, 3), drawn("ridge", 30, "random")),
    Setting(sequence("barabasi_albert", 12, 6, **TREE), drawn("least_squares", 10)),
)
IN_WORLDS, WORLD_TIME = (4, 8, 11, 28), 5_000  # numbers of settings
NOISY, BATCHES, NOISY_TIME = (4, 6, 8, 11, 14), (1, 5, 10), 2_000


class Spent(NamedTuple):
    """What a set spent to the accuracy, and how often it got there and diverged."""

    communications: float
    time: float
    reached: int
    diverged: int


def scenario(setting: Setting, algorithms: list[Any], time: float, **given: Any) -> Section:
    """The setting as a scenario."""
    return {
        "name": "constant-sets",
        "repeats": REPEATS,
        "problem": setting.problem,
        "network": setting.network,
        "algorithms": algorithms,
        "stop": {"time": time, "accuracy": ACCURACY},
        "record": {"points": 2000},
        "report": {"accuracies": [ACCURACY]},
        **given,
    }


def spent(result: Result) -> dict[str, Spent]:
    """What each algorithm spent, by label."""
    runs = result.runs
    found = {}
    for row in result.summary.itertuples():
        ended = runs[runs.algorithm == row.algorithm].status
        found[row.algorithm] = Spent(
            row.communications_median,
            row.time_median,
            row.reached,
            int((ended == "diverged").sum()),
        )
    return found


def sets(names: Iterable[str] = SETS, **given: Any) -> list[Section]:
    """DADAO with each set, labelled by its name."""
    return [{"name": "dadao", "constants": name, "label": name, **given} for name in names]


def compared(number: int) -> tuple[int, float, dict[str, Spent]]:
    """A setting by its number, its L/mu in the median, and what each set spent there."""
    setting = SETTINGS[number - 1]
    result = simulate(scenario(setting, sets(), 50_000))
    conditions = result.manifest["problem"]["conditions"]
    return number, median(one["nodes"] for one in conditions.values()), spent(result)


def table(found: Iterable[tuple[int, float, Mapping[str, Spent]]]) -> None:
    """Print what was spent, and how many times less than with the paper's constants."""
    print(f"{'':49}{'paper':>17}{'fast':>17}{'ratios':>13}{'frugal':>17}{'ratios':>13}")
    print(f"{'':3}{'setting':40}{'L/mu':>6}", end="")
    print(f"{'comm':>10}{'time':>7}" + 2 * f"{'comm':>10}{'time':>7}{'comm':>7}{'time':>6}")
    fewer: dict[str, list[float]] = {name: [] for name in CLAIMED}
    sooner: dict[str, list[float]] = {name: [] for name in CLAIMED}
    diverged = 0
    for number, kappa, by_set in found:
        paper = by_set["paper"]
        print(f"{number:2} {SETTINGS[number - 1]!s:40}{kappa:6.0f}", end="")
        print(f"{paper.communications:10.0f}{paper.time:7.0f}", end="")
        for name in CLAIMED:
            its = by_set[name]
            diverged += its.diverged
            fewer[name].append(paper.communications / its.communications)
            sooner[name].append(paper.time / its.time)
            print(f"{its.communications:10.0f}{its.time:7.0f}", end="")
            print(f"{fewer[name][-1]:7.2f}{sooner[name][-1]:6.2f}", end="")
        print(flush=True)
    if len(fewer["fast"]) < len(SETTINGS):
        return
    for name, (in_median, everywhere) in CLAIMED.items():
        met = median(fewer[name]) >= in_median and min(fewer[name]) >= everywhere
        missed = sum(ratio < everywhere for ratio in fewer[name])
        print(
            f"{name}: {median(fewer[name]):.2f} times fewer communications in the median, "
            f"{min(fewer[name]):.2f} at worst, {max(fewer[name]):.2f} at best; "
            f"{median(sooner[name]):.2f} times less time, {min(sooner[name]):.2f} at worst; "
            f"at least {in_median:g} and {everywhere:g} fewer "
            f"{'met' if met else f'MISSED ({missed} below {everywhere:g})'}"
        )
    print(f"settings: {len(fewer['fast'])}, runs of fast and frugal that diverged: {diverged}")


def in_worlds() -> None:
    """Print what becomes of the sets, and of gradient tracking, in the worlds of the presets."""
    names = (*SETS, "patient")
    print(f"{'time to 1e-6 (repeats reached, diverged)':53}{'unit':6}", end="")
    print("".join(f"{label:>14}" for label in (*names, "tracking")))
    for preset in PRESETS:
        for number in IN_WORLDS:
            setting = SETTINGS[number - 1]
            # Among the machines of a data centre there is nothing to stretch.
            for unit in ("given",) if preset == "datacenter" else ("given", "auto"):
                world: Section = {"preset": preset, "time_unit": unit}
                if preset == "wan":  # its links of unknown length
                    links = {"latency": 5e-4 + 500 * 4.9e-6, "unknown_length_km": None}
                    world["links"] = links | {"latency_per_km": None}
                rival = {"name": "gradient_tracking", "label": "tracking"}
                asked = scenario(setting, [*sets(names), rival], WORLD_TIME, world=world)
                found = spent(simulate(asked))
                print(f"{preset:13}{number:2} {setting!s:37}{unit:6}", end="")
                for label in (*names, "tracking"):
                    its = found[label]
                    time = f"{its.time:.0f}" if math.isfinite(its.time) else "-"
                    print(f"{time:>7} ({its.reached},{its.diverged}) ".rjust(14), end="")
                print(flush=True)


def plateaus() -> None:
    """Print where minibatches leave each set, alone and relative to the paper's."""
    print(f"{'mean accuracy of the last half, of 20 samples':45}{'batch':>6}", end="")
    print("".join(f"{name:>11}" for name in SETS) + f"{'fast':>9}{'frugal':>9} times the paper's")
    for number in NOISY:
        setting = SETTINGS[number - 1]
        for batch in BATCHES:
            asked = scenario(setting, sets(batch_size=batch), NOISY_TIME)
            asked |= {"stop": {"time": NOISY_TIME}, "record": {"points": 400, "spacing": "linear"}}
            result = simulate(asked)
            runs, curves = result.runs, result.curves
            late = curves[curves.time > NOISY_TIME / 2].groupby("algorithm").accuracy.mean()
            for name in set(runs[runs.status == "diverged"].algorithm):
                late[name] = math.inf
            print(f"{number:2} {setting!s:42}{batch:6}", end="")
            print("".join(f"{late[name]:11.2g}" for name in SETS), end="")
            print("".join(f"{late[name] / late['paper']:9.1f}" for name in CLAIMED), flush=True)


def each(numbers: Iterable[int], jobs: int) -> Iterator[tuple[int, float, dict[str, Spent]]]:
    """The settings, ``jobs`` at a time, in their order."""
    if jobs == 1:
        yield from map(compared, numbers)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(compared, numbers)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", type=int, metavar="N", help="this setting alone")
    options.add_argument("--jobs", type=int, default=1, metavar="J", help="settings at once")
    options.add_argument("--world", action="store_true", help="the presets' worlds instead")
    options.add_argument("--noise", action="store_true", help="minibatches instead")
    given = options.parse_args()
    if given.only is not None and not 1 <= given.only <= len(SETTINGS):
        options.error(f"--only: there are settings 1 to {len(SETTINGS)}, not {given.only}")
    if given.world:
        in_worlds()
    elif given.noise:
        plateaus()
    else:
        numbers = range(1, len(SETTINGS) + 1) if given.only is None else [given.only]
        table(each(numbers, given.jobs))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
