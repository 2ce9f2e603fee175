"""The exact rate of a method of rounds on quadratics: the spectral radius of its step.

The step is found by playing it on every unit of the state, as ``contract/plateau.py`` does; a
method that does other things in other rounds, or over other graphs, by the rounds of a period. What
gossip conserves, and the mean of what drifts, is no part of the state. Of rounds that a coin
decides on it is the growth of the second moment, M -> p A M A^T + (1 - p) A' M A'^T.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.gossip import Gossip
from dadao_sim.algorithms.contract.method import Method, Tuning
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.plateau import growth
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.quadratics import Quadratics
from dadao_sim.theory.setting import check_nodes

MOST_STATES = 4000  # numbers in the state of what is played at once
ROUNDING = 1e-7  # by which a step may miss its linear form, or what is conserved move, relative
CONSERVED = 1e-10  # of a growth that is 1
PRECISION = 1e-12  # of a growth of second moments, relative
POWERS = 200_000
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
    on squares. Raises InputError, with the reason, for other methods, for compressed messages and
    falling steps, for a step that is another in each round, and for what is too large.
    """
    method = method if isinstance(method, Method) else get_method(method)
    network = as_network(network)
    check_nodes(problem, network)
    method.check_supported(problem, network, options)
    if not isinstance(method, RoundMethod):
        raise InputError(f"{method.name} plays events; see exact_rate")
    tuning = method.tune(problem, network, overrides, options)
    for unknown, what in (
        (problem.local_step is not None, "with a local step, which is not linear"),
        (method.samples, "of gradients of single samples"),
        (tuning.compressor is not None, "of compressed messages"),
        (options.schedule is not None, "of steps that fall"),
    ):
        if unknown:
            raise InputError(f"{method.name}: no exact rate of rounds is known {what}")
    if options.batch_size is not None:
        grown = growth(method, problem, network, options.batch_size, overrides, options)
        return RoundRate(-math.log(grown), linearised=False)
    quadratics = Quadratics.of(problem)
    if quadratics.axes is None:
        return RoundRate(_decay(method, tuning, quadratics.hessians), quadratics.linearised)
    found = []
    h = quadratics.curvatures
    rounded = np.round(h / np.abs(h).max(), DIGITS)
    for coordinate in np.sort(np.unique(rounded, axis=1, return_index=True)[1]).tolist():
        along = h[:, coordinate]
        decay = _decay(method, tuning, along[:, None, None])
        ends = float(along.min()), float(along.max())
        found.append(RoundRate(decay, quadratics.linearised, coordinate, ends))
    return min(found, key=lambda rate: rate.decay)


def _decay(method: RoundMethod, tuning: Tuning, hessians: np.ndarray) -> float:
    """Of a round, for f_i(x) = x^T H_i x/2."""
    n, d = hessians.shape[:2]
    size = len(method.blocks) * n * d
    if size > MOST_STATES:
        most = f"at most {MOST_STATES} are possible"
        raise InputError("network", f"{size} numbers in the state of {method.name}", most)
    played = _Played(method, tuning, Problem.quadratic(hessians, np.zeros((n, d))))
    period = len(tuning.network.graphs)
    if method.cycle is not None:
        period = math.lcm(period, int(getattr(tuning.params, method.cycle)))
    chance = method.chance(tuning.params)
    if chance < 1:
        if period > 1:
            raise InputError(f"{method.name}: no exact rate of a coin on a sequence is known")
        heads, tails = (played.step(1, heads=side) for side in (True, False))
        grown = _growth(heads, tails, chance)
    else:
        grown = float(np.abs(np.linalg.eigvals(played.step(period))).max()) ** 2
    if abs(grown - 1) < CONSERVED:
        raise InputError(
            f"{method.name}: no exact rate is known: it conserves what it does not declare, or "
            "does not decay"
        )
    return -math.log(grown) / period if grown > 0 else math.inf


class _Played:
    """The rounds of a method on quadratics with x* = 0, linear in the blocks, of which the means of
    conserved and drifting ones are left out.
    """

    def __init__(self, method: RoundMethod, tuning: Tuning, problem: Problem):
        self.method, self.tuning = method, tuning
        self.shape = problem.nodes, problem.dimension
        objective = problem.with_conjugate() if method.needs_conjugate else problem.objective
        tally = Tally()
        self.nodes = Nodes(objective, np.ones(problem.nodes), tally, stochastic=False)
        self.W = Gossip(tuning.network.graphs, tuning.weights, tally, tuning.chebyshev)
        n, d = self.shape
        ones = np.full((n, 1), n**-0.5)
        others = np.linalg.qr(np.hstack([ones, np.eye(n)[:, 1:]]))[0][:, 1:]
        without_mean = {*method.invariant, *method.drifting}
        self.bases = [
            np.kron(others if block in without_mean else np.eye(n), np.eye(d))
            for block in method.blocks
        ]

    def step(self, rounds: int, heads: bool = True) -> np.ndarray:
        """The matrix of ``rounds`` rounds from the first one, in the coordinates of ``bases``."""
        sizes = [basis.shape[1] for basis in self.bases]
        starts = np.cumsum([0, *sizes])
        found = np.zeros((starts[-1], starts[-1]))
        for k, basis in enumerate(self.bases):
            for column in range(sizes[k]):
                unit = [np.zeros(b.shape[0]) for b in self.bases]
                unit[k] = basis[:, column]
                found[:, starts[k] + column] = self._inside(self._play(unit, rounds, heads))
        rng = np.random.default_rng(0)
        mixed = [basis @ rng.standard_normal(basis.shape[1]) for basis in self.bases]
        wanted = found @ self._inside(mixed)
        for periods, wrong in ((1, "is not linear"), (5, "is another in each round")):
            after = self._inside(self._play(mixed, rounds, heads, periods * rounds))
            if np.abs(after - wanted).max() > ROUNDING * np.abs(wanted).max():
                raise InputError(f"{self.method.name}: no exact rate is known: its step {wrong}")
        return found

    def _play(
        self, blocks: list[np.ndarray], rounds: int, heads: bool, first: int | None = None
    ) -> list[np.ndarray]:
        """The blocks after ``rounds`` rounds, from number ``first``; round 0 may do what no later
        one does.
        """
        method, n, d = self.method, *self.shape
        s = method.state(
            {name: v.reshape(n, d) for name, v in zip(method.blocks, blocks, strict=True)}
        )
        self.W.made = 0
        for number in range(rounds):
            self.nodes.at((first or rounds) + number, 0)
            self.nodes.heads = heads
            method.step(s, self.tuning.params, self.nodes, self.W)
        return [getattr(s, name).ravel() for name in method.blocks]

    def _inside(self, blocks: list[np.ndarray]) -> np.ndarray:
        inside = [basis.T @ v for basis, v in zip(self.bases, blocks, strict=True)]
        for name, basis, v, u in zip(self.method.blocks, self.bases, blocks, inside, strict=True):
            if name in self.method.invariant and np.abs(v - basis @ u).max() > ROUNDING * max(
                1.0, np.abs(v).max()
            ):
                raise InputError(
                    f"{self.method.name}: block {name} does not keep its mean, as it declares"
                )
        return np.concatenate(inside)


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
