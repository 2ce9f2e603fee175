"""Total variation: of a line exactly in linear time, of an image by two dual blocks of such lines,
of a cube band by band.

The prox on a line is a dynamic programme (Johnson 2013). Let h_k(x) be the derivative of the least
cost of the coordinates before k and of x_k = x: then h_0(x) = x - v_0, and
h_{k+1}(x) = clip(h_k(x), -weight, weight) + x - v_{k+1}, increasing and piecewise linear. Each step
cuts at both ends and adds at most one knot, and the cuts tell x_k from x_{k+1}.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.fitting import check_cube, check_matrix
from dadao_sim.local_steps.terms.term import CubeShape, MatrixShape, Strength, Term

# The two blocks of an image have met where they differ by no more than this, relative to the
# largest |v|. Of 99 images of 64 x 64 (noise, ramps, heavy tails, ...) none needed more than 183
# rounds, most fewer than 10; the last round's answer stands where MOST_ROUNDS are too few.
TOLERANCE = 1e-12
MOST_ROUNDS = 10_000


@workspace("knot", "slope", "low", "high")
class Line(NamedTuple):
    """Workspace for lines of up to m coordinates.

    ``knot`` and ``slope`` (2m + 1,): h has slope ``slope[i] + k`` from knot i to the next;
    ``low`` and ``high`` (m,): where h_k is -weight and weight.
    """

    knot: np.ndarray
    slope: np.ndarray
    low: np.ndarray
    high: np.ndarray


def line(length: int) -> Line:
    """Workspace for lines of up to ``length`` coordinates."""
    return Line(*(np.empty(size) for size in (2 * length + 1, 2 * length + 1, length, length)))


@kernel
def climb(work, k, left, right, rise):
    """Where h has risen by ``rise`` since knot ``left``, and the knot at or before it."""
    while left < right - 1:
        gain = (work.slope[left] + k) * (work.knot[left + 1] - work.knot[left])
        if not gain < rise:
            break
        rise -= gain
        left += 1
    return min(work.knot[left] + rise / (work.slope[left] + k), work.knot[left + 1]), left


@kernel
def descend(work, k, left, right, fall):
    """Where h has fallen by ``fall`` back from knot ``right``, and the knot at or after it."""
    while left < right - 1:
        loss = (work.slope[right - 1] + k) * (work.knot[right] - work.knot[right - 1])
        if not loss < fall:
            break
        fall -= loss
        right -= 1
    x = work.knot[right] - fall / (work.slope[right - 1] + k)
    return max(x, work.knot[right - 1]), right


@kernel
def flattens(v, weight, first, stride, length, out):
    """Whether the prox of a line (see ``denoise_line``) is its mean everywhere, then written into
    ``out``: so it is when no sum of v_0 - mean, ..., v_k - mean exceeds the weight.

    The dynamic programme starts from knots as far off as the weight, and its rounding grows with
    that; here it never needs more weight than the data can use.
    """
    end = first + length * stride
    mean = 0.0
    for p in range(first, end, stride):
        mean += v[p]
    mean /= length
    dual = 0.0
    for p in range(first, end, stride):
        dual += v[p] - mean
        if not abs(dual) <= weight:
            return False
    for p in range(first, end, stride):
        out[p] = mean + dual / length  # of the rounding of the sum, nothing is left
    return True


@kernel
def denoise_line(v, weight, first, stride, length, work, out):
    """Write argmin_x weight sum_k |x_{k+1} - x_k| + ||x - v||^2/2 into ``out``, for the ``length``
    coordinates of v from ``first`` on, ``stride`` apart.
    """
    if flattens(v, weight, first, stride, length, out):
        return
    left, right = length - 1, length
    work.low[0] = work.knot[left] = v[first] - weight
    work.high[0] = work.knot[right] = v[first] + weight
    work.slope[left] = 1.0
    x = v[first]
    for k in range(1, length):
        centre = v[first + k * stride]
        if centre <= work.knot[left]:
            left -= 1
            work.knot[left], work.slope[left] = centre, 1.0 - k
        elif centre >= work.knot[right]:
            work.slope[right] = 1.0 - k
            right += 1
            work.knot[right] = centre
        rise = centre - work.knot[left]
        if k == length - 1:
            x, left = climb(work, k, left, right, weight + rise)
        else:
            cut, left = climb(work, k, left, right, rise)
            work.low[k] = work.knot[left] = cut
            cut, right = descend(work, k, left, right, work.knot[right] - centre)
            work.high[k] = work.knot[right] = cut
    out[first + (length - 1) * stride] = x
    for k in range(length - 2, -1, -1):
        x = min(max(x, work.low[k]), work.high[k])
        out[first + k * stride] = x


@kernel
def variation(x, first, stride, length):
    """sum_k |x_{k+1} - x_k| along a line."""
    total = 0.0
    for k in range(first + stride, first + length * stride, stride):
        total += abs(x[k] - x[k - stride])
    return total


class TotalVariation1DOperator(NamedTuple):
    """r(x) = strength sum_k |x_{k+1} - x_k| (Rudin, Osher, Fatemi 1992)."""

    strength: float
    line: Line


@kernel
def tv_1d_prox(r, step, v, out):
    """Exact."""
    denoise_line(v, step * r.strength, 0, 1, v.shape[0], r.line, out)


@kernel
def tv_1d_value(r, x):
    """strength sum_k |x_{k+1} - x_k|."""
    return r.strength * variation(x, 0, 1, x.shape[0])


operators.prox.register(TotalVariation1DOperator, tv_1d_prox)
operators.value.register(TotalVariation1DOperator, tv_1d_value)


class TotalVariation1D(Term):
    """strength sum_k |x_{k+1} - x_k|."""

    kind: Literal["tv_1d"] = Field(description="total variation of a line")
    strength: Strength

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        operator = TotalVariation1DOperator(self.strength, line(dimension))
        return LocalStep(self.kind, operator, dimension, convex=True)


@workspace("dual", "ahead", "shifted", "by_rows")
class TotalVariation2DOperator(NamedTuple):
    """r(x) = strength times the variation along all rows and all columns (anisotropic) of the image
    x, ``rows`` by ``columns``, row by row; the rest is workspace, (d,) each.
    """

    strength: float
    rows: int
    columns: int
    line: Line
    dual: np.ndarray
    ahead: np.ndarray
    shifted: np.ndarray
    by_rows: np.ndarray


@kernel
def tv_2d_prox(r, step, v, out):
    """Accelerated alternation between the dual blocks of rows and columns (Chambolle and Pock
    2015), which starts afresh where it turns back (O'Donoghue and Candes 2015).

    With u the dual of the columns and w its extrapolation: y = rows(v - w), x = columns(w + y),
    u = w + y - x. At x = y both are the prox.
    """
    d, rows, columns = v.shape[0], r.rows, r.columns
    weight = step * r.strength
    top = 0.0
    for p in range(d):
        r.dual[p] = r.ahead[p] = 0.0
        top = max(top, abs(v[p]))
    t = 1.0
    for _ in range(MOST_ROUNDS):
        for p in range(d):
            r.shifted[p] = v[p] - r.ahead[p]
        for i in range(rows):
            denoise_line(r.shifted, weight, i * columns, 1, columns, r.line, r.by_rows)
        for p in range(d):
            r.shifted[p] = r.ahead[p] + r.by_rows[p]
        for j in range(columns):
            denoise_line(r.shifted, weight, j, columns, rows, r.line, out)
        apart, turn = 0.0, 0.0
        for p in range(d):
            difference = out[p] - r.by_rows[p]
            apart = max(apart, abs(difference))
            turn += difference * (r.shifted[p] - out[p] - r.dual[p])
        if not apart > TOLERANCE * top:
            break
        after = 1.0 if turn > 0.0 else 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * t * t))
        momentum = 0.0 if turn > 0.0 else (t - 1.0) / after
        for p in range(d):
            dual = r.shifted[p] - out[p]
            r.ahead[p] = dual + momentum * (dual - r.dual[p])
            r.dual[p] = dual
        t = after


@kernel
def tv_2d_value(r, x):
    """strength times the variation along all rows and all columns."""
    total = 0.0
    for i in range(r.rows):
        total += variation(x, i * r.columns, 1, r.columns)
    for j in range(r.columns):
        total += variation(x, j, r.columns, r.rows)
    return r.strength * total


operators.prox.register(TotalVariation2DOperator, tv_2d_prox)
operators.value.register(TotalVariation2DOperator, tv_2d_value)


class TotalVariation2D(Term):
    """strength times the total variation of an image along its rows and its columns."""

    kind: Literal["tv_2d"] = Field(description="anisotropic total variation of an image")
    strength: Strength
    shape: MatrixShape

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the shape has the dimension."""
        check_matrix(self.shape, dimension)
        operator = image_operator(self.strength, *self.shape)
        return LocalStep(self.kind, operator, dimension, convex=True)


def image_operator(strength: float, rows: int, columns: int) -> TotalVariation2DOperator:
    """With workspace."""
    images = [np.empty(rows * columns) for _ in range(4)]
    return TotalVariation2DOperator(strength, rows, columns, line(max(rows, columns)), *images)


class TotalVariationBandsOperator(NamedTuple):
    """That of an image for each of the ``bands`` of a cube, one after the other."""

    bands: int
    image: TotalVariation2DOperator


@kernel
def tv_bands_prox(r, step, v, out):
    """Band by band."""
    pixels = r.image.rows * r.image.columns
    for first in range(0, r.bands * pixels, pixels):
        tv_2d_prox(r.image, step, v[first : first + pixels], out[first : first + pixels])


@kernel
def tv_bands_value(r, x):
    """The sum over the bands."""
    pixels, total = r.image.rows * r.image.columns, 0.0
    for first in range(0, r.bands * pixels, pixels):
        total += tv_2d_value(r.image, x[first : first + pixels])
    return total


operators.prox.register(TotalVariationBandsOperator, tv_bands_prox)
operators.value.register(TotalVariationBandsOperator, tv_bands_value)


class TotalVariationBands(Term):
    """strength times the total variation of every band of a cube along its rows and columns."""

    kind: Literal["tv_bands"] = Field(description="anisotropic total variation of every band")
    strength: Strength
    shape: CubeShape

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the shape has the dimension."""
        check_cube(self.shape, dimension)
        bands, rows, columns = self.shape
        operator = TotalVariationBandsOperator(bands, image_operator(self.strength, rows, columns))
        return LocalStep(self.kind, operator, dimension, convex=True)
