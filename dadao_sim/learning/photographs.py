"""Photographs to train on, which come with scikit-learn and with matplotlib."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dadao_sim.problems.data.image import in_grey

FloatArray = NDArray[np.float64]


def training_pictures() -> list[FloatArray]:
    """Two photographs in grey, values in [0, 1]."""
    import matplotlib.cbook
    from PIL import Image
    from sklearn.datasets import load_sample_image

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    hopper = np.asarray(Image.open(path).convert("RGB"))
    return [in_grey(colours / 255.0) for colours in (load_sample_image("china.jpg"), hopper)]


def scaled(pictures: Sequence[FloatArray], scales: Sequence[int], size: int) -> list[FloatArray]:
    """Each averaged over squares of the ``scales``; of these all that hold a square of ``size``."""
    every = [averaged(picture, scale) for picture in pictures for scale in scales]
    return [picture for picture in every if min(picture.shape) >= size]


def averaged(picture: FloatArray, scale: int) -> FloatArray:
    """Over squares of ``scale`` x ``scale`` pixels."""
    rows, columns = (length // scale for length in picture.shape)
    whole = picture[: rows * scale, : columns * scale]
    return whole.reshape(rows, scale, columns, scale).mean(axis=(1, 3))


def crop(pictures: Sequence[FloatArray], size: int, rng: np.random.Generator) -> FloatArray:
    """A square of ``size`` x ``size`` of one of them, turned and mirrored at random."""
    picture = pictures[int(rng.integers(len(pictures)))]
    top, left = (rng.integers(length - size + 1) for length in picture.shape)
    square = picture[top : top + size, left : left + size]
    square = np.rot90(square, int(rng.integers(4)))
    return square[::-1] if rng.random() < 0.5 else square


def crops(
    pictures: Sequence[FloatArray],
    size: int,
    count: int,
    rng: np.random.Generator,
    scales: Sequence[int],
) -> FloatArray:
    """(count, size, size), of the pictures at these scales, as far as they are large enough."""
    every = scaled(pictures, scales, size)
    return np.array([crop(every, size, rng) for _ in range(count)])
