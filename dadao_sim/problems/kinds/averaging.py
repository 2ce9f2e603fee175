"""Averaging: f_i(x) = ||x - c_i||^2/2, whose optimum is the mean of the centres."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, within
from dadao_sim.given import reals
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.source import DATA, DataSource, Wanted, require_fit
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import ByKind


class Averaging(NamedTuple):
    """``centres`` (n, d)."""

    centres: np.ndarray


@kernel
def averaging_gradient(averaging, i, x, mark, out):
    """Write x - c_i."""
    for j in range(x.shape[0]):
        out[j] = x[j] - averaging.centres[i, j]


@kernel
def averaging_conjugate_gradient(averaging, i, y, out):
    """Write y + c_i."""
    for j in range(y.shape[0]):
        out[j] = y[j] + averaging.centres[i, j]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class AveragingProblem(Problem):
    """f_i(x) = ||x - c_i||^2/2: mu = L = 1."""

    centres: FloatArray

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.centres.shape[0]

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.centres.shape[1]

    @property
    def objective(self) -> Averaging:
        """The centres."""
        return Averaging(self.centres)

    @property
    def hessians(self) -> Literal["constant"]:
        """The identity."""
        return "constant"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        return np.eye(self.dimension)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        difference = self._point(x) - self.centres[self._node(i)]
        return float(0.5 * (difference @ difference))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """||x - origin||^2/2, for x and origin (d,)."""
        difference = self._point(x) - self._point(origin)
        return float(0.5 * (difference @ difference))

    def _mu(self) -> float:
        return 1.0

    def _node_L(self) -> FloatArray:
        return np.ones(self.nodes)

    def _optimum(self) -> FloatArray:
        return self.centres.mean(axis=0)

    def _relabelled(self, order: IntArray) -> "AveragingProblem":
        return replace(self, centres=self.centres[order], given_x_star=self.x_star)


def averaging_problem(centres: ArrayLike) -> AveragingProblem:
    """See :meth:`Problem.averaging`."""
    values = reals("centres", centres, truths=True)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            "centres", f"shape {values.shape} given", "(nodes, dimension), both >= 1, is needed"
        )
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise InputError(
            "centres", f"nan or infinite at node {bad.argmax()}", "give finite numbers"
        )
    return AveragingProblem(kind="averaging", centres=values)


class AveragingKind(ProblemKind):
    """The nodes agree on the mean of a point of each."""

    lacks: ClassVar[Mapping[str, str]] = {"mu": "averaging has no l2 term"}

    kind: Literal["averaging"] = Field(description="half the squared distance to the node's point")
    data: Annotated[DataSource, ByKind(DATA)] = Field(description="the points")

    @property
    def wanted(self) -> Wanted:
        """What is asked of the data."""
        return Wanted(self.kind, points=True)

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The points."""
        return (inside("data", self.data.need(self.wanted, nodes)),)

    @model_validator(mode="after")
    def _data_fit(self) -> "AveragingKind":
        require_fit(self.data, self.wanted)
        return self

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        with within("data"):
            return averaging_problem(self.data.points(nodes, rng))


oracles.gradient.register(Averaging, averaging_gradient)
oracles.conjugate_gradient.register(Averaging, averaging_conjugate_gradient)
