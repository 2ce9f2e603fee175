"""Hyperspectral cubes: a few materials with smooth spectra of their own, laid out as the colours of
a photograph.

The share of red, green, blue and dark in a pixel is that of four materials, each with a spectrum
that is drawn: a floor and a bump over the bands. So a cube of many bands has rank four.
"""

import numpy as np

from dadao_sim.problems.data.arrays import FloatArray

PHOTOGRAPHS = ("flower", "china", "hopper")
"""Flower and china come with scikit-learn (CC BY 2.0: vultilion, danielbuechele), Grace Hopper with
matplotlib (public domain).
"""
TRAINED_ON = ("china", "hopper")
"""Those that methods are trained on."""
HALVED = 2
"""Pixels of a photograph on a side of one of a cube."""
FLOOR, HEIGHT, LEAST_HEIGHT = 0.15, 0.85, 0.5
WIDTHS = (0.15, 0.4)
"""Of the bump, where the bands reach from 0 to 1."""


def photograph(name: str) -> FloatArray:
    """One of ``PHOTOGRAPHS`` in colours, (height, width, 3) in [0, 1], halved."""
    if name == "hopper":
        import matplotlib.cbook
        from PIL import Image

        path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
        colours = np.asarray(Image.open(path).convert("RGB")) / 255.0
    else:
        from sklearn.datasets import load_sample_image

        colours = load_sample_image(f"{name}.jpg") / 255.0
    return halved(colours)


def halved(colours: FloatArray) -> FloatArray:
    """Averaged over squares of 2 x 2 pixels; (height, width, 3)."""
    rows, columns = (length // HALVED for length in colours.shape[:2])
    whole = colours[: rows * HALVED, : columns * HALVED]
    return np.asarray(whole.reshape(rows, HALVED, columns, HALVED, 3).mean(axis=(1, 3)))


def cube(colours: FloatArray, bands: int, size: int, rng: np.random.Generator) -> FloatArray:
    """A random crop of a photograph (height, width, 3), mirrored every other time, as a cube
    (bands, size, size) in [0, 1] whose largest value is 1.
    """
    top, left = (rng.integers(length - size + 1) for length in colours.shape[:2])
    square = colours[top : top + size, left : left + size]
    if rng.random() < 0.5:
        square = square[:, ::-1]
    dark = 1 - square.mean(axis=2, keepdims=True)
    shares = np.concatenate([square, dark], axis=2)
    spectra = np.array([spectrum(bands, rng) for _ in range(shares.shape[2])])
    found = np.einsum("hwm,mb->bhw", shares, spectra)
    return np.asarray(found / found.max())


def spectrum(bands: int, rng: np.random.Generator) -> FloatArray:
    """How much a material reflects in each band, (bands,) in [0, 1]."""
    along = np.linspace(0, 1, bands)
    centre, width = rng.uniform(0, 1), rng.uniform(*WIDTHS)
    height = rng.uniform(LEAST_HEIGHT, 1)
    bump = np.exp(-((along - centre) ** 2) / (2 * width**2))
    return np.asarray(FLOOR + HEIGHT * height * bump)
