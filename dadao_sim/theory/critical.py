"""The least gossip rate at which the second moment of a method stays bounded."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.rate import is_stable
from dadao_sim.theory.setting import Setting

LEAST, LARGEST = 2.0**-20, 2.0**10  # factors that are tried
PRECISION = 1e-5  # of the factor, relative
FINEST = 1e-12  # below which rounding decides


@one_blas_thread()
def critical_rate(
    method: str | Method,
    problem: Problem | ArrayLike,
    network: Any,
    overrides: Mapping[str, float] = {},
    precision: float = PRECISION,
    options: Options = NO_OPTIONS,
) -> float:
    """The ``rate_factor`` of ``method``, a multiple of its own total gossip rate, below which its
    second moment grows, and above which it decays; to a relative ``precision``.

    Its other constants follow the rate as the method says. In the place of a problem curvatures
    (d,) may stand, which all nodes then have: those of [mu, L] are the worst for DADAO. 0 where no
    rate is too low. It is found by bisection, so it is one such factor if there are several. On
    quadratics it is exact; below it a typical run may converge all the same, for rare excursions
    make the second moment.

    Raises InputError as ``exact_rate``, for a method without a ``rate_factor``, and where no rate
    is enough.
    """
    if not FINEST <= precision < 1:
        raise InputError("precision", f"{precision:g} given", f"give one from {FINEST:g}, below 1")
    network = as_network(network)
    if not isinstance(problem, Problem):
        problem = alike(network.nodes, problem)
    setting = Setting.of(method, problem, network, overrides, options)
    name = setting.method.name
    if "rate_factor" not in setting.played.tuning.constants:
        raise InputError(f"{name}: has no rate_factor; its gossip rate cannot be varied")
    if "rate_factor" in overrides:
        raise InputError("overrides", "rate_factor is what is looked for", "leave it out")

    def stable(factor: float) -> bool:
        return is_stable(setting.with_overrides({**overrides, "rate_factor": factor}))

    high = 1.0
    while not stable(high):
        high *= 2
        if high > LARGEST:
            raise InputError(f"{name}: diverges in mean square at every gossip rate tried")
    low = high / 2
    while stable(low):
        high, low = low, low / 2
        if low < LEAST:
            return 0.0
    while high - low > precision * high:
        middle = (low + high) / 2
        low, high = (low, middle) if stable(middle) else (middle, high)
    return high


def alike(nodes: int, curvatures: ArrayLike) -> Problem:
    """Quadratics with the same curvatures at every node."""
    h = reals("curvatures", curvatures)
    if h.ndim != 1 or h.size == 0 or not np.isfinite(h).all() or (h <= 0).any():
        raise InputError("curvatures", "no row of positive numbers", "give (d,) of them")
    H = np.tile(np.diag(h), (nodes, 1, 1))
    return Problem.quadratic(H, np.zeros((nodes, h.size)))
