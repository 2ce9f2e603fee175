"""By which factor methods bring nodes to the zero of a quadratic game, against its rho."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.problems.kinds.saddle import QuadraticSpec, SaddleKind
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result
from dadao_sim.scenario.model import AlgorithmSpec
from dadao_sim.simulation.plan import options_of, overrides_of
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.study import Study

STEPS, ROUNDS = 60, 800
"""Played of each game by what has steps of several rounds, and by the others."""
ROUNDING = 1e-11
"""Of the first distance: below it no factor is measured."""

# What multiplies the error along the eigenvalue s of a game that one machine plays.
FACTORS: dict[str, Callable[[SimpleNamespace, Any], Any]] = {
    "gradient_tracking": lambda c, s: 1 - c.step * s,
    "eg_gt": lambda c, s: 1 - c.eta * s * (1 - c.eta * s),
    "rapp": lambda c, s: 1 - c.lam + c.lam / (1 + c.step * s),
}


@dataclass(frozen=True)
class GameFactors:
    """By label the factor of the distance in a step: a round, all rounds from one pull of a
    lookahead to the next, or all inner rounds of rapp.

    - rho: (k,) of the games, those of the scenario but for it.
    - predicted: of one machine, with the constants of the scenario, (k,).
    - measured: of the nodes, (k,); nan where the method refuses the game.
    """

    rho: np.ndarray
    predicted: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    result: Result


def game_factors(result: Result, games: int = 39) -> GameFactors:
    """Of those algorithms that FACTORS knows; so many ``games`` are played, from rho = -0.95 to
    0.95. InputError for other problems.
    """
    study = study_of(result)
    game = getattr(study.scenario.problem, "game", None)
    specs = [algorithm for algorithm in study.scenario.algorithms if algorithm.name in FACTORS]
    if not (isinstance(study.scenario.problem, SaddleKind) and isinstance(game, QuadraticSpec)):
        raise InputError("figures", "factors are of quadratic games", "leave it out")
    if not specs:
        known = ", ".join(FACTORS)
        raise InputError("figures", "no algorithm has known factors", f"name one of {known}")
    rho = np.linspace(-0.95, 0.95, games)
    predicted: dict[str, np.ndarray] = {}
    measured: dict[str, np.ndarray] = {}
    for spec in specs:
        c = study.plan((spec.label, 0)).tuning.params
        s = rho + 1j * np.sqrt(1 - rho**2)
        factor = FACTORS[spec.name](c, s)
        if spec.lookahead is not None:
            weight = spec.lookahead.weight
            factor = 1 - weight + weight * factor**spec.lookahead.period
        predicted[spec.label] = np.abs(factor)
        measured[spec.label] = np.array(
            [_measured(study, spec, c, game.model_copy(update={"rho": float(r)})) for r in rho]
        )
    return GameFactors(rho, predicted, measured, result)


def _measured(study: Study, spec: AlgorithmSpec, c: Any, game: QuadraticSpec) -> float:
    """The factor of a step late in a run of the method, with the steps of the scenario."""
    plan = study.plan((spec.label, 0))
    assert isinstance(plan.method, RoundMethod)
    rng = np.random.default_rng(stream(study.scenario.seed, 0, "data"))
    problem = game.build(plan.network.nodes, rng)
    fixed: dict[str, float] = {
        name: getattr(c, name) for name in ("step", "eta") if name in plan.method.tunable
    }
    try:
        given = fixed | overrides_of(spec)
        tuning = plan.method.tune(problem, plan.network, given, options_of(spec))
    except InputError:
        return np.nan
    repeats = spec.lookahead.period if spec.lookahead else getattr(tuning.params, "inner", None)
    each, samples = (10, ROUNDS // 10) if repeats is None else (repeats, STEPS)
    player = make_player(plan.method, problem, tuning, plan.parts.x0, {})
    rounds = RoundClock(np.random.SeedSequence(0)).window()[:each]  # they draw nothing
    player.begin(rounds)
    seen, out = np.empty(samples), np.empty(plan.parts.x0.shape)
    for k in range(samples):
        player.play(rounds, 0, each)
        player.observe(0.0, out)
        seen[k] = np.sqrt(problem.squared_distance(out))
    held = np.flatnonzero((seen > ROUNDING * seen[0]) & (seen < seen[0] / ROUNDING))
    first, last = held[len(held) // 2], held[-1]
    steps = (last - first) * (each if repeats is None else 1)
    return float((seen[last] / seen[first]) ** (1 / steps)) if steps else np.nan
