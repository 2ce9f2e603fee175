"""Least squares of a blurred band at each node: f_i(x) = ||C x_b C - y_b||^2/p + ridge ||x||^2/2,
with the p pixels x_b of the band b of node i as a square, and C the blur of a line, periodic.

C is symmetric and diagonal in the real Fourier basis, in which all of this is solved exactly.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.engine.workspace import workspace
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.image import TRUNCATE


@workspace("a", "b", "c")
class PeriodicBlur(NamedTuple):
    """What the nodes saw.

    ``gram`` (s, s) is C C; ``basis`` (s, s) the real Fourier basis, one vector in each column, and
    ``turned`` its transpose, contiguous; ``curvatures`` (s, s) those of f_i in it, without the
    ridge; ``slopes`` (n, s, s) are 2 C y_b C/p; ``band`` (n,) which band a node holds. ``a``, ``b``
    and ``c`` (s, s) are scratch.
    """

    gram: np.ndarray
    basis: np.ndarray
    turned: np.ndarray
    curvatures: np.ndarray
    slopes: np.ndarray
    band: np.ndarray
    weight: float
    ridge: float
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray


@kernel
def sandwich(left, a, right, b, c):
    """Write left a right into c; b is scratch."""
    s = a.shape[0]
    for i in range(s):
        for j in range(s):
            b[i, j] = 0.0
            c[i, j] = 0.0
    for i in range(s):
        for k in range(s):
            factor = left[i, k]
            for j in range(s):
                b[i, j] += factor * a[k, j]
        for k in range(s):
            factor = b[i, k]
            for j in range(s):
                c[i, j] += factor * right[k, j]


@kernel
def blurred_gradient(model, i, x, mark, out):
    """Gradient of f_i at x."""
    s = model.gram.shape[0]
    first = model.band[i] * s * s
    for j in range(x.shape[0]):
        out[j] = model.ridge * x[j]
    for j in range(s):
        for k in range(s):
            model.a[j, k] = x[first + j * s + k]
    sandwich(model.gram, model.a, model.gram, model.b, model.c)
    for j in range(s):
        for k in range(s):
            out[first + j * s + k] += model.weight * model.c[j, k] - model.slopes[i, j, k]


@kernel
def solve_exactly(model, i, v, curvature, out):
    """Write argmin f_i + curvature ||.||^2/2 - <v, .> into out."""
    s = model.gram.shape[0]
    first, rest = model.band[i] * s * s, model.ridge + curvature
    for j in range(v.shape[0]):
        out[j] = v[j] / rest
    for j in range(s):
        for k in range(s):
            model.a[j, k] = v[first + j * s + k] + model.slopes[i, j, k]
    sandwich(model.turned, model.a, model.basis, model.b, model.c)
    for j in range(s):
        for k in range(s):
            model.a[j, k] = model.c[j, k] / (model.curvatures[j, k] + rest)
    sandwich(model.basis, model.a, model.turned, model.b, model.c)
    for j in range(s):
        for k in range(s):
            out[first + j * s + k] = model.c[j, k]


@kernel
def blurred_conjugate_gradient(model, i, y, out):
    """argmax <x, y> - f_i(x)."""
    solve_exactly(model, i, y, 0.0, out)


@kernel
def blurred_local_solve(model, i, v, curvature, step, x):
    """See ``oracles.local_solve``: exact, so that neither start nor step matter."""
    solve_exactly(model, i, v, curvature, x)


oracles.gradient.register(PeriodicBlur, blurred_gradient)
oracles.conjugate_gradient.register(PeriodicBlur, blurred_conjugate_gradient)
oracles.local_solve.register(PeriodicBlur, blurred_local_solve)


def blur_of_a_line(size: int, blur: float) -> FloatArray:
    """C (size, size): a Gaussian of standard deviation ``blur`` pixels, truncated at 3 of them."""
    unit = np.eye(size)
    return np.asarray(gaussian_filter1d(unit, blur, axis=0, mode="wrap", truncate=TRUNCATE))


def fourier_basis(size: int) -> tuple[FloatArray, IntArray]:
    """Cosines and sines, orthonormal, one in each column (size, size), and their wave numbers."""
    angle = 2 * np.pi * np.arange(size) / size
    columns, waves = [np.full(size, 1 / np.sqrt(size))], [0]
    for wave in range(1, (size + 1) // 2):
        columns += [np.sqrt(2 / size) * turn(wave * angle) for turn in (np.cos, np.sin)]
        waves += [wave, wave]
    if size % 2 == 0:
        columns.append(np.cos(np.pi * np.arange(size)) / np.sqrt(size))
        waves.append(size // 2)
    return np.column_stack(columns), np.array(waves)
