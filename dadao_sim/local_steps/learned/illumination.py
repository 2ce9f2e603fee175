"""A learned prior of light: what lamps may have shed on a scene, from how bright it is in windows.

A network m maps the log luminance s of a picture of 64 x 64 pixels to the log light that is likely
behind it. It sees 64 numbers, the means of s over 8 x 8 windows, of which any may be hidden, and
answers a smooth field, 6 x 6 cosines. As a term, with the target frozen at what comes in,

    r(l, rho) = (strength/2) ||l - m(l + rho)||^2

of x = (l, rho), log light and log reflectance. prox of a step a, q = a strength:

    l = (v_l + q m(v_l + v_rho))/(1 + q)

That is no prox of one r at every step: the target moves. Its fixed points with a gradient step on
F hardly depend on the step: there grad F + strength (l - m) = 0, so far as rho stays.

Equations of m, with w (64,) the means, b (64,) 1 where one is shown and 0 where not, and c the mean
of those shown: h = relu(A [(w - c) b, b] + a), h += relu(B h + b'), coefficients C h + c', and c is
added to the first, the constant. So m(s + t) = m(s) + t for any number t: gain is gain of light.

Reference
    N. Zheng, M. Zhou, Y. Dong, X. Rui, J. Huang, C. Li, F. Zhao, "Empowering Low-Light Image
    Enhancer through Customized Learnable Priors", ICCV 2023: light learned from hidden windows.
"""

import json
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
from dadao_sim.local_steps.learned.nature import Nature, Whole
from dadao_sim.local_steps.learned.weight_file import FILES, LARGEST, WEIGHTS
from dadao_sim.local_steps.local_step import LocalStep

FloatArray = NDArray[np.float64]

FORMAT = "dadao_sim illumination 1"
WHAT = "a prior of light, which sees light and reflectance"
SIZE, GRID, WAVES = 64, 8, 6
WINDOW = SIZE // GRID
PIXELS = SIZE * SIZE
COSINES = np.cos(np.pi * np.outer(np.arange(WAVES), (np.arange(SIZE) + 0.5) / SIZE))
"""(WAVES, SIZE); a field is sum_ab c_ab COSINES_a (down) COSINES_b (across)."""


class Illumination(NamedTuple):
    """The weights of m, all numbers: A (h, 128), a (h,), B (h, h), b (h,), C (36, h), c (36,)."""

    A: FloatArray
    a: FloatArray
    B: FloatArray
    b: FloatArray
    C: FloatArray
    c: FloatArray

    @property
    def nature(self) -> Nature:
        """See :class:`Nature`."""
        return Nature("zheng2023empowering", whole=Whole(WHAT, check_pixels))

    def local_step(
        self, dimension: int, strength: float, shape: tuple[int, int] | None = None
    ) -> LocalStep:
        """See :func:`illumination_step`."""
        return illumination_step(self, dimension, strength)


@kernel
def coefficients(net, means, shown, out):
    """Write those of the field (36,) into ``out``, from ``means`` (64,) of the windows that are
    ``shown`` (64,), 1 or 0, at least one of them.
    """
    windows = means.shape[0]
    neurons = net.a.shape[0]
    total, count = 0.0, 0.0
    for k in range(windows):
        total += means[k] * shown[k]
        count += shown[k]
    mean = total / count
    first = np.empty(neurons)
    for j in range(neurons):
        found = net.a[j]
        for k in range(windows):
            found += (net.A[j, k] * (means[k] - mean) + net.A[j, windows + k]) * shown[k]
        first[j] = max(found, 0.0)
    second = np.empty(neurons)
    for j in range(neurons):
        found = net.b[j]
        for k in range(neurons):
            found += net.B[j, k] * first[k]
        second[j] = first[j] + max(found, 0.0)
    for j in range(out.shape[0]):
        found = net.c[j]
        for k in range(neurons):
            found += net.C[j, k] * second[k]
        out[j] = found
    out[0] += mean


@kernel
def window_means(s, grid, window, out):
    """Write the means of s (pixels,), row by row, over the windows into ``out`` (windows,)."""
    size = grid * window
    for k in range(out.shape[0]):
        total = 0.0
        start = (k // grid) * window * size + (k % grid) * window
        for i in range(window):
            for j in range(window):
                total += s[start + i * size + j]
        out[k] = total / window**2


@kernel
def field(found, cosines, out):
    """Write the field of the coefficients ``found`` (waves^2,) into ``out`` (pixels,)."""
    waves, size = cosines.shape
    across = np.empty((waves, size))
    for a in range(waves):
        for j in range(size):
            total = 0.0
            for b in range(waves):
                total += found[a * waves + b] * cosines[b, j]
            across[a, j] = total
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a in range(waves):
                total += cosines[a, i] * across[a, j]
            out[i * size + j] = total


def light_of(net: Illumination, s: FloatArray, shown: FloatArray | None = None) -> FloatArray:
    """m(s), of s (64, 64) and of the windows ``shown`` (8, 8), by default all; (64, 64).

    What is in a window that is not shown does not matter: it may be nan.
    """
    means, found, out = np.empty(GRID**2), np.empty(WAVES**2), np.empty(PIXELS)
    window_means(np.ascontiguousarray(s, dtype=float).ravel(), GRID, WINDOW, means)
    bits = np.ones(GRID**2) if shown is None else np.array(shown, dtype=float).ravel()
    if not bits.any():
        raise InputError("shown", "no window is", "one at least is needed")
    coefficients(net, np.where(bits > 0, means, 0.0), bits, found)
    field(found, COSINES, out)
    return out.reshape(SIZE, SIZE)


@workspace("luminance", "means", "found")
class IlluminationOperator(NamedTuple):
    """r above: of the first of two blocks, which sees both."""

    strength: float
    net: Illumination
    cosines: FloatArray
    shown: FloatArray
    luminance: FloatArray
    means: FloatArray
    found: FloatArray


@kernel
def illumination_of_all(r, step, x, out):
    """l = (v_l + q m(v_l + v_rho))/(1 + q), q = step x strength, of x = (v_l, v_rho)."""
    pixels = out.shape[0]
    for k in range(pixels):
        r.luminance[k] = x[k] + x[pixels + k]
    grid = int(np.sqrt(r.means.shape[0]))
    window_means(r.luminance, grid, r.cosines.shape[1] // grid, r.means)
    coefficients(r.net, r.means, r.shown, r.found)
    field(r.found, r.cosines, out)
    q = step * r.strength
    for k in range(pixels):
        out[k] = (x[k] + q * out[k]) / (1.0 + q)


operators.prox_of_all.register(IlluminationOperator, illumination_of_all)


def check_pixels(dimension: int, pictures: int = 2) -> None:
    """InputError unless x (dimension,) is so many pictures of 64 x 64: light and reflectance."""
    if dimension != pictures * PIXELS:
        side = round((dimension / pictures) ** 0.5)
        square = pictures * side**2 == dimension
        raise InputError(
            "network",
            f"size {side} given" if square else f"dimension {dimension} given",
            f"illumination needs size {SIZE} ({GRID} x {GRID} windows of {WINDOW} pixels)",
        )


def illumination_step(net: Illumination, dimension: int, strength: float) -> LocalStep:
    """The block of the light: ``dimension`` is that of the light, 64 x 64 pixels."""
    check_pixels(dimension, 1)
    work = np.empty(PIXELS), np.empty(GRID**2), np.empty(WAVES**2)
    operator = IlluminationOperator(float(strength), net, COSINES, np.ones(GRID**2), *work)
    return LocalStep(
        "illumination", operator, dimension, convex=False, exact=False, has_value=False
    )


# --- Files -------------------------------------------------------------------------------------


def save_illumination(
    path: str | Path, net: Illumination, metadata: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a .npz file, in half precision; ``metadata`` says how the weights came about."""
    check_output(path, WEIGHTS, overwrite=overwrite)
    text = json.dumps({**metadata, "format": FORMAT}, sort_keys=True)
    arrays: dict[str, Any] = {name: w.astype(np.float16) for name, w in net._asdict().items()}
    atomic_write(Path(path), lambda handle: np.savez(handle, **arrays, metadata=text))


def illumination_in(path: Path, stored: Stored) -> Illumination:
    """The weights of a file that is one of these; InputError where they are not whole."""
    FILES.check_names(path, stored, Illumination._fields)
    try:
        arrays = {name: np.asarray(stored[name]) for name in Illumination._fields}
        neurons = arrays["a"].size
        shapes = {"A": (neurons, 2 * GRID**2), "a": (neurons,), "B": (neurons, neurons)}
        shapes |= {"b": (neurons,), "C": (WAVES**2, neurons), "c": (WAVES**2,)}
    except Exception as error:
        raise FILES.damaged(path) from error
    for name, array in arrays.items():
        fits = array.shape == shapes[name] and array.dtype.kind == "f"
        if not (fits and np.all(np.abs(array) <= LARGEST)):
            raise FILES.refused(path, f"{name} is no finite numbers of the shape {shapes[name]}")
    return Illumination(*(np.ascontiguousarray(a, dtype=np.float64) for a in arrays.values()))
