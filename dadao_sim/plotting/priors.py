"""What a learned proximal network does, and the prior that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.learning.matching_limit import laplacian_limit
from dadao_sim.local_steps.learned.weight_file import Weights
from dadao_sim.plotting.style import (
    BLACK,
    BLUE,
    DASHED,
    LEGEND_ROW,
    ORANGE,
    SOLID,
    WIDE,
    add_legend,
    finish_ticks,
    legend_columns,
    new_figure,
    paper,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

BEYOND = 1.5  # the figure goes so many times as far as the training did
POINTS = 481
UNIT = "(in scales of the prior)"


def prior_figure(weights: Weights, metadata: Mapping[str, Any], width: float = WIDE) -> Figure:
    """The operator f(y) of a network, and the prior R(x) whose proximal operator it is.

    Args:
        weights: the network; as `load_weights` returns it, with
        metadata: how it was trained.
        width: in inches.

    The range of the training is shaded: |y| up to the radius, and the x = f(y) that belong to it;
    beyond, f goes on with slope 1. A network that was trained on the Laplacian prior with noise of
    standard deviation 1 is compared with the proximal operator of |x|, the soft threshold, and with
    what training tends to at its last gamma. R is known up to a constant: here its mean over the
    range of the training is that of |x|. That f rises by no more than 1 is not said: the shipped
    network does by 1.09 (``largest_slope``), and R is then not convex.

    Raises:
        InputError: torch is not installed.

    """
    from dadao_sim.local_steps.learned import learned_step, prior

    reach, radius = BEYOND * weights.radius, weights.radius
    y = np.linspace(-reach, reach, POINTS)
    f = learned_step(weights, POINTS).prox(y, 1.0)
    x_trained = learned_step(weights, 2).prox([-radius, radius], 1.0)
    x = np.linspace(f[0], f[-1], POINTS)
    R = prior(weights, x)
    trained = (x >= x_trained[0]) & (x <= x_trained[1])
    R += (np.abs(x) - R)[trained].mean()
    gamma = _last_gamma(metadata)
    with paper():
        figure = new_figure(width, 0.36 * width + LEGEND_ROW)
        left, right = figure.subplots(1, 2)
        _draw(left, y, f, (-radius, radius))
        _draw(right, x, R, x_trained)
        left.set(xlabel=f"Noisy value $y$ {UNIT}", ylabel=f"Operator $f(y)$ {UNIT}")
        right.set(xlabel=f"Value $x$ {UNIT}", ylabel="Prior $R(x)$ + constant (nats)")
        if gamma is not None:
            soft = np.sign(y) * np.maximum(np.abs(y) - 1, 0)
            left.plot(y, soft, label="soft threshold", **_LOOKS["exact"])
            left.plot(y, laplacian_limit(y, gamma), label="limit", **_LOOKS["limit"])
            right.plot(x, np.abs(x), label="|x|", **_LOOKS["exact"])
        handles = _handles(gamma)
        add_legend(figure, handles, legend_columns([h.get_label() for h in handles], width))
    return figure


def _last_gamma(metadata: Mapping[str, Any]) -> float | None:
    """The gamma at which a training on the Laplacian prior ended; None for any other."""
    recipe = metadata.get("recipe", {})
    if metadata.get("prior") != "laplacian" or recipe.get("sigma") != 1.0:
        return None
    return recipe["gammas"][-1]


def _draw(axes: Axes, at: Array, values: Array, trained: Any) -> None:
    axes.axvspan(*trained, **_LOOKS["trained"])
    axes.grid(True)
    axes.plot(at, values, label="network", **_LOOKS["network"])
    axes.set_xlim(at[0], at[-1])
    finish_ticks(axes)


def _handles(gamma: float | None) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = {"network": "learned network"}
    if gamma is not None:
        names["exact"] = "soft threshold, absolute value"
        names["limit"] = rf"limit of the training, $\gamma = {gamma:g}$"
    lines = [Line2D([], [], label=label, **_LOOKS[name]) for name, label in names.items()]
    return [*lines, Patch(label="range of the training", **_LOOKS["trained"])]


_LOOKS: dict[str, dict[str, Any]] = {
    "trained": {"color": "0.93", "linewidth": 0, "zorder": 0},
    "network": {"color": BLUE, "linestyle": SOLID, "linewidth": 1.6, "zorder": 2},
    "exact": {"color": BLACK, "linestyle": DASHED, "linewidth": 0.9, "zorder": 3},
    "limit": {"color": ORANGE, "linestyle": (0, (1, 1.3)), "linewidth": 1.4, "zorder": 4},
}
