"""Scenes in the dark: a few lamps over a picture, and what a camera sees of it.

A picture y = L R + noise is the product of what the lamps shed, L, and what things reflect, R. In
logarithms it is a sum, log y = log L + log R, whose parts are known only up to a common gain.
"""

import numpy as np

from dadao_sim.problems.data.arrays import FloatArray

FLOOR = 4e-3
"""What a camera sees at least: a logarithm needs it."""
BRIGHTEST = 0.95
LEAST_WEIGHT = 0.05
"""Of a pixel in the noise, against 1 of a bright one: with less, it would take ages to be found."""
CLEAR = 10.0
"""A pixel this many standard deviations of the noise above 0 has full weight."""


def log_light(size: int, lamps: int, rng: np.random.Generator) -> FloatArray:
    """log L (size, size): Gaussian lamps, some beside the picture, in a room nearly dark."""
    i, j = np.mgrid[:size, :size] / size
    light = np.full((size, size), rng.uniform(0.03, 0.08))
    for _ in range(lamps):
        top, left = rng.uniform(-0.2, 1.2, 2)
        width = rng.uniform(0.2, 0.5)
        distance = (i - top) ** 2 + (j - left) ** 2
        light += rng.uniform(0.15, 0.6) * np.exp(-distance / (2 * width**2))
    return np.log(np.minimum(light, BRIGHTEST))


def photographed(
    log_light: FloatArray, reflectance: FloatArray, noise: float, rng: np.random.Generator
) -> FloatArray:
    """y, in the shape of the reflectance: never below the floor."""
    y = np.exp(log_light) * reflectance + noise * rng.standard_normal(reflectance.shape)
    return np.maximum(y, FLOOR)


def trust(y: FloatArray, noise: float) -> FloatArray:
    """Weights in (0, 1] of log y: what the noise leaves of a logarithm, whose variance is about
    (noise/y)^2.
    """
    if noise == 0:
        return np.ones_like(y)
    return np.clip((y / (CLEAR * noise)) ** 2, LEAST_WEIGHT, 1.0)


def light_errors(found: FloatArray, light: FloatArray) -> FloatArray:
    """Root mean squares (n,) of found - light, less their means: of n log lights, each of any
    shape, and the true one, or the true one of each.
    """
    every = found.reshape(len(found), -1)
    difference = every - light.reshape(-1, every.shape[1])
    return np.asarray(difference.std(axis=1))
