"""Huber's loss: a square near the target, and straight beyond a threshold."""

from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.linear_kind import WithL2
from dadao_sim.strict import Positive


class Huber(NamedTuple):
    """(z - b)^2/2 where |z - b| <= delta, delta |z - b| - delta^2/2 elsewhere."""

    delta: float = 1.0

    @property
    def smoothness(self) -> float:
        """The second derivative near the target."""
        return 1.0

    @property
    def labels(self) -> bool:
        """Targets are numbers."""
        return False


@kernel
def huber_value(huber, z, b):
    """u (z - b - u/2) with the slope u."""
    u = min(max(z - b, -huber.delta), huber.delta)
    return u * (z - b - 0.5 * u)


@kernel
def huber_slope(huber, z, b):
    """z - b, clipped to the threshold."""
    return min(max(z - b, -huber.delta), huber.delta)


@kernel
def huber_curvature(huber, z, b):
    """1 or 0; at the kink that of the inside."""
    return 1.0 if abs(z - b) <= huber.delta else 0.0


@kernel
def huber_divergence(huber, z, b, h):
    """c (h + e - c/2) with the change c of the slope and the part e of z - b beyond it."""
    slope = min(max(z - b, -huber.delta), huber.delta)
    excess = z - b - slope
    change = min(max(h + excess, -huber.delta - slope), huber.delta - slope)
    return change * (h + excess - 0.5 * change)


losses.value.register(Huber, huber_value)
losses.slope.register(Huber, huber_slope)
losses.curvature.register(Huber, huber_curvature)
losses.divergence.register(Huber, huber_divergence)


class HuberL2(WithL2):
    """Huber's loss of linear models, plus (mu/2) ||x||^2."""

    loss = Huber

    kind: Literal["huber_l2"] = Field(description="Huber's loss of a.x - b, and an l2 term")
    delta: Positive = Field(
        default=Huber().delta, description="threshold of the Huber loss, in units of the targets"
    )
