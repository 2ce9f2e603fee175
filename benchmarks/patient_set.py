"""DADAO's set `patient` where messages take time, beside gradient tracking, on held-out settings.

python benchmarks/patient_set.py                 latency 0.3 and 1, about ten minutes on two cores
python benchmarks/patient_set.py --set latency   another set of constants than `patient`
python benchmarks/patient_set.py --latency 0.3   one latency, in mean gradient intervals
python benchmarks/patient_set.py --only 12       one setting, by its number in constant_sets.py
python benchmarks/patient_set.py --map           graph x latency x set, as tab-separated rows
python benchmarks/patient_set.py --tried         other factors, where `patient` loses or diverges
python benchmarks/patient_set.py --rates         latency x exchange rate x set, beside rounds
python benchmarks/patient_set.py --links         one slow link among fast ones

Gradients take exponential times, and are of the place where they began; every message arrives after
the latency. Medians over three repeats to an accuracy of 1e-6. Gradient tracking, whose rounds wait
for the slowest node and twice for the latency, is played for five times as long as `patient` took.
"""

import argparse
import math
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from constant_sets import (
    REPEATS,
    SETTINGS,
    Section,
    Setting,
    Spent,
    drawn,
    on,
    scenario,
    sets,
    spent,
)

from dadao_sim import simulate
from dadao_sim.networks.graphs import build

LATENCIES = (0.3, 1.0)
HORIZON = 10_000
RIVAL, PATIENCE = "gradient_tracking", 5
NUMBERS = tuple(
    number for number, setting in enumerate(SETTINGS, 1) if "sequence" not in setting.network
)
MAP_SETS = ("paper", "fast", "frugal", "patient")
MAP_LATENCIES, MAP_HORIZON = (0.03, 0.1, 0.3, 1.0), 3000
MAP_GRAPHS = (
    on("star", 16),
    on("grid_2d", 25),
    on("random_geometric", 30),
    on("cycle", 16),
    on("barbell", 16),
    on("path", 16),
)
RATE_SETS = (*MAP_SETS, "latency")
RATES, RATE_LATENCIES = (0.3, 1.0, 3.0), (0.0, 0.03, 0.1, 0.3, 1.0)
GEANT = {"file": str(Path(__file__).parent.parent / "graphs" / "geant2012.graphml")}
RATE_GRAPHS = {
    "star 16": on("star", 16),
    "path 16": on("path", 16),
    "cycle 16": on("cycle", 16),
    "GEANT 40": GEANT,
}
ROUNDS = ("gradient_tracking", "opapc", "mudag")
# One link takes a gradient interval, the others a hundredth of it.
SLOW, QUICK, LINKS_HORIZON = 1.0, 0.01, 6000
SLOW_LINKS = {"cycle": (0, 1), "star": (0, 4), "path": (7, 8)}
PRICED = {"method": "optimal", "cost": "late"}
ANSWERS: tuple[tuple[str, Section], ...] = (
    ("paper auto", {"time_unit": "auto"}),
    ("paper auto, priced", {"time_unit": "auto", "rates": PRICED}),
    ("fast auto, priced", {"constants": "fast", "time_unit": "auto", "rates": PRICED}),
    ("patient", {"constants": "patient"}),
    ("latency", {"constants": "latency"}),
    ("latency, priced", {"constants": "latency", "rates": PRICED}),
)
# Stable on longer cycles, larger barbells and trees at a latency of 1, and slower.
STEADY = {
    **{"total_rate": 0.498, "nu": 4.04, "eta": 5.56, "eta_tilde": 0.746, "alpha": 0.287},
    **{"alpha_tilde": 0.0159, "theta": 0.413, "beta": 0.0775, "beta_tilde": 0.00435, "gamma": 1.65},
    **{"gamma_tilde": 1.09, "delta": 0.434, "delta_tilde": 0.434},
}
# By CMA-ES on runs of one setting.
ON_21 = {
    **{"total_rate": 0.993, "nu": 2.72, "eta": 7.11, "eta_tilde": 0.218, "alpha": 0.265},
    **{"alpha_tilde": 0.00505, "theta": 0.699, "beta": 0.103, "beta_tilde": 0.0929, "gamma": 3.85},
    **{"gamma_tilde": 0.676, "delta": 1.01, "delta_tilde": 1.01},
}
ON_19 = {
    **{"total_rate": 1.2, "nu": 1.4, "eta": 10.9, "eta_tilde": 0.169, "alpha": 0.44},
    **{"alpha_tilde": 0.0107, "theta": 0.894, "beta": 0.0503, "beta_tilde": 0.0863, "gamma": 4.14},
    **{"gamma_tilde": 1.79, "delta": 0.852, "delta_tilde": 0.852},
}


class Tried(NamedTuple):
    """Factors that are not shipped, and where they do what ``patient`` does not."""

    name: str
    latency: float
    numbers: tuple[int, ...]
    constants: dict[str, float]


TRIED = (
    Tried("steady", 1.0, (9, 16, 25, 29, 8, 19), STEADY),
    Tried("steady", 0.3, (17, 22, 31, 32), STEADY),
    Tried("found on 21", 0.3, (21, 9), ON_21),
    Tried("found on 19", 0.3, (19, 9), ON_19),
)


class Row(NamedTuple):
    """What one set came to on one graph at one latency."""

    latency: float
    set: str
    graph: str
    reached: int
    communications: float
    time: float


def delayed(latency: float) -> Section:
    """A world in which messages take ``latency`` mean gradient intervals."""
    return {
        "nodes": {
            "gradient": {"kind": "exponential", "mean": 1.0},
            "pause": {"kind": "constant", "mean": 0.0},
        },
        "links": {"latency": latency},
    }


def rows(
    latencies: Iterable[float] = MAP_LATENCIES,
    names: Iterable[str] = MAP_SETS,
    graphs: Iterable[Section] = MAP_GRAPHS,
    horizon: float = MAP_HORIZON,
) -> Iterator[Row]:
    """The map of what converges: a row per graph, latency and set; infinite where the median of
    three repeats did not get there by ``horizon``.
    """
    for graph in graphs:
        for latency in latencies:
            setting = Setting(graph, drawn("least_squares", 30))
            asked = scenario(setting, sets(names), horizon, world=delayed(latency))
            label = f"{graph['graph']} {graph['nodes']}"
            for name, its in spent(simulate(asked)).items():
                yield Row(latency, name, label, its.reached, its.communications, its.time)


def at_rates() -> Iterator[Section]:
    """What the second map compares: each set at each rate, its unit of time stretched, and methods
    of rounds.
    """
    for name in RATE_SETS:
        for rate in RATES:
            yield sets([name])[0] | {"rate_factor": rate, "label": f"{name} x {rate:g}"}
    for name in MAP_SETS:
        yield sets([name])[0] | {"time_unit": "auto", "label": f"{name} auto"}
    for name in ROUNDS:
        yield {"name": name, "label": name}


def rate_map(graphs: Iterable[str]) -> None:
    """Print for each graph the time to 1e-6, by latency: x where a repeat diverged, - where one was
    not there by ``MAP_HORIZON``.
    """
    for label in graphs:
        print(f"{label:20}" + "".join(f"{latency:>8g}" for latency in RATE_LATENCIES))
        setting = Setting(RATE_GRAPHS[label], drawn("least_squares", 30))
        for algorithm in at_rates():
            print(f"{algorithm['label']:20}", end="")
            for latency in RATE_LATENCIES:
                asked = scenario(setting, [algorithm], MAP_HORIZON, world=delayed(latency))
                print(f"{said(*spent(simulate(asked)).values()):>8}", end="", flush=True)
            print()


def with_slow_links(folder: Path) -> None:
    """Print what answers come to where one link of sixteen nodes is slow: time, communications, the
    unit of time and the load of the links.
    """
    for graph, slow in SLOW_LINKS.items():
        table, network = folder / f"{graph}.csv", on(graph, 16)
        edges = build(graph, 16, np.random.default_rng(0)).edges.tolist()
        lines = [f"{i},{j},{SLOW if {i, j} == set(slow) else QUICK}" for i, j in edges]
        table.write_text("\n".join(["one,other,late", *lines]) + "\n")
        setting = Setting({**network, "edge_table": str(table)}, drawn("least_squares", 30))
        world = delayed(0.0) | {"links": {"latency": {"attribute": "late"}}}
        print(f"{graph:20}{'time':>8}{'comm':>10}{'unit':>8}{'load':>8}")
        answers = [{"name": "dadao", "label": label, **given} for label, given in ANSWERS]
        for algorithm in (*answers, *({"name": name, "label": name} for name in ROUNDS)):
            result = simulate(scenario(setting, [algorithm], LINKS_HORIZON, world=world))
            (its,) = spent(result).values()
            constants = result.manifest["runs"][0]["constants"]
            print(f"{algorithm['label']:20}{said(its):>8}", end="")
            print(f"{its.communications:10.0f}" if its.reached == REPEATS else f"{'-':>10}", end="")
            unit, load = (constants.get(name) for name in ("time_unit", "load"))
            print(
                "".join(f"{'-' if x is None else f'{x:.3g}':>8}" for x in (unit, load)), flush=True
            )


def said(its: Spent) -> str:
    """A time, or why there is none."""
    if its.reached == REPEATS:
        return f"{its.time:.0f}"
    return "x" if its.diverged else "-"


def compared(number: int, latency: float, name: str) -> tuple[int, Spent, Spent, float]:
    """What the set ``name`` and gradient tracking spent, and until when the latter was played."""
    setting = SETTINGS[number - 1]
    world = delayed(latency)
    unit = "auto" if name == "latency" else "given"  # auto: where there is too much for it
    asked = scenario(setting, sets([name], time_unit=unit), HORIZON, world=world)
    ours = spent(simulate(asked))[name]
    end = min(PATIENCE * ours.time, 3 * HORIZON)
    theirs = spent(simulate(scenario(setting, [RIVAL], end, world=world)))[RIVAL]
    return number, ours, theirs, end


def table(found: Iterable[tuple[int, Spent, Spent, float]], latency: float, name: str) -> None:
    """Print a line for each setting, and what all of them come to."""
    print(f"latency {latency:g}{name:>54}{'gradient tracking':>22}")
    print(f"{'':3}{'setting':45}{'reached':>8}{'comm':>10}{'time':>7}{'time':>11}{'ratio':>9}")
    reached, diverged, sooner, ratios = 0, 0, 0, []
    for number, ours, theirs, end in found:
        print(f"{number:2} {SETTINGS[number - 1]!s:45}{ours.reached:>6}/3", end="")
        reached += ours.reached == 3
        diverged += ours.diverged
        if not math.isfinite(ours.time):
            print(f"{'-':>10}{'-':>7}", flush=True)
            continue
        sooner += ours.time < min(theirs.time, end)
        known = math.isfinite(theirs.time)
        ratios.append(min(theirs.time, end) / ours.time)
        print(f"{ours.communications:10.0f}{ours.time:7.0f}", end="")
        print(f"{'' if known else '>':>5}{min(theirs.time, end):6.0f}", end="")
        print(f"{'' if known else '>':>4}{ratios[-1]:5.1f}", flush=True)
    print(
        f"latency {latency:g}: all three repeats reached 1e-6 on {reached} settings, runs that "
        f"diverged: {diverged}; sooner than gradient tracking on {sooner}, "
        f"in the median at least {median(ratios) if ratios else 0:.1f} times"
    )


def tried() -> None:
    """Print what ``patient`` and other factors come to, where these are sooner or more stable."""
    print(
        f"{'latency':9}{'setting':45}{'factors':14}{'time (reached, diverged)':>26}{'patient':>16}"
    )
    for name, latency, numbers, constants in TRIED:
        for number in numbers:
            algorithms = [*sets(["patient"]), {**sets([name])[0], "constants": constants}]
            asked = scenario(SETTINGS[number - 1], algorithms, HORIZON, world=delayed(latency))
            found = spent(simulate(asked))
            print(f"{latency:<9g}{number:2} {SETTINGS[number - 1]!s:45}{name:12}", end="")
            for label, width in ((name, 22), ("patient", 16)):
                its = found[label]
                time = f"{its.time:.0f}" if math.isfinite(its.time) else "-"
                print(f"{time} ({its.reached},{its.diverged})".rjust(width), end="")
            print(flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", type=int, choices=NUMBERS, metavar="N", help="this setting")
    options.add_argument("--latency", type=float, metavar="L", help="this one alone")
    options.add_argument("--jobs", type=int, default=1, metavar="J", help="settings at once")
    options.add_argument("--set", choices=RATE_SETS, default="patient", help="of constants")
    options.add_argument("--map", action="store_true", help="graph x latency x set")
    options.add_argument("--tried", action="store_true", help="other factors instead")
    options.add_argument("--rates", action="store_true", help="latency x exchange rate x set")
    options.add_argument("--links", action="store_true", help="one slow link among fast ones")
    given = options.parse_args()
    if given.tried:
        tried()
        return
    if given.links:
        with TemporaryDirectory() as folder:
            with_slow_links(Path(folder))
        return
    if given.rates:
        rate_map(RATE_GRAPHS)
        return
    latencies = LATENCIES if given.latency is None else (given.latency,)
    if given.map:
        print("\t".join(Row._fields))
        for row in rows(MAP_LATENCIES if given.latency is None else latencies):
            print("\t".join(f"{x:g}" if isinstance(x, float) else str(x) for x in row), flush=True)
        return
    numbers = NUMBERS if given.only is None else (given.only,)
    with ProcessPoolExecutor(given.jobs) as pool:
        for latency in latencies:
            found = pool.map(partial(compared, latency=latency, name=given.set), numbers)
            table(found, latency, given.set)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
