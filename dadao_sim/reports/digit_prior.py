"""What a network of digits knows: its prior of clean and of noisy digits, and what it denoises."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.convex_network import (
    ConvexNetwork,
    gradient,
    largest_slope,
    prior_of,
)
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.digit import PIXELS, conditional_mean, digits

DIGITS = 40
NOISES = (0.05, 0.1, 0.15, 0.2, 0.3)
SEED = 1


@dataclass(frozen=True)
class DigitPrior:
    """On 40 held-out digits, with noise of the standard deviations ``noises`` (k,).

    - clean: R of the digits (40,), up to a constant; rises: R of the noisy ones, less that (k, 40).
    - seen, denoised, gaussian: decibels of the noisy digits, of f, and of the conditional mean,
      were digits Gaussian, all averaged (k,).
    - slope: the largest of f at noisy digits, of the third noise.
    """

    noises: FloatArray
    clean: FloatArray
    rises: FloatArray
    seen: FloatArray
    denoised: FloatArray
    gaussian: FloatArray
    slope: float


@one_blas_thread()
def digit_prior(net: ConvexNetwork) -> DigitPrior:
    """Of a network of 64 pixels. InputError for another."""
    if net.dimension != PIXELS:
        raise InputError("network", f"of {net.dimension} numbers", f"one of {PIXELS} is needed")
    truth, rng = digits().held_out[:DIGITS], np.random.default_rng(SEED)
    noisy = [truth + noise * rng.standard_normal(truth.shape) for noise in NOISES]
    clean = prior_of(net, truth)
    every = np.arange(PIXELS)
    normal = [
        conditional_mean(every, batch, noise) for noise, batch in zip(NOISES, noisy, strict=True)
    ]
    return DigitPrior(
        noises=np.array(NOISES),
        clean=clean,
        rises=np.array([prior_of(net, batch) - clean for batch in noisy]),
        seen=np.array([decibels(batch, truth) for batch in noisy]),
        denoised=np.array([decibels(gradient(net, batch), truth) for batch in noisy]),
        gaussian=np.array([decibels(batch, truth) for batch in normal]),
        slope=largest_slope(net, noisy[2]),
    )


def decibels(found: FloatArray, truth: FloatArray) -> float:
    """Peak signal-to-noise ratio of digits (N, 64), on average."""
    return float(np.mean(-10 * np.log10(((found - truth) ** 2).mean(axis=-1))))
