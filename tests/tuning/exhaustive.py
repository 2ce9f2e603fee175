"""A search held against an exhaustive one on a finer grid: how much more the best costs that it
finds, method by method.

    python tests/tuning/exhaustive.py [METHOD ...]      quickstart; all methods, one repeat

With one constant the grid has 8 points per octave; with two, 2 per octave of each, over as many
octaves as a search that is extended on all sides, and then 8 around the best of them.
"""

import itertools
import sys
import time

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.study import Study
from dadao_sim.tuning.evaluate import Task, evaluate
from dadao_sim.tuning.search import REVERSED, best_of
from dadao_sim.tuning.tune import tune

AT_ONCE = 64


def steps(low, high, per_octave):
    """Exponents from ``low`` to ``high``."""
    return [k / per_octave for k in range(round(low * per_octave), round(high * per_octave) + 1)]


def exhaustive_best(scenario, names, goal, found):
    """The best cost of the finer grid, on the repeats that ``scenario`` has."""
    study = Study(scenario)
    spec = scenario.algorithms[0]
    played = {}

    def play(points):
        points = [point for point in points if point not in played]
        for first in range(0, len(points), AT_ONCE):
            some = tuple(points[first : first + AT_ONCE])
            runs = [
                evaluate(Task(scenario, spec, r, study.parts(r), names, some))
                for r in range(scenario.repeats)
            ]
            for point, *of_repeats in zip(some, *runs, strict=True):
                played[point] = goal.key(of_repeats)

    if len(names) == 1:
        play((x,) for x in steps(-7, 10, 8))
    else:
        sides = [(-6, 4) if name in REVERSED else (-4, 6) for name in names]
        play(itertools.product(*(steps(*side, 2) for side in sides)))
        for _ in range(2):  # twice: the best may lie on the edge of the first
            best = best_of(played)
            play(
                itertools.product(
                    *(steps(round(8 * x) / 8 - 0.5, round(8 * x) / 8 + 0.5, 8) for x in best)
                )
            )
    return played[best_of(played)]


def compare(scenario):
    """The keys found by a search and by the finer grid, of a scenario of one algorithm."""
    tuned = tune(scenario)
    (one,) = tuned.algorithms
    on = scenario.model_copy(
        update={
            "seed": tuned.seed,
            "stop": scenario.stop.model_copy(update={"accuracy": tuned.goal.accuracy}),
        }
    )
    finer = exhaustive_best(on, one.names, tuned.goal, one.found)
    return one, tuned.goal.key(one.evaluations[one.found.best]), finer


def quickstart(method, repeats=1):
    """The quickstart with one method, on a problem it is for, and limits that all come to."""
    scenario = load_scenario("quickstart").to_mapping()
    scenario |= {"algorithms": [method], "repeats": repeats}
    scenario["stop"] |= {"communications": 400_000}
    if METHODS[method].needs_l2:
        scenario["problem"] |= {"kind": "ridge"}
    if METHODS[method].needs_averaging:
        data = {"kind": "synthetic", "dim": 10, "samples_per_node": 50}
        scenario["problem"] = {"kind": "averaging", "data": data}
    return scenario_from_mapping(scenario)


def main(names):
    for name in names or METHODS:
        if not METHODS[name].tunable:
            print(f"{name}: no constants to tune", flush=True)
            continue
        begun = time.perf_counter()
        try:
            one, found, finer = compare(quickstart(name))
        except InputError as error:
            print(f"{name}: {error}", flush=True)
            continue
        ratio = found[1] / finer[1] if finer[1] < float("inf") else found[2] / finer[2]
        what = "cost" if finer[1] < float("inf") else "accuracy"
        print(
            f"{name:26s} {'/'.join(one.names):18s} {what} {ratio:.3f}  {one.found.edge:12s}"
            f" {found} {finer} {time.perf_counter() - begun:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
