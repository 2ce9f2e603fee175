r"""A learned prior of pictures: what small filters answer, to a learned power.

    r(x) = s sum_k s_k sum_j ((u_kj^2 + e^2)^{p/2} - e^p),    u_k = G_k x,  0 < p <= 1

with G_k the correlation with a filter of 3 x 3 numbers, of mean 0 and norm 1, at every place where
it lies in the picture: what is constant has r = 0. Eight filters, eight strengths s_k and one p are
81 numbers. r has a value, and one prox for all steps; it is not convex.

With W(x) = diag(s s_k p (u_kj^2 + e^2)^{p/2 - 1}) and S(x) = G' W(x) G, S(x) x is the gradient of
r, and <y, S(x) y>/2 lies above r(y) and touches it at x, up to a constant. So the prox of a step a
at v is a minimum of J(x) = a r(x) + ||x - v||^2/2 that descent from v finds:

    (I + a S(x)) x+ = v     by conjugate gradients from x, none of which makes J rise,

and Newton's steps in their place where these halve the gradient of J and do not make J rise. It is
the minimum beside v and not the least one, which nobody knows how to find.

Reference
    I. Koshelev, S. Lefkimmiatis, "Iterative Reweighted Least Squares Networks With Convergence
    Guarantees for Solving Inverse Imaging Problems", arXiv:2308.05745; S. Lefkimmiatis and I.
    Koshelev, "Learning Sparse and Low-Rank Priors for Image Recovery via Iterative Reweighted Least
    Squares Minimization", ICLR 2023.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.archives import Stored
from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, check_output
from dadao_sim.local_steps.learned.nature import Nature
from dadao_sim.local_steps.learned.weight_file import FILES, WEIGHTS
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.reweighting import Linear
from dadao_sim.local_steps.terms.fitting import check_matrix

FloatArray = NDArray[np.float64]

FORMAT = "dadao_sim learned filters 1"
SIDE = 3
UNIT = 1e-3
"""To which filters in a file have mean 0 and norm 1: half precision is enough."""
TOLERANCE, MOST_STEPS = 1e-13, 1000
"""Of the prox: its gradient relative to ||v||, and steps after which the last answer stands. Of 64
x 64 pixels with noise it took 20 to 60.
"""
ROUNDING = 1e-14
"""Relative, up to which a sum over all pixels may have risen by rounding alone."""
SOLVED, SOLVE_STEPS = 0.1, 20
"""Of a reweighted step: what is left of the residual, and conjugate gradients at most."""
NEWTON_SOLVED, NEWTON_SOLVE_STEPS, REST = 1e-3, 80, 3
"""The same of Newton's steps, and reweighted steps between one that was refused and the next."""


class Filters(NamedTuple):
    """Filters (K, 3, 3), each of mean 0 and norm 1, their strengths s_k (K,), above 0, p in (0, 1]
    and e > 0, in units of the pixels: the prior of pictures in [0, 1] at s = 1, where the noise has
    the standard deviation 0.1 and F is ||x - y||^2/2.
    """

    filters: FloatArray
    strengths: FloatArray
    p: float
    epsilon: float

    @property
    def nature(self) -> Nature:
        """See :class:`Nature`."""
        return Nature("lefkimmiatis2023learning", of_pictures=True)

    def local_step(
        self, dimension: int, strength: float, shape: tuple[int, int] | None = None
    ) -> LocalStep:
        """See :func:`filters_step`."""
        return filters_step(self, dimension, strength, shape)


@workspace("weights", "others", "curvatures", "other_curvatures", "vectors", "line")
class Work(NamedTuple):
    """Scratch of a prox: weights, curvatures (K, rows - 2, columns - 2), in pairs; vectors (d,);
    ``line`` (columns + 2,), which begins and ends with two zeros.
    """

    weights: FloatArray
    others: FloatArray
    curvatures: FloatArray
    other_curvatures: FloatArray
    vectors: FloatArray
    line: FloatArray


class FiltersOperator(NamedTuple):
    """r above, of a picture ``shape``, its rows one after the other; ``filters`` (K, 9), and in
    ``strengths`` (K,) the s s_k.
    """

    shape: tuple[int, int]
    filters: FloatArray
    strengths: FloatArray
    p: float
    epsilon: float
    work: Work

    def with_epsilon(self, epsilon: float) -> "FiltersOperator":
        """See :class:`Reweighted`."""
        return self._replace(epsilon=epsilon)

    def majoriser(self, X: FloatArray) -> Linear:
        """See :class:`Reweighted`: S(x) = G' W(x) G."""
        points = _as_rows(X)
        W = np.empty((len(points), *self.work.weights.shape))
        _weigh_rows(self, points, W)

        def S(V: FloatArray) -> FloatArray:
            images = np.empty((len(points), V.shape[-1]))
            _product_rows(self, W, _as_rows(V), images)
            return images.reshape(V.shape)

        return S


def _as_rows(X: FloatArray) -> FloatArray:
    return np.ascontiguousarray(X).reshape(-1, X.shape[-1])


# --- The sums over a picture -------------------------------------------------------------------


@kernel
def respond(g, above, here, below, out):
    """Write what the filter ``g`` (9,) answers to three rows of pixels (c,) into ``out`` (c - 2,).

    Rows are slices, and every index counts from 0: so it runs on vectors of the processor.
    """
    a, b, c, d, e, f, h, i, k = g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8]
    for j in range(out.shape[0]):
        out[j] = (
            a * above[j]
            + b * above[j + 1]
            + c * above[j + 2]
            + d * here[j]
            + e * here[j + 1]
            + f * here[j + 2]
            + h * below[j]
            + i * below[j + 1]
            + k * below[j + 2]
        )


@kernel
def spread(a, b, c, line, out):
    """Add the transpose of a row (a, b, c) of a filter to ``out`` (c,); ``line`` as in Work."""
    for j in range(out.shape[0]):
        out[j] += a * line[j + 2] + b * line[j + 1] + c * line[j]


@kernel
def product(r, weights, v, out):
    """Write G' diag(weights) G v into ``out`` (d,)."""
    rows, columns = r.shape
    answers = r.work.line[2:columns]
    out[:] = 0.0
    for i in range(rows - 2):
        start = i * columns
        first = slice(start, start + columns)
        second = slice(start + columns, start + 2 * columns)
        third = slice(start + 2 * columns, start + 3 * columns)
        for k in range(r.strengths.shape[0]):
            g, of_row = r.filters[k], weights[k, i]
            respond(g, v[first], v[second], v[third], answers)
            for j in range(answers.shape[0]):
                answers[j] *= of_row[j]
            spread(g[0], g[1], g[2], r.work.line, out[first])
            spread(g[3], g[4], g[5], r.work.line, out[second])
            spread(g[6], g[7], g[8], r.work.line, out[third])


@kernel
def weigh(r, x, weights, curvatures):
    """Write W(x) and the second derivatives of r in every answer, both (K, rows - 2, columns - 2);
    r(x).
    """
    rows, columns = r.shape
    answers = r.work.line[2:columns]
    square = r.epsilon * r.epsilon
    total, at_zero = 0.0, math.pow(r.epsilon, r.p)
    for i in range(rows - 2):
        start = i * columns
        above, here = x[start : start + columns], x[start + columns : start + 2 * columns]
        below = x[start + 2 * columns : start + 3 * columns]
        for k in range(r.strengths.shape[0]):
            respond(r.filters[k], above, here, below, answers)
            of_filter = 0.0
            for j in range(answers.shape[0]):
                u = answers[j] * answers[j]
                q = u + square
                power = math.pow(q, 0.5 * r.p - 1.0)
                weight = r.strengths[k] * r.p * power
                weights[k, i, j] = weight
                curvatures[k, i, j] = weight * (1.0 + (r.p - 2.0) * u / q)
                of_filter += power * q - at_zero
            total += r.strengths[k] * of_filter
    return total


@kernel
def _weigh_rows(r, X, W):
    for n in range(X.shape[0]):
        weigh(r, X[n], W[n], r.work.curvatures)


@kernel
def _product_rows(r, W, V, out):
    for n in range(V.shape[0]):
        product(r, W[n], V[n], out[n])


@kernel
def dot(v, w):
    """<v, w>."""
    total = 0.0
    for k in range(v.shape[0]):
        total += v[k] * w[k]
    return total


# --- The prox ----------------------------------------------------------------------------------


@kernel
def solve(r, step, weights, residual, tolerance, most, out, direction, image):
    """Conjugate gradients from 0 for (I + step G' diag(weights) G) out = residual (d,), which is
    used up, until ``tolerance`` of it is left; how many, or -1 at a direction of curvature <= 0.
    """
    square = dot(residual, residual)
    enough = tolerance * tolerance * square
    out[:] = 0.0
    direction[:] = residual
    count = 0
    while count < most and square > enough:
        product(r, weights, direction, image)
        for k in range(image.shape[0]):
            image[k] = direction[k] + step * image[k]
        curvature = dot(direction, image)
        if not curvature > 0.0:
            return -1
        length = square / curvature
        for k in range(out.shape[0]):
            out[k] += length * direction[k]
            residual[k] -= length * image[k]
        before, square = square, dot(residual, residual)
        for k in range(out.shape[0]):
            direction[k] = residual[k] + square / before * direction[k]
        count += 1
    return count


@kernel
def descend(r, step, v, x, tolerance, most):
    """From x (d,) to a minimum of J(x) = step r(x) + ||x - v||^2/2, written into x: until the
    gradient of J is ``tolerance`` ||v|| or less, ``most`` steps at most; how many there were.
    """
    vectors, n = r.work.vectors, v.shape[0]
    gradient, residual, change = vectors[0], vectors[1], vectors[2]
    direction, image, there = vectors[3], vectors[4], vectors[5]
    gradient_there = vectors[6]
    weights, others = r.work.weights, r.work.others
    curvatures, other_curvatures = r.work.curvatures, r.work.other_curvatures
    enough = tolerance * math.sqrt(dot(v, v))
    J = arrive(r, step, v, x, weights, curvatures, gradient)
    size = math.sqrt(dot(gradient, gradient))
    count, reweighted_until = 0, 0
    while size > enough and size < math.inf and count < most:
        count += 1
        for k in range(n):
            residual[k] = -gradient[k]
        newton = count > reweighted_until
        if newton:
            left, longest = NEWTON_SOLVED, NEWTON_SOLVE_STEPS
            taken = solve(r, step, curvatures, residual, left, longest, change, direction, image)
            newton = taken > 0
        else:
            left, longest = SOLVED, SOLVE_STEPS
            solve(r, step, weights, residual, left, longest, change, direction, image)
            taken = 1
        if taken < 0:
            reweighted_until = count + REST
            continue
        for k in range(n):
            there[k] = x[k] + change[k]
        J_there = arrive(r, step, v, there, others, other_curvatures, gradient_there)
        size_there = math.sqrt(dot(gradient_there, gradient_there))
        if newton and not (size_there < 0.5 * size and J_there <= J * (1.0 + ROUNDING)):
            reweighted_until = count + REST
            continue
        x[:] = there
        gradient, gradient_there = gradient_there, gradient
        weights, others = others, weights
        curvatures, other_curvatures = other_curvatures, curvatures
        J, size = J_there, size_there
    return count


@kernel
def arrive(r, step, v, x, weights, curvatures, gradient):
    """Write weights, curvatures and the gradient of J at x; J(x)."""
    of_r = weigh(r, x, weights, curvatures)
    product(r, weights, x, gradient)
    square = 0.0
    for k in range(x.shape[0]):
        apart = x[k] - v[k]
        gradient[k] = apart + step * gradient[k]
        square += apart * apart
    return step * of_r + 0.5 * square


@kernel
def filters_prox(r, step, v, out):
    """The minimum of step r(x) + ||x - v||^2/2 that descent from v finds."""
    out[:] = v
    descend(r, step, v, out, TOLERANCE, MOST_STEPS)


@kernel
def filters_value(r, x):
    """r(x)."""
    return weigh(r, x, r.work.weights, r.work.curvatures)


operators.prox.register(FiltersOperator, filters_prox)
operators.value.register(FiltersOperator, filters_value)


# --- The local step ----------------------------------------------------------------------------


def operator_of(net: Filters, shape: tuple[int, int], strength: float = 1.0) -> FiltersOperator:
    """r of a picture of ``shape``, rows and columns, 3 or more each."""
    rows, columns = shape
    places = len(net.strengths), rows - SIDE + 1, columns - SIDE + 1
    W, W_other, C, C_other = (np.empty(places) for _ in range(4))
    work = Work(W, W_other, C, C_other, np.empty((7, rows * columns)), np.zeros(columns + 2))
    return FiltersOperator(
        (int(rows), int(columns)),
        np.ascontiguousarray(net.filters.reshape(-1, SIDE**2)),
        strength * net.strengths,
        float(net.p),
        float(net.epsilon),
        work,
    )


def filters_step(
    net: Filters, dimension: int, strength: float, shape: tuple[int, int] | None = None
) -> LocalStep:
    """The local step of pictures of ``shape``, rows and columns; square ones if None.

    InputError where the shape has not ``dimension`` pixels, or is too small for a filter.
    """
    if shape is None:
        side = math.isqrt(dimension)
        if side**2 != dimension:
            needed = "rows and columns of the picture are needed, its shape"
            raise InputError("shape", f"{dimension} is no number of pixels of a square", needed)
        shape = (side, side)
    check_matrix(shape, dimension)
    if min(shape) < SIDE:
        needed = f"{SIDE} at least in each direction, the size of a filter"
        raise InputError("shape", f"{shape[0]} x {shape[1]} pixels given", needed)
    return LocalStep("filters", operator_of(net, shape, strength), dimension, convex=False)


# --- Files -------------------------------------------------------------------------------------


def save_filters(
    path: str | Path, net: Filters, metadata: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a .npz file; ``metadata`` says how the numbers came about."""
    check_output(path, WEIGHTS, overwrite=overwrite)
    text = json.dumps({**metadata, "format": FORMAT}, sort_keys=True)
    atomic_write(Path(path), lambda handle: np.savez(handle, **net._asdict(), metadata=text))


def filters_in(path: Path, stored: Stored) -> Filters:
    """The filters of a file that is one of these; InputError where they are not whole."""
    FILES.check_names(path, stored, Filters._fields)
    try:
        arrays = {name: np.asarray(stored[name]) for name in Filters._fields}
        count = arrays["strengths"].size
    except Exception as error:
        raise FILES.damaged(path) from error
    shapes = {"filters": (count, SIDE, SIDE), "strengths": (count,), "p": (), "epsilon": ()}
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype.kind != "f" or not np.isfinite(array).all():
            raise FILES.refused(path, f"{name} is no finite numbers of the shape {shapes[name]}")
    filters, strengths = (arrays[name].astype(np.float64) for name in ("filters", "strengths"))
    net = Filters(filters, strengths, float(arrays["p"]), float(arrays["epsilon"]))
    if not (count and net.strengths.min() > 0 and 0 < net.p <= 1 and net.epsilon > 0):
        raise FILES.refused(path, "strengths > 0, 0 < p <= 1 and epsilon > 0 are needed")
    rows = filters.reshape(count, -1)
    with np.errstate(over="ignore"):
        means, norms = np.abs(rows.mean(axis=1)), np.linalg.norm(rows, axis=1)
    if not (means.max() <= UNIT and np.abs(norms - 1).max() <= UNIT):
        raise FILES.refused(path, "filters of mean 0 and norm 1 are needed")
    return net
