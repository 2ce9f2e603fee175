"""QuantisedStep: a local step that is a direction (x, g, t) -> v, towards a few levels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.given import positive
from dadao_sim.local_steps.local_step import FloatArray, LocalStep
from dadao_sim.local_steps.quantise.grid import Grid, psi, round_to


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantisedStep(LocalStep):
    """Where a node at x with gradient g goes at time t; no r has it for a prox.

    ``operator`` answers ``operators.advance`` and ``operators.seen_from``. ``eps_at(t)`` is how
    wide the sets around the levels are, 0 where there are none.
    """

    grid: Grid
    eps_at: Callable[[float], float]
    has_prox: ClassVar[bool] = False

    @property
    def levels(self) -> FloatArray:
        """The levels, increasing."""
        return np.asarray(self.grid.low + self.grid.spacing * np.arange(self.grid.number))

    def prox(self, v: ArrayLike, step: float) -> FloatArray:
        """InputError: there is none."""
        raise InputError("local_step", f"{self.kind} has no prox", "it needs (x, gradient)")

    def direction(self, x: ArrayLike, g: ArrayLike, step: float, t: float) -> FloatArray:
        """v (d,): a step of length ``step`` > 0 goes from x (d,) to x + step v."""
        point, length = self._point("x", x), positive("step", step)
        out = np.empty(self.dimension)
        operators.advance(self.operator, length, point, self._point("g", g), float(t), out)
        return (out - point) / length

    def quantised(self, x: ArrayLike) -> FloatArray:
        """The levels nearest to x (d,)."""
        out = np.empty(self.dimension)
        round_to(self.grid, self._point("x", x), out)
        return out

    def infeasibility(self, X: ArrayLike, t: float) -> float:
        """The largest max(0, -psi) of all numbers in X at time t."""
        return float(np.maximum(0.0, -psi(self.grid, self.eps_at(t), np.asarray(X))).max())
