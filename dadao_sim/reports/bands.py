"""A cube whose bands are at the nodes: what a layered method and an iteration made of it."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.unrolled import UnrolledMethod
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.bands import BandsKind, BandsProblem
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import scenario_to_draw
from dadao_sim.results.result import Result


@dataclass(frozen=True)
class OnBands:
    """What one algorithm made of the cube of the first repeat.

    - cube: that of the node farthest from the truth, (bands, size, size).
    - psnr: in dB at the worst node, by communications; (samples,) both.
    - layers: how many rounds it has, after which there is an answer; None of an iteration.
    """

    cube: FloatArray
    communications: FloatArray
    psnr: FloatArray
    layers: int | None


@dataclass(frozen=True)
class Bands:
    """The problem of the first repeat, and what each algorithm made of it, by label."""

    problem: BandsProblem
    found: dict[str, OnBands]
    result: Result


def bands(result: Result) -> Bands:
    """Of a result of problem ``bands``. InputError for another, for a run that was interrupted, and
    where the PSNR was not recorded.
    """
    scenario = scenario_to_draw(result, "bands")
    assert isinstance(scenario.problem, BandsKind), "the kind of figure is of no other"
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    problem = build_problem(scenario.problem, scenario.problem.bands, rng)
    assert isinstance(problem, BandsProblem), "it is of that kind"
    return Bands(problem, {one: _made(result, one, problem) for one in result.methods}, result)


def _made(result: Result, label: str, problem: BandsProblem) -> OnBands:
    X = result.estimates(label)
    psnr = problem.psnr(X)
    worst = int(np.argmin(np.where(np.isnan(psnr), -np.inf, psnr)))
    method = get_method(result.methods[label])
    curves = result.curves
    curves = curves[(curves["algorithm"] == label) & (curves["repeat"] == 0)]
    return OnBands(
        cube=X[worst].reshape(problem.cube.shape),
        communications=curves["communications"].to_numpy(dtype=float),
        psnr=curves["worst_psnr"].to_numpy(dtype=float),
        layers=len(curves) - 1 if isinstance(method, UnrolledMethod) else None,
    )
