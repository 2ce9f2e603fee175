"""Where the mean of a method comes to rest, and what its events still do there."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.theory.linear_events import LinearEvents
from dadao_sim.theory.minibatches import GradientNoise
from dadao_sim.theory.setting import Setting

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

STILL = 1e-8  # by which a point at rest may move, relative
FIXED = 1e-10  # what events may read at a fixed point, relative


@dataclass(frozen=True, eq=False)
class Part:
    """One system of a setting, its coordinates, and its start.

    ``start`` (N,) is s at time 0, ``x_star`` (n c,) what the estimates should be; ``noise`` is that
    of gradients of minibatches, if there is one.
    """

    name: str
    events: LinearEvents
    start: np.ndarray
    x_star: np.ndarray
    noise: GradientNoise | None

    @cached_property
    def rest(self) -> np.ndarray:
        """The point (N,) where the mean rests, among those that can be reached from the start."""
        T, drift = self.events.reached, self.events.drift
        moved = drift @ self.start + self.events.push
        found, reached = self.start, T.T @ (drift @ T)
        for _ in range(2):  # once more, for what rounding left: events read it as a residual
            rest = drift @ found + self.events.push
            found = found + T @ np.linalg.lstsq(reached, -(T.T @ rest), rcond=None)[0]
        left = np.abs(drift @ found + self.events.push).max()
        if left > STILL * max(np.abs(moved).max(), np.abs(self.events.push).max()):
            raise InputError(
                f"{self.name}: its mean comes nowhere to rest; what no event changes still moves"
            )
        return found

    @cached_property
    def residuals(self) -> np.ndarray:
        """What the events still read there, (events, k): 0 where it is a fixed point."""
        read = (self.events.Q.T @ self.rest).reshape(self.events.offsets.shape)
        # Of differences the size is that of what they are between.
        size = (abs(self.events.Q).T @ np.abs(self.rest)).reshape(read.shape)
        size = size + np.abs(self.events.offsets)
        found = read + self.events.offsets
        return np.where(np.abs(found) <= FIXED * size.max(), 0.0, found)

    @cached_property
    def hovers(self) -> bool:
        """Whether its events still do anything there."""
        return bool(self.residuals.any()) or (
            self.noise is not None and bool(self.noise.at(self.rest).any())
        )

    @cached_property
    def offset(self) -> np.ndarray:
        """The estimates at rest less x*, (n c,)."""
        off = self.events.estimate @ self.rest + self.events.estimate_offset - self.x_star
        return off if self.residuals.any() else np.zeros_like(off)


def parts_of(setting: Setting, x0: Any, batch_size: int | None) -> Iterator[Part]:
    """Every axis along which the nodes decouple, or all at once; gradients of ``batch_size``
    samples, if given, couple them.

    InputError for an x0 that is no start, and where the f_i are not quadratic.
    """
    if setting.quadratics.linearised:
        raise InputError(
            "problem",
            f"{setting.problem.kind!r} is not quadratic, only its rate near x* is known exactly",
            "use least_squares, ridge or averaging",
        )
    start = _start(setting, x0)
    n, d = setting.problem.nodes, setting.problem.dimension
    q, name = setting.quadratics, setting.method.name
    if batch_size is not None or q.axes is None:
        events = setting.whole()
        noise = None
        if batch_size is not None:
            noise = GradientNoise.of(setting.played, setting.problem, batch_size)
        yield Part(name, events, start.ravel(), np.tile(q.x_star, n), noise)
        return
    for coordinate in range(d):
        axis = q.axes[:, coordinate]
        events = setting.along(coordinate)
        yield Part(name, events, (start @ axis).ravel(), np.full(n, q.x_star @ axis), None)


def rows_of_start(method: Method, problem: "Problem", x0: Any) -> np.ndarray:
    """Where the nodes start, (n, d), in a run from ``x0``: (d,), (n, d), or zeros. InputError for
    one that is no start.
    """
    n, d = problem.nodes, problem.dimension
    rows = np.zeros(d) if x0 is None else reals("x0", x0)
    if rows.shape not in {(d,), (n, d)} or not np.isfinite(rows).all():
        raise InputError("x0", f"shape {rows.shape} given", f"({d},) or ({n}, {d}) finite numbers")
    if x0 is not None and method.needs_averaging:
        raise InputError("x0", f"{method.name} starts at the points it averages", "leave x0 out")
    return method.starts_at(problem, np.array(np.broadcast_to(rows, (n, d))))


def _start(setting: Setting, x0: Any) -> np.ndarray:
    """All blocks at time 0, (n, b, d), as in a run from ``x0``."""
    method, problem = setting.method, setting.problem
    x = rows_of_start(method, problem, x0)
    values = method.initial_values(problem.nodes, problem.dimension, x, {})
    method.start(values)
    return np.stack([values[block] for block in method.blocks], axis=1)
