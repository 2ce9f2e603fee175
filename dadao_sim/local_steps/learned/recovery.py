"""What a learned proximal network knows: the prior R whose proximal operator it is."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.local_steps.learned.weight_file import Weights

ACCURACY = 1e-9
"""Of y: |f(y) - x|. The error of R is of second order in it."""
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
    Buchanan and Sulam, equation 3.4); psi is extended beyond the radius as f is.
    """
    points = np.atleast_1d(np.asarray(x, dtype=np.float64))
    if points.ndim != 1 or not np.isfinite(points).all():
        raise InputError(f"prior: finite x of shape (N,) are needed, not {points.shape}")
    network = ProximalNetwork(weights).requires_grad_(False)

    def objective(y: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        u = torch.from_numpy(y)
        value = network.extended_potential(u).numpy() - points * y
        return float(value.sum()), network(u).numpy() - points

    options = {"gtol": ACCURACY, "ftol": 0.0, "maxiter": 10_000, "maxfun": 20_000}
    y = minimize(objective, points, jac=True, method="L-BFGS-B", options=options).x
    psi = network.extended_potential(torch.from_numpy(y)).numpy()
    return points * y - 0.5 * points**2 - psi
