r"""Training of the prior of pictures: filters, strengths and p by the implicit gradient.

Problem
    minimise over theta = (filters, strengths, p) the mean of ||x(theta) - clean||^2 over pictures
    with noise, y = clean + noise, where x(theta) is the minimum of r(x) + ||x - y||^2/2 beside y.
Gradient
    x(theta) is a zero of g(x, theta) = x - y + grad r(x), so that dg/dx dx = -dg/dtheta dtheta, and
    dloss/dtheta = -lambda' dg/dtheta with lambda = (I + G' diag(curvatures) G)^{-1} dloss/dx by
    conjugate gradients: at a minimum the matrix is positive semidefinite. It needs the last x
    alone, however many steps lead there.
Data
    Crops of two photographs at three scales, turned and mirrored, with normal noise; none of them
    is an image that a scenario has.
Constants
    Adam (D. P. Kingma, J. Ba, ICLR 2015) on filters before their mean is taken away and their norm
    made 1, log s_k and the logit of p. It starts from cosines.
Reference
    I. Koshelev, S. Lefkimmiatis, "Iterative Reweighted Least Squares Networks With Convergence
    Guarantees for Solving Inverse Imaging Problems", arXiv:2308.05745; data and optimiser are our
    choice. It needs no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.learning.photographs import crop, scaled, training_pictures
from dadao_sim.local_steps.learned.filters import (
    SIDE,
    Filters,
    FiltersOperator,
    arrive,
    descend,
    operator_of,
    solve,
)

FloatArray = NDArray[np.float64]

SCALES = (2, 3, 5)
MOMENTA, TINY = (0.9, 0.999), 1e-8
"""Of Adam, as published."""


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped filters."""

    steps: int = 250
    batch: int = 8
    size: int = 32
    noise: float = 0.1
    epsilon: float = 0.02
    first_p: float = 0.9
    first_strength: float = 0.02
    learning_rates: tuple[float, float] = (0.05, 0.005)
    tolerance: float = 1e-3
    most_steps: int = 100
    adjoint_tolerance: float = 1e-3
    adjoint_steps: int = 100


def cosines() -> FloatArray:
    """The eight 3 x 3 products of cosines that have mean 0, of norm 1; (8, 3, 3)."""
    n = np.arange(SIDE)
    lines = np.cos(np.pi * np.outer(n, n + 0.5) / SIDE)
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    return np.einsum("ai,bj->abij", lines, lines).reshape(-1, SIDE, SIDE)[1:]


def start_of(recipe: Recipe) -> Filters:
    """Cosines of one strength."""
    filters = cosines()
    strengths = np.full(len(filters), recipe.first_strength)
    return Filters(filters, strengths, recipe.first_p, recipe.epsilon)


@one_blas_thread()
def train(
    *, seed: int = 0, recipe: Recipe = Recipe(), tick: Callable[[int, float], None] | None = None
) -> Filters:
    """Train the filters; the same ``seed`` gives the same numbers.

    ``tick(step, loss)`` hears of every step; the loss is the mean square error of a pixel.
    """
    rng = np.random.default_rng(seed)
    pictures = scaled(training_pictures(), SCALES, recipe.size)
    theta = parameters_of(start_of(recipe))
    means = np.zeros((2, theta.size))
    first, last = recipe.learning_rates
    for step in range(recipe.steps):
        clean = np.array([crop(pictures, recipe.size, rng) for _ in range(recipe.batch)])
        seen = clean + recipe.noise * rng.standard_normal(clean.shape)
        loss, slope = mean_gradient(theta, clean, seen, recipe)
        for moment, (share, of) in enumerate(zip(MOMENTA, (slope, slope**2), strict=True)):
            means[moment] = share * means[moment] + (1 - share) * of
        mean, square = (m / (1 - b ** (step + 1)) for m, b in zip(means, MOMENTA, strict=True))
        theta = theta - first * (last / first) ** (step / recipe.steps) * mean / (
            np.sqrt(square) + TINY
        )
        if tick is not None:
            tick(step, loss)
    return filters_of(theta, recipe.epsilon)


def mean_gradient(
    theta: FloatArray, clean: FloatArray, seen: FloatArray, recipe: Recipe
) -> tuple[float, FloatArray]:
    """The mean over pictures (N, rows, columns) of the squared error of a pixel, and its gradient
    by theta, as far as the tolerances of the recipe go.
    """
    net = filters_of(theta, recipe.epsilon)
    operator = operator_of(net, clean.shape[1:])
    losses, slopes = [], []
    for of_clean, of_seen in zip(clean, seen, strict=True):
        y = np.ascontiguousarray(of_seen).ravel()
        x = y.copy()
        descend(operator, 1.0, y, x, recipe.tolerance, recipe.most_steps)
        error = x - of_clean.ravel()
        losses.append((error**2).mean())
        of_x = 2 * error / error.size
        slopes.append(implicit_gradient(operator, x, y, of_x, recipe))
    filters, strengths, p = (np.mean(one, axis=0) for one in zip(*slopes, strict=True))
    return float(np.mean(losses)), pulled_back(theta, net, filters, strengths, float(p))


# --- The implicit gradient ---------------------------------------------------------------------


def implicit_gradient(
    r: FiltersOperator, x: FloatArray, y: FloatArray, of_x: FloatArray, recipe: Recipe
) -> tuple[FloatArray, FloatArray, float]:
    """dloss/dtheta at a minimum x (d,) of r(x) + ||x - y||^2/2, for ``of_x`` = dloss/dx (d,): of
    filters (K, 9), of strengths (K,), of p.
    """
    work = r.work
    arrive(r, 1.0, y, x, work.weights, work.curvatures, work.vectors[0])
    adjoint = np.empty_like(x)
    residual, direction, image = work.vectors[1], work.vectors[3], work.vectors[4]
    residual[:] = of_x
    left, most = recipe.adjoint_tolerance, recipe.adjoint_steps
    solve(r, 1.0, work.curvatures, residual, left, most, adjoint, direction, image)
    filters, strengths, p = by_parameters(r, x, adjoint)
    return -filters, -strengths, -p


def by_parameters(
    r: FiltersOperator, x: FloatArray, direction: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """The derivatives of <direction, grad r(x)> by filters, strengths and p."""
    X, D = patches(r, x), patches(r, direction)
    u, answered = X @ r.filters.T, D @ r.filters.T
    q = u**2 + r.epsilon**2
    power = q ** (r.p / 2 - 1)
    slope = r.p * u * power
    curvature = r.p * power * (1 + (r.p - 2) * u**2 / q)
    by_filters = (r.strengths * slope).T @ D + (r.strengths * answered * curvature).T @ X
    by_strengths = (answered * slope).sum(axis=0)
    of_slope = u * power * (1 + r.p / 2 * np.log(q))
    by_p = float((r.strengths * answered * of_slope).sum())
    return by_filters, by_strengths, by_p


def patches(r: FiltersOperator, x: FloatArray) -> FloatArray:
    """All squares of 3 x 3 pixels, (places, 9)."""
    windows = np.lib.stride_tricks.sliding_window_view(x.reshape(r.shape), (SIDE, SIDE))
    return windows.reshape(-1, SIDE**2)


# --- What is free to move ----------------------------------------------------------------------


def parameters_of(net: Filters) -> FloatArray:
    """Filters, log s_k and the logit of p as one vector (10 K + 1,)."""
    logit = np.log(net.p) - np.log1p(-net.p)
    return np.concatenate([net.filters.ravel(), np.log(net.strengths), [logit]])


def filters_of(theta: FloatArray, epsilon: float) -> Filters:
    """What a vector of parameters means: its filters are given mean 0 and norm 1."""
    raw, logs, logit = parts_of(theta)
    centred = raw - raw.mean(axis=1, keepdims=True)
    filters = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    p = float(1 / (1 + np.exp(-logit)))
    return Filters(filters.reshape(-1, SIDE, SIDE), np.exp(logs), p, epsilon)


def pulled_back(
    theta: FloatArray, net: Filters, of_filters: FloatArray, of_strengths: FloatArray, of_p: float
) -> FloatArray:
    """A gradient by what the parameters mean, as one by the parameters."""
    raw, _, _ = parts_of(theta)
    g = net.filters.reshape(raw.shape)
    norms = np.linalg.norm(raw - raw.mean(axis=1, keepdims=True), axis=1, keepdims=True)
    along = (of_filters * g).sum(axis=1, keepdims=True)
    of_raw = (of_filters - along * g - of_filters.mean(axis=1, keepdims=True)) / norms
    of_logit = of_p * net.p * (1 - net.p)
    return np.concatenate([of_raw.ravel(), of_strengths * net.strengths, [of_logit]])


def parts_of(theta: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Raw filters (K, 9), logarithms of strengths (K,), logit of p."""
    count = theta.size // (SIDE**2 + 1)
    raw, logs = theta[: SIDE**2 * count], theta[SIDE**2 * count : -1]
    return raw.reshape(count, SIDE**2), logs, float(theta[-1])
