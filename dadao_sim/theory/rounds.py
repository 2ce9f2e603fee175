"""The exact rate of a method of rounds on quadratics: the spectral radius of its step.

The step is found by playing it on every unit of the state, as ``contract/plateau.py`` does; a
method that does other things in other rounds, or over other graphs, by the rounds of a period. Of
rounds that a coin decides on it is the growth of the second moment, M -> p A M A^T + (1 - p) A' M
A'^T; of messages that random masks multiply see ``compressed_rounds.py``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import Method, Tuning
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.plateau import growth
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.compression.masks import Masks
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_any_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.compressed_rounds import CompressedRounds, conserves
from dadao_sim.theory.played_rounds import PlayedRounds
from dadao_sim.theory.quadratics import Quadratics
from dadao_sim.theory.setting import check_answerable

MOST_STATES = 4000  # numbers in the state of what is played at once
CONSERVED = 1e-10  # of a growth that is 1
PRECISION = 1e-12  # of a growth of second moments, relative
POWERS = 200_000
DRAWN = 1  # a mark from which a mask is drawn
DIGITS = 12  # to which curvatures along two axes must agree to be played once


@dataclass(frozen=True)
class RoundRate:
    """sum_i E||x_i - x*||^2 falls as e^{-``decay`` k} over rounds k, in the end.

    - decay: negative where the method diverges; infinite where it ends in finitely many rounds.
    - linearised: whether the f_i are not quadratic, so that this is the rate near x*.
    - coordinate, curvatures: the slowest axis of the Hessians and the least and the largest of the
      nodes' along it; None where the Hessians do not commute.
    """

    decay: float
    linearised: bool
    coordinate: int | None = None
    curvatures: tuple[float, float] | None = None


@one_blas_thread()
def round_rate(
    method: str | Method,
    problem: Problem,
    network: Any,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
) -> RoundRate:
    """The exponent of the squared error of ``method``, a method of rounds, on ``problem``.

    Exact for quadratics; for others near x*, with the Hessians there. Time grows with the cube of
    (blocks x nodes) for each axis along which Hessians that commute differ, and of (blocks x nodes
    x d) for others. With ``options.batch_size`` it is that of the covariance towards its plateau,
    on squares; of messages that random masks multiply (``random_k``, ``drop``) that of the second
    moment. Raises InputError, with the reason, for other methods and other compressed messages, for
    falling steps, for a step that is another in each round, and for what is too large.
    """
    method = method if isinstance(method, Method) else get_method(method)
    network = as_any_network(network)
    check_answerable(problem, network)
    method.check_supported(problem, network, options)
    if not isinstance(method, RoundMethod):
        raise InputError(f"{method.name} plays events; see exact_rate")
    tuning = method.tune(problem, network, overrides, options)
    for unknown, what in (
        (problem.local_step is not None, "with a local step, which is not linear"),
        (tuning.ball is not None, "of minima over a ball, which are not linear"),
        (method.samples, "of gradients of single samples"),
        (bool(method.widths), "whose nodes divide by numbers that they learn"),
        (options.schedule is not None, "of steps that fall"),
        (options.lookahead is not None, "with a lookahead"),
        (options.asleep is not None, "with nodes that sleep"),
    ):
        if unknown:
            raise InputError(f"{method.name}: no exact rate of rounds is known {what}")
    masks = _masks(method, tuning, problem.dimension)
    if options.batch_size is not None:
        grown = growth(method, problem, network, options.batch_size, overrides, options)
        return RoundRate(-math.log(grown), linearised=False)
    quadratics = Quadratics.of(problem)
    h = quadratics.curvatures_under(masks)
    if h is None:
        decay = _decay(method, tuning, quadratics.hessians, masks)
        return RoundRate(decay, quadratics.linearised)
    found = []
    alike = np.round(h / np.abs(h).max(), DIGITS)
    if masks is not None:
        alike = np.vstack([alike, np.diag(masks.covariance)])
    for coordinate in np.sort(np.unique(alike, axis=1, return_index=True)[1]).tolist():
        along = h[:, coordinate]
        of_axis = None if masks is None else masks.along(coordinate)
        decay = _decay(method, tuning, along[:, None, None], of_axis)
        ends = float(along.min()), float(along.max())
        found.append(RoundRate(decay, quadratics.linearised, coordinate, ends))
    return min(found, key=lambda rate: rate.decay)


def _masks(method: Method, tuning: Tuning, d: int) -> Masks | None:
    """Of the messages; None where they are not compressed. InputError where these are not linear
    once they are drawn.
    """
    Q = tuning.compressor
    if Q is None:
        return None
    masks = Q.masks(d)
    if masks is None:
        raise InputError(
            f"{method.name}: no exact rate of rounds is known of messages by {Q.kind}, whose "
            "variance is not quadratic in what they say; of random_k and drop it is"
        )
    ones, V = np.ones((1, d)), np.random.default_rng(0).standard_normal((1, d))
    if not np.allclose(Q.rows(V, DRAWN), Q.rows(ones, DRAWN) * V):
        wrong = f"{Q.kind} has masks, but multiplies other vectors by other numbers"
        raise InputError("compression", wrong, "let masks answer None")
    return masks


def _decay(method: RoundMethod, tuning: Tuning, hessians: np.ndarray, masks: Masks | None) -> float:
    """Of a round, for f_i(x) = x^T H_i x/2."""
    n, d = hessians.shape[:2]
    size = len(method.blocks) * n * d
    if size > MOST_STATES:
        most = f"at most {MOST_STATES} are possible"
        raise InputError("network", f"{size} numbers in the state of {method.name}", most)
    f = Problem.quadratic(hessians, np.zeros((n, d)))
    period = period_of(method, tuning)
    chance = method.chance(tuning.params)
    for at_random, what in ((chance < 1, "a coin"), (masks is not None, "compressed messages")):
        if at_random and period > 1:
            raise InputError(f"{method.name}: no exact rate of {what} on a sequence is known")
    if masks is not None and chance < 1:
        raise InputError(f"{method.name}: no exact rate of compressed messages by a coin is known")
    if masks is not None:
        grown = CompressedRounds(method, tuning, f, masks).growth()
    elif chance < 1:
        played = PlayedRounds(method, tuning, f)
        heads, tails = (played.step(1, heads=side) for side in (True, False))
        grown = _growth(heads, tails, chance)
    else:
        step = PlayedRounds(method, tuning, f).step(period)
        grown = float(np.abs(np.linalg.eigvals(step)).max()) ** 2
    if abs(grown - 1) < CONSERVED:
        raise conserves(method)
    return -math.log(grown) / period if grown > 0 else math.inf


def period_of(method: RoundMethod, tuning: Tuning) -> int:
    """After how many rounds a method is where it was: in its sequence of graphs, and its own."""
    period = len(tuning.network.graphs)
    if method.cycle is not None:
        period = math.lcm(period, int(getattr(tuning.params, method.cycle)))
    return period


def _growth(heads: np.ndarray, tails: np.ndarray, chance: float) -> float:
    """The spectral radius of M -> p A M A^T + (1 - p) A' M A'^T, by powers from I."""
    M, before = np.eye(len(heads)) / len(heads), 0.0
    for _ in range(POWERS):
        M = chance * heads @ M @ heads.T + (1 - chance) * tails @ M @ tails.T
        growth = float(np.trace(M))
        M /= growth
        if abs(growth - before) <= PRECISION * growth:
            return growth
        before = growth
    raise InputError("theory", f"the second moment did not settle in {POWERS:,} steps")
