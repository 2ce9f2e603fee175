"""What the nodes of a rate-distortion problem agreed on, and the surface R(D, P) it lies on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.divergences import TV
from dadao_sim.problems.kinds.rate_distortion import distortion_named
from dadao_sim.problems.kinds.tradeoff import Point, Tradeoff
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

BINARY, DELTA = 0.25, 1e-4
"""Of the source whose closed form is known, and of its smoothed total variation."""
BINARY_WEIGHTS = (0.0, 0.15, 0.3, 1.0)
BINARY_SLOPES = np.linspace(0.5, 6.0, 16)
WEIGHTS = (0.0, 0.3, 1.0, 3.0)
"""t, of the scenario's source, besides its own."""
SLOPES = np.geomspace(0.3, 8.0, 18)
NEVER = 1e-9
"""Of q, what an alternation that goes to 0 has not reached yet."""


@dataclass(frozen=True)
class Curve:
    """R(D) at one price t of perception: ``rate``, ``distortion`` and ``perception`` (k,)."""

    weight: float
    rate: FloatArray
    distortion: FloatArray
    perception: FloatArray


@dataclass(frozen=True)
class RateDistortionReport:
    """Curves and distributions.

    - binary: of the source (3/4, 1/4), Hamming distortion and total variation, by alternation.
    - closed: the rates of the closed form at the same distortions and perceptions.
    - curves: of the source that the nodes hold together.
    - point: where the scenario's own slopes lead.
    - optimum, source: q and p (m,) of the whole.
    - alone: q (n, m) that each node would find of its own letters.
    - found: label -> q (n, m) that the nodes have in the end, at their first repeat.
    - divergence, weight: the kind of the scenario's, empty where there is none, and its price.
    """

    divergence: str
    binary: tuple[Curve, ...]
    closed: tuple[FloatArray, ...]
    curves: tuple[Curve, ...]
    weight: float
    point: Point
    optimum: FloatArray
    source: FloatArray
    alone: FloatArray
    found: dict[str, FloatArray]
    result: Result


def rate_distortion(result: Result) -> RateDistortionReport:
    """Of a result whose problem is rate_distortion, or rate_distortion_perception; its nodes' data
    are drawn again, and the curves computed. InputError for any other.
    """
    study = study_of(result)
    problem: Any = study.parts(0).problem
    problem = getattr(problem, "smooth", problem)
    of = getattr(problem, "tradeoff", None)
    if not isinstance(of, Tradeoff):
        raise InputError("figures", f"problem {problem.kind} has no rates", "leave the kind out")
    letters, blocks = len(of.optimum), result.manifest["methods"]
    estimates = {
        label: result.states[label, 0][blocks[method]["estimate"]]
        for label, method in result.methods.items()
    }
    source = np.array([1 - BINARY, BINARY])
    smooth = Tradeoff(source, distortion_named("hamming", 2), 1.0, 0.0, TV(DELTA))
    binary = tuple(_curve(smooth, weight, BINARY_SLOPES) for weight in BINARY_WEIGHTS)
    weights = sorted({*WEIGHTS, of.weight}) if of.weight else WEIGHTS[:1]
    perception = getattr(study.scenario.problem, "perception", None)
    return RateDistortionReport(
        divergence="" if perception is None else perception.kind,
        binary=binary,
        closed=tuple(
            np.array(
                [binary_rate(BINARY, *at) for at in zip(c.distortion, c.perception, strict=True)]
            )
            for c in binary
        ),
        curves=tuple(_curve(of, weight, SLOPES) for weight in weights),
        weight=of.weight,
        point=of.point(of.best_channel),
        optimum=of.optimum,
        source=of.p,
        alone=np.array([replace(of, p=p).optimum for p in problem.model.p]),
        found={label: x[:, :letters] for label, x in estimates.items()},
        result=result,
    )


def _curve(of: Tradeoff, weight: float, slopes: Sequence[float] | FloatArray) -> Curve:
    """Total variation is not smoothed; of letters that are never said divergences are infinite."""
    points = []
    for slope in slopes:
        at = replace(of, slope=float(slope), weight=weight)
        point = at.point(at.best_channel)
        q = np.where(at.optimum < NEVER, 0.0, at.optimum)
        with np.errstate(divide="ignore", invalid="ignore"):
            unlike = of.divergence.value(of.p, q)
        if isinstance(of.divergence, TV):
            unlike = float(np.abs(of.p - q).sum() / 2)
        points.append(point._replace(perception=unlike))
    rate, distortion, perception = np.array(points).T
    return Curve(weight, rate, distortion, perception)


def binary_rate(p: float, D: float, P: float) -> float:
    """R(D, P) in nats of a letter that is 1 with probability p <= 1/2, for Hamming distortion and
    total variation.

    Y. Blau, T. Michaeli, "Rethinking Lossy Compression: The Rate-Distortion-Perception Tradeoff",
    ICML 2019, Theorem 2.
    """
    P = min(P, p)
    known = 1 - 2 * (p - P)
    first = P / known if known > 0 else math.inf
    if first >= D:
        return max(_entropy(p) - _entropy(D), 0.0) if p > D else 0.0
    if 2 * p * (1 - p) - (1 - 2 * p) * P <= D:
        return 0.0
    joint = _entropy((D - P) / 2, p) + _entropy((D + P) / 2, 1 - p)
    return 2 * _entropy(p) + _entropy(p - P) - joint


def _entropy(*shares: float) -> float:
    """Of these shares and the rest."""
    return -sum(x * math.log(x) for x in (*shares, 1 - sum(shares)) if x > 0)
