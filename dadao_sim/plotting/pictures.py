"""Pictures in greys, with what stands above and below each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

LOST = "#F2B27A"  # no grey: it cannot be taken for a pixel


class Shown(NamedTuple):
    """``pixels`` with the values that are black and white, the ``title`` above, and the ``quality``
    below. Pixels that are nan are in a colour, and so are lines above the rows of ``strip``.
    """

    title: str
    quality: str
    pixels: Array
    low: float = 0.0
    high: float = 1.0
    strip: tuple[int, ...] = ()


def show(axes: Axes, one: Shown, name_length: int = 24, interpolation: str | None = None) -> None:
    """Draw it; titles have lines of ``name_length`` characters at most."""
    from matplotlib import colormaps

    greys = colormaps["gray"].with_extremes(bad=LOST)
    axes.imshow(one.pixels, cmap=greys, vmin=one.low, vmax=one.high, interpolation=interpolation)
    axes.set(title=textwrap.fill(one.title, name_length), xlabel=one.quality, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for row in one.strip:
        axes.axhline(row - 0.5, color=LOST, linewidth=1.2)
