"""Where trainings on the Laplacian prior tend to, computed without any network: by proximal
matching, by the l1 norm, and by the mean square.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtri


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


def laplacian_mean(y: ArrayLike) -> NDArray[np.float64]:
    """E[x | y] at every one of ``y`` (N,), where the mean square leads: on each side of 0 the
    posterior is a Gaussian that is cut off, exp(-+y) N(y -+ 1, 1).
    """
    points = np.atleast_1d(np.asarray(y, dtype=np.float64))
    right, left = -points + log_ndtr(points - 1), points + log_ndtr(-points - 1)
    share = 1 / (1 + np.exp(left - right))
    beyond = np.exp(_log_density(points - 1) - log_ndtr(points - 1))
    before = np.exp(_log_density(points + 1) - log_ndtr(-points - 1))
    return np.asarray(share * (points - 1 + beyond) + (1 - share) * (points + 1 - before))


def laplacian_median(y: ArrayLike) -> NDArray[np.float64]:
    """The median of x given each of ``y`` (N,), where the l1 norm leads."""
    points = np.atleast_1d(np.asarray(y, dtype=np.float64))
    size = np.abs(points)  # the median is odd, and not on the other side of 0
    right, left = -size + log_ndtr(size - 1), size + log_ndtr(-size - 1)
    half = np.exp(np.logaddexp(right, left) + size) / 2
    return np.asarray(np.sign(points) * (size - 1 - ndtri(half)))


def _log_density(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-0.5 * z**2 - 0.5 * np.log(2 * np.pi))
