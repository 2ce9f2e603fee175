"""Rate, distortion and perception: what is said shall also look like the source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.given import number, positive, reals
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds import divergences
from dadao_sim.problems.kinds.divergences import DIVERGENCES, Divergence
from dadao_sim.problems.kinds.operator_problem import OperatorProblem
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.rate_distortion import OfLetters, distortion_named, distributions
from dadao_sim.problems.kinds.tradeoff import Tradeoff
from dadao_sim.strict import NotNegative, Positive, StrictModel, misuse
from dadao_sim.text.cards import Card

FLOOR = 1e-9
"""Of q and pi inside T_i alone."""
ROUNDING = 1e-12
"""Above it what is left over of q = T(q) is no rounding."""


class Perceived(NamedTuple):
    """Frequencies ``p`` (n, m), ``costs`` = s d (m, m), ``weight`` t, and the ``divergence``."""

    p: np.ndarray
    costs: np.ndarray
    weight: float
    divergence: Divergence


@kernel
def perceived_operator(model, i, z, mark, out):
    """Write (q - T_i(q, pi), pi - p_i); the second half of ``out`` first holds log q - t D'."""
    m = model.p.shape[1]
    for y in range(m):
        q, pi = max(z[y], FLOOR), max(z[m + y], FLOOR)
        out[y] = z[y]
        out[m + y] = np.log(q)
        if model.weight > 0.0:
            out[m + y] -= model.weight * divergences.slope(model.divergence, pi, q)
    for x in range(m):
        top = out[m] - model.costs[x, 0]
        for y in range(1, m):
            top = max(top, out[m + y] - model.costs[x, y])
        total = 0.0
        for y in range(m):
            total += np.exp(out[m + y] - model.costs[x, y] - top)
        for y in range(m):
            out[y] -= model.p[i, x] * np.exp(out[m + y] - model.costs[x, y] - top) / total
    for y in range(m):
        out[m + y] = z[m + y] - model.p[i, y]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PerceptionProblem(OperatorProblem):
    """F_i(q, pi) = (q - T_i(q, pi), pi - p_i) on R^{2m}, with T_i(q, pi) = sum_x p_i(x) Q(.|x) and
    Q(y|x) ~ q(y) exp(-s d(x, y) - t D'(y)), D' the slope of the divergence from pi at q.

    The mean of the F_i is 0 where pi is the mean p of the p_i and q the fixed point of relaxed
    alternation: that of the minimiser of I(p, Q) + s E d + t D_f(p||pQ). The slope needs the common
    p, which no node has: hence pi. It is no sum of functions of q: with D_f(p||q) in the place of
    D_f(p||pQ) it would be, of a lower bound.

    ``L`` is 1 - lambda, lambda the least eigenvalue of the alternation at its fixed point: what
    x+ = x - a F(x) needs there is a < 2/L. It is no Lipschitz constant of the F_i far from it.
    """

    tradeoff: Tradeoff
    model: Perceived

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.model.p.shape[0]

    @property
    def dimension(self) -> int:
        """2m: q and pi."""
        return 2 * self.model.p.shape[1]

    @property
    def objective(self) -> Perceived:
        """The frequencies."""
        return self.model

    @cached_property
    def solutions(self) -> FloatArray:
        """(q*, p), found centrally (1, 2m); InputError where it was not to rounding."""
        of = self.tradeoff
        if not of.left_over < ROUNDING:
            wrong = f"{of.slope:g}, with perception.slope {of.weight:g}: no fixed point was found"
            raise InputError("slope", wrong, "make one of them larger")
        return np.concatenate([self.tradeoff.optimum, self.tradeoff.p])[None]

    def card(self) -> Card:
        """See :class:`Carded`."""
        card = super().card()
        return replace(card, facts={**card.facts, "steps": self.remark})

    @property
    def remark(self) -> str:
        """The limit of the steps."""
        least, limit = self.tradeoff.least_eigenvalue, self.tradeoff.largest_damping
        found = f"the fixed-point map has the least eigenvalue {least:.2f}"
        return f"{found}; use steps below {_below(limit)}, on sparse networks half of that"

    def check_constants(self, values: Mapping[str, float]) -> None:
        """InputError for a step with which x+ = x - a F(x) leads away from the zero."""
        step, limit = values.get("step", 0.0), self.tradeoff.largest_damping
        if not step < limit:
            least, weight = self.tradeoff.least_eigenvalue, self.tradeoff.weight
            which = "expansive" if least < -1 else "so steep"
            wrong = f"{weight:g} makes the fixed-point map {which} (eigenvalue {least:.2f})"
            raise InputError("perception.slope", wrong, f"use step below {_below(limit)}")

    def _node_L(self) -> FloatArray:
        return np.full(self.nodes, 1 - self.tradeoff.least_eigenvalue)

    def _relabelled(self, order: IntArray) -> "PerceptionProblem":
        return replace(self, model=self.model._replace(p=self.model.p[order]))


def _below(limit: float) -> str:
    """Two digits, rounded down."""
    unit = 10.0 ** min(np.floor(np.log10(limit)) - 1, -2)
    return f"{np.floor(limit / unit) * unit:.2g}"


def rate_distortion_perception(
    frequencies: ArrayLike,
    distortion: ArrayLike,
    slope: float,
    weight: float,
    divergence: Divergence,
) -> PerceptionProblem:
    """The problem of nodes with these ``frequencies`` (n, m) of letters, or counts: ``distortion``
    (m, m) of saying y for x at the price ``slope``, and the ``divergence`` between the source and
    what is said at the price ``weight``.
    """
    p = distributions(frequencies)
    d, m = reals("distortion", distortion), p.shape[1]
    if d.shape != (m, m) or not (np.isfinite(d) & (d >= 0)).all():
        wrong = f"shape {d.shape} given, or numbers that are none"
        raise InputError("distortion", wrong, f"({m}, {m}) numbers of at least 0 are needed")
    s, t = positive("slope", slope), number("weight", weight)
    if not 0 <= t < np.inf:
        raise InputError("weight", f"{t:g} given", "a finite number of at least 0 is needed")
    return PerceptionProblem(
        kind="rate_distortion_perception",
        tradeoff=Tradeoff(p.mean(axis=0), d, s, t, divergence),
        model=Perceived(p, s * d, t, divergence),
    )


class PerceptionSpec(StrictModel):
    """How what is said shall look like the source."""

    kind: Literal["kl", "reverse_kl", "chi2", "hellinger2", "js", "tv"] = Field(
        default="kl", description="D_f(p||q) of the source p and what is said, q"
    )
    slope: NotNegative = Field(description="price t of the divergence, -dR/dP, in nats")
    delta: Positive | None = Field(
        default=None, description="of tv alone: (sqrt((p-q)^2 + delta^2) - delta)/2 for |p-q|/2"
    )

    @model_validator(mode="after")
    def _is_smooth(self) -> "PerceptionSpec":
        if self.kind == "tv" and self.delta is None:
            raise misuse("tv is not smooth; give delta", "kind")
        if self.kind != "tv" and self.delta is not None:
            raise misuse(f"{self.kind} is smooth; leave it out", "delta")
        return self

    @property
    def divergence(self) -> Divergence:
        """With its constants."""
        constants = () if self.delta is None else (self.delta,)
        made: Divergence = DIVERGENCES[self.kind](*constants)
        return made


class PerceptionKind(OfLetters):
    """The nodes agree on the answers of the best channel, and on the source itself."""

    reference = "serra2024alternating"

    kind: Literal["rate_distortion_perception"] = Field(
        description="fixed point of the alternation for I + s E d + t D_f(p||pQ)"
    )
    perception: PerceptionSpec = Field(description="the divergence, and its price")

    @property
    def dimension(self) -> int:
        """2m."""
        return 2 * self.data.dimension

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        p = self.frequencies(nodes, rng)
        d = distortion_named(self.distortion, p.shape[1])
        of = self.perception
        return rate_distortion_perception(p, d, self.slope, of.slope, of.divergence)


oracles.gradient.register(Perceived, perceived_operator)
