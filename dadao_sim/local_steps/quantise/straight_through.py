"""The straight-through estimator (M. Courbariaux, Y. Bengio, J.-P. David, "BinaryConnect", NIPS
2015): gradients at the quantised point move one that is not.
"""

from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.quantise.grid import Grid, descend, grid_of, round_to
from dadao_sim.local_steps.quantise.quantiser import Quantiser


class StraightThroughOperator(NamedTuple):
    """x - step g, clipped to the outer levels, with g taken at the levels nearest to x."""

    grid: Grid


@kernel
def quantised_point(r, x, out):
    """The levels nearest to x."""
    round_to(r.grid, x, out)


operators.advance.register(StraightThroughOperator, descend)
operators.seen_from.register(StraightThroughOperator, quantised_point)


class StraightThrough(Quantiser):
    """Gradients at Q(x), which never settle where no quantised point is stationary."""

    reference = "courbariaux2015binaryconnect"

    kind: Literal["straight_through"] = Field(
        description="gradients at the quantised point, steps from the one that is not"
    )

    def operator(self) -> StraightThroughOperator:
        """See :meth:`Quantiser.operator`."""
        return StraightThroughOperator(grid_of(self.levels))
