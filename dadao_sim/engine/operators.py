"""What an operator answers: one implementation per kind, in compiled code and in plain Python.

An operator is a NamedTuple of scalars and contiguous arrays, so that these calls are inlined in the
compiled engine. An operator that sorts or iterates keeps its workspace in arrays of its own: it
belongs to one thread.
"""

from dadao_sim.compiled.dispatch import by_type


@by_type(0)
def prox(operator, step, v, out):
    """Write argmin_x step r(x) + ||x - v||^2/2 into ``out`` (d,), which is not ``v``; step > 0."""


@by_type(0)
def value(operator, x):
    """r(x), for x (d,); infinite outside the domain of r."""
