"""Rate-distortion: which letters to say for those of a source, of which every node has some."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, within
from dadao_sim.given import positive, reals
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.source import DATA, DataSource, Wanted, require_fit
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.tradeoff import Tradeoff
from dadao_sim.strict import ByKind, Positive

CONTINUED = 0.9
"""Of the least (Kq*)(x) there can be: below it -log is continued as a parabola."""
SMALL = 1e-3
"""Of r, where the series of r - log(1 + r) has all digits and the difference has lost some."""


class RateDistortion(NamedTuple):
    """Frequencies ``p`` (n, m), ``K`` = exp(-s d) (m, l), and ``edge`` (m,), from which on -log is
    what it is.
    """

    p: np.ndarray
    K: np.ndarray
    edge: np.ndarray


@kernel
def rate_distortion_gradient(model, i, q, mark, out):
    """Write K^T (p_i phi'(K q)), phi' = -1/u from the edge e on and (u - 2e)/e^2 below."""
    for y in range(q.shape[0]):
        out[y] = 0.0
    for x in range(model.edge.shape[0]):
        u, edge = 0.0, model.edge[x]
        for y in range(q.shape[0]):
            u += model.K[x, y] * q[y]
        slope = -1.0 / u if u >= edge else (u - 2.0 * edge) / (edge * edge)
        for y in range(q.shape[0]):
            out[y] += model.p[i, x] * slope * model.K[x, y]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RateDistortionProblem(Problem):
    """f_i(q) = -sum_x p_i(x) log (Kq)(x) with K = exp(-s d), for q on the simplex: the minimum over
    q of F is that of I(p, Q) + s E d over all channels Q, p the mean of the p_i.

    -log is defined above 0 alone, where a method need not stay. Below ``edge`` it goes on as its
    Taylor polynomial of degree 2. That leaves x* where it is: its conditions are
    sum_x p(x) K(x, y)/(Kq*)(x) <= 1 for all y, so that (Kq*)(x) >= p(x) max_y K(x, y), of which the
    edge is .9. So L_i and mu are numbers; mu holds on the simplex, where Kq <= 1. All nodes know
    the edge, as they would after they have agreed on p.
    """

    tradeoff: Tradeoff
    model: RateDistortion

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.model.p.shape[0]

    @property
    def dimension(self) -> int:
        """Size l of the alphabet of the answers."""
        return self.model.K.shape[1]

    @property
    def objective(self) -> RateDistortion:
        """The frequencies."""
        return self.model

    @property
    def has_conjugate(self) -> bool:
        """It has no closed form."""
        return False

    @property
    def hessians(self) -> Literal["varying"]:
        """They are known."""
        return "varying"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        K, edge = self.model.K, self.model.edge
        return self._gram(self.tradeoff.p / np.maximum(K @ self._point(x), edge) ** 2)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        u, edge = self.model.K @ self._point(x), self.model.edge
        ratio = u / edge - 1
        inside = -np.log(np.maximum(u, edge))
        values = np.where(u >= edge, inside, -np.log(edge) - ratio + ratio**2 / 2)
        return float(self.model.p[self._node(i)] @ values)

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        u, v = self.model.K @ self._point(x), self.model.K @ self._point(origin)
        edge = self.model.edge
        between = np.clip(edge, np.minimum(u, v), np.maximum(u, v))
        change = _slope(between, edge) - _slope(v, edge)
        each = _one_sided(u, between, edge) + _one_sided(between, v, edge) + change * (u - between)
        return float(self.tradeoff.p @ each)

    def _gram(self, weights: FloatArray) -> FloatArray:
        """K^T diag(weights) K."""
        return np.asarray(self.model.K.T @ (weights[:, None] * self.model.K))

    @cached_property
    def _least(self) -> FloatArray:
        """The mu_i (n,)."""
        with one_blas_thread():
            return np.array([np.linalg.eigvalsh(self._gram(p))[0] for p in self.model.p])

    def _mu(self) -> float:
        node = int(self._least.argmin())
        unseen = np.flatnonzero(self.model.p[node] == 0)
        if unseen.size:
            wrong = f"node {node} never sees letter {unseen[0]}, so that mu = 0"
            raise InputError("letters", wrong, "add smoothing, or take a method that needs no mu")
        rounding = self.dimension * np.finfo(float).eps * self.L
        if not self._least[node] > rounding:
            raise InputError("slope", "K = exp(-s d) is singular, so that mu = 0", "make it larger")
        return float(self._least[node])

    def _node_L(self) -> FloatArray:
        with one_blas_thread():
            weights = self.model.p / self.model.edge**2
            return np.array([np.linalg.eigvalsh(self._gram(w))[-1] for w in weights])

    def _optimum(self) -> FloatArray:
        wrong = "the minimiser is one of distributions"
        raise InputError("local_step", wrong, "add local_step: {prox: {kind: simplex}}")

    def _relabelled(self, order: IntArray) -> "RateDistortionProblem":
        return replace(self, model=self.model._replace(p=self.model.p[order]))


def _slope(u: FloatArray, edge: FloatArray) -> FloatArray:
    return np.where(u >= edge, -1 / np.maximum(u, edge), (u - 2 * edge) / edge**2)


def _one_sided(u: FloatArray, v: FloatArray, edge: FloatArray) -> FloatArray:
    """Bregman divergences of u from v, on the same side of the edge."""
    r = (u - v) / np.maximum(v, edge)
    inside = np.where(
        np.abs(r) < SMALL,
        r**2 * (1 / 2 - r * (1 / 3 - r * (1 / 4 - r / 5))),
        r - np.log1p(np.maximum(r, SMALL - 1)),
    )
    return np.where(u + v >= 2 * edge, inside, r**2 / 2)


def rate_distortion(
    frequencies: ArrayLike, distortion: ArrayLike, slope: float
) -> RateDistortionProblem:
    """The problem of nodes with these ``frequencies`` (n, m) of letters, or counts, and the
    ``distortion`` (m, l) of saying y for x; ``slope`` s is -dR/dD where it ends.
    """
    p = distributions(frequencies)
    d = reals("distortion", distortion)
    if d.ndim != 2 or d.shape[0] != p.shape[1] or not (np.isfinite(d) & (d >= 0)).all():
        wrong = f"shape {d.shape} given, or numbers that are none"
        raise InputError("distortion", wrong, f"({p.shape[1]}, l) numbers of at least 0 are needed")
    tradeoff = Tradeoff(p.mean(axis=0), d, positive("slope", slope))
    K = np.exp(-tradeoff.slope * d)
    model = RateDistortion(p, K, CONTINUED * tradeoff.p * K.max(axis=1))
    return RateDistortionProblem(kind="rate_distortion", tradeoff=tradeoff, model=model)


def distributions(frequencies: ArrayLike) -> FloatArray:
    """Rows (n, m) that sum to 1, of frequencies or counts."""
    given = reals("frequencies", frequencies)
    if given.ndim != 2 or given.shape[0] < 1 or given.shape[1] < 2:
        wrong = f"shape {given.shape} given"
        raise InputError("frequencies", wrong, "(nodes, letters), two letters at least, is needed")
    good = np.isfinite(given).all(axis=1) & (given >= 0).all(axis=1) & (given.sum(axis=1) > 0)
    if not good.all():
        wrong = f"those of node {int(np.argmin(good))} are no frequencies of letters"
        raise InputError("frequencies", wrong, "give numbers of at least 0, and not all 0")
    unseen = np.flatnonzero(given.sum(axis=0) == 0)
    if unseen.size:
        wrong = f"no node ever sees letter {unseen[0]}, and D_f may be infinite"
        raise InputError("letters", wrong, "add smoothing, or leave the letter out")
    return np.asarray(given / given.sum(axis=1, keepdims=True))


def distortion_named(name: str, letters: int) -> FloatArray:
    """d(x, y) (m, m) of letters that are the numbers from 0."""
    apart = np.abs(np.subtract.outer(np.arange(letters), np.arange(letters))).astype(float)
    return {"absolute": apart, "squared": apart**2, "hamming": np.minimum(apart, 1.0)}[name]


class OfLetters(ProblemKind):
    """What a rate-distortion problem is made of."""

    lacks: ClassVar[Mapping[str, str]] = {"mu": "it follows from the slope and the source"}

    slope: Positive = Field(description="price s of distortion, -dR/dD, in nats")
    distortion: Literal["absolute", "squared", "hamming"] = Field(
        default="hamming", description="of saying letter y for x: |x - y|, its square, or 1"
    )
    data: Annotated[DataSource, ByKind(DATA)] = Field(
        description="letters, or a point of each node that is its frequencies or counts"
    )

    @property
    def wanted(self) -> Wanted:
        """What is asked of the data."""
        return Wanted(self.kind, points=True)

    @model_validator(mode="after")
    def _data_fit(self) -> "OfLetters":
        require_fit(self.data, self.wanted)
        return self

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The frequencies, and some matrices of letters by letters."""
        d = self.data.dimension
        where = "data.letters" if "letters" in type(self.data).model_fields else "data"
        matrices = Need(where, f"channels between {d:,} letters", 8 * 8 * d * d)
        return (inside("data", self.data.need(self.wanted, nodes)), matrices)

    def frequencies(self, nodes: int, rng: np.random.Generator) -> FloatArray:
        """Those of every node (n, m)."""
        with within("data"):
            return distributions(self.data.points(nodes, rng))


class RateDistortionKind(OfLetters):
    """The nodes agree on the distribution of the answers of the best channel."""

    reference = "blahut1972computation"

    kind: Literal["rate_distortion"] = Field(
        description="-sum p(x) log sum_y q(y) exp(-s d(x, y)), on the simplex"
    )

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        p = self.frequencies(nodes, rng)
        return rate_distortion(p, distortion_named(self.distortion, p.shape[1]), self.slope)


oracles.gradient.register(RateDistortion, rate_distortion_gradient)
