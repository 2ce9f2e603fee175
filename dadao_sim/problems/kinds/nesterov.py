"""Nesterov's method with constant momentum, which finds x* where nothing but gradients is known."""

from collections.abc import Callable

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.problem import TOLERANCE

MOST_GROWTH = 1e12
"""Growth of the gradient after which the search for x* gives up."""


def minimiser(
    gradients: Callable[[FloatArray], FloatArray], mu: float, L: float, dimension: int
) -> FloatArray:
    """x* (d,) of F, to the accuracy of :attr:`Problem.x_star`; ``gradients`` answers those of the
    nodes (n, d) at a point (d,). InputError where it is not reached.

    Introductory Lectures on Convex Optimization (2004), scheme 2.2.11.
    """
    root = np.sqrt(mu / L)
    momentum = (1 - root) / (1 + root)
    x = y = np.zeros(dimension)
    at_zero = np.linalg.norm(gradients(x).mean(axis=0))
    for _ in range(100 + int(100 / root)):
        of_nodes = gradients(y)
        mean = of_nodes.mean(axis=0)
        size = np.linalg.norm(mean)
        scale = max(at_zero, np.linalg.norm(of_nodes, axis=1).mean())
        if size <= TOLERANCE * scale:
            return y
        if not size <= MOST_GROWTH * at_zero:
            break
        x, before = y - mean / L, x
        y = x + momentum * (x - before)
    raise InputError(
        "x_star",
        f"not found to {TOLERANCE:g} with mu = {mu:g}, L = {L:g}",
        "check these constants, or give x_star",
    )
