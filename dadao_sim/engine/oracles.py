"""What a method may ask of a node: gradient, conjugate gradient, prox, local solve, single samples;
by type of objective.

An objective is a NamedTuple of contiguous arrays and scalars, so that these calls are inlined in
the compiled engine; or any Python object with methods of the same names and arguments (after
``objective``).
"""

import math

import numpy as np

from dadao_sim.compiled.dispatch import by_type
from dadao_sim.compiled.kernel import kernel

TOLERANCE = 1e-15
"""Of a local step, relative to what it is the sum of; 1/q times this remains in x at worst, q the
inverse condition of the local problem.
"""
MOST_STEPS = 10**6
NO_MARK = np.uint64(0)


@by_type(0)
def gradient(objective, i, x, mark, out):
    """Write grad f_i(x) into ``out`` (d,); ``mark`` (uint64) seeds a stochastic one's minibatch."""


@by_type(0)
def sample_gradient(objective, i, k, x, out):
    """Write the gradient of sample k of node i at x into ``out`` (d,); f_i is the mean over its
    samples.
    """


@by_type(0)
def sample_dot(objective, i, k, x):
    """<a, x> with the row a of sample k of node i: of objectives with
    f_i(x) = sum_k phi_ik(<a_ik, x>) + (l2/2) ||x||^2, as those of the next two.
    """


@by_type(0)
def sample_slope(objective, i, k, weight, r):
    """phi_ik'(z) at the z with z + weight phi_ik'(z) = r, which is one for every weight above
    -1/sup phi_ik''; with weight 0 it is r.

    So much is a proximal step on the sample, x + c grad phi_ik(<a, x>) = u: weight is c ||a||^2,
    and r is <a, u>.
    """


@by_type(0)
def add_sample(objective, i, k, weight, out):
    """Add ``weight`` times the row a of sample k of node i to ``out`` (d,)."""


@by_type(0)
def conjugate_gradient(objective, i, y, out):
    """Write grad f_i*(y) = argmax_x <x, y> - f_i(x) into ``out`` (d,)."""


@by_type(0)
def prox(objective, step, v, out):
    """Write argmin_x step r(x) + ||x - v||^2/2 into ``out`` (d,), which is not ``v``: r is the term
    that all nodes share, and v itself is the answer where there is none.
    """


@by_type(0)
def gradient_mapping(objective, step, x, g):
    """Replace the gradient ``g`` (d,) at x by (x - prox_{step r}(x - step g))/step; it stays where
    there is no r.
    """


@by_type(0)
def local_solve(objective, i, v, curvature, step, x):
    """Replace ``x`` (d,) by argmin f_i + r + curvature ||.||^2/2 - <v, .>, for v (d,).

    By accelerated proximal gradient steps of length ``step`` from x, to rounding; what does not
    converge is the last iterate after ``MOST_STEPS``. The f_i count as convex only: the momentum is
    that of the strong convexity ``curvature``.
    """


def _copy(objective, step, v, out):
    for k in range(v.shape[0]):
        out[k] = v[k]


def _stay(objective, step, x, g):
    pass


def _solve(objective, i, v, curvature, step, x):
    root = math.sqrt(step * curvature)
    momentum = (1 - root) / (1 + root)
    # (1 - root)^k bounds the error of the value, relative.
    limit = int(min(-2 * math.log(TOLERANCE) / root, MOST_STEPS))
    work = np.empty((4, x.shape[0]))
    g, y, forward, after = work[0], work[1], work[2], work[3]
    for k in range(x.shape[0]):
        y[k] = x[k]
    for _ in range(limit):
        gradient(objective, i, y, NO_MARK, g)
        size, moved = 0.0, 0.0
        for k in range(x.shape[0]):
            forward[k] = y[k] - step * (g[k] + curvature * y[k] - v[k])
            size = max(size, abs(y[k]), step * abs(g[k]), step * abs(v[k]))
        prox(objective, step, forward, after)
        for k in range(x.shape[0]):
            moved = max(moved, abs(after[k] - y[k]))
            y[k] = after[k] + momentum * (after[k] - x[k])
            x[k] = after[k]
        if not moved > TOLERANCE * size:
            break


prox.register(object, _copy)
local_solve.register(object, _solve)
gradient_mapping.register(object, _stay)


@kernel
def _compiled_gradients(objective, X, marks, out):
    for i in range(X.shape[0]):
        gradient(objective, i, X[i], marks[i], out[i])


@kernel
def _compiled_sample_gradients(objective, nodes, samples, X, out):
    for row in range(nodes.shape[0]):
        i = nodes[row]
        sample_gradient(objective, i, samples[row], X[i], out[row])


@kernel
def _compiled_sample_slopes(objective, counts, x, out):
    row = 0
    for i in range(counts.shape[0]):
        for k in range(counts[i]):
            out[row] = sample_slope(objective, i, k, 0.0, sample_dot(objective, i, k, x))
            row += 1


@kernel
def _compiled_conjugate_gradients(objective, Y, out):
    for i in range(Y.shape[0]):
        conjugate_gradient(objective, i, Y[i], out[i])


@kernel
def _compiled_local_solves(objective, V, curvatures, steps, X):
    for i in range(X.shape[0]):
        local_solve(objective, i, V[i], curvatures[i], steps[i], X[i])


@kernel
def _compiled_prox(objective, steps, V, out):
    for i in range(V.shape[0]):
        prox(objective, steps[i], V[i], out[i])


def all_gradients(objective, X, marks, out):
    """Write grad f_i(X[i]) of every node into ``out`` (n, d), C-contiguous; ``marks`` (n,) uint64.

    One compiled loop for a NamedTuple, a Python loop for any other object. Where the kernels run as
    plain Python, callers silence the warning that marks wrap around.
    """
    if isinstance(objective, tuple):
        _compiled_gradients(objective, np.ascontiguousarray(X), marks, out)
    else:
        for i in range(X.shape[0]):
            gradient(objective, i, X[i], marks[i], out[i])


def sample_gradients(objective, nodes, samples, X, out):
    """Write into each row of ``out`` (r, d) the gradient of one of ``samples`` (r,) of its node, of
    ``nodes`` (r,), at that node's row of X (n, d), as :func:`all_gradients` does.
    """
    if isinstance(objective, tuple):
        _compiled_sample_gradients(objective, nodes, samples, np.ascontiguousarray(X), out)
    else:
        for row in range(nodes.shape[0]):
            sample_gradient(objective, nodes[row], samples[row], X[nodes[row]], out[row])


def all_sample_slopes(objective, counts, x, out):
    """Write phi_ik'(<a_ik, x>) of all samples, ``counts`` (n,) of each node, into ``out`` (N,), of
    a NamedTuple.
    """
    _compiled_sample_slopes(objective, counts, np.ascontiguousarray(x), out)


def all_conjugate_gradients(objective, Y, out):
    """Write grad f_i*(Y[i]) of every node into ``out`` (n, d), as :func:`all_gradients` does."""
    if isinstance(objective, tuple):
        _compiled_conjugate_gradients(objective, np.ascontiguousarray(Y), out)
    else:
        for i in range(Y.shape[0]):
            conjugate_gradient(objective, i, Y[i], out[i])


def all_local_solves(objective, V, curvatures, steps, X):
    """Replace every row of ``X`` (n, d) by its node's local solve, with V[i], ``curvatures[i]`` and
    ``steps[i]``, as :func:`all_gradients` does.
    """
    if isinstance(objective, tuple):
        _compiled_local_solves(objective, np.ascontiguousarray(V), curvatures, steps, X)
    else:
        for i in range(X.shape[0]):
            local_solve(objective, i, V[i], curvatures[i], steps[i], X[i])


def shares_a_term(objective):
    """Whether there is an r: without one, :func:`prox` answers its argument."""
    return prox.implementation(type(objective)) is not _copy


def all_prox(objective, steps, V, out):
    """Write the prox of V[i] at ``steps[i]`` into row i of ``out`` (n, d), as
    :func:`all_gradients` does.
    """
    if isinstance(objective, tuple):
        _compiled_prox(objective, steps, np.ascontiguousarray(V), out)
    else:
        for i in range(V.shape[0]):
            prox(objective, steps[i], V[i], out[i])
