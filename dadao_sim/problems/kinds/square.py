"""The square (z - b)^2, whose problems are quadratics: mu, L and conjugates are exact."""

from typing import NamedTuple

from dadao_sim.compiled.kernel import kernel
from dadao_sim.problems.kinds import losses


class Square(NamedTuple):
    """(z - b)^2."""

    @property
    def smoothness(self) -> float:
        """The second derivative, everywhere."""
        return 2.0

    @property
    def labels(self) -> bool:
        """Targets are numbers."""
        return False


@kernel
def square_value(square, z, b):
    """(z - b)^2."""
    return (z - b) * (z - b)


@kernel
def square_slope(square, z, b):
    """2 (z - b)."""
    return 2.0 * (z - b)


@kernel
def square_curvature(square, z, b):
    """2, at every z."""
    return 2.0


@kernel
def square_divergence(square, z, b, h):
    """h^2."""
    return h * h


losses.value.register(Square, square_value)
losses.slope.register(Square, square_slope)
losses.curvature.register(Square, square_curvature)
losses.divergence.register(Square, square_divergence)
