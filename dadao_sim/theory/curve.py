"""The expected mean square error of a method over time, without a run."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import expm_multiply

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.theory.rest import Part, parts_of
from dadao_sim.theory.round_curve import round_curve
from dadao_sim.theory.second_moment import generator
from dadao_sim.theory.setting import Setting
from dadao_sim.theory.steps import step_map

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

DECAY = 5.0  # log of what is left of a second moment, at most, before rounding is taken out of it
NEARLY = 1e-6  # of a step, by which the time of one may miss its number
MOST_STATES = 400  # numbers in the state of what couples: its second moment has their square


@one_blas_thread()
def expected_curve(
    method: str | Method,
    problem: "Problem",
    network: Any,
    times: ArrayLike,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
    x0: Any = None,
) -> np.ndarray:
    """E of the mean over the nodes of ||x_i(t) - x*||^2 at ``times`` (k,), ascending, in units of
    time (n gradients in the mean); (k,).

    On quadratics, exactly. The start is that of a run from ``x0``: (d,) or (n, d), zeros by
    default. With ``options.batch_size`` the gradients are those of minibatches. Time and memory
    grow with the square of nodes x blocks, for each axis along which the nodes decouple, and of
    nodes x blocks x d where they do not. Of a method of rounds the curve is its own: a unit of time
    is a round.

    Raises InputError as ``exact_rate``, for problems that are not quadratic (with batch_size: not
    of squares), and for times that do not ascend from 0.
    """
    t = reals("times", times)
    if t.ndim != 1 or not np.isfinite(t).all() or (np.diff(t, prepend=0.0) < 0).any():
        raise InputError("times", "they do not ascend from 0", "give a row of times, t >= 0")
    method = method if isinstance(method, Method) else get_method(method)
    if isinstance(method, RoundMethod):
        rounds = np.floor(t + NEARLY).astype(int)
        most = int(rounds.max(initial=0))
        return round_curve(method, problem, network, most, overrides, options, x0)[rounds]
    setting = Setting.of(method, problem, network, overrides, options)
    errors = np.zeros(len(t))
    for part in parts_of(setting, x0, options.batch_size):
        errors += _curve(part, t)
    return np.asarray(np.maximum(errors, 0.0) / problem.nodes)  # below rounding they have no sign


def _curve(part: Part, times: np.ndarray) -> np.ndarray:
    """The squared errors of one system, summed over nodes and coordinates."""
    size = len(part.start)
    if size > MOST_STATES:
        raise InputError(
            "network",
            f"{size} numbers in the state, whose second moment has their square",
            f"a curve is computed up to {MOST_STATES}",
        )
    moment = _Steps(part) if part.events.played.counted else _Moment(part)
    return np.array([moment.error_at(t) for t in times.tolist()])


class _Moment:
    """E s s^T and E s of the deviations s from the point at rest, carried on in time."""

    def __init__(self, part: Part):
        self.part, self.t, self.size = part, 0.0, len(part.start)
        s = part.start - part.rest
        self.L, self.y = generator(part), np.concatenate([np.kron(s, s), s, [1.0]])
        self.moments = self.size**2
        if not part.hovers:  # alone E s s^T keeps its digits, however small it becomes
            self.L = self.L[: self.moments, : self.moments]
            self.y = self.y[: self.moments]
        T = part.events.reached
        self.onto = T @ T.T
        drift = np.linalg.eigvals(T.T @ (part.events.drift @ T)).real.max()
        self.step = DECAY / abs(2 * drift) if drift else np.inf

    def error_at(self, t: float) -> float:
        """E of the squared errors of all estimates, at a time that is not before the last."""
        steps = math.ceil((t - self.t) / self.step)
        for _ in range(steps):
            self.y = expm_multiply(self.L * ((t - self.t) / steps), self.y)
            # What rounding puts where nothing decays would stay for ever.
            M = self.y[: self.moments].reshape(self.size, self.size)
            self.y[: self.moments] = (self.onto @ M @ self.onto).ravel()
        self.t = t
        return self._error()

    def _error(self) -> float:
        estimate, offset = self.part.events.estimate, self.part.offset
        M = self.y[: self.moments].reshape(self.size, self.size)
        square = float(np.trace(estimate @ M @ estimate.T))
        if not self.part.hovers:
            return square
        return square + float((2 * (estimate @ self.y[self.moments : -1]) + offset) @ offset)


class _Steps:
    """E s s^T after steps that are counted."""

    def __init__(self, part: Part):
        if part.hovers:
            raise InputError(f"{part.name}: no curve is known of counted steps that hover")
        s = part.start - part.rest
        self.part, self.steps, self.M = part, 0, np.kron(s, s)
        self.map = step_map(part.events)
        T = part.events.reached
        self.onto = T @ T.T

    def error_at(self, t: float) -> float:
        """E of the squared errors of all estimates, at a time that is not before the last."""
        steps = math.floor(t / self.part.events.duration + NEARLY)
        for _ in range(steps - self.steps):
            self.M = self.map @ self.M
        self.steps = steps
        size, estimate = len(self.part.start), self.part.events.estimate
        M = self.onto @ self.M.reshape(size, size) @ self.onto  # as in _Moment
        self.M = M.ravel()
        return float(np.trace(estimate @ M @ estimate.T))
