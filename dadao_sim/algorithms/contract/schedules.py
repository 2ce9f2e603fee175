"""Step schedules by kind: how the steps of a method of rounds vary from round to round.

``SCHEDULES`` holds the declarations; a new one is a class below :class:`Schedule` in a user's file.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Strict, field_validator

from dadao_sim.registration import Registry
from dadao_sim.strict import BelowOne, ByKind, Count, Positive, StrictModel, kinds_of, misuse


class Schedule(StrictModel):
    """What a method's steps are multiplied by, the base of all; a subclass has a ``kind`` and its
    keys.
    """

    if TYPE_CHECKING:  # a key of every subclass
        kind: Any

    def scale(self, k: int) -> float:
        """The factor in round k = 0, 1, ..."""
        raise NotImplementedError


class Constant(Schedule):
    """The steps as they are."""

    kind: Literal["constant"] = Field(description="the schedule")

    def scale(self, k: int) -> float:
        """1."""
        return 1.0


class Power(Schedule):
    """1/(1 + k/after)^p in round k = 0, 1, ...: 1/k^p from about round ``after`` on."""

    kind: Literal["power"] = Field(description="the schedule")
    p: Positive = Field(default=1.0, description="exponent: 1/k^p in round k")
    after: Positive = Field(default=1.0, description="rounds from which the steps fall like 1/k^p")

    def scale(self, k: int) -> float:
        """(1 + k/after)^-p."""
        return float((1 + k / self.after) ** -self.p)


class WarmUp(Schedule):
    """Steps that grow in proportion to the rounds, up to their full length."""

    kind: Literal["warm_up"] = Field(description="the schedule")
    rounds: Count = Field(description="after so many rounds the steps have their full length")

    def scale(self, k: int) -> float:
        """min(1, (k + 1)/rounds)."""
        return min(1.0, (k + 1) / self.rounds)


class Milestones(Schedule):
    """Steps that are cut at given rounds."""

    kind: Literal["milestones"] = Field(description="the schedule")
    at: Annotated[tuple[Count, ...], Strict(False), Field(min_length=1)] = Field(
        description="rounds from which on the steps are shorter, increasing"
    )
    by: BelowOne = Field(default=0.1, description="factor by which each of them shortens the steps")

    @field_validator("at")
    @classmethod
    def _increasing(cls, at: tuple[int, ...]) -> tuple[int, ...]:
        for k in range(1, len(at)):
            if at[k] <= at[k - 1]:
                raise misuse(f"must be above the one before it, got {at[k]}", k)
        return at

    def scale(self, k: int) -> float:
        """``by`` to the power of the milestones passed."""
        return float(self.by ** sum(k >= milestone for milestone in self.at))


SCHEDULES: Registry[type[Schedule]] = Registry("schedule", __name__, kinds_of(Schedule))
StepSchedule = Annotated[Schedule, ByKind(SCHEDULES)]
