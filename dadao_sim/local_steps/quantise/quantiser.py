"""What the declaration of a quantised local step is: a name, levels, and the step they make."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, Strict, field_validator

from dadao_sim.local_steps.quantise.grid import grid_of
from dadao_sim.local_steps.quantise.step import QuantisedStep
from dadao_sim.strict import StrictModel, misuse

EQUAL = 1e-9
"""Relative difference up to which steps are equal."""

Levels = Annotated[tuple[float, ...], Strict(False), Field(min_length=2)]


class Quantiser(StrictModel):
    """Every coordinate of x shall be one of a few levels.

    One below this declares ``kind: Literal[...]``, its name, and its options as described fields.
    Beside it stand its operator, a NamedTuple, and the kernels that are registered with
    ``engine.operators``: ``advance``, and ``seen_from`` where gradients are not taken at x.
    ``reference``: the paper to cite, as that of a method.
    """

    reference: ClassVar[str] = ""

    kind: str = Field(description="name of the way to get there")
    levels: Levels = Field(description="what a coordinate may be, increasing by equal steps")

    @field_validator("levels")
    @classmethod
    def _by_equal_steps(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        steps = np.diff(levels)
        if not (steps > 0).all() or np.ptp(steps) > EQUAL * steps.max():
            raise misuse("must increase by equal steps")
        return levels

    def operator(self) -> Any:
        """What the engine compiles."""
        raise NotImplementedError

    def eps_at(self, t: float) -> float:
        """How wide the sets around the levels are at time t; 0 without any."""
        return 0.0

    def local_step(self, dimension: int) -> QuantisedStep:
        """The local step in ``dimension`` coordinates."""
        return QuantisedStep(
            *(self.kind, self.operator(), dimension),
            convex=False,
            has_value=False,
            grid=grid_of(self.levels),
            eps_at=self.eps_at,
        )
