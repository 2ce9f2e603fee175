"""Linear models: f_i(x) = scale_i * sum over the rows (a, b) of loss(a.x, b) + (ridge/2)||x||^2.

The losses, in z = a.x:

- square    (z - b)^2
- logistic  log(1 + exp(-b z)), b = +-1
- Huber     (z - b)^2/2 where |z - b| <= delta, delta |z - b| - delta^2/2 elsewhere

Scalar loops over contiguous arrays: no allocation, and the same bits in plain Python.
"""

import math
from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.engine import oracles

SQUARE, LOGISTIC, HUBER = 0, 1, 2
CURVATURE = (2.0, 0.25, 1.0)
"""Largest second derivative of each loss."""


class LinearModel(NamedTuple):
    """The rows of all nodes, one node after the other, and what to do with them.

    ``A`` (N, d) and ``b`` (N,); node i holds the rows from ``offsets[i]`` to before
    ``offsets[i + 1]`` (int64, (n + 1,)); ``scale`` (n,); ``batch`` rows are drawn per gradient, 0
    for all of them. ``scratch`` is Newton's workspace, (d + 2, d), or (0, d) until a conjugate
    gradient is asked for: a model with scratch belongs to one thread.
    """

    A: np.ndarray
    b: np.ndarray
    offsets: np.ndarray
    scale: np.ndarray
    ridge: float
    loss: int
    delta: float
    batch: int
    scratch: np.ndarray


def linear_model(A, b, offsets, scale, ridge: float, loss: int, delta: float) -> LinearModel:
    """A model with the types that the kernels are compiled for, whatever those of the arguments."""
    A = np.ascontiguousarray(A, dtype=np.float64)
    return LinearModel(
        A=A,
        b=np.ascontiguousarray(b, dtype=np.float64),
        offsets=np.ascontiguousarray(offsets, dtype=np.int64),
        scale=np.ascontiguousarray(scale, dtype=np.float64),
        ridge=float(ridge),
        loss=int(loss),
        delta=float(delta),
        batch=0,
        scratch=np.empty((0, A.shape[1])),
    )


@kernel
def row_dot(A, row, x):
    """Dot product of a row of A and x, in four interleaved sums: a single one waits for itself."""
    d = x.shape[0]
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for k in range(d // 4):
        j = 4 * k
        s0 += A[row, j] * x[j]
        s1 += A[row, j + 1] * x[j + 1]
        s2 += A[row, j + 2] * x[j + 2]
        s3 += A[row, j + 3] * x[j + 3]
    for j in range(4 * (d // 4), d):
        s0 += A[row, j] * x[j]
    return (s0 + s1) + (s2 + s3)


@kernel
def sigmoid(t):
    """1/(1 + exp(-t)) without overflow."""
    if t >= 0.0:
        return 1.0 / (1.0 + math.exp(-t))
    e = math.exp(t)
    return e / (1.0 + e)


@kernel
def loss_value(loss, delta, z, b):
    """Loss at z = a.x."""
    if loss == LOGISTIC:
        t = b * z
        return math.log1p(math.exp(-abs(t))) + max(-t, 0.0)
    if loss == HUBER:
        u = min(max(z - b, -delta), delta)
        return u * (z - b - 0.5 * u)
    return (z - b) * (z - b)


@kernel
def loss_slope(loss, delta, z, b):
    """First derivative of the loss in z."""
    if loss == LOGISTIC:
        return -b * sigmoid(-b * z)
    if loss == HUBER:
        return min(max(z - b, -delta), delta)
    return 2.0 * (z - b)


@kernel
def loss_curvature(loss, delta, z, b):
    """Second derivative of the loss in z (Huber at the kink: that of the inside)."""
    if loss == LOGISTIC:
        return sigmoid(z) * sigmoid(-z)
    if loss == HUBER:
        return 1.0 if abs(z - b) <= delta else 0.0
    return 2.0


@kernel
def logistic_divergence(t, h):
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
    return loss_value(LOGISTIC, 0.0, t + h, 1.0) - loss_value(LOGISTIC, 0.0, t, 1.0) + s * h


@kernel
def loss_divergence(loss, delta, z, b, h):
    """Bregman divergence loss(z + h) - loss(z) - loss'(z) h >= 0, without its cancellation."""
    if loss == LOGISTIC:
        return logistic_divergence(b * z, b * h)
    if loss == HUBER:
        slope = min(max(z - b, -delta), delta)
        excess = z - b - slope
        change = min(max(h + excess, -delta - slope), delta - slope)
        return change * (h + excess - 0.5 * change)
    return h * h


@kernel
def linear_gradient(model, i, x, mark, out):
    """Gradient of f_i at x, or its unbiased estimate from ``batch`` rows drawn with replacement."""
    first = model.offsets[i]
    rows = model.offsets[i + 1] - first
    d = x.shape[0]
    for j in range(d):
        out[j] = model.ridge * x[j]
    if model.batch == 0:
        for row in range(first, first + rows):
            slope = loss_slope(model.loss, model.delta, row_dot(model.A, row, x), model.b[row])
            weight = model.scale[i] * slope
            for j in range(d):
                out[j] += weight * model.A[row, j]
    else:
        share = model.scale[i] * rows / model.batch
        for k in range(model.batch):
            draw = splitmix64(mark + np.uint64(k)) % np.uint64(rows)
            row = first + np.int64(draw)
            slope = loss_slope(model.loss, model.delta, row_dot(model.A, row, x), model.b[row])
            weight = share * slope
            for j in range(d):
                out[j] += weight * model.A[row, j]


@kernel
def node_value(model, i, x):
    """Value of f_i at x, over all rows."""
    total = 0.0
    squares = 0.0
    for row in range(model.offsets[i], model.offsets[i + 1]):
        total += loss_value(model.loss, model.delta, row_dot(model.A, row, x), model.b[row])
    for j in range(x.shape[0]):
        squares += x[j] * x[j]
    return model.scale[i] * total + 0.5 * model.ridge * squares


@kernel
def divergence(model, first, last, x, t, step):
    """Sum over nodes [first, last) of f_i(x + t step) - f_i(x) - <grad f_i(x), t step> >= 0."""
    total = 0.0
    squares = 0.0
    for i in range(first, last):
        node = 0.0
        for row in range(model.offsets[i], model.offsets[i + 1]):
            z = row_dot(model.A, row, x)
            change = t * row_dot(model.A, row, step)
            node += loss_divergence(model.loss, model.delta, z, model.b[row], change)
        total += model.scale[i] * node
    for j in range(x.shape[0]):
        squares += step[j] * step[j]
    return total + 0.5 * (last - first) * model.ridge * (t * t * squares)


oracles.gradient.register(LinearModel, linear_gradient)
