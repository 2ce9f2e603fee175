"""Deblurring, inpainting and relighting of an image whose pixels are split over the nodes.

The unknown x is the image, its rows one after the other: d = size^2. Each node holds a strip of
what was seen of it. F(x) = ||A x - b||^2/N, N the pixels seen by all nodes, so that mu and the
strength of a regulariser count in units of 1/N.

Of a picture y taken in low light x is (l, rho), log light and log reflectance, d = 2 size^2, and

    F(x) = (1/N) sum_k w_k (l_k + rho_k - log y_k)^2,    w_k = clip((y_k/(10 noise))^2, .05, 1)

which tells l + rho only: what is light, and what is a dark thing, is for the terms to say. 1/w_k is
what the noise makes of the variance of log y_k, as far as that goes.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array, diags_array, eye_array, hstack, kron

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.lamps import LEAST_WEIGHT, log_light, photographed, trust
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import NotNegative, Positive, misuse

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""
TRUNCATE = 3.0
OF_TASKS = {"blur": "deblurring", "observed": "inpainting", "lamps": "low_light"}
"""Options that one task has."""
SENSIBLE_NOISE = 0.05
"""Of low light: with more, little of the picture is above it."""


class Picture(NamedTuple):
    """``truth`` (size, size) in [0, 1], and what the nodes saw: nan where nobody did. In low light
    the truth is the reflectance, and ``light`` (size, size) the logarithm of what fell on it.
    """

    truth: FloatArray
    seen: FloatArray
    light: FloatArray | None = None


class Scene(NamedTuple):
    """``truth`` (size, size); every pixel's row, sparse (size^2, d), and target (size^2,); what is
    seen of it, (size^2,), and which pixels each node holds, in reading order; ``light`` as above.
    """

    truth: FloatArray
    rows: csr_array
    targets: FloatArray
    seen: FloatArray
    pixels: list[IntArray]
    light: FloatArray | None = None


class ImageData(DataSource):
    """An image to be restored, its pixels split over the nodes in strips."""

    sparse = True

    kind: Literal["image"] = Field(description="an image that the nodes restore together")
    task: Literal["deblurring", "inpainting", "low_light"] = Field(
        description="what the nodes see of it: all pixels, blurred, or some of them, or all in the "
        "light of a few lamps, which is to be told from what things reflect"
    )
    image: Literal["china", "flower"] = Field(default="china", description="which image")
    size: Annotated[int, Field(ge=2, le=427)] = Field(
        default=64, description="pixels of a side of the image; d is its square, of low_light twice"
    )
    blur: Positive = Field(
        default=1.5, description="standard deviation of the Gaussian blur, in pixels"
    )
    observed: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="share of the pixels that inpainting sees"
    )
    lamps: Annotated[int, Field(ge=1, le=100)] = Field(default=2, description="lamps of low_light")
    noise: NotNegative = Field(
        default=0.02, description="standard deviation of the noise; the image lies in [0, 1]"
    )

    @model_validator(mode="after")
    def _options_are_of_the_task(self) -> "ImageData":
        for option, task in OF_TASKS.items():
            if (
                self.task != task
                and getattr(self, option) != type(self).model_fields[option].default
            ):
                raise misuse(f"only {task} has it, and task is {self.task}", option)
        return self

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """Its rows are sparse."""
        if not (wanted.points or wanted.sparse):
            return "kind", f"image needs least_squares or ridge, not {wanted.kind}"
        return super().refusal(wanted)

    @property
    def dimension(self) -> int:
        """The pixels; in low light twice, light and reflectance."""
        return self.size**2 * (2 if self.task == "low_light" else 1)

    def need(self, wanted: Wanted, nodes: int) -> Need:
        """The blur has a square of pixels in every row."""
        width = kernel_width(self.blur) if self.task == "deblurring" else 1
        if self.task == "low_light":
            what = f"light and reflectance of {self.size} x {self.size} pixels"
            return Need("size", what, 48 * self.dimension)
        what = f"the blur of {self.size} x {self.size} pixels by {self.blur:g}"
        return Need("blur", what, 48 * self.dimension * width**2)

    @property
    def undivided(self) -> str:
        """Why a partition makes no sense."""
        return "an image is split into strips"

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[list[csr_array], list[FloatArray]]:
        """The nodes' rows, sparse (m_i, size^2), and targets (m_i,)."""
        scene = self.scene(nodes, rng)
        A = [scene.rows[own] for own in scene.pixels]
        return A, [scene.targets[own] for own in scene.pixels]

    def picture(self, nodes: int, rng: np.random.Generator) -> Picture:
        """What :meth:`rows` is about, from a generator in the same state."""
        scene = self.scene(nodes, rng)
        seen = np.full(scene.seen.size, np.nan)
        known = np.concatenate(scene.pixels)
        seen[known] = scene.seen[known]
        return Picture(scene.truth, seen.reshape(scene.truth.shape), scene.light)

    def beside(
        self, rows: Sequence[csr_array], nodes: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        """The truth; in low light the light, and a remark where little of the picture is above the
        noise.
        """
        if self.task != "low_light":
            return {"truth": load(self.image, self.size)}
        light = self.scene(nodes, rng).light
        if self.noise <= SENSIBLE_NOISE:
            return {"light": light}
        weights = np.concatenate([of_node.data for of_node in rows]) ** 2
        share = np.mean(weights > LEAST_WEIGHT * (1 + 1e-9))
        remark = (
            f"data.noise: {self.noise:g} leaves {100 * share:.0f} % of the pixels above noise; "
            f"at most {SENSIBLE_NOISE:g} is sensible"
        )
        return {"light": light, "of_data": remark}

    def scene(self, nodes: int, rng: np.random.Generator) -> Scene:
        """Image, rows and targets.

        The pixels are split in reading order into strips, equal to within one. ``deblurring``: a
        node sees its strip of the blurred image. ``inpainting``: of its strip it sees the share
        ``observed`` at random, rounded, as it is. ``low_light``: a node sees its strip in the light
        of the lamps. To all that is seen normal noise is added, the same for every number of nodes.
        """
        truth = load(self.image, self.size)
        strips = np.array_split(np.arange(truth.size), nodes)
        if strips[-1].size == 0:
            needed = int(np.ceil(np.sqrt(nodes)))
            raise InputError(
                "size",
                f"{self.size} makes {truth.size} pixels for {nodes} nodes",
                f"at least {needed} is needed",
            )
        if self.task == "low_light":
            light = log_light(self.size, self.lamps, rng)
            y = photographed(light, truth, self.noise, rng).ravel()
            root = np.sqrt(trust(y, self.noise))
            both = hstack([diags_array(root)] * 2, format="csr")
            return Scene(truth, csr_array(both), root * np.log(y), y, strips, light)
        blurred = self.task == "deblurring"
        rows = blur_matrix(self.size, self.blur) if blurred else eye_array(truth.size, format="csr")
        targets = rows @ truth.ravel() + self.noise * rng.standard_normal(truth.size)
        if not blurred:
            strips = [self._share(strip, rng) for strip in strips]
        return Scene(truth, rows, targets, targets, strips)

    def _share(self, strip: IntArray, rng: np.random.Generator) -> IntArray:
        """The observed pixels of a strip."""
        count = round(self.observed * strip.size)
        if count == 0:
            raise InputError(
                "observed",
                f"{self.observed:g} of a node's {strip.size} pixels is none",
                "a larger share, or a larger size, is needed",
            )
        return np.sort(rng.permutation(strip)[:count])


def load(name: str, size: int) -> FloatArray:
    """An image in grey, its central square averaged over areas to (size, size).

    ``name``: ``china`` or ``flower``, which come with scikit-learn (CC BY 2.0: danielbuechele,
    vultilion).
    """
    from sklearn.datasets import load_sample_image

    colours = load_sample_image(f"{name}.jpg") / 255.0
    grey = in_grey(colours)
    height, width = grey.shape
    side = min(height, width)
    if size > side:
        raise InputError("size", f"{size} given", f"the image has {side} pixels at most")
    top, left = (height - side) // 2, (width - side) // 2
    # Row k: the share of every fine pixel in coarse pixel k, from what lies before its two edges.
    edges = np.arange(size + 1) * (side / size)
    shares = np.diff(np.clip(edges[:, None] - np.arange(side), 0.0, 1.0), axis=0) * (size / side)
    with one_blas_thread():
        return np.clip(shares @ grey[top : top + side, left : left + side] @ shares.T, 0.0, 1.0)


def in_grey(colours: FloatArray) -> FloatArray:
    """(height, width) of a picture (height, width, 3)."""
    red, green, blue = (weight * colours[:, :, k] for k, weight in enumerate(GREY))
    return red + green + blue


def kernel_width(blur: float) -> int:
    """Pixels of a line of the blur."""
    return 2 * int(TRUNCATE * blur + 0.5) + 1


def blur_matrix(size: int, blur: float) -> csr_array:
    """Gaussian blur of an image (size, size) as a sparse matrix (size^2, size^2), symmetric.

    Standard deviation ``blur`` in pixels; truncated at 3 of them, and reflected at the border about
    the edge of the last pixel (d c b a | a b c d | d c b a): rows sum to 1, its norm is 1.
    """
    width = kernel_width(blur)
    if width > size:
        raise InputError(
            "blur",
            f"{blur:g} makes a kernel of {width} pixels",
            f"at most size = {size} are possible",
        )
    line = gaussian_filter1d(np.eye(size), blur, axis=0, mode="reflect", truncate=TRUNCATE)
    return kron(csr_array(line), csr_array(line), format="csr")
