"""Linear models: f_i(x) = scale_i * sum over the rows (a, b) of loss(a.x, b) + (ridge/2)||x||^2.

The loss is one of the files that register themselves with ``losses``. Scalar loops over contiguous
arrays: no allocation, and the same bits in plain Python.
"""

from typing import Any, NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import drawn
from dadao_sim.engine import oracles
from dadao_sim.engine.workspace import workspace
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.losses import Loss

# Of the search for a root: doublings of its bounds, steps, and what counts as none, relative.
MOST_DOUBLINGS, MOST_STEPS, ROUNDING = 100, 200, 1e-15


@workspace("scratch")
class LinearModel(NamedTuple):
    """The rows of all nodes, one node after the other, and what to do with them.

    ``A`` (N, d) and ``b`` (N,); node i holds the rows from ``offsets[i]`` to before
    ``offsets[i + 1]`` (int64, (n + 1,)); ``scale`` (n,); ``loss`` is a NamedTuple that ``losses``
    knows; ``batch`` rows are drawn per gradient, 0 for all of them. ``scratch`` is Newton's
    workspace, (d + 2, d), or (0, d) until a conjugate gradient is asked for.
    """

    A: np.ndarray
    b: np.ndarray
    offsets: np.ndarray
    scale: np.ndarray
    ridge: float
    loss: Any
    batch: int
    scratch: np.ndarray


def linear_model(A, b, offsets, scale, ridge: float, loss: Loss) -> LinearModel:
    """A model with the types that the kernels are compiled for, whatever those of the arguments."""
    A = np.ascontiguousarray(A, dtype=np.float64)
    return LinearModel(
        A=A,
        b=np.ascontiguousarray(b, dtype=np.float64),
        offsets=np.ascontiguousarray(offsets, dtype=np.int64),
        scale=np.ascontiguousarray(scale, dtype=np.float64),
        ridge=float(ridge),
        loss=loss,
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
def linear_gradient(model, i, x, mark, out):
    """Gradient of f_i at x, or its unbiased estimate from ``batch`` rows drawn with replacement."""
    first = model.offsets[i]
    rows = model.offsets[i + 1] - first
    d = x.shape[0]
    for j in range(d):
        out[j] = model.ridge * x[j]
    if model.batch == 0:
        for row in range(first, first + rows):
            slope = losses.slope(model.loss, row_dot(model.A, row, x), model.b[row])
            weight = model.scale[i] * slope
            for j in range(d):
                out[j] += weight * model.A[row, j]
    else:
        share = model.scale[i] * rows / model.batch
        for k in range(model.batch):
            row = first + drawn(mark, k, rows)
            slope = losses.slope(model.loss, row_dot(model.A, row, x), model.b[row])
            weight = share * slope
            for j in range(d):
                out[j] += weight * model.A[row, j]


@kernel
def linear_minibatch(model, i, mark, out):
    """The rows, each with its target, that ``linear_gradient`` draws with this mark."""
    first = model.offsets[i]
    rows = model.offsets[i + 1] - first
    d = model.A.shape[1]
    for k in range(out.shape[0]):
        row = first + drawn(mark, k, rows)
        for j in range(d):
            out[k, j] = model.A[row, j]
        out[k, d] = model.b[row]


@kernel
def linear_sample_gradient(model, i, k, x, out):
    """Gradient at x of sample k of node i; f_i is the mean of its samples, each with the l2
    term.
    """
    first = model.offsets[i]
    rows = model.offsets[i + 1] - first
    slope = losses.slope(model.loss, row_dot(model.A, first + k, x), model.b[first + k])
    weight = model.scale[i] * rows * slope
    for j in range(x.shape[0]):
        out[j] = model.ridge * x[j] + weight * model.A[first + k, j]


@kernel
def linear_sample_dot(model, i, k, x):
    """<a, x> with row k of node i."""
    return row_dot(model.A, model.offsets[i] + k, x)


@kernel
def linear_sample_slope(model, i, k, weight, r):
    """scale_i loss'(z) at the z with z + weight scale_i loss'(z) = r."""
    b = model.b[model.offsets[i] + k]
    z = implicit(model.loss, b, weight * model.scale[i], r)
    return model.scale[i] * losses.slope(model.loss, z, b)


@kernel
def implicit(loss, b, weight, r):
    """The z with z + weight loss'(z) = r, to rounding, by Newton's method between bounds.

    The left side increases, as ``weight`` is above -1/sup loss''. Of squares the first step is the
    answer.
    """
    z = r
    wrong = weight * losses.slope(loss, z, b)
    low, high = min(z, z - wrong), max(z, z - wrong)
    if weight < 0.0:  # the root is beyond these bounds
        reach = abs(wrong)
        for _ in range(MOST_DOUBLINGS):
            far = r + reach if wrong < 0.0 else r - reach
            beyond = far + weight * losses.slope(loss, far, b) - r
            low, high = min(r, far), max(r, far)
            if beyond * wrong <= 0.0:
                break
            reach *= 2.0
    last = 2.0 * (high - low)
    for _ in range(MOST_STEPS):
        wrong = z + weight * losses.slope(loss, z, b) - r
        if wrong == 0.0:
            break
        low, high = (low, z) if wrong > 0.0 else (z, high)
        step = -wrong / (1.0 + weight * losses.curvature(loss, z, b))
        if not low <= z + step <= high or abs(step) > 0.5 * last:
            step = 0.5 * (low + high) - z
        last = abs(step)
        z += step
        if last <= ROUNDING * max(abs(z), abs(r)):
            break
    return z


@kernel
def linear_add_sample(model, i, k, weight, out):
    """Add ``weight`` times row k of node i."""
    row = model.offsets[i] + k
    for j in range(out.shape[0]):
        out[j] += weight * model.A[row, j]


@kernel
def node_value(model, i, x):
    """Value of f_i at x, over all rows."""
    total = 0.0
    squares = 0.0
    for row in range(model.offsets[i], model.offsets[i + 1]):
        total += losses.value(model.loss, row_dot(model.A, row, x), model.b[row])
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
            node += losses.divergence(model.loss, z, model.b[row], change)
        total += model.scale[i] * node
    for j in range(x.shape[0]):
        squares += step[j] * step[j]
    return total + 0.5 * (last - first) * model.ridge * (t * t * squares)


oracles.gradient.register(LinearModel, linear_gradient)
oracles.minibatch.register(LinearModel, linear_minibatch)
oracles.sample_gradient.register(LinearModel, linear_sample_gradient)
oracles.sample_dot.register(LinearModel, linear_sample_dot)
oracles.sample_slope.register(LinearModel, linear_sample_slope)
oracles.add_sample.register(LinearModel, linear_add_sample)
