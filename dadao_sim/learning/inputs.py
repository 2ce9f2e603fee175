"""What :func:`learn` accepts: every check of its arguments, each with one line for what is not."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.learning.fixed_point_maps import (
    MAPS,
    PENALTIES,
    Denoised,
    FixedPointMap,
    problems_of,
)
from dadao_sim.networks.convert import as_network

Loss = Callable[..., torch.Tensor]
DENOISER = "denoiser"
"""Its parameters, where they are learned."""

BELOW = 0.99
"""Of the bound of a method: no step is above."""
ROUNDING = 1e-12
"""A step that was learned goes through its logarithm, and is a fine start again."""


def checked_map(
    method: str, problem: Any, network: Any, penalty: str, denoised: Denoised | None = None
) -> FixedPointMap:
    """The map of a known method and penalty, or denoiser, on a smooth problem, or several."""
    if method not in MAPS or penalty not in PENALTIES:
        raise InputError(
            f"learn: method {method!r}, penalty {penalty!r} given; known are the methods "
            f"{', '.join(MAPS)} and the penalties {', '.join(PENALTIES)}"
        )
    if not problems_of(problem):
        raise InputError("learn: no problem given")
    for one in problems_of(problem):
        if one.local_step is not None:
            raise InputError(
                f"learn: the problem has a local step, {one.local_step.kind}; give the smooth "
                "problem, and the kind as penalty"
            )
    of = None if network is None else as_network(network)
    return MAPS[method](problem, of, penalty if denoised is None else denoised)


def checked_denoiser(module: Any, shape: Sequence[int] | None, dimension: int) -> Denoised:
    """A torch module that takes batches of x in a shape, by default (d,)."""
    if not isinstance(module, torch.nn.Module):
        raise InputError(f"learn: denoiser: a torch.nn.Module is needed, got {module!r:.60}")
    shape = (dimension,) if shape is None else tuple(shape)
    if math.prod(shape) != dimension or min(shape, default=0) < 1:
        raise InputError(f"learn: shape {shape} does not hold {dimension} numbers")
    return Denoised(module, shape)


def check_options(loss: Loss, applications: int, iterations: int, learning_rate: float) -> None:
    """A function, whole numbers from 1, and a rate above 0."""
    if not callable(loss):
        raise InputError(f"learn: loss: a function of x is needed, got {loss!r:.60}")
    for name, count in (("applications", applications), ("iterations", iterations)):
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise InputError(f"learn: {name}: a whole number >= 1 is needed, got {count!r}")
    if not isinstance(learning_rate, int | float) or not 0 < learning_rate < math.inf:
        raise InputError(f"learn: learning_rate: a number > 0 is needed, got {learning_rate!r}")


def origin(x0: ArrayLike | None, dimension: int, scenes: int | None = None) -> torch.Tensor:
    """``x0`` (d,), 0 by default; of several scenes it may be (Q, d), and is then (Q, 1, d)."""
    if x0 is None:
        return torch.zeros(dimension, dtype=torch.float64)
    point = _numbers("x0", x0)
    if scenes is not None and point.shape == (scenes, dimension) and np.isfinite(point).all():
        return torch.from_numpy(point[:, None])
    if point.shape != (dimension,) or not np.isfinite(point).all():
        raise InputError(f"learn: x0: finite numbers of shape ({dimension},) are needed")
    return torch.from_numpy(point)


def starting_logarithms(
    fixed_point_map: FixedPointMap,
    penalty: str,
    start: Mapping[str, ArrayLike],
    learned: Sequence[str],
) -> dict[str, torch.Tensor]:
    """Log theta, of which the ``learned`` ones ask for gradients. With a denoiser the strength is
    by default 1 over the step, so that one application of the map denoises once.
    """
    values = _named(fixed_point_map, penalty, start, learned)
    for name, value in values.items():
        shapes = _shapes(fixed_point_map, name)
        if value.shape not in shapes or not (np.isfinite(value) & (value > 0)).all():
            wanted = " or ".join(map(str, shapes))
            raise InputError(f"learn: start: {name}: finite numbers > 0 of shape {wanted} needed")
    theta = {name: torch.from_numpy(value) for name, value in values.items()}
    bound = BELOW * fixed_point_map.largest_step(theta)
    step = theta.setdefault("step", fixed_point_map.default_step(theta))
    if (step > bound * (1 + ROUNDING)).any():
        raise InputError(
            f"learn: start: step: {float(step.max()):g} given; the method converges with at most "
            f"{float(bound.min()):.6g}, {BELOW} of its bound"
        )
    if isinstance(fixed_point_map.prox, Denoised):
        theta.setdefault("strength", 1 / step.max())
    return {n: value.log().requires_grad_(n in learned) for n, value in theta.items()}


def scalar(loss: Any) -> torch.Tensor:
    """What the loss answered, if it can be differentiated."""
    usable = isinstance(loss, torch.Tensor) and loss.ndim == 0 and loss.is_floating_point()
    if not usable or not loss.requires_grad:
        found = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else repr(loss)
        raise InputError(
            "learn: loss: must answer one real number, a torch tensor of shape () computed from "
            f"x by torch; got {found}"
        )
    return loss


def _named(
    fixed_point_map: FixedPointMap, penalty: str, start: Any, learned: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """The values of ``start``, if every name is known and none is missing."""
    required = ["strength", "l2"] if penalty == "elastic_net" else ["strength"]
    known = dict.fromkeys(["step", *required, *fixed_point_map.vectors])
    if not isinstance(start, Mapping):
        raise InputError(f"learn: start: names with their values are needed, got {start!r}")
    held = {"step", *start}
    if isinstance(fixed_point_map.prox, Denoised):
        known, held, required = {**known, DENOISER: None}, {*held, "strength", DENOISER}, []
    if not {*required, *learned} <= held <= known.keys() or not learned:
        raise InputError(
            f"learn: start: {', '.join(map(str, start))} and learned: "
            f"{', '.join(map(str, learned))} given; what is learned, and {', '.join(required)}, "
            f"must be in start; known are {', '.join(known)}"
        )
    return {name: _numbers(f"start: {name}", value) for name, value in start.items()}


def _shapes(fixed_point_map: FixedPointMap, name: str) -> list[tuple[int, ...]]:
    """Of a parameter: a number, one per node, or one per coordinate."""
    nodes, dimension = fixed_point_map.c.shape[-2:]
    if name == "metric":
        return [(dimension,)]
    return [(), (nodes,)] if name in fixed_point_map.vectors else [()]


def _numbers(name: str, value: Any) -> NDArray[np.float64]:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"learn: {name}: numbers are needed, got {value!r:.60}") from error
