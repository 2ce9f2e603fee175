"""What an operator answers: one implementation per kind, in compiled code and in plain Python.

An operator is a NamedTuple of scalars and contiguous arrays, so that these calls are inlined in the
compiled engine. An operator that sorts or iterates keeps its workspace in arrays of its own, which
it declares (``engine.workspace``): each thread has a copy of them.
"""

import numpy as np

from dadao_sim.compiled.dispatch import by_type
from dadao_sim.compiled.kernel import kernel


@by_type(0)
def prox(operator, step, v, out):
    """Write argmin_x step r(x) + ||x - v||^2/2 into ``out`` (d,), which is not ``v``; step > 0."""


@by_type(0)
def prox_of_all(operator, step, x, out):
    """Write what ``prox`` does into ``out`` (k,), for the first k coordinates of x (d,): of an
    operator of k coordinates that stands first of several. It may see all of x; most see theirs.
    """


def _of_its_own(operator, step, x, out):
    prox(operator, step, x[: out.shape[0]], out)


prox_of_all.register(object, _of_its_own)


@by_type(0)
def value(operator, x):
    """r(x), for x (d,); infinite outside the domain of r."""


@by_type(0)
def lmo(operator, s, out):
    """Write a minimiser of <s, x> over the bounded set on which r is 0 into ``out`` (d,), which is
    not ``s``: the linear minimisation oracle. Of several it is the first, or 0 where s is; nan
    where s is not finite.
    """


@by_type(0)
def advance(operator, step, x, g, t, out):
    """Write into ``out`` (d,) where a step of length ``step`` leads from x (d,) with gradient g
    (d,) at time t: of a local step that is a direction, in the place of a prox.
    """


@by_type(0)
def seen_from(operator, x, out):
    """Write the point whose gradient is asked for x (d,) into ``out`` (d,), of such a local step: x
    itself where nothing else is said.
    """


def _itself(operator, x, out):
    for k in range(x.shape[0]):
        out[k] = x[k]


seen_from.register(object, _itself)


@kernel
def _compiled_lmo(operator, S, out):
    for row in range(S.shape[0]):
        lmo(operator, S[row], out[row])


def all_lmo(operator, S, out):
    """Write the lmo of every row of S (n, d), or of those of a batch of runs, into ``out``: one
    compiled loop for a NamedTuple, a Python loop for any other object.
    """
    S = np.ascontiguousarray(S).reshape(-1, S.shape[-1])
    answers = out.reshape(S.shape)
    if isinstance(operator, tuple):
        _compiled_lmo(operator, S, answers)
    else:
        for row in range(S.shape[0]):
            lmo(operator, S[row], answers[row])


def answers_lmo(operator):
    """Whether :func:`lmo` has a meaning for operators of this type."""
    return any(cls in lmo.implementations for cls in type(operator).__mro__)
