"""Convex terms that act on each coordinate by itself."""

import math
from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.term import Strength, Term
from dadao_sim.strict import Positive


@kernel
def soft_threshold(v, threshold):
    """sign(v) max(|v| - threshold, 0), with the bits of NumPy's expression."""
    size = abs(v) - threshold
    # Adding 0 makes -0 a 0, whose sign NumPy takes to be 0; every other v keeps its sign.
    return math.copysign(0.0 if size < 0.0 else size, v + 0.0)


class L1Operator(NamedTuple):
    """r(x) = strength ||x||_1; the soft threshold (Donoho 1995)."""

    strength: float


@kernel
def l1_prox(r, step, v, out):
    """Soft threshold at step strength."""
    threshold = step * r.strength
    for k in range(v.shape[0]):
        out[k] = soft_threshold(v[k], threshold)


@kernel
def l1_value(r, x):
    """strength ||x||_1."""
    total = 0.0
    for k in range(x.shape[0]):
        total += abs(x[k])
    return r.strength * total


operators.prox.register(L1Operator, l1_prox)
operators.value.register(L1Operator, l1_value)


class L1(Term):
    """strength ||x||_1."""

    kind: Literal["l1"] = Field(description="the l1 norm")
    strength: Strength

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        return LocalStep(self.kind, L1Operator(self.strength), dimension, convex=True)


class SquaredL2Operator(NamedTuple):
    """r(x) = (strength/2) ||x||^2; v/(1 + step strength) (Tikhonov 1963)."""

    strength: float


@kernel
def squared_l2_prox(r, step, v, out):
    """v/(1 + step strength)."""
    scale = 1.0 + step * r.strength
    for k in range(v.shape[0]):
        out[k] = v[k] / scale


@kernel
def squared_l2_value(r, x):
    """(strength/2) ||x||^2."""
    total = 0.0
    for k in range(x.shape[0]):
        total += x[k] * x[k]
    return 0.5 * r.strength * total


operators.prox.register(SquaredL2Operator, squared_l2_prox)
operators.value.register(SquaredL2Operator, squared_l2_value)


class SquaredL2(Term):
    """(strength/2) ||x||^2."""

    kind: Literal["squared_l2"] = Field(description="half the squared Euclidean norm")
    strength: Strength

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        return LocalStep(self.kind, SquaredL2Operator(self.strength), dimension, convex=True)


class ElasticNetOperator(NamedTuple):
    """r(x) = strength ||x||_1 + (l2/2) ||x||^2 (Zou and Hastie 2005)."""

    strength: float
    l2: float


@kernel
def elastic_net_prox(r, step, v, out):
    """The soft threshold at step strength, over 1 + step l2."""
    threshold = step * r.strength
    scale = 1.0 + step * r.l2
    for k in range(v.shape[0]):
        out[k] = soft_threshold(v[k], threshold) / scale


@kernel
def elastic_net_value(r, x):
    """strength ||x||_1 + (l2/2) ||x||^2."""
    total = 0.0
    for k in range(x.shape[0]):
        total += abs(x[k]) * (r.strength + 0.5 * r.l2 * abs(x[k]))
    return total


operators.prox.register(ElasticNetOperator, elastic_net_prox)
operators.value.register(ElasticNetOperator, elastic_net_value)


class ElasticNet(Term):
    """strength ||x||_1 + (l2/2) ||x||^2."""

    kind: Literal["elastic_net"] = Field(description="the l1 norm and half the squared l2 norm")
    strength: Strength
    l2: Positive = Field(description="factor of ||x||^2/2")

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        operator = ElasticNetOperator(self.strength, self.l2)
        return LocalStep(self.kind, operator, dimension, convex=True)


class HuberOperator(NamedTuple):
    """r(x) = strength sum_k h(x_k), h(z) = z^2/2 up to |z| = delta, then delta |z| - delta^2/2
    (Huber 1964): strength delta ||.||_1 smoothed.
    """

    strength: float
    delta: float


@kernel
def huber_prox(r, step, v, out):
    """v/(1 + step strength) on the parabola; nearer to 0 by step strength delta elsewhere."""
    weight = step * r.strength
    for k in range(v.shape[0]):
        if abs(v[k]) <= r.delta * (1.0 + weight):
            out[k] = v[k] / (1.0 + weight)
        else:
            out[k] = v[k] - math.copysign(weight * r.delta, v[k])


@kernel
def huber_value(r, x):
    """strength sum_k h(x_k)."""
    total = 0.0
    for k in range(x.shape[0]):
        size = abs(x[k])
        if size <= r.delta:
            total += 0.5 * size * size
        else:
            total += r.delta * (size - 0.5 * r.delta)
    return r.strength * total


operators.prox.register(HuberOperator, huber_prox)
operators.value.register(HuberOperator, huber_value)


class Huber(Term):
    """The l1 norm smoothed: strength (z^2/2 up to |z| = delta, delta |z| - delta^2/2 beyond)."""

    kind: Literal["huber"] = Field(description="the Huber function of each coordinate")
    strength: Strength
    delta: Positive = Field(default=1.0, description="size at which the parabola becomes a line")

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        operator = HuberOperator(self.strength, self.delta)
        return LocalStep(self.kind, operator, dimension, convex=True)
