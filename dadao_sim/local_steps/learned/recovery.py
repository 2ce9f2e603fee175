"""What a learned proximal network knows: the prior R whose proximal operator it is."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.local_steps.learned.weight_file import Weights

HALVINGS = 80
"""Of the interval that holds y: to rounding, however wide it began."""
SLOPES = 4001
"""Points at which the slope of f is taken; f bends over 1/beta, hundreds of them."""


@one_torch_thread()
def largest_slope(weights: Weights) -> float:
    """The largest f'(y), the Lipschitz constant of f: beyond the radius the slope is 1."""
    network = ProximalNetwork(weights).requires_grad_(False)
    y = torch.linspace(-weights.radius, weights.radius, SLOPES, dtype=torch.float64)
    y.requires_grad_(True)
    (slopes,) = torch.autograd.grad(network.gradient(y).sum(), y)
    return max(1.0, float(slopes.max()))


@one_torch_thread()
def prior(weights: Weights, x: ArrayLike) -> NDArray[np.float64]:
    """R(x_j) at every one of ``x`` (N,), up to the constant that a proximal operator cannot tell.

    R(x) = x y - x^2/2 - psi(y) with y = f^{-1}(x), the minimiser of the convex psi(y) - x y (Fang,
    Buchanan and Sulam, equation 3.4), by bisection, as f increases; psi is extended beyond the
    radius as f is. Where f is flat any of the y gives the same R.
    """
    points = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if points.ndim != 1 or not np.isfinite(points).all():
        raise InputError(f"prior: finite x of shape (N,) are needed, not {points.shape}")
    network = ProximalNetwork(weights).requires_grad_(False)
    target, radius = torch.from_numpy(points), weights.radius
    ends = torch.tensor([-radius, radius], dtype=torch.float64)
    least, most = network(ends)
    low = ends[0] + (target - least).clamp(max=0)  # beyond the radius the slope is 1
    high = ends[1] + (target - most).clamp(min=0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = network(middle) < target
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    y = (low + high) / 2
    R: NDArray[np.float64] = (target * y - 0.5 * target**2 - network.extended_potential(y)).numpy()
    return R
