"""The mean square error of a method of rounds over the rounds, without a run.

On quadratics a round is affine in the state, s+ = A s + b from the second one on: A and b are found
as in ``rounds.py``, and what follows is a power of A. Along axes of Hessians that commute each has
its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import Method, Tuning
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_any_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.played_rounds import PlayedRounds
from dadao_sim.theory.quadratics import Quadratics
from dadao_sim.theory.rest import rows_of_start
from dadao_sim.theory.rounds import MOST_STATES
from dadao_sim.theory.setting import check_answerable


@one_blas_thread()
def round_curve(
    method: str | Method,
    problem: Problem,
    network: Any,
    rounds: int,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
    x0: Any = None,
) -> np.ndarray:
    """The mean over the nodes of ||x_i - x*||^2 after 0, 1, ... ``rounds`` rounds, (rounds + 1,).

    On quadratics, exactly, from ``x0``: (d,) or (n, d), zeros by default. Raises InputError, with
    the reason, for other problems, for rounds that are not the same each time or that draw (coins,
    single samples, minibatches, compressed messages), and for what is too large.
    """
    method = method if isinstance(method, Method) else get_method(method)
    network = as_any_network(network)
    check_answerable(problem, network)
    method.check_supported(problem, network, options)
    if not isinstance(method, RoundMethod):
        raise InputError(f"{method.name} plays events; see expected_curve")
    tuning = method.tune(problem, network, overrides, options)
    several = len(tuning.network.graphs) > 1 or (
        method.cycle is not None and int(getattr(tuning.params, method.cycle)) > 1
    )
    for unknown, what in (
        (problem.hessians != "constant", "on a problem that is not quadratic"),
        (problem.local_step is not None, "with a local step, which is not linear"),
        (tuning.ball is not None, "of minima over a ball, which are not linear"),
        (method.samples or options.batch_size is not None, "of gradients of samples"),
        (options.schedule is not None, "of steps that fall"),
        (options.asleep is not None, "with nodes that sleep"),
        (tuning.compressor is not None, "of compressed messages"),
        (method.chance(tuning.params) < 1, "of rounds that a coin decides on"),
        (several, "of rounds that are others in turn"),
    ):
        if unknown:
            raise InputError(f"{method.name}: no curve is known {what}")
    errors = np.zeros(rounds + 1)
    for H, c, x in _apart(problem, rows_of_start(method, problem, x0)):
        errors += _AffineRounds(method, tuning, H, c).errors(x, rounds)
    return errors / problem.nodes


def _apart(
    problem: Problem, start: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """H (n, c, c) and c of f_i(x) = x^T H_i x/2 - c_i^T x along each axis, with the start there
    (n, c); of all coordinates where there are no axes.
    """
    q = Quadratics.of(problem)
    c = np.einsum("iab,b->ia", q.hessians, q.x_star) - q.gradients
    if q.axes is None:
        yield q.hessians, c, start
        return
    for h, axis in zip(q.curvatures.T, q.axes.T, strict=True):
        yield h[:, None, None], (c @ axis)[:, None], (start @ axis)[:, None]


class _AffineRounds(PlayedRounds):
    """Rounds from a start of their own, whose means belong to the state."""

    def __init__(self, method: RoundMethod, tuning: Tuning, hessians: np.ndarray, c: np.ndarray):
        size = len(method.blocks) * c.size
        if size > MOST_STATES:
            most = f"at most {MOST_STATES} are possible"
            raise InputError("network", f"{size} numbers in the state of {method.name}", most)
        problem = Problem.quadratic(hessians, c)
        super().__init__(method, tuning, problem)
        self.hessians, self.x_star = hessians, problem.x_star
        self.bases = [np.eye(c.size)] * len(method.blocks)
        self.starts = np.arange(0, size + 1, c.size)

    def errors(self, x0: np.ndarray, rounds: int) -> np.ndarray:
        """The squared errors, summed, after 0, 1, ... ``rounds`` rounds from ``x0`` (n, d)."""
        at_rest = np.zeros(self.shape)
        A = _AffineRounds(self.method, self.tuning, self.hessians, at_rest).step(1)
        b = self.play(np.zeros(self.size), 1)
        mixed = np.random.default_rng(0).standard_normal(self.size)
        late = self.play(mixed, 1, first=max(rounds, 1))
        self.check(A @ mixed + b, late, "is another in each round")
        block = self.method.blocks.index(self.method.estimate)
        of_estimate = slice(self.starts[block], self.starts[block + 1])
        x_star = np.tile(self.x_star, self.shape[0])
        found = np.empty(rounds + 1)
        for number, s in zip(range(rounds + 1), self._states(x0, A, b), strict=False):
            found[number] = ((s[of_estimate] - x_star) ** 2).sum()
        return found

    def _states(self, x0: np.ndarray, A: np.ndarray, b: np.ndarray) -> Iterator[np.ndarray]:
        """After 0, 1, ... rounds: the first one, which may be another, is played."""
        method, c = self.method, self.tuning.params
        state = method.state(method.initial_values(*self.shape, x0, {}))
        self.W.made = 0
        self.nodes.heads = True
        self.nodes.at(0, 0)
        method.prepared(state, c, self.nodes, self.W)
        for played in (False, True):
            if played:
                method.step(state, c, self.nodes, self.W)
            s = self.inside([getattr(state, name).ravel() for name in method.blocks])
            yield s
        with np.errstate(over="ignore", invalid="ignore"):
            while True:
                s = A @ s + b
                yield s
