"""Blocks: local steps on consecutive slices of x, r(x) = r_1(x_1) + r_2(x_2) + ...

The first may see all of x, where its operator says so (``operators.prox_of_all``): a prior of one
part that depends on the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.local_step import Callback, LocalStep

FloatArray = NDArray[np.float64]


class Pair(NamedTuple):
    """``head`` on the first ``size`` coordinates, ``tail`` on the others: of more than two blocks
    the tail is a pair.
    """

    head: Any
    tail: Any
    size: int


@kernel
def pair_prox(r, step, v, out):
    """Each on its slice; the head sees all of v."""
    operators.prox_of_all(r.head, step, v, out[: r.size])
    operators.prox(r.tail, step, v[r.size :], out[r.size :])


@kernel
def pair_value(r, x):
    """The sum."""
    return operators.value(r.head, x[: r.size]) + operators.value(r.tail, x[r.size :])


operators.prox.register(Pair, pair_prox)
operators.value.register(Pair, pair_value)


@dataclass(frozen=True)
class InPython:
    """The same where a part is a Python function, which the engine cannot compile."""

    blocks: tuple[LocalStep, ...]

    def prox(self, v: FloatArray, step: float) -> FloatArray:
        """Each on its slice, the first sees all of v; a new array (d,)."""
        out = np.empty_like(v)
        first, *others = self.blocks
        operators.prox_of_all(first.operator, step, v, out[: first.dimension])
        start = first.dimension
        for block in others:
            own = slice(start, start + block.dimension)
            operators.prox(block.operator, step, v[own], out[own])
            start = own.stop
        return out

    def value(self, x: FloatArray) -> float:
        """The sum."""
        cuts = np.cumsum([block.dimension for block in self.blocks])[:-1]
        parts = zip(self.blocks, np.split(x, cuts), strict=True)
        return float(sum(operators.value(block.operator, of) for block, of in parts))


def of_blocks(blocks: Sequence[LocalStep]) -> LocalStep:
    """The local step that has one of ``blocks`` (two or more) on each slice of x, in their order.

    Convex, exact, of a known value and compiled where all of them are.
    """
    *first, last = blocks
    operator: Any = last.operator
    for block in reversed(first):
        operator = Pair(block.operator, operator, block.dimension)
    has_value = all(block.has_value for block in blocks)
    if not all(block.compiled for block in blocks):
        python = InPython(tuple(blocks))
        operator = Callback(python.prox, python.value if has_value else None)
    return LocalStep(
        "blocks",
        operator,
        sum(block.dimension for block in blocks),
        convex=all(block.convex for block in blocks),
        exact=all(block.exact for block in blocks),
        has_value=has_value,
        settles=all(block.settles for block in blocks),
    )
