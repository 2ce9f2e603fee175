"""Plain rounding: nothing but gradients between the outer levels; the end is rounded."""

from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.engine import operators
from dadao_sim.local_steps.quantise.grid import Grid, descend, grid_of
from dadao_sim.local_steps.quantise.quantiser import Quantiser


class RoundingOperator(NamedTuple):
    """x - step g, clipped to the outer levels."""

    grid: Grid


operators.advance.register(RoundingOperator, descend)


class Rounding(Quantiser):
    """What the others are measured by: the levels play no part before the end."""

    kind: Literal["rounding"] = Field(
        description="projected gradients between the outer levels; only what is measured is rounded"
    )

    def operator(self) -> RoundingOperator:
        """See :meth:`Quantiser.operator`."""
        return RoundingOperator(grid_of(self.levels))
