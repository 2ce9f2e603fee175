"""The numbers of docs/systems/digits.md: what the network of digits denoises, how its prior tells
noise, whether a F + R falls, and what is filled in of lost pixels, alone and together.

    python benchmarks/digits.py
"""

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.local_steps.learned.convex_network import (
    ConvexNetwork,
    gradient,
    inverse,
    largest_slope,
    prior_at_answer,
    prior_of,
)
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.terms import make
from dadao_sim.problems.data.digit import PIXELS, SIDE, conditional_mean, digits
from dadao_sim.reports.digit_prior import decibels

NETWORK = load_network("digits")
TRUTH = digits().held_out
SIGMA, NOISE, NODES, SEEN = 0.15, 0.05, 4, 32
STRENGTHS = (0.02, 0.05, 0.08, 0.12)
STEPS = 300


def main() -> None:
    """All of them."""
    assert isinstance(NETWORK, ConvexNetwork), "the shipped one is"
    with one_blas_thread():
        denoising(NETWORK)
        priors(NETWORK)
        falling(NETWORK)
        filling(NETWORK)


def leading(count: int) -> np.ndarray:
    """The covariance of the training digits by so many principal components, and 1e-4."""
    _, values, axes = np.linalg.svd(digits().training, full_matrices=False)
    variances = values[:count] ** 2 / len(digits().training)
    return (axes[:count].T * variances) @ axes[:count] + 1e-4 * np.eye(PIXELS)


def denoising(net: ConvexNetwork) -> None:
    """All held-out digits; the strength of total variation is the best for them."""
    noisy = TRUTH + SIGMA * np.random.default_rng(1).standard_normal(TRUTH.shape)
    normal = conditional_mean(np.arange(PIXELS), noisy, SIGMA)
    terms = [make("tv_2d", PIXELS, strength=s, shape=(SIDE, SIDE)) for s in STRENGTHS]
    flat = [
        decibels(np.array([tv.prox(one, 1.0) for one in noisy + digits().mean]), full())
        for tv in terms
    ]
    print(
        f"denoising, noise {SIGMA}: seen {decibels(noisy, TRUTH):.2f} dB, total variation "
        f"{max(flat):.2f}, Gaussian {decibels(normal, TRUTH):.2f}, network "
        f"{decibels(gradient(net, noisy), TRUTH):.2f}"
    )
    print(f"largest slope at 60 noisy digits {largest_slope(net, noisy[:60]):.2f}")


def full() -> np.ndarray:
    """The held-out digits with their mean."""
    return TRUTH + digits().mean


def priors(net: ConvexNetwork) -> None:
    """R of clean, noisy and mixed digits."""
    rng, clean = np.random.default_rng(1), TRUTH
    R = prior_of(net, clean)
    left = np.abs(gradient(net, inverse(net, clean)) - clean).max()
    print(
        f"R of all digits {R.mean():.2f} (spread {R.std():.2f}), left of the inversion {left:.0e}"
    )
    for noise in (0.05, 0.1, 0.2, 0.3):
        rise = prior_of(net, clean + noise * rng.standard_normal(clean.shape)) - R
        print(f"  noise {noise}: {rise.mean():+.2f}, higher in {100 * (rise > 0).mean():.0f} %")
    other = np.roll(TRUTH, 1, axis=0)
    for share in (0.1, 0.25, 0.5):
        mixed = prior_of(net, (1 - share) * clean + share * other)
        chord = (1 - share) * R + share * prior_of(net, other)
        above = 100 * (mixed > chord).mean()
        print(f"  mixed {share}: {mixed.mean():.3f}, chord {chord.mean():.3f}, {above:.0f} % above")


def masks(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of each held-out digit the node that sees a pixel, -1 where none does, and what is seen."""
    order = np.array([rng.permutation(PIXELS) for _ in TRUTH])
    owner = np.where(order < SEEN, order % NODES, -1)
    return owner, TRUTH + NOISE * rng.standard_normal(TRUTH.shape)


def iterated(net: ConvexNetwork, known: np.ndarray, seen: np.ndarray, weight: float):
    """x after STEPS steps at a = weight/L from the mean, the last changes, and the values of
    a F + R after each step, of each digit.
    """
    x, values = np.zeros_like(seen), []
    for _ in range(STEPS):
        y = x - weight * np.where(known, x - seen, 0.0)
        after = gradient(net, y)
        change, x = np.linalg.norm(after - x, axis=1), after
        misfit = np.where(known, x - seen, 0.0)
        values.append(0.5 * weight * (misfit**2).sum(axis=1) + prior_at_answer(net, y))
    return x, change, np.array(values)


def falling(net: ConvexNetwork) -> None:
    """a F + R, below and above the step of the theorem."""
    owner, seen = masks(np.random.default_rng(5))
    for weight in (0.9, 1.9):
        _, change, values = iterated(net, owner >= 0, seen, weight)
        rise = np.diff(values, axis=0).max(axis=0)
        share = 100 * (rise > 1e-12).mean()
        print(
            f"step {weight}/L: a F + R rises by more than 1e-12 for {share:.0f} % of the digits, "
            f"at most by {rise.max():.0e}; after {STEPS} steps the change is below "
            f"1e-8 for {100 * (change < 1e-8).mean():.0f} %, the largest {change.max():.0e}"
        )


def filling(net: ConvexNetwork) -> None:
    """Half of the pixels lost, at four nodes."""
    owner, seen = masks(np.random.default_rng(5))
    known = owner >= 0
    normal, of_leading, few = [], [], leading(20)
    for k, y in zip(known, seen, strict=True):
        own = np.flatnonzero(k)
        normal.append(conditional_mean(own, y[own], NOISE))
        gram = few[np.ix_(own, own)] + NOISE**2 * np.eye(len(own))
        of_leading.append(few[:, own] @ np.linalg.solve(gram, y[own]))
    flat = np.where(known, seen, 0.0)
    print(
        f"half of the pixels: with the mean in their place {decibels(flat, TRUTH):.2f} dB, "
        f"Gaussian {decibels(np.array(normal), TRUTH):.2f}, of 20 components "
        f"{decibels(np.array(of_leading), TRUTH):.2f}"
    )
    for weight in (0.9, 0.25):
        together = decibels(iterated(net, known, seen, weight)[0], TRUTH)
        alone = [decibels(iterated(net, owner == i, seen, weight)[0], TRUTH) for i in range(NODES)]
        print(f"  weight {weight}: all nodes {together:.2f} dB, a node alone {np.mean(alone):.2f}")


if __name__ == "__main__":
    main()
