"""Quadratics kept as Hessians: grad f_i(x) = H_i x - c_i, whose cost is free of the samples."""

from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.problems.kinds.linear_model import LinearModel


class Quadratic(NamedTuple):
    """``H`` (n, d, d) symmetric, ``c`` (n, d).

    ``inverse`` (n, d, d) of H and ``minimiser`` (n, d) of f_i serve the conjugate gradient; both
    have no rows until it is asked for.
    """

    H: np.ndarray
    c: np.ndarray
    inverse: np.ndarray
    minimiser: np.ndarray


@kernel
def quadratic_gradient(quadratic, i, x, mark, out):
    """Write H_i x - c_i, row by row: H is symmetric, and adding rows needs no reduction."""
    d = x.shape[0]
    for a in range(d):
        out[a] = -quadratic.c[i, a]
    for b in range(d):
        for a in range(d):
            out[a] += quadratic.H[i, b, a] * x[b]


@kernel
def quadratic_conjugate_gradient(quadratic, i, y, out):
    """Write argmin f_i + H_i^{-1} y; H_i^{-1} (y + c_i) would lose all digits of a small y."""
    if quadratic.inverse.shape[0] == 0:
        raise ValueError("ask Problem.with_conjugate() for an objective with conjugate gradients")
    d = y.shape[0]
    for a in range(d):
        out[a] = quadratic.minimiser[i, a]
    for b in range(d):
        for a in range(d):
            out[a] += quadratic.inverse[i, b, a] * y[b]


@kernel
def fill_gram(model, first, last, H, c):
    """Write H = 2 scale A_i^T A_i + ridge I and c = 2 scale A_i^T b_i of nodes [first, last)."""
    d = c.shape[1]
    for i in range(first, last):
        here = i - first
        for a in range(d):
            c[here, a] = 0.0
            for b in range(d):
                H[here, a, b] = 0.0
        for row in range(model.offsets[i], model.offsets[i + 1]):
            for a in range(d):
                factor = 2.0 * model.scale[i] * model.A[row, a]
                c[here, a] += factor * model.b[row]
                for b in range(a + 1):
                    H[here, a, b] += factor * model.A[row, b]
        for a in range(d):
            H[here, a, a] += model.ridge
            for b in range(a):
                H[here, b, a] = H[here, a, b]


def quadratic(model: LinearModel) -> Quadratic:
    """The Hessian form of a model whose loss is the square."""
    n, d = model.scale.size, model.A.shape[1]
    H, c = np.empty((n, d, d)), np.empty((n, d))
    fill_gram(model, 0, n, H, c)
    return Quadratic(H, c, inverse=np.empty((0, d, d)), minimiser=np.empty((0, d)))


def with_inverse(objective: Quadratic) -> Quadratic:
    """The same quadratics with what the conjugate gradient needs."""
    inverse = np.linalg.inv(objective.H)
    return objective._replace(
        inverse=0.5 * (inverse + inverse.transpose(0, 2, 1)),
        minimiser=np.linalg.solve(objective.H, objective.c[:, :, None])[:, :, 0].copy(),
    )


oracles.gradient.register(Quadratic, quadratic_gradient)
oracles.conjugate_gradient.register(Quadratic, quadratic_conjugate_gradient)
