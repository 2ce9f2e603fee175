"""What a linear model asks of its loss at z = a.x and a target b, by the type of the loss.

A loss is a NamedTuple of its constants, all above 0, with the two properties of ``Loss`` and a
``kernel`` for each verb below, so that these calls are inlined in the compiled engine. ``huber`` is
an example to copy: it has one constant.
"""

from typing import Protocol

from dadao_sim.compiled.dispatch import by_type


class Loss(Protocol):
    """What a problem asks of a loss."""

    @property
    def smoothness(self) -> float:
        """Largest second derivative in z."""

    @property
    def labels(self) -> bool:
        """Whether the targets are classes, -1 or 1."""


@by_type(0)
def value(loss, z, b):
    """Loss at z."""


@by_type(0)
def slope(loss, z, b):
    """First derivative in z."""


@by_type(0)
def curvature(loss, z, b):
    """Second derivative in z; at a kink of the slope that of either side."""


@by_type(0)
def divergence(loss, z, b, h):
    """Bregman divergence loss(z + h) - loss(z) - loss'(z) h >= 0, to rounding.

    Not that difference as it is written: where h is small it cancels, and x* is not found.
    """
