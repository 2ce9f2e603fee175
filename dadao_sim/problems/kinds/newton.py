"""Damped Newton for linear models, in scalar loops: a node's conjugate gradient, a problem's x*."""

import math

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.linear_model import LinearModel, divergence, row_dot

ITERATIONS = 200
SCRATCH_ROWS = 2
"""Rows of length d that Newton needs beside the Hessian."""


@kernel
def hessian(model, first, last, weight, x, H):
    """Write weight * sum of the Hessians of nodes [first, last) at x into H, lower triangle."""
    d = x.shape[0]
    for a in range(d):
        for b in range(a + 1):
            H[a, b] = 0.0
        H[a, a] = weight * (last - first) * model.ridge
    for i in range(first, last):
        for row in range(model.offsets[i], model.offsets[i + 1]):
            z = row_dot(model.A, row, x)
            curvature = losses.curvature(model.loss, z, model.b[row])
            for a in range(d):
                factor = weight * model.scale[i] * curvature * model.A[row, a]
                for b in range(a + 1):
                    H[a, b] += factor * model.A[row, b]


@kernel
def full_gradient(model, first, last, weight, x, out):
    """Write weight * sum of the gradients of nodes [first, last) at x into out."""
    d = x.shape[0]
    for j in range(d):
        out[j] = weight * (last - first) * model.ridge * x[j]
    for i in range(first, last):
        for row in range(model.offsets[i], model.offsets[i + 1]):
            slope = losses.slope(model.loss, row_dot(model.A, row, x), model.b[row])
            for j in range(d):
                out[j] += weight * model.scale[i] * slope * model.A[row, j]


@kernel
def cholesky_solve(H, g):
    """Overwrite H (lower triangle) by its Cholesky factor, g by H^{-1} g; False unless H > 0."""
    d = g.shape[0]
    for a in range(d):
        for b in range(a + 1):
            s = H[a, b]
            for k in range(b):
                s -= H[a, k] * H[b, k]
            if a > b:
                H[a, b] = s / H[b, b]
            elif s > 0.0:
                H[a, a] = math.sqrt(s)
            else:
                return False
    for a in range(d):
        for k in range(a):
            g[a] -= H[a, k] * g[k]
        g[a] /= H[a, a]
    for a in range(d - 1, -1, -1):
        for k in range(a + 1, d):
            g[a] -= H[k, a] * g[k]
        g[a] /= H[a, a]
    return True


@kernel
def norm(x):
    """Euclidean norm."""
    s = 0.0
    for j in range(x.shape[0]):
        s += x[j] * x[j]
    return math.sqrt(s)


@kernel
def minimise(model, first, last, weight, y, x, scratch):
    """Overwrite x by the argmin of weight * sum over [first, last) of f_i(x) - <x, y>.

    Starts from 0, so the answer depends on nothing else. The line search (Armijo's condition)
    compares a Bregman divergence with the slope, which unlike a difference of values keeps its
    meaning to the last bit. Ends where a step is lost in rounding; False if that is not reached.
    """
    d = x.shape[0]
    g, step = scratch[d], scratch[d + 1]
    for j in range(d):
        x[j] = 0.0
    before = np.inf
    origin = 0.0
    for iteration in range(ITERATIONS):
        full_gradient(model, first, last, weight, x, g)
        for j in range(d):
            g[j] -= y[j]
        if iteration == 0:
            origin = norm(g)
        if norm(g) == 0.0:
            return True
        hessian(model, first, last, weight, x, scratch)
        trace = 0.0
        for j in range(d):
            trace += scratch[j, j]
            step[j] = -g[j]
        if not cholesky_solve(scratch, step):
            return False
        length, size = norm(step), norm(x) + origin / trace
        if length <= 1e-8 * size and length > 0.5 * before:
            return True
        slope = 0.0
        for j in range(d):
            slope -= g[j] * step[j]
        t = 1.0
        while weight * divergence(model, first, last, x, t, step) > 0.9 * t * slope:
            t *= 0.5
        for j in range(d):
            x[j] += t * step[j]
        if length <= 1e-14 * size:
            return True
        before = length
    return False


@kernel
def linear_conjugate_gradient(model, i, y, out):
    """Write grad f_i*(y), to rounding. Needs ``with_scratch``.

    All nan if y is not finite, or Newton does not settle: seen for L/mu >= 1e8 only.
    """
    if model.scratch.shape[0] == 0:
        raise ValueError("ask Problem.with_conjugate() for an objective with conjugate gradients")
    if not minimise(model, i, i + 1, 1.0, y, out, model.scratch):
        for j in range(out.shape[0]):
            out[j] = np.nan


def with_scratch(model: LinearModel) -> LinearModel:
    """The same model with a Newton workspace of its own."""
    d = model.A.shape[1]
    return model._replace(scratch=np.empty((d + SCRATCH_ROWS, d)))


oracles.conjugate_gradient.register(LinearModel, linear_conjugate_gradient)
