"""Least squares and ridge."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.linear_kind import LinearKind, WithL2
from dadao_sim.problems.kinds.square import Square


class LeastSquares(LinearKind):
    """The squared distance of linear models to their targets."""

    loss = Square
    full_rank = True
    lacks: ClassVar[Mapping[str, str]] = {"mu": "least_squares has no l2 term; kind ridge has"}

    kind: Literal["least_squares"] = Field(description="the square (a.x - b)^2")

    def spectrum(self, dim: int, samples: int, kappa: float) -> FloatArray:
        """Eigenvalues of A_i^T A_i/m, the largest first, log-spaced in [1, kappa]/2: mu = 1."""
        if samples < dim:
            raise InputError(
                "samples_per_node",
                f"{samples} samples in dimension {dim} make mu = 0",
                f"at least {dim} are needed, or kind ridge",
            )
        _require_dimensions(dim, kappa)
        return 0.5 * np.geomspace(kappa, 1.0, dim)


class Ridge(WithL2):
    """The squared distance of linear models to their targets, plus (mu/2) ||x||^2."""

    loss = Square

    kind: Literal["ridge"] = Field(description="the square (a.x - b)^2, and an l2 term")

    def spectrum(self, dim: int, samples: int, kappa: float) -> FloatArray:
        """As that of least squares, less 1/2: the l2 term is part of the Hessian."""
        super().spectrum(dim, samples, kappa)
        _require_dimensions(dim, kappa)
        return 0.5 * (np.geomspace(kappa, 1.0, dim) - 1.0)[: min(samples, dim)]


def _require_dimensions(dim: int, kappa: float) -> None:
    if dim == 1 and kappa > 1:
        raise InputError(
            "condition_number", f"{kappa} in dimension 1, where it is 1", "dim must be at least 2"
        )
