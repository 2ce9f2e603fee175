"""Speed of the proximal operators, as ratios, and of WGSEF on a million groups in seconds.

python benchmarks/local_steps.py

Runs alternate, the best of 5 counts.
"""

import time
from functools import partial

import numpy as np

from dadao_sim.engine import operators
from dadao_sim.local_steps.terms import make

RUNS = 5
STRENGTH, STEP = 0.7, 0.9
SIZES = {1_000: 2_000, 1_000_000: 2}
MILLION = 10**6

# The same prox in NumPy, allocating as such lines do.
ONE_LINERS = {
    "l1": ({"strength": STRENGTH}, lambda v, t: np.sign(v) * np.maximum(np.abs(v) - t, 0.0)),
    "squared_l2": ({"strength": STRENGTH}, lambda v, t: v / (1.0 + t)),
    "huber": ({"strength": STRENGTH}, lambda v, t: v - t * np.clip(v / (1.0 + t), -1.0, 1.0)),
    "box": ({"lower": -0.5, "upper": 0.5}, lambda v, t: np.clip(v, -0.5, 0.5)),
    "l2_ball": ({"radius": 1.0}, lambda v, t: v * min(1.0, 1.0 / np.linalg.norm(v))),
    "l0": ({"strength": STRENGTH}, lambda v, t: np.where(v * v > 2.0 * t, v, 0.0)),
}


def best(*functions, repeat=1):
    """Least seconds per call of each, the functions taking turns."""
    seconds = [float("inf")] * len(functions)
    for _ in range(RUNS):
        for k, function in enumerate(functions):
            begun = time.perf_counter()
            for _ in range(repeat):
                function()
            seconds[k] = min(seconds[k], (time.perf_counter() - begun) / repeat)
    return seconds


def against_numpy(rng):
    print("time over that of the NumPy line (including the call from Python)")
    for dimension, repeat in SIZES.items():
        v, out = rng.standard_normal(dimension), np.empty(dimension)
        print(f"d = {dimension:>9}", end="")
        for kind, (options, numpy_line) in ONE_LINERS.items():
            r = make(kind, dimension, **options).operator
            apply = operators.prox.implementations[type(r)]
            apply(r, STEP, v, out)
            ours, theirs = best(
                partial(apply, r, STEP, v, out),
                partial(numpy_line, v, STEP * STRENGTH),
                repeat=repeat,
            )
            print(f"  {kind} {ours / theirs:.2f}", end="")
        print()


def against_l1(rng):
    print("time per coordinate over that of l1, d = 4096")
    v, out = rng.standard_normal(4096), np.empty(4096)

    def call(kind, **options):
        r = make(kind, 4096, **options).operator
        apply = operators.prox.implementations[type(r)]
        apply(r, STEP, v, out)
        return partial(apply, r, STEP, v, out)

    chosen = {
        "group_l2": {"strength": 0.3, "groups": 8},
        "wgsef": {"strength": 0.3, "k": 50, "groups": 8},
        "simplex": {},
        "k_sparse": {"k": 100},
        "tv_1d": {"strength": 0.3},
        "tv_2d": {"strength": 0.3, "shape": [64, 64]},
    }
    seconds = best(call("l1", strength=0.3), *(call(k, **o) for k, o in chosen.items()), repeat=5)
    print("  ".join(f"{k} {s / seconds[0]:.0f}" for k, s in zip(chosen, seconds[1:], strict=True)))


def wgsef_of_a_million(rng):
    print("wgsef, 10^6 groups: seconds of a prox, of a value")
    for size, spread in ((1, 0.0), (5, 0.0), (1, 6.0)):
        scale = np.repeat(10.0 ** rng.uniform(-spread, spread, MILLION), size)
        v = scale * rng.standard_normal(MILLION * size)
        for k in (10, MILLION // 10, MILLION // 2):
            step = make("wgsef", v.size, strength=STRENGTH, k=k, groups=size)
            prox, value = best(partial(step.prox, v, STEP), partial(step.value, v))
            print(
                f"groups of {size}, scales over 10^{2 * spread:<4g} k = {k:>7}: "
                f"{prox:.3f} s, {value:.3f} s  {'met' if max(prox, value) < 1 else 'MISSED'}"
            )


def main() -> None:
    rng = np.random.default_rng(0)
    against_numpy(rng)
    against_l1(rng)
    wgsef_of_a_million(rng)


if __name__ == "__main__":
    main()
