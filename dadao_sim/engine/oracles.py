"""What a method may ask of a node: gradient, conjugate gradient, prox; by type of objective.

An objective is a NamedTuple of contiguous arrays and scalars, so that these calls are inlined in
the compiled engine; or any Python object with methods of the same names and arguments (after
``objective``).
"""

import numpy as np

from dadao_sim.compiled.dispatch import by_type
from dadao_sim.compiled.kernel import kernel


@by_type(0)
def gradient(objective, i, x, mark, out):
    """Write grad f_i(x) into ``out`` (d,); ``mark`` (uint64) seeds a stochastic one's minibatch."""


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


def _copy(objective, step, v, out):
    for k in range(v.shape[0]):
        out[k] = v[k]


def _stay(objective, step, x, g):
    pass


prox.register(object, _copy)
gradient_mapping.register(object, _stay)


@kernel
def _compiled_gradients(objective, X, marks, out):
    for i in range(X.shape[0]):
        gradient(objective, i, X[i], marks[i], out[i])


@kernel
def _compiled_conjugate_gradients(objective, Y, out):
    for i in range(Y.shape[0]):
        conjugate_gradient(objective, i, Y[i], out[i])


@kernel
def _compiled_prox(objective, steps, V, out):
    for i in range(V.shape[0]):
        prox(objective, steps[i], V[i], out[i])


def all_gradients(objective, X, marks, out):
    """Write grad f_i(X[i]) of every node into ``out`` (n, d), C-contiguous; ``marks`` (n,) uint64.

    One compiled loop for a NamedTuple, a Python loop for any other object.
    """
    if isinstance(objective, tuple):
        with np.errstate(over="ignore"):  # plain Python warns where uint64 marks wrap around
            _compiled_gradients(objective, np.ascontiguousarray(X), marks, out)
    else:
        for i in range(X.shape[0]):
            gradient(objective, i, X[i], marks[i], out[i])


def all_conjugate_gradients(objective, Y, out):
    """Write grad f_i*(Y[i]) of every node into ``out`` (n, d), as :func:`all_gradients` does."""
    if isinstance(objective, tuple):
        _compiled_conjugate_gradients(objective, np.ascontiguousarray(Y), out)
    else:
        for i in range(Y.shape[0]):
            conjugate_gradient(objective, i, Y[i], out[i])


def all_prox(objective, steps, V, out):
    """Write the prox of V[i] at ``steps[i]`` into row i of ``out`` (n, d), as
    :func:`all_gradients` does.
    """
    if isinstance(objective, tuple):
        _compiled_prox(objective, steps, np.ascontiguousarray(V), out)
    else:
        for i in range(V.shape[0]):
            prox(objective, steps[i], V[i], out[i])
