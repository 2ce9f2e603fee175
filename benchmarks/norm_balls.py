"""What a projection costs in units of a linear minimisation oracle: a table of
docs/systems/norm-balls.md.

python benchmarks/norm_balls.py
"""

import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from dadao_sim import make
from dadao_sim.compiled.threads import one_blas_thread

VECTORS = (100, 10_000)
MATRICES = ((50, 50), (200, 200), (500, 500))


def best(function: Callable[[], Any]) -> float:
    """Seconds of a call, the least of some."""
    number = max(1, int(0.05 / max(timeit.timeit(function, number=1), 1e-6)))
    return min(timeit.repeat(function, number=number, repeat=15)) / number


def line(what: str, projection: Callable[[], Any], *oracles: Callable[[], Any]) -> None:
    """The projection in units of the first oracle, then the others in the same."""
    unit = best(oracles[0])
    ratios = (best(one) / unit for one in (projection, *oracles[1:]))
    print(f"  {what}:", *(f"{ratio:.1f}" for ratio in ratios), f"(oracle {1e3 * unit:.3g} ms)")


@one_blas_thread()
def main() -> None:
    """Points outside the balls, whose projections take all they can."""
    rng = np.random.default_rng(0)
    print("one thread; projection in units of the oracle")
    for d in VECTORS:
        v = rng.standard_normal(d)
        for kind in ("l1_ball", "linf_ball", "l2_ball"):
            ball = make(kind, d, radius=1.0)
            line(f"{kind} {d}", lambda b=ball, v=v: b.prox(v, 1.0), lambda b=ball, v=v: b.lmo(v))
    print("the same, of matrices; of spectral balls then 12 Newton-Schulz steps and 5 of Muon")
    for shape in MATRICES:
        left, right = rng.standard_normal((shape[0], 3)), rng.standard_normal((3, shape[1]))
        v = (left @ right + 0.3 * rng.standard_normal(shape)).ravel()  # three values stand out
        for kind, ways in (("nuclear_ball", ({},)), ("spectral_ball", SPECTRAL)):
            balls = [make(kind, v.size, radius=1.0, shape=list(shape), **way) for way in ways]
            oracles = [lambda b=ball, v=v: b.lmo(v) for ball in balls]
            name = f"{kind} {shape[0]} x {shape[1]}"
            line(name, lambda b=balls[0], v=v: b.prox(v, 1.0), *oracles)


SPECTRAL: tuple[dict[str, str], ...] = ({}, {"lmo": "newton_schulz"}, {"lmo": "muon"})

if __name__ == "__main__":
    main()
