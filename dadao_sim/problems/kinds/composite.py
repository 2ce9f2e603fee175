"""Composite problems: a smooth problem plus a term r that all nodes share, known by its prox."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators, oracles
from dadao_sim.engine.workspace import workspace
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.quantise import QuantisedStep
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.composite_optimum import optimum
from dadao_sim.problems.kinds.problem import Problem, ProblemClass


@workspace("v", "image")
class Composite(NamedTuple):
    """A smooth objective and an operator, both compiled; ``v`` and ``image`` (d,) are scratch."""

    smooth: Any
    operator: Any
    v: np.ndarray
    image: np.ndarray


def _gradient(composite, i, x, mark, out):
    oracles.gradient(composite.smooth, i, x, mark, out)


def _sample_gradient(composite, i, k, x, out):
    oracles.sample_gradient(composite.smooth, i, k, x, out)


def _conjugate_gradient(composite, i, y, out):
    oracles.conjugate_gradient(composite.smooth, i, y, out)


def _prox(composite, step, v, out):
    operators.prox(composite.operator, step, v, out)


def _gradient_mapping(composite, step, x, g):
    """(x - prox_{step r}(x - step g))/step."""
    for k in range(x.shape[0]):
        composite.v[k] = x[k] - step * g[k]
    operators.prox(composite.operator, step, composite.v, composite.image)
    for k in range(x.shape[0]):
        g[k] = (x[k] - composite.image[k]) / step


@kernel
def _compiled_gradient(objective, i, x, mark, out):
    oracles.gradient(objective, i, x, mark, out)


@kernel
def _compiled_sample_gradient(objective, i, k, x, out):
    oracles.sample_gradient(objective, i, k, x, out)


@kernel
def _compiled_conjugate_gradient(objective, i, y, out):
    oracles.conjugate_gradient(objective, i, y, out)


@dataclass(frozen=True)
class PythonComposite:
    """The same where one of the two is a Python object: never compiled as a whole. What is a
    NamedTuple is still called compiled.
    """

    smooth: Any
    operator: Any
    v: np.ndarray
    image: np.ndarray

    def gradient(self, i: int, x: FloatArray, mark: Any, out: FloatArray) -> None:
        """Write grad f_i(x) into out (d,)."""
        call = _compiled_gradient if isinstance(self.smooth, tuple) else oracles.gradient
        call(self.smooth, i, x, mark, out)

    def sample_gradient(self, i: int, k: int, x: FloatArray, out: FloatArray) -> None:
        """Write the gradient of sample k of f_i at x into out (d,)."""
        compiled = isinstance(self.smooth, tuple)
        call = _compiled_sample_gradient if compiled else oracles.sample_gradient
        call(self.smooth, i, k, x, out)

    def conjugate_gradient(self, i: int, y: FloatArray, out: FloatArray) -> None:
        """Write grad f_i*(y) into out (d,)."""
        compiled = isinstance(self.smooth, tuple)
        call = _compiled_conjugate_gradient if compiled else oracles.conjugate_gradient
        call(self.smooth, i, y, out)


for objective_class in (Composite, PythonComposite):
    oracles.prox.register(objective_class, _prox)
    oracles.gradient_mapping.register(objective_class, _gradient_mapping)
oracles.gradient.register(Composite, _gradient)
oracles.gradient.register(PythonComposite, PythonComposite.gradient)
oracles.sample_gradient.register(Composite, _sample_gradient)
oracles.sample_gradient.register(PythonComposite, PythonComposite.sample_gradient)
oracles.conjugate_gradient.register(Composite, _conjugate_gradient)
oracles.conjugate_gradient.register(PythonComposite, PythonComposite.conjugate_gradient)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CompositeProblem(Problem):
    """Minimise F(x) + r(x). mu, L, values, gradients and conjugate gradients are those of the f_i;
    x* and the suboptimality those of the whole.

    Where the local step is not exact, x* is the fixed point of x = prox(x - a grad F(x)) at
    a = ``step``, 1/L where it is None. Where r is not convex it is one of several fixed points:
    see ``composite_optimum``.
    """

    smooth: Problem
    step: float | None = None
    term: LocalStep
    at_steps: dict[float, Problem] = field(default_factory=dict)

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.smooth.nodes

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.smooth.dimension

    @property
    def samples(self) -> IntArray | None:
        """Samples per node (n,); None where the f_i have none."""
        return self.smooth.samples

    @property
    def has_conjugate(self) -> bool:
        """Whether grad f_i* is known."""
        return self.smooth.has_conjugate

    @property
    def local_step(self) -> LocalStep:
        """The term r, by its operator."""
        return self.term

    @property
    def objective(self) -> Composite | PythonComposite:
        """The smooth objective and the operator."""
        return self._with(self.smooth.objective)

    @property
    def remark(self) -> str:
        """That of the f_i."""
        return self.smooth.remark

    def require_start(self, x0: FloatArray) -> None:
        """That of the f_i."""
        self.smooth.require_start(x0)

    def orthonormal(self, X: FloatArray, determinant: int = 1) -> FloatArray:
        """See :meth:`Problem.orthonormal`."""
        return self.smooth.orthonormal(X, determinant)

    @property
    def oracle_objective(self) -> Composite | PythonComposite:
        """That of the f_i, and the operator."""
        return self._with(self.smooth.oracle_objective)

    def with_oracle(self, oracle: Any) -> "CompositeProblem":
        """See :meth:`Problem.with_oracle`."""
        return replace(self, smooth=self.smooth.with_oracle(oracle))

    @property
    def has_exact_oracle(self) -> bool:
        """That of the f_i."""
        return self.smooth.has_exact_oracle

    @property
    def problem_class(self) -> ProblemClass:
        """That of the f_i."""
        return self.smooth.problem_class

    @property
    def monotonicity(self) -> float:
        """That of the f_i."""
        return self.smooth.monotonicity

    @property
    def comonotonicity(self) -> float | None:
        """That of the f_i."""
        return self.smooth.comonotonicity

    def with_conjugate(self) -> Composite | PythonComposite:
        """See :meth:`Problem.with_conjugate`; of the f_i, without r."""
        return self._with(self.smooth.with_conjugate())

    def stochastic_objective(self, batch_size: int) -> Composite | PythonComposite:
        """See :meth:`Problem.stochastic_objective`; the prox is exact."""
        return self._with(self.smooth.stochastic_objective(batch_size))

    def sample_objective(self) -> Composite | PythonComposite:
        """See :meth:`Problem.sample_objective`; the prox is exact."""
        return self._with(self.smooth.sample_objective())

    @cached_property
    def sample_L(self) -> float:
        """See :meth:`Problem.sample_L`; of the f_i, without r."""
        return self.smooth.sample_L

    def with_step(self, step: float | None) -> Problem:
        """See :meth:`Problem.with_step`."""
        if self.term.exact or not self.term.settles or step is None or step == self.step:
            return self
        if step not in self.at_steps:  # their x* take a while
            self.at_steps[step] = replace(self, step=step, given_x_star=None, at_steps={})
        return self.at_steps[step]

    def with_local_step(self, local_step: LocalStep) -> Problem:
        """The smooth problem with another term in the place of this one."""
        return self.smooth.with_local_step(local_step)

    @cached_property
    def solutions(self) -> FloatArray | None:
        """See :meth:`Problem.solutions`; None where the local step need not come to rest."""
        return super().solutions if self.term.settles else None

    @property
    def hessians(self) -> Literal["constant", "varying", "unknown"]:
        """Those of the f_i."""
        return self.smooth.hessians

    def hessian(self, x: ArrayLike) -> FloatArray:
        """That of F, without r, at x (d,); (d, d)."""
        return self.smooth.hessian(x)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), without r, for x (d,)."""
        return self.smooth.value(i, x)

    def test_accuracy(self, x: ArrayLike) -> float:
        """See :meth:`Problem.test_accuracy`."""
        return self.smooth.test_accuracy(x)

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """That of F, without r."""
        return self.smooth.divergence(x, origin)

    def suboptimality(self, x: ArrayLike) -> float:
        """F(x) + r(x) - F(x*) - r(x*), for x (d,): infinite outside the domain of r, nan where r
        has no known value. Convexity makes the part of r positive but for rounding, cut at 0;
        where r is not convex a better point than x* may be found, and this is negative. nan where
        the f_i are not convex, and where no x* is looked for.
        """
        if not (self.is_convex and self.term.settles):
            return math.nan
        point = self._point(x)
        step = point - self.x_star
        change = self.term.value(point) - self._value_of_term
        of_r = float(change + self._slope @ step)
        return self.divergence(point, self.x_star) + (max(of_r, 0.0) if self.term.convex else of_r)

    def infeasibility(self, X: ArrayLike, t: float) -> float:
        """The distance of the node that is farthest from the set on which r is 0, for X (n, d).
        InputError where r is no such set.
        """
        return max(self.term.distance(x) for x in self._points(X))

    def frank_wolfe_gap(self, x: ArrayLike) -> float:
        """max_s <grad F(x), x - s> over the set on which r is 0, for x (d,): where F is convex at
        least F(x) - F(x*), in the set and outside it. InputError where r is no such set.
        """
        point, slope = self._point(x), self.mean_operator(x)
        return float(slope @ (point - self.term.lmo(slope, exact=True)))

    @cached_property
    def _value_of_term(self) -> float:
        """r(x*)."""
        return self.term.value(self.x_star)

    @cached_property
    def _slope(self) -> FloatArray:
        """grad F(x*)."""
        return self.gradients(np.tile(self.x_star, (self.nodes, 1))).mean(axis=0)

    def _with(self, smooth: Any) -> Composite | PythonComposite:
        compiled = isinstance(smooth, tuple) and self.term.compiled
        scratch = np.zeros(self.dimension), np.zeros(self.dimension)
        return (Composite if compiled else PythonComposite)(smooth, self.term.operator, *scratch)

    def _mu(self) -> float:
        return self.smooth.mu

    def _node_L(self) -> FloatArray:
        return self.smooth.node_L

    def _optimum(self) -> FloatArray:
        if not self.is_convex:
            raise InputError("x_star", "F is not convex: there may be several, or none")
        if not self.term.settles:
            raise InputError("x_star", "the local step is said not to settle: there may be none")
        return optimum(self.smooth, self.term, self.step or 1 / self.L)

    def _relabelled(self, order: IntArray) -> "CompositeProblem":
        return replace(
            self,
            smooth=self.smooth.relabelled(order),
            given_x_star=self._x_star_if_any,
            at_steps={},
        )


def composite_problem(smooth: Problem, term: LocalStep) -> CompositeProblem:
    """See :meth:`Problem.with_local_step`."""
    if not isinstance(term, LocalStep):
        raise InputError(
            "local_step",
            f"a LocalStep is needed, not a {type(term).__name__}",
            "from_callable makes one of a function (v, step) -> x",
        )
    if term.dimension != smooth.dimension:
        raise InputError(
            "local_step",
            (
                f"{term.kind} is made for dimension {term.dimension}, but that of the problem is "
                f"{smooth.dimension}"
            ),
        )
    if isinstance(term, QuantisedStep):
        from dadao_sim.problems.kinds.quantised import quantised_problem

        return quantised_problem(smooth, term)
    return CompositeProblem(kind=smooth.kind, smooth=smooth, term=term)
