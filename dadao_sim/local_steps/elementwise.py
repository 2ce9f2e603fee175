"""Convex terms that act on each coordinate by itself."""

import math
from typing import NamedTuple

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.options import positive


@kernel
def soft_threshold(v, threshold):
    """sign(v) max(|v| - threshold, 0), with the bits of NumPy's expression."""
    size = abs(v) - threshold
    # Adding 0 makes -0 a 0, whose sign NumPy takes to be 0; every other v keeps its sign.
    return math.copysign(0.0 if size < 0.0 else size, v + 0.0)


class L1(NamedTuple):
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


class SquaredL2(NamedTuple):
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


class ElasticNet(NamedTuple):
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


class Huber(NamedTuple):
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


def l1(dimension: int, *, strength: float) -> LocalStep:
    """See :class:`L1`; InputError unless strength > 0."""
    return LocalStep("l1", L1(positive("strength", strength)), dimension, convex=True)


def squared_l2(dimension: int, *, strength: float) -> LocalStep:
    """See :class:`SquaredL2`; InputError unless strength > 0."""
    r = SquaredL2(positive("strength", strength))
    return LocalStep("squared_l2", r, dimension, convex=True)


def elastic_net(dimension: int, *, strength: float, l2: float) -> LocalStep:
    """See :class:`ElasticNet`; InputError unless strength, l2 > 0."""
    r = ElasticNet(positive("strength", strength), positive("l2", l2))
    return LocalStep("elastic_net", r, dimension, convex=True)


def huber(dimension: int, *, strength: float, delta: float = 1.0) -> LocalStep:
    """See :class:`Huber`; InputError unless strength, delta > 0."""
    r = Huber(positive("strength", strength), positive("delta", delta))
    return LocalStep("huber", r, dimension, convex=True)


operators.prox.register(L1, l1_prox)
operators.value.register(L1, l1_value)
operators.prox.register(SquaredL2, squared_l2_prox)
operators.value.register(SquaredL2, squared_l2_value)
operators.prox.register(ElasticNet, elastic_net_prox)
operators.value.register(ElasticNet, elastic_net_value)
operators.prox.register(Huber, huber_prox)
operators.value.register(Huber, huber_value)
