"""Deblurring and inpainting of an image whose pixels are split over the nodes.

The unknown x is the image, its rows one after the other: d = size^2. Each node holds a strip of
what was seen of it. F(x) = ||A x - b||^2/N, N the pixels seen by all nodes, so that mu and the
strength of a regulariser count in units of 1/N.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array, eye_array, kron

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.problem import FloatArray, IntArray

IMAGES = {"china": "china.jpg", "flower": "flower.jpg"}
"""Images of scikit-learn (CC BY 2.0: danielbuechele, vultilion)."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""
TRUNCATE = 3.0


class Picture(NamedTuple):
    """``truth`` (size, size) in [0, 1], and what the nodes saw: nan where nobody did."""

    truth: FloatArray
    seen: FloatArray


class Scene(NamedTuple):
    """``truth`` (size, size); every pixel's row, sparse (size^2, size^2), and target (size^2,);
    which of them each node holds, in reading order.
    """

    truth: FloatArray
    rows: csr_array
    targets: FloatArray
    pixels: list[IntArray]


def image_data(
    options: Any, nodes: int, rng: np.random.Generator
) -> tuple[list[csr_array], list[FloatArray]]:
    """The nodes' rows, sparse (m_i, size^2), and targets (m_i,); ``options`` are those of
    :func:`scene`.
    """
    made = scene(options, nodes, rng)
    return [made.rows[own] for own in made.pixels], [made.targets[own] for own in made.pixels]


def picture(options: Any, nodes: int, rng: np.random.Generator) -> Picture:
    """What :func:`image_data` is about, from a generator in the same state."""
    made = scene(options, nodes, rng)
    seen = np.full(made.targets.size, np.nan)
    known = np.concatenate(made.pixels)
    seen[known] = made.targets[known]
    return Picture(made.truth, seen.reshape(made.truth.shape))


def scene(options: Any, nodes: int, rng: np.random.Generator) -> Scene:
    """Image, rows and targets; ``options`` has the attributes of the scenario's ``ImageData``.

    The pixels are split in reading order into strips, equal to within one. ``deblurring``: a node
    sees its strip of the blurred image. ``inpainting``: of its strip it sees the share ``observed``
    at random, rounded, as it is. To all that is seen normal noise of standard deviation ``noise``
    is added, the same for every number of nodes.
    """
    truth = load(options.image, options.size)
    strips = np.array_split(np.arange(truth.size), nodes)
    if strips[-1].size == 0:
        needed = int(np.ceil(np.sqrt(nodes)))
        raise InputError(
            f"problem.data.size: {options.size} makes {truth.size} pixels for {nodes} nodes;"
            f" at least {needed} is needed"
        )
    blurred = options.task == "deblurring"
    rows = blur(options.size, options.blur) if blurred else eye_array(truth.size, format="csr")
    targets = rows @ truth.ravel() + options.noise * rng.standard_normal(truth.size)
    if not blurred:
        strips = [_share(strip, options.observed, rng) for strip in strips]
    return Scene(truth, rows, targets, strips)


def load(name: str, size: int) -> FloatArray:
    """An image of ``IMAGES`` in grey, its central square averaged over areas to (size, size)."""
    from sklearn.datasets import load_sample_image

    colours = load_sample_image(IMAGES[name]) / 255.0
    grey = sum(weight * colours[:, :, k] for k, weight in enumerate(GREY))
    height, width = grey.shape
    side = min(height, width)
    if size > side:
        raise InputError(f"problem.data.size: {size} given; the image has {side} pixels at most")
    top, left = (height - side) // 2, (width - side) // 2
    # Row k: the share of every fine pixel in coarse pixel k, from what lies before its two edges.
    edges = np.arange(size + 1) * (side / size)
    shares = np.diff(np.clip(edges[:, None] - np.arange(side), 0.0, 1.0), axis=0) * (size / side)
    with one_blas_thread():
        return np.clip(shares @ grey[top : top + side, left : left + side] @ shares.T, 0.0, 1.0)


def blur(size: int, deviation: float) -> csr_array:
    """Gaussian blur of an image (size, size) as a sparse matrix (size^2, size^2), symmetric.

    Standard deviation in pixels; truncated at 3 of them, and reflected at the border about the edge
    of the last pixel (d c b a | a b c d | d c b a): rows sum to 1, its norm is 1.
    """
    width = 2 * int(TRUNCATE * deviation + 0.5) + 1
    if width > size:
        raise InputError(
            f"problem.data.blur: {deviation:g} makes a kernel of {width} pixels;"
            f" at most size = {size} are possible"
        )
    line = gaussian_filter1d(np.eye(size), deviation, axis=0, mode="reflect", truncate=TRUNCATE)
    return kron(csr_array(line), csr_array(line), format="csr")


def _share(strip: IntArray, observed: float, rng: np.random.Generator) -> IntArray:
    count = round(observed * strip.size)
    if count == 0:
        raise InputError(
            f"problem.data.observed: {observed:g} of a node's {strip.size} pixels is none;"
            " a larger share, or a larger size, is needed"
        )
    return np.sort(rng.permutation(strip)[:count])
