"""The logistic loss log(1 + exp(-b z)) of labels b = +-1."""

import math
from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.linear_kind import WithL2


class Logistic(NamedTuple):
    """log(1 + exp(-b z)), b = +-1."""

    @property
    def smoothness(self) -> float:
        """The second derivative at z = 0."""
        return 0.25

    @property
    def labels(self) -> bool:
        """Targets are -1 or 1."""
        return True


@kernel
def sigmoid(t):
    """1/(1 + exp(-t)) without overflow."""
    if t >= 0.0:
        return 1.0 / (1.0 + math.exp(-t))
    e = math.exp(t)
    return e / (1.0 + e)


@kernel
def softplus(t):
    """phi(t) = log(1 + exp(-t)) without overflow."""
    return math.log1p(math.exp(-abs(t))) + max(-t, 0.0)


@kernel
def softplus_divergence(t, h):
    """Bregman divergence phi(t + h) - phi(t) - phi'(t) h of phi(t) = log(1 + exp(-t)), to 1e-13."""
    if t < 0.0:
        t, h = -t, -h  # phi(-t) - phi(t) is linear
    s = sigmoid(-t)
    if abs(h) < 0.01:
        # log(1 + s (exp(-h) - 1)) generates the cumulants of a Bernoulli(s): numbers 2 to 6.
        v, odd = s * sigmoid(t), 1.0 - 2.0 * s
        c3, c4, c5 = odd / 6.0, (1.0 - 6.0 * v) / 24.0, odd * (1.0 - 12.0 * v) / 120.0
        c6 = (1.0 - 30.0 * v + 120.0 * v * v) / 720.0
        return v * h * h * (0.5 - h * (c3 - h * (c4 - h * (c5 - h * c6))))
    if h > -500.0:
        return math.log1p(s * math.expm1(-h)) + s * h
    return softplus(t + h) - softplus(t) + s * h


@kernel
def logistic_value(logistic, z, b):
    """log(1 + exp(-b z))."""
    return softplus(b * z)


@kernel
def logistic_slope(logistic, z, b):
    """-b/(1 + exp(b z))."""
    return -b * sigmoid(-b * z)


@kernel
def logistic_curvature(logistic, z, b):
    """The same for both labels."""
    return sigmoid(z) * sigmoid(-z)


@kernel
def logistic_divergence(logistic, z, b, h):
    """See :func:`softplus_divergence`."""
    return softplus_divergence(b * z, b * h)


losses.value.register(Logistic, logistic_value)
losses.slope.register(Logistic, logistic_slope)
losses.curvature.register(Logistic, logistic_curvature)
losses.divergence.register(Logistic, logistic_divergence)


class LogisticL2(WithL2):
    """The logistic loss of linear models, plus (mu/2) ||x||^2."""

    loss = Logistic

    kind: Literal["logistic_l2"] = Field(
        description="log(1 + exp(-b a.x)) of labels b = +-1, and an l2 term"
    )
