"""What a learned proximal network does, and the prior that it knows, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.learning.matching_limit import laplacian_limit
from dadao_sim.local_steps.learned.weight_file import Weights

BEYOND = 1.5  # the report goes so many times as far as the training did
POINTS = 481


@dataclass(frozen=True)
class Target:
    """What the training on the Laplacian prior, with noise of standard deviation 1, aims at.

    ``gamma`` is the last of the training; ``limit`` (N,) what it tends to there, ``soft`` (N,) the
    soft threshold that it tends to as gamma goes to 0, both at the y of the report; ``absolute``
    (N,) is the prior |x| at its x.
    """

    gamma: float
    limit: np.ndarray
    soft: np.ndarray
    absolute: np.ndarray


@dataclass(frozen=True)
class PriorReport:
    """The operator f of a network and the prior R whose proximal operator it is, on N points each.

    - y, f (N,): a noisy value, and the answer of the network.
    - x, R (N,): a value, and its prior, up to a constant.
    - trained_y, trained_x: the range of the training, |y| up to the radius, and the x = f(y) that
      belong to it; beyond, f goes on with slope 1.
    - target: None for a network of another origin.
    """

    y: np.ndarray
    f: np.ndarray
    x: np.ndarray
    R: np.ndarray
    trained_y: tuple[float, float]
    trained_x: tuple[float, float]
    target: Target | None


def prior_report(weights: Weights, metadata: Mapping[str, Any]) -> PriorReport:
    """The report of a network, as ``load_weights`` returns it with how it was trained.

    R is known up to a constant: here its mean over the range of the training is that of |x|. That f
    rises by no more than 1 is not said: the shipped network does by 1.09 (``largest_slope``), and R
    is then not convex.

    Raises InputError where torch is not installed.
    """
    from dadao_sim.local_steps.learned import learned_step, prior

    reach, radius = BEYOND * weights.radius, weights.radius
    y = np.linspace(-reach, reach, POINTS)
    f = learned_step(weights, POINTS).prox(y, 1.0)
    low, high = learned_step(weights, 2).prox([-radius, radius], 1.0).tolist()
    x = np.linspace(f[0], f[-1], POINTS)
    R = prior(weights, x)
    trained = (x >= low) & (x <= high)
    R += (np.abs(x) - R)[trained].mean()
    gamma = _last_gamma(metadata)
    target = None
    if gamma is not None:
        soft = np.sign(y) * np.maximum(np.abs(y) - 1, 0)
        target = Target(gamma, laplacian_limit(y, gamma), soft, np.abs(x))
    return PriorReport(y, f, x, R, (-radius, radius), (low, high), target)


def _last_gamma(metadata: Mapping[str, Any]) -> float | None:
    """The gamma at which a training on the Laplacian prior ended; None for any other."""
    recipe = metadata.get("recipe", {})
    if metadata.get("prior") != "laplacian" or recipe.get("sigma") != 1.0:
        return None
    return recipe["gammas"][-1]
