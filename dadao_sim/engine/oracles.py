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
from dadao_sim.compiled.parallel import LEAST_NUMBERS, shared_out
from dadao_sim.engine.workspace import own, shareable

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
def minibatch(objective, i, mark, out):
    """Write the samples that a stochastic gradient of node i with this mark is of into ``out``
    (b, d + 1): features, then the target.
    """


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
def local_direction(objective, step, x, g, t):
    """Replace the gradient ``g`` (d,) at x and time t by the direction -v of the local step: one of
    length ``step`` ends at x + step v. That is the gradient mapping, unless the local step is a
    direction itself.
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


def _map(objective, step, x, g, t):
    gradient_mapping(objective, step, x, g)


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
local_direction.register(object, _map)


@kernel
def _compiled_gradients(objective, first, stop, X, marks, out):
    n = marks.shape[0]
    for row in range(first, stop):
        gradient(objective, row % n, X[row], marks[row % n], out[row])


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
def _compiled_conjugate_gradients(objective, first, stop, n, Y, out):
    for row in range(first, stop):
        conjugate_gradient(objective, row % n, Y[row], out[row])


@kernel
def _compiled_local_solves(objective, first, stop, n, V, curvatures, steps, X):
    for row in range(first, stop):
        local_solve(objective, row % n, V[row], curvatures[row], steps[row], X[row])


@kernel
def _compiled_prox(objective, first, stop, steps, V, out):
    for i in range(first, stop):
        prox(objective, steps[i], V[i], out[i])


@kernel
def _compiled_directions(objective, first, stop, steps, X, t, G):
    for i in range(first, stop):
        local_direction(objective, steps[i], X[i], G[i], t)


def _rows(X):
    """The rows of all nodes (n, d), of a batch (batch, n, d) one run after the other."""
    return X if X.ndim == 2 else X.reshape(-1, X.shape[-1])


def _compiled_rows(loop, objective, X, *arguments):
    """Call ``loop(objective, first, stop, *arguments)`` for the rows of X, by all threads in use:
    each with workspaces of its own, or one alone where they are not declared.
    """
    rows, width = X.shape
    several = rows * width >= 2 * LEAST_NUMBERS and shareable(objective)
    least = 1 + LEAST_NUMBERS // width if several else rows

    def play(number, first, stop):
        loop(own(objective) if number else objective, first, stop, *arguments)

    shared_out(rows, least, play)


def all_gradients(objective, X, marks, out):
    """Write grad f_i(X[i]) of every node into ``out`` (n, d), C-contiguous; ``marks`` (n,) uint64.

    Both may be those of a batch of runs, (batch, n, d). One compiled loop for a NamedTuple, a
    Python loop for any other object. Where the kernels run as plain Python, callers silence the
    warning that marks wrap around.
    """
    X, out, n = _rows(np.ascontiguousarray(X)), _rows(out), len(marks)
    if isinstance(objective, tuple):
        _compiled_rows(_compiled_gradients, objective, X, X, marks, out)
    else:
        for row in range(X.shape[0]):
            gradient(objective, row % n, X[row], marks[row % n], out[row])


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
    n = Y.shape[-2]
    Y, out = _rows(np.ascontiguousarray(Y)), _rows(out)
    if isinstance(objective, tuple):
        _compiled_rows(_compiled_conjugate_gradients, objective, Y, n, Y, out)
    else:
        for row in range(Y.shape[0]):
            conjugate_gradient(objective, row % n, Y[row], out[row])


def all_local_solves(objective, V, curvatures, steps, X):
    """Replace every row of ``X`` (n, d), C-contiguous, by its node's local solve, with V[i],
    ``curvatures[i]`` and ``steps[i]``, one of each per row, as :func:`all_gradients` does.
    """
    n = X.shape[-2]
    V, X = _rows(np.ascontiguousarray(V)), _rows(X)
    if isinstance(objective, tuple):
        _compiled_rows(_compiled_local_solves, objective, X, n, V, curvatures, steps, X)
    else:
        for row in range(X.shape[0]):
            local_solve(objective, row % n, V[row], curvatures[row], steps[row], X[row])


def shares_a_term(objective):
    """Whether there is an r: without one, :func:`prox` answers its argument."""
    return prox.implementation(type(objective)) is not _copy


def all_prox(objective, steps, V, out):
    """Write the prox of V[i] at ``steps[i]``, one per row, into row i of ``out`` (n, d), as
    :func:`all_gradients` does.
    """
    V, out = _rows(np.ascontiguousarray(V)), _rows(out)
    if isinstance(objective, tuple):
        _compiled_rows(_compiled_prox, objective, V, steps, V, out)
    else:
        for row in range(V.shape[0]):
            prox(objective, steps[row], V[row], out[row])


def is_directed(objective):
    """Whether the local step is a direction, and no prox."""
    return local_direction.implementation(type(objective)) is not _map


def all_local_directions(objective, steps, X, t, G):
    """Replace every row of ``G`` (n, d), C-contiguous, by the direction of the local step at X[i]
    and time t, with ``steps[i]``, as :func:`all_gradients` does.
    """
    X, G = _rows(np.ascontiguousarray(X)), _rows(G)
    if isinstance(objective, tuple):
        _compiled_rows(_compiled_directions, objective, X, steps, X, float(t), G)
    else:
        for row in range(X.shape[0]):
            local_direction(objective, steps[row], X[row], G[row], float(t))
