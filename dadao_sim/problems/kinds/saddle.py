"""Games of two players whose equilibrium is wanted: min over x, max over y, of a mean of f_i.

F_i(z) = (grad_x f_i, -grad_y f_i) with z = (x, y): a zero of the mean is a saddle point where f is
convex in x and concave in y, and an equilibrium of first order where it is not.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.projections import Box
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.composite import CompositeProblem
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.operator_problem import OperatorProblem
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import ByKind, NotNegative, StrictModel, misuse


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SharedGame(OperatorProblem):
    """A game that the nodes share, in arrays with a row for each node, the last of them ``c``."""

    operators: Any

    @property
    def objective(self) -> Any:
        """The arrays."""
        return self.operators

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.operators.c.shape[0]

    @property
    def dimension(self) -> int:
        """Dimension d of z."""
        return self.operators.c.shape[1]

    def _relabelled(self, order: IntArray) -> "SharedGame":
        arrays = type(self.operators)(*(part[order] for part in self.operators))
        return replace(self, operators=arrays)


# ---- Quadratic games -----------------------------------------------------------------------------


class Affine(NamedTuple):
    """``S`` (n, d, d) and ``c`` (n, d)."""

    S: np.ndarray
    c: np.ndarray


@kernel
def affine_operator(affine, i, z, mark, out):
    """Write S_i z + c_i."""
    d = z.shape[0]
    for a in range(d):
        total = affine.c[i, a]
        for b in range(d):
            total += affine.S[i, a, b] * z[b]
        out[a] = total


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class QuadraticGame(SharedGame):
    """F_i(z) = S_i z + c_i, with all its constants exact."""

    operators: Affine

    @cached_property
    def solutions(self) -> FloatArray:
        """The zero of the mean (1, d)."""
        with one_blas_thread():
            S, c = (part.mean(axis=0) for part in self.operators)
            return -np.linalg.solve(S, c)[None]

    @cached_property
    def monotonicity(self) -> float:
        """The smallest eigenvalue of (S_i + S_i^T)/2, of all nodes."""
        with one_blas_thread():
            S = self.operators.S
            return float(np.linalg.eigvalsh((S + S.transpose(0, 2, 1)) / 2)[:, 0].min())

    @cached_property
    def comonotonicity(self) -> float:
        """The smallest eigenvalue of (S^-1 + S^-T)/2, of the mean S."""
        with one_blas_thread():
            inverse = np.linalg.inv(self.operators.S.mean(axis=0))
            return float(np.linalg.eigvalsh((inverse + inverse.T) / 2)[0])

    def _node_L(self) -> FloatArray:
        with one_blas_thread():
            return np.linalg.norm(self.operators.S, 2, axis=(1, 2))


# ---- Forsaken ------------------------------------------------------------------------------------

REACH = 1.5
"""The players' moves are within [-REACH, REACH]."""
EQUILIBRIUM = np.array([0.07802666873846008, 0.41193385136581984])


class Forsaken(NamedTuple):
    """``c`` (n, 2), whose mean is 0: what tells the nodes apart."""

    c: np.ndarray


@kernel
def _slope(z):
    """phi'(z) of phi = z^2/4 - z^4/2 + z^6/6."""
    return z / 2 - 2 * z**3 + z**5


@kernel
def forsaken_operator(forsaken, i, z, mark, out):
    """Write (y - 0.45 + phi'(x), phi'(y) - x) + c_i."""
    out[0] = z[1] - 0.45 + _slope(z[0]) + forsaken.c[i, 0]
    out[1] = _slope(z[1]) - z[0] + forsaken.c[i, 1]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ForsakenGame(SharedGame):
    """f = x (y - 0.45) + phi(x) - phi(y), phi(z) = z^2/4 - z^4/2 + z^6/6, on a box.

    It has one zero there, and a cycle around it that attracts what descends and ascends.
    """

    operators: Forsaken

    @property
    def monotonicity(self) -> float:
        """The smallest phi'' = 1/2 - 6 z^2 + 5 z^4, at z^2 = 3/5."""
        return -1.3

    def _node_L(self) -> FloatArray:
        # phi'' is from -1.3 to its value at the ends; the norm is convex, so largest at a corner.
        steepest = 0.5 - 6 * REACH**2 + 5 * REACH**4
        corners = [[[steepest, 1.0], [-1.0, other]] for other in (self.monotonicity, steepest)]
        with one_blas_thread():
            return np.full(self.nodes, np.linalg.norm(corners, 2, axis=(1, 2)).max())

    def with_local_step(self, local_step: LocalStep) -> Problem:
        """InputError: the box is one."""
        raise InputError("local_step", "the game forsaken has its box", "leave it out")


oracles.gradient.register(Affine, affine_operator)
oracles.gradient.register(Forsaken, forsaken_operator)


# ---- In a scenario -------------------------------------------------------------------------------


class Game(StrictModel):
    """Two players' game, and how the nodes share it; a subclass has a ``kind`` and its keys."""

    kind: str
    heterogeneity: NotNegative = Field(
        default=0.0, description="how far the nodes' operators are from their mean; 0: all alike"
    )

    @property
    def dimension(self) -> int:
        """d of z, both players together."""
        return 2

    @abstractmethod
    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """The problem for so many nodes."""


def _apart(nodes: int, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Normal numbers of each node, (n, *shape), whose mean over the nodes is 0."""
    drawn = rng.standard_normal((nodes, *shape))
    return drawn - drawn.mean(axis=0)


class QuadraticSpec(Game):
    """f = x^T A y + (rho/2) (||x||^2 - ||y||^2) and linear terms, A orthogonal but for a factor."""

    kind: Literal["quadratic"] = Field(description="bilinear but for squares; L = 1 of the mean")
    rho: Annotated[float, Field(gt=-1, lt=1)] = Field(
        description="of the mean, <F(u) - F(v), u - v> >= rho ||F(u) - F(v)||^2: above 0 it is "
        "strongly monotone, below 0 not even monotone"
    )
    dim: Annotated[int, Field(ge=2)] = Field(
        description="dimension d of z = (x, y), half of it of each player"
    )

    @model_validator(mode="after")
    def _two_halves(self) -> "QuadraticSpec":
        if self.dim % 2:
            raise misuse(f"must be even, half for each player, got {self.dim}", "dim")
        return self

    @property
    def dimension(self) -> int:
        """See :attr:`Game.dimension`."""
        return self.dim

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """S with S S^T = I, so that its eigenvalues are rho +- i sqrt(1 - rho^2), and nodes around
        it; c_i standard normal where the nodes are not all alike.
        """
        p = self.dim // 2
        with one_blas_thread():
            U, V = (np.linalg.qr(rng.standard_normal((p, p)))[0] for _ in range(2))
            A, own = math.sqrt(1 - self.rho**2) * U @ V.T, self.rho * np.eye(p)
        bilinear, of_x, of_y = (_apart(nodes, (p, p), rng) for _ in range(3))
        S = np.empty((nodes, self.dim, self.dim))
        S[:, :p, :p] = own + self.heterogeneity * (of_x + of_x.transpose(0, 2, 1)) / 2
        S[:, p:, p:] = own + self.heterogeneity * (of_y + of_y.transpose(0, 2, 1)) / 2
        S[:, :p, p:] = A + self.heterogeneity * bilinear
        S[:, p:, :p] = -S[:, :p, p:].transpose(0, 2, 1)
        c = rng.standard_normal(self.dim) + (self.heterogeneity > 0) * _apart(
            nodes, (self.dim,), rng
        )
        return QuadraticGame(kind="saddle", operators=Affine(S, c))


class ForsakenSpec(Game):
    """The game of Hsieh, Mertikopoulos and Cevher (2021, Example 5.2)."""

    reference: ClassVar[str] = "hsieh2021limits"

    kind: Literal["forsaken"] = Field(
        description="neither convex nor concave, on [-1.5, 1.5]^2; a cycle around its one zero"
    )

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """With its box."""
        c = self.heterogeneity * _apart(nodes, (2,), rng)
        game = ForsakenGame(kind="saddle", operators=Forsaken(c))
        box = Box(kind="box", lower=-REACH, upper=REACH).local_step(2)
        return CompositeProblem(
            kind=game.kind, smooth=game, term=box, given_x_star=EQUILIBRIUM.copy()
        )


GAMES: Mapping[str, type[Game]] = {"quadratic": QuadraticSpec, "forsaken": ForsakenSpec}


class SaddleKind(ProblemKind):
    """The equilibrium of a game that the nodes share."""

    reference: ClassVar[str] = "pethick2023stable"

    kind: Literal["saddle"] = Field(description="a game of two players; its equilibrium is wanted")
    game: Annotated[Game, ByKind(GAMES)] = Field(description="the game")

    @property
    def dimension(self) -> int:
        """See :attr:`ProblemKind.dimension`."""
        return self.game.dimension

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The matrices of a quadratic game, and what they are made of."""
        d = self.dimension
        what = f"the matrices of {nodes:,} nodes in dimension {d:,}"
        return (Need("nodes" if nodes >= d else "game.dim", what, 8 * 4 * nodes * d * d),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        return self.game.build(nodes, rng)
