"""The limit of proximal matching for the Laplacian prior, computed without any network."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr


def laplacian_limit(y: ArrayLike, gamma: float) -> NDArray[np.float64]:
    """f_gamma at every one of ``y`` (N,): where training would end at this gamma, for the density
    exp(-|x|)/2 and normal noise of standard deviation 1.

    argmax_z int exp(-(z - x)^2/gamma^2 - |x| - (y - x)^2/2) dx, by the closed form of the integral:
    on each side of 0 the integrand is a Gaussian. As gamma goes to 0 it becomes the soft threshold,
    sign(y) max(|y| - 1, 0).
    """
    points = np.atleast_1d(np.asarray(y, dtype=np.float64))
    return np.array([_maximiser(point, gamma) for point in points.tolist()])


def _maximiser(y: float, gamma: float) -> float:
    precision = 2 / gamma**2 + 1
    root = np.sqrt(precision)

    def loss(z: float) -> float:
        mean = (2 * z / gamma**2 + y) / precision
        right = -mean + log_ndtr(root * (mean - 1 / precision))
        left = mean + log_ndtr(-root * (mean + 1 / precision))
        return (z - y) ** 2 / (gamma**2 + 2) - np.logaddexp(left, right)

    bounds = (-abs(y) - 1, abs(y) + 1)
    return minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x
