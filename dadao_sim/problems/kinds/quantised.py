"""Quantised problems: a problem whose solution shall have only a few levels as coordinates."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators, oracles
from dadao_sim.engine.workspace import workspace
from dadao_sim.errors import InputError
from dadao_sim.local_steps.quantise import QuantisedStep
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.composite import CompositeProblem
from dadao_sim.problems.kinds.problem import Problem, ProblemClass

MOST_POINTS = 2**16
"""Quantised points that are all tried for the best of them: d <= 16 of two levels."""


@workspace("image")
class Directed(NamedTuple):
    """A smooth objective and the operator of a direction, both compiled; ``image`` (d,) is
    scratch.
    """

    smooth: Any
    operator: Any
    image: np.ndarray


def _gradient(directed, i, x, mark, out):
    operators.seen_from(directed.operator, x, directed.image)
    oracles.gradient(directed.smooth, i, directed.image, mark, out)


def _local_direction(directed, step, x, g, t):
    operators.advance(directed.operator, step, x, g, t, directed.image)
    for k in range(x.shape[0]):
        g[k] = (x[k] - directed.image[k]) / step


@kernel
def _compiled_gradient(objective, i, x, mark, out):
    oracles.gradient(objective, i, x, mark, out)


@dataclass(frozen=True)
class PythonDirected:
    """The same where one of the two is a Python object, as of ``composite.PythonComposite``."""

    smooth: Any
    operator: Any
    image: np.ndarray

    def gradient(self, i: int, x: FloatArray, mark: Any, out: FloatArray) -> None:
        """Write the gradient of f_i at the point that the local step sees x as into out (d,)."""
        operators.seen_from(self.operator, x, self.image)
        call = _compiled_gradient if isinstance(self.smooth, tuple) else oracles.gradient
        call(self.smooth, i, self.image, mark, out)


oracles.gradient.register(Directed, _gradient)
oracles.gradient.register(PythonDirected, PythonDirected.gradient)
for objective_class in (Directed, PythonDirected):
    oracles.local_direction.register(objective_class, _local_direction)

_BEST: "WeakKeyDictionary[Problem, dict[tuple[float, ...], FloatArray]]" = WeakKeyDictionary()


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class QuantisedProblem(CompositeProblem):
    """Minimise F over the x whose coordinates are levels of the local step, ``term``; mu, L, values
    and gradients are those of the f_i.

    The solution is the best of all quantised points, where there are few enough to try them all.
    What a method finds need not be it: distances and suboptimality are to it all the same.
    """

    term: QuantisedStep

    @property
    def problem_class(self) -> ProblemClass:
        """Levels are no convex set."""
        return "non-convex"

    @property
    def solutions(self) -> FloatArray | None:
        """The best quantised point (1, d); None where there are too many to try."""
        return self.best[None] if self.is_tried else None

    @property
    def is_tried(self) -> bool:
        """Whether there are few enough quantised points to try them all."""
        return len(self.term.levels) ** self.dimension <= MOST_POINTS

    @property
    def best(self) -> FloatArray:
        """The quantised point (d,) with the smallest F, of all; InputError where there are too many
        to try.
        """
        levels = tuple(self.term.levels.tolist())
        if not self.is_tried:
            raise InputError(
                f"not available: {len(levels)}^{self.dimension} points are too many to try; "
                "use rounded_objective"
            )
        known = _BEST.setdefault(self.smooth, {})
        if levels not in known:
            points = itertools.product(levels, repeat=self.dimension)
            known[levels] = min((np.array(x) for x in points), key=self.smooth.mean_value)
        return known[levels]

    def rounded_excess(self, x: ArrayLike) -> float:
        """F at the levels nearest to x (d,) less F at the best quantised point. InputError as of
        :attr:`best`.
        """
        return self.mean_value(self.term.quantised(x)) - self.mean_value(self.best)

    def rounded_objective(self, x: ArrayLike) -> float:
        """F at the levels nearest to x (d,)."""
        return self.mean_value(self.term.quantised(x))

    def infeasibility(self, X: ArrayLike, t: float) -> float:
        """See :meth:`QuantisedStep.infeasibility`, of the rows of all nodes (n, d)."""
        return self.term.infeasibility(X, t)

    def agreement(self, X: ArrayLike) -> float:
        """The share of coordinates in which the levels nearest to X (n, d) are the same at every
        node.
        """
        levels = np.array([self.term.quantised(x) for x in self._points(X)])
        return float((levels == levels[0]).all(axis=0).mean())

    def suboptimality(self, x: ArrayLike) -> float:
        """F(x) less F at the best quantised point, for x (d,): negative where x is better than any
        that is quantised; nan where that is not known.
        """
        return self.mean_value(x) - self.mean_value(self.best) if self.is_tried else math.nan

    def stationarity(self, x: ArrayLike) -> float:
        """||grad F(x)||^2, for x (d,), whatever the levels."""
        return self.smooth.stationarity(x)

    def _with(self, smooth: Any) -> Any:
        compiled = isinstance(smooth, tuple) and self.term.compiled
        kind = Directed if compiled else PythonDirected
        return kind(smooth, self.term.operator, np.zeros(self.dimension))

    def _optimum(self) -> FloatArray:
        wrong = f"where a local step of kind {self.term.kind} ends is not known beforehand"
        raise InputError("x_star", wrong, "run it; solutions has the best quantised point")


def quantised_problem(smooth: Problem, term: QuantisedStep) -> QuantisedProblem:
    """See :meth:`Problem.with_local_step`."""
    if smooth.problem_class == "operator":
        raise InputError(
            "local_step", f"{term.kind} is of a function, and {smooth.kind} has operators only"
        )
    return QuantisedProblem(kind=smooth.kind, smooth=smooth, term=term)
