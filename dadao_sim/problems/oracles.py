"""What a method may ask of a node: gradient, conjugate gradient; one implementation per objective.

An objective is a NamedTuple of contiguous arrays and scalars, so that these calls are inlined in
the compiled engine; or any Python object with methods of the same names and arguments (after
``objective``).
"""

import numpy as np

from dadao_sim.engine.dispatch import by_type
from dadao_sim.engine.kernel import kernel


@by_type(0)
def gradient(objective, i, x, mark, out):
    """Write grad f_i(x) into ``out`` (d,); ``mark`` (uint64) seeds a stochastic one's minibatch."""


@by_type(0)
def conjugate_gradient(objective, i, y, out):
    """Write grad f_i*(y) = argmax_x <x, y> - f_i(x) into ``out`` (d,)."""


@kernel
def _compiled_gradients(objective, X, marks, out):
    for i in range(X.shape[0]):
        gradient(objective, i, X[i], marks[i], out[i])


@kernel
def _compiled_conjugate_gradients(objective, Y, out):
    for i in range(Y.shape[0]):
        conjugate_gradient(objective, i, Y[i], out[i])


def all_gradients(objective, X, marks, out):
    """Write grad f_i(X[i]) of every node into ``out`` (n, d), C-contiguous; ``marks`` (n,) uint64.

    One compiled loop for a NamedTuple, a Python loop for any other object.
    """
    if isinstance(objective, tuple):
        with np.errstate(over="ignore"):  # plain Python warns where uint64 marks wrap around
            _compiled_gradients(objective, np.ascontiguousarray(X), marks, out)
    else:
        for i in range(X.shape[0]):
            objective.gradient(i, X[i], marks[i], out[i])


def all_conjugate_gradients(objective, Y, out):
    """Write grad f_i*(Y[i]) of every node into ``out`` (n, d), as :func:`all_gradients` does."""
    if isinstance(objective, tuple):
        _compiled_conjugate_gradients(objective, np.ascontiguousarray(Y), out)
    else:
        for i in range(Y.shape[0]):
            objective.conjugate_gradient(i, Y[i], out[i])
