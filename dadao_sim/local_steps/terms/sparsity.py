"""Terms that count or cap coordinates: not convex, their prox the global minimiser at every step.

Where the prox has several minimisers the smallest in size is taken, and among coordinates of equal
size the first are kept.
"""

import math
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.elementwise import soft_threshold
from dadao_sim.local_steps.terms.fitting import at_most
from dadao_sim.local_steps.terms.selection import largest
from dadao_sim.local_steps.terms.term import Strength, Term
from dadao_sim.strict import Count

# A coordinate this much smaller than the largest counts as zero where nonzeros are capped: what is
# zero at every node need not be in a mean of products that round.
NEGLIGIBLE = 1e-9


class L0Operator(NamedTuple):
    """r(x) = strength * (number of nonzeros of x); the hard threshold (Donoho and Johnstone
    1994).
    """

    strength: float


@kernel
def l0_prox(r, step, v, out):
    """v_k where v_k^2/2 > step strength, else 0."""
    least = math.sqrt(2.0 * step * r.strength)
    for k in range(v.shape[0]):
        out[k] = 0.0 if abs(v[k]) <= least else v[k]


@kernel
def l0_value(r, x):
    """strength times the number of nonzeros, to the last bit."""
    count = 0
    for k in range(x.shape[0]):
        if x[k] != 0.0:
            count += 1
    return r.strength * count


operators.prox.register(L0Operator, l0_prox)
operators.value.register(L0Operator, l0_value)


class L0(Term):
    """strength times the number of nonzeros; not convex."""

    kind: Literal["l0"] = Field(description="the number of nonzeros")
    strength: Strength

    def local_step(self, dimension: int) -> LocalStep:
        """Not convex."""
        return LocalStep(self.kind, L0Operator(self.strength), dimension, convex=False)


@workspace("sizes")
class KSparseOperator(NamedTuple):
    """r(x) = 0 where at most k coordinates are nonzero, else infinite (Blumensath and Davies 2009).

    ``sizes`` (d,) is workspace.
    """

    k: int
    sizes: np.ndarray


@kernel
def k_sparse_prox(r, step, v, out):
    """The k coordinates of largest size, at any step."""
    for j in range(v.shape[0]):
        r.sizes[j] = abs(v[j])
    least = largest(r.sizes, r.k)
    ties = r.k
    for j in range(v.shape[0]):
        if abs(v[j]) > least:
            ties -= 1
    for j in range(v.shape[0]):
        size = abs(v[j])
        kept = not size <= least
        if size == least and ties > 0:
            kept = True
            ties -= 1
        out[j] = v[j] if kept else 0.0


@kernel
def k_sparse_value(r, x):
    """0 where at most k coordinates exceed NEGLIGIBLE times the largest."""
    top = 0.0
    for j in range(x.shape[0]):
        top = max(top, abs(x[j]))
    count = 0
    for j in range(x.shape[0]):
        if abs(x[j]) > NEGLIGIBLE * top:
            count += 1
    return 0.0 if count <= r.k else math.inf


operators.prox.register(KSparseOperator, k_sparse_prox)
operators.value.register(KSparseOperator, k_sparse_value)


class KSparse(Term):
    """At most k nonzeros; not convex."""

    kind: Literal["k_sparse"] = Field(description="at most k coordinates are nonzero")
    k: Count = Field(description="coordinates that may be nonzero, at most d")

    def local_step(self, dimension: int) -> LocalStep:
        """Not convex. InputError if k is above the dimension."""
        k = at_most("k", self.k, dimension, "the dimension")
        operator = KSparseOperator(k, np.empty(dimension))
        return LocalStep(self.kind, operator, dimension, convex=False)


class ScadOperator(NamedTuple):
    """r(x) = sum_k p(|x_k|), s = strength: p' = s up to s, (a s - t)/(a - 1) up to a s, then 0
    (Fan and Li 2001).
    """

    strength: float
    a: float


@kernel
def scad_prox(r, step, v, out):
    """Three pieces while the objective is convex, step < a - 1.

    Beyond, it is concave between strength and a strength: the minimiser is the soft threshold or v
    itself, and they change places where their objectives are equal.
    """
    s, a = r.strength, r.a
    jump = math.sqrt(step * (a + 1.0)) if step >= a + 1.0 else 0.5 * (a + 1.0 + step)
    for k in range(v.shape[0]):
        size = abs(v[k])
        if step < a - 1.0:
            if size <= (1.0 + step) * s:
                out[k] = soft_threshold(v[k], step * s)
            elif size < a * s:
                shrunk = ((a - 1.0) * size - step * a * s) / (a - 1.0 - step)
                out[k] = math.copysign(shrunk, v[k])
            else:
                out[k] = v[k]
        elif size <= jump * s:
            out[k] = soft_threshold(v[k], step * s)
        else:
            out[k] = v[k]


@kernel
def scad_value(r, x):
    """sum_k p(|x_k|)."""
    s, a = r.strength, r.a
    total = 0.0
    for k in range(x.shape[0]):
        size = abs(x[k])
        if size <= s:
            total += s * size
        elif size <= a * s:
            total += s * size - 0.5 * (size - s) * (size - s) / (a - 1.0)
        else:
            total += 0.5 * s * s * (a + 1.0)
    return total


operators.prox.register(ScadOperator, scad_prox)
operators.value.register(ScadOperator, scad_value)


class Scad(Term):
    """Smoothly clipped absolute deviation (Fan and Li); not convex."""

    kind: Literal["scad"] = Field(description="an l1 norm that flattens off, in two bends")
    strength: Strength
    a: Annotated[float, Field(gt=2)] = Field(
        default=3.7, description="it is flat beyond a strength"
    )

    def local_step(self, dimension: int) -> LocalStep:
        """Not convex."""
        operator = ScadOperator(self.strength, self.a)
        return LocalStep(self.kind, operator, dimension, convex=False)


class McpOperator(NamedTuple):
    """r(x) = sum_k p(|x_k|), p'(t) = max(strength - t/gamma, 0) (Zhang 2010)."""

    strength: float
    gamma: float


@kernel
def mcp_prox(r, step, v, out):
    """The firm threshold while the objective is convex, step < gamma; the hard threshold beyond,
    where it is concave up to gamma strength.
    """
    s, gamma = r.strength, r.gamma
    firm = step < gamma
    least = (step if firm else math.sqrt(step * gamma)) * s
    for k in range(v.shape[0]):
        size = abs(v[k])
        if size <= least:
            out[k] = 0.0
        elif firm and size < gamma * s:
            out[k] = math.copysign((size - step * s) / (1.0 - step / gamma), v[k])
        else:
            out[k] = v[k]


@kernel
def mcp_value(r, x):
    """sum_k p(|x_k|)."""
    s, gamma = r.strength, r.gamma
    total = 0.0
    for k in range(x.shape[0]):
        size = min(abs(x[k]), gamma * s)
        total += size * (s - 0.5 * size / gamma)
    return total


operators.prox.register(McpOperator, mcp_prox)
operators.value.register(McpOperator, mcp_value)


class Mcp(Term):
    """Minimax concave penalty (Zhang); not convex."""

    kind: Literal["mcp"] = Field(description="an l1 norm that flattens off")
    strength: Strength
    gamma: Annotated[float, Field(gt=1)] = Field(
        default=3.0, description="it is flat beyond gamma strength"
    )

    def local_step(self, dimension: int) -> LocalStep:
        """Not convex."""
        operator = McpOperator(self.strength, self.gamma)
        return LocalStep(self.kind, operator, dimension, convex=False)
