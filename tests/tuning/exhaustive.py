"""A search held against an exhaustive one on a finer grid: how much more the best constants that it
finds cost, method by method, on the quickstart.

    python tests/tuning/exhaustive.py [METHOD ...] [--repeats N]      all methods by default

With one constant the grid has 8 points per octave, with two 2 per octave of each; and then 64, or
8, around the best of them and around what the search found, which is not of the grid. It reaches as
far as a search that is extended does. A run that has cost half as much again as the constants of
the search is broken off, and what misses in the first repeat is not played in the others: it cannot
be the best. The constants of the search are played again with that limit, so that all are sampled
alike.

Methods with a plateau never come to the accuracy of the quickstart: there the errors after 40 000
gradients or communications are compared, and once more the costs to an accuracy that all reach.

The best of many noisy runs is lucky. Where the search seems to be worse by more than a tenth, both
constants are played in 60 other repeats, and what is compared is the geometric mean there. A point
that misses there what the search's constants reach is passed over for the next best.
"""

import argparse
import itertools
import math
import statistics
import sys
import time
from dataclasses import dataclass, replace

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.study import Study
from dadao_sim.tuning.evaluate import Task, evaluate
from dadao_sim.tuning.search import REVERSED, best_of
from dadao_sim.tuning.tune import another_seed, tune
from dadao_sim.tuning.tuned import accuracies

AT_ONCE = 64
GOOD, FRESH = 1.1, 60
ONE = (-14.5, 18.0)  # octaves that a search reaches when it is extended
TWO = (-4.0, 6.0), (-8.0, 10.0)  # at first, and as far as a search that is extended
MOST, MOST_OF_PLATEAU = 400_000, 40_000  # gradients, communications: all that arrive need less
PLATEAU = frozenset(
    {"atc_diffusion", "dgd", "d_psgd", "fedavg", "local_sgd", "choco_sgd", "ad_psgd", "a2cid2"}
)
"""What stops near x* at a distance that its step sets."""
REACHED = 1e-2
"""An accuracy of the quickstart's that they reach."""
TUNABLE = [name for name in METHODS.ours if METHODS[name].tunable]
CASES = [(name, None) for name in TUNABLE] + [(n, REACHED) for n in TUNABLE if n in PLATEAU]


@dataclass(frozen=True)
class Comparison:
    """Of the constants ``names`` what the search found and the best of the finer grid: points, and
    their keys.
    """

    names: tuple[str, ...]
    accuracy: float
    edge: str
    found: tuple
    best: tuple
    of_found: tuple
    of_best: tuple
    fresh: tuple | None = None  # the ratio in other repeats, its standard error

    @property
    def reaches(self):
        """Whether the finer grid comes to the accuracy: else the errors at the end are compared."""
        return math.isfinite(self.of_best[1])

    @property
    def ratio(self):
        """Of what was found to what the finer grid has: costs, or errors at the end."""
        return self.ratio_here if self.fresh is None else self.fresh[0]

    @property
    def ratio_here(self):
        """In the repeats that were tuned on."""
        if self.of_found[0] > self.of_best[0]:
            return math.inf  # misses the accuracy in more repeats
        measure = 1 if self.reaches else 2
        return self.of_found[measure] / self.of_best[measure]


def steps(low, high, per_octave):
    """Exponents from ``low`` to ``high``."""
    return [k / per_octave for k in range(round(low * per_octave), round(high * per_octave) + 1)]


def exhaustive(scenario, names, goal, found, *, arrives):
    """The keys of the points of the finer grid, and the key of ``found``, which ``arrives``."""
    study = Study(scenario)
    spec = scenario.algorithms[0]
    label = spec.label
    played = {}

    def play(points):
        points = [point for point in dict.fromkeys(points) if point not in played]
        for first in range(0, len(points), AT_ONCE):
            some = tuple(points[first : first + AT_ONCE])
            runs = {point: [] for point in some}
            for r in range(scenario.repeats):
                task = Task(scenario, spec, r, study.parts(r), names, some)
                for point, row in zip(some, evaluate(task), strict=True):
                    runs[point].append(row)
                if arrives:
                    some = tuple(p for p in some if math.isfinite(goal.cost(label, runs[p][-1])))
            played.update((point, goal.key(label, rows)) for point, rows in runs.items())

    play([found])
    of_found = played.pop(found)
    if len(names) == 1:
        play((x,) for x in steps(*ONE, 8))
        for (x,) in (found, best_of(played)):
            near = round(64 * x) / 64
            play((x,) for x in steps(near - 0.25, near + 0.25, 64))
        return played, of_found
    first, widest = ([side(name, *octaves) for name in names] for octaves in TWO)
    play(itertools.product(*(steps(*octaves, 2) for octaves in first)))
    for octaves in (first, first):  # an edge of the grid, and then the edge beside it
        best = best_of(played)
        for k, (x, (low, high)) in enumerate(zip(best, octaves, strict=True)):
            octaves[k] = (low if x > low else widest[k][0], high if x < high else widest[k][1])
        play(itertools.product(*(steps(*side, 2) for side in octaves)))
    for centre in (found, best_of(played), None):  # None: the best of them all
        near = [round(8 * x) / 8 for x in centre or best_of(played)]
        play(
            itertools.product(
                *(
                    steps(max(x - 0.5, low), min(x + 0.5, high), 8)
                    for x, (low, high) in zip(near, widest, strict=True)
                )
            )
        )
    return played, of_found


def side(name, low, high):
    """The octaves of a constant: reversed where smaller values are bolder."""
    return (-high, -low) if name in REVERSED else (low, high)


def compare(scenario, accuracy=None):
    """A search and the finer grid, of a scenario of one algorithm."""
    tuned = tune(scenario, accuracy=accuracy)
    (one,) = tuned.algorithms
    goal, found = tuned.goal, one.found.best
    most = 1.5 * max(goal.cost(one.spec.label, row) for row in one.evaluations[found])
    arrives = math.isfinite(most)
    on = limited(scenario, tuned.seed, accuracy=goal.accuracy)
    if arrives:
        per_node = most / scenario.network.nodes
        on = limited(on, tuned.seed, gradients_per_node=per_node, communications=most)
    played, of_found = exhaustive(on, one.names, goal, found, arrives=arrives)
    elsewhere = limited(scenario, another_seed(tuned.seed), accuracy=goal.accuracy)
    of_one = (one.names, goal.accuracy, one.found.edge, found)
    return judged(elsewhere, goal, of_one, of_found, played)


def judged(elsewhere, goal, of_one, of_found, played):
    """The comparison with the best point that is not merely lucky."""
    for point in sorted(played, key=lambda point: (played[point], point)):
        known = Comparison(*of_one, point, of_found, played[point])
        if known.ratio <= GOOD:
            break
        fresh = in_other_repeats(elsewhere, goal, known)
        if fresh is not None:
            return replace(known, fresh=fresh)
    return known


def limited(scenario, seed, **limits):
    """The scenario with another seed and other limits."""
    stop = scenario.stop.model_copy(update=limits)
    return scenario.model_copy(update={"seed": seed, "stop": stop})


def in_other_repeats(scenario, goal, known):
    """How many times as dear what was found is, and the standard error of it; None where the best
    of the finer grid misses what the other reaches, infinite the other way round.
    """
    study, spec, logs = Study(scenario), scenario.algorithms[0], []
    for r in range(FRESH):
        points = (known.found, known.best)
        rows = evaluate(Task(scenario, spec, r, study.parts(r), known.names, points))
        one, other = (
            goal.cost(spec.label, row) if known.reaches else accuracies([row])[0] for row in rows
        )
        if math.isinf(other) and math.isfinite(one):
            return None
        if math.isinf(one) and math.isfinite(other):
            return math.inf, math.nan
        logs += [math.log(one / other)] if math.isfinite(one) else []
    ratio = math.exp(statistics.fmean(logs))
    return ratio, ratio * statistics.stdev(logs) / math.sqrt(len(logs))


def quickstart(method, repeats=3, most=MOST):
    """The quickstart with one method, on a problem it is for, and limits that all come to."""
    scenario = load_scenario("quickstart").to_mapping()
    scenario |= {"algorithms": [method], "repeats": repeats}
    scenario["stop"] |= {"communications": most, "gradients_per_node": most / 16}
    if METHODS[method].needs_l2:
        scenario["problem"] |= {"kind": "ridge"}
    if METHODS[method].needs_set:
        scenario["local_step"] = {"prox": {"kind": "l2_ball", "radius": 1.0}}
    if METHODS[method].needs_averaging:
        data = {"kind": "synthetic", "dim": 10, "samples_per_node": 50}
        scenario["problem"] = {"kind": "averaging", "data": data}
    if "convex" not in METHODS[method].solves:
        data = {"kind": "synthetic", "dim": 10, "samples_per_node": 50, "condition_number": 30}
        scenario |= {
            "problem": {"kind": "pca", "components": 3, "data": data},
            "start": {"kind": "orthonormal"},
        }
    return scenario_from_mapping(scenario)


def compare_on_quickstart(name, accuracy, repeats=3):
    """One of ``CASES``."""
    most = MOST_OF_PLATEAU if name in PLATEAU and accuracy is None else MOST
    return compare(quickstart(name, repeats, most), accuracy)


def line(name, one):
    """A row of the table."""
    measure = 1 if one.reaches else 2
    what, shown = (f"cost to {one.accuracy:g}", "{:,.0f}") if one.reaches else ("error", "{:.3g}")
    values = [shown.format(key[measure]) for key in (one.of_found, one.of_best)]
    factors = ", ".join(f"{c} x {2.0**x:.3g}" for c, x in zip(one.names, one.found, strict=True))
    ratio = f"{one.ratio_here:.3f}"
    said = [one.edge] if one.edge else []
    if one.fresh is not None:
        said.append("in {} other repeats {:.3f} +- {:.3f}".format(FRESH, *one.fresh))
    return row(METHODS[name].title, what, *values, ratio, factors, ", ".join(said))


def row(title, what, tuned, finer, ratio, factors, said):
    """In columns."""
    numbers = f"{tuned:>9s}{finer:>9s}{ratio:>7s}"
    return f"{title:24s}{what:14s}{numbers}  {factors:34s}{said}".rstrip()


def main():
    """Print the table, a line as it is known."""
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    print(row("method", "what", "tuned", "finer", "ratio", "best factors", "grid"))
    for name, accuracy in CASES:
        if told.methods and name not in told.methods:
            continue
        begun = time.perf_counter()
        print(line(name, compare_on_quickstart(name, accuracy, told.repeats)), flush=True)
        print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr)
    fixed = [METHODS[name].title for name in METHODS.ours if name not in TUNABLE]
    print(f"nothing to tune: {', '.join(fixed)}")


if __name__ == "__main__":
    main()
