"""Where agents meet by shipped surrogates, and how long a gradient takes: docs/systems/meeting.md.

python benchmarks/meeting.py
python benchmarks/meeting.py --horizons

The second: a gradient of the solver where constraints bind, by the horizon.
"""

import argparse
import time
import timeit

import numpy as np

from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.convex_surrogate import load_surrogate
from dadao_sim.problems.kinds.meeting import PLANE, MeetingKind, SurrogateValue

NAMES = ("meeting", "meeting_self")
INSTANCES, AGENTS = 10, 10


def instance(number):
    """Agents that nothing was learned from."""
    return build_problem(MeetingKind(kind="meeting"), AGENTS, np.random.default_rng([77, number]))


def losses():
    """F/F* - 1 where each surrogate leads, beside the mean of the positions, and how far it is."""
    print(f"F/F* - 1 on {INSTANCES} instances     mean     max   distance   V/F - 1 there")
    problems = [instance(number) for number in range(INSTANCES)]
    for name in NAMES:
        rows = []
        for problem in problems:
            other = problem.with_oracle(SurrogateValue(surrogate=name))
            apart = np.linalg.norm(other.found - problem.x_star)
            off = other.surrogate_value(other.found) / other.mean_value(other.found) - 1
            rows.append((other.excess(other.found), apart, off))
        excess, apart, off = np.transpose(rows)
        numbers = f"{excess.mean():9.2%} {excess.max():7.2%} {apart.mean():10.3f}"
        print(f"{name:28}{numbers} {off.mean():12.1%}")
    of_mean = np.array([one.excess(one.mean_of_positions) for one in problems])
    print(f"{'mean of the positions':28}{of_mean.mean():9.2%} {of_mean.max():7.2%}")


def times():
    """Of a gradient of all agents, and of one by NumPy."""
    exact = instance(0)
    other = exact.with_oracle(SurrogateValue(surrogate="meeting"))
    V, _ = load_surrogate("meeting")
    X = np.random.default_rng(0).uniform(-2, 2, (AGENTS, PLANE))
    theta = exact.exact.theta(0, X[0])[None]
    timed = {
        "solver": (lambda: exact.gradients(X), AGENTS),
        "surrogate, compiled": (lambda: other.surrogate.gradients(X), AGENTS),
        "surrogate, NumPy": (lambda: V.slopes(theta), 1),
    }
    print("\na gradient of one agent        microseconds")
    for name, (call, each) in timed.items():
        call()
        seconds = min(timeit.repeat(call, number=20, repeat=5)) / 20 / each
        print(f"{name:28}{1e6 * seconds:15.1f}")


def horizons():
    """Of weak agents, whose inputs are at their limits most of the time."""
    print("horizon   milliseconds of a gradient, median and largest   constraints that bind")
    for horizon in (6, 12, 20, 30):
        kind = MeetingKind(kind="meeting", horizon=horizon, input_limit=0.1)
        programme, taken, binding = kind.form.programme(), [], []
        programme.solve(np.zeros(4))
        for theta in np.random.default_rng(1).uniform(*kind.box.T, (15, 4)):
            begun = time.perf_counter()
            found = programme.solve(theta)
            taken.append(1e3 * (time.perf_counter() - begun))
            binding.append((found.multipliers > 0).sum())
        print(f"{horizon:7} {np.median(taken):16.2f} {max(taken):16.2f} {np.mean(binding):16.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--horizons", action="store_true")
    if parser.parse_args().horizons:
        horizons()
    else:
        losses()
        times()
