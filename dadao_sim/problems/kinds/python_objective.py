"""Objectives written in Python: called one by one, never compiled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, failure
from dadao_sim.given import number, positive, reals, whole
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.checks import require_constants
from dadao_sim.problems.kinds.nesterov import minimiser
from dadao_sim.problems.kinds.problem import TOLERANCE, Problem, ProblemClass, finite_point
from dadao_sim.text.lines import written

PAIRS = 4
"""Of points at which what is said of a node is tried."""
SLACK = 1e-6
"""Relative, within which such a trial may miss."""
ROUNDING = 100 * np.finfo(float).eps
"""Of a gradient near x*, relative to L ||x*||: what is asked of a given x* besides."""


class Objective(Protocol):
    """What a user's f_i must offer; dual methods also need ``conjugate_gradient(y)`` -> (d,)."""

    def value(self, x: FloatArray) -> float:
        """f_i(x), for x (d,)."""

    def gradient(self, x: FloatArray) -> FloatArray:
        """Gradient of f_i at x; (d,) to (d,)."""


@dataclass(frozen=True)
class PythonObjectives:
    """The users' objects under the engine's signatures. They receive copies, never the state.

    InputError names the node whose function fails, or answers anything but real numbers.
    """

    objectives: tuple[Objective, ...]

    @property
    def has_conjugate(self) -> bool:
        """Whether every object offers a conjugate gradient."""
        return all(has_method(objective, "conjugate_gradient") for objective in self.objectives)

    def value(self, i: int, x: FloatArray) -> float:
        """f_i(x), for x (d,)."""
        what = f"objectives: value of node {i}"
        found = number(what, self._ask(i, "value", x))
        if np.isnan(found) and np.isfinite(x @ x):
            raise InputError(what, "nan given", "one real number is needed")
        return found

    def gradient(self, i: int, x: FloatArray, mark: object, out: FloatArray) -> None:
        """Write grad f_i(x) into out (d,)."""
        self._write(i, "gradient", x, out)

    def conjugate_gradient(self, i: int, y: FloatArray, out: FloatArray) -> None:
        """Write grad f_i*(y) into out (d,)."""
        self._write(i, "conjugate_gradient", y, out)

    def _write(self, i: int, name: str, x: FloatArray, out: FloatArray) -> None:
        what = f"objectives: {name} of node {i}"
        answer = reals(what, self._ask(i, name, x))
        if answer.shape != out.shape:
            raise InputError(what, f"has shape {answer.shape}", f"{out.shape} is needed")
        out[:] = answer

    def _ask(self, i: int, name: str, x: FloatArray) -> object:
        try:
            return getattr(self.objectives[i], name)(x.copy())
        except (Exception, SystemExit) as error:
            raise failure(f"objectives: {name} of node {i}", error) from error


def has_method(objective: object, name: str) -> bool:
    """Whether a user's object has something of that name to call."""
    return callable(getattr(objective, name, None))


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PythonProblem(Problem):
    """A problem of Python objects, whose constants are the user's word."""

    objective_list: PythonObjectives
    size: int
    convex: bool = True
    stationary_points: FloatArray | None = None

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.objective_list.objectives)

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.size

    @property
    def objective(self) -> PythonObjectives:
        """The wrapped objects."""
        return self.objective_list

    @property
    def has_conjugate(self) -> bool:
        """Whether every object offers a conjugate gradient."""
        return self.objective_list.has_conjugate

    @property
    def problem_class(self) -> ProblemClass:
        """As it was said to be."""
        return super().problem_class if self.convex else "non-convex"

    @cached_property
    def solutions(self) -> FloatArray | None:
        """The given ones; of a convex F its x*."""
        return super().solutions if self.convex else self.stationary_points

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return self.objective_list.value(self._node(i), self._point(x))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; as fine as the rounding of the values, within which it is
        cut at 0: below, F is not convex.
        """
        point, start = self._point(x), self._point(origin)
        values = [(self.value(i, point), self.value(i, start)) for i in range(self.nodes)]
        slope = self.mean_operator(start) @ (point - start)
        found = float(np.mean([here - there for here, there in values]) - slope)
        rounding = ROUNDING * float(np.abs(values).max() + np.abs(slope))
        return max(found, 0.0) if found > -rounding else found

    def _mu(self) -> float:
        raise InputError("mu", "none was given", "give one, or take a method that needs none")

    def _node_L(self) -> FloatArray:
        raise InputError(
            "L", "none was given", "give one, or among the parameters of the algorithm"
        )

    def _optimum(self) -> FloatArray:
        """By accelerated gradient steps."""
        if not self.convex:
            raise InputError("x_star", "F is not convex: there may be several, or none")
        if not self.is_strongly_convex:
            raise InputError("x_star", "cannot be found without mu", "give x_star")
        return minimiser(self._all, self.mu, self.L, self.dimension)

    def require_optimum(self, x: FloatArray) -> None:
        """InputError unless x (d,) is the minimiser, to the accuracy of :attr:`x_star`, or as far
        as the rounding of the gradients tells.
        """
        at_zero, at_x = self._all(np.zeros(x.size)), self._all(x)
        what = "the optimum" if self.convex else "a stationary point"
        scale = max(
            float(np.linalg.norm(at_zero.mean(axis=0))),
            float(np.linalg.norm(at_x, axis=1).mean()),
        )
        size = float(np.linalg.norm(at_x.mean(axis=0)))
        if not size <= TOLERANCE * scale + ROUNDING * self._steepness() * np.linalg.norm(x):
            found = size / scale if scale else np.inf
            raise InputError(
                "x_star",
                f"not {what}: the mean gradient there is {found:.1e} of that at 0, "
                f"or of the nodes' own; {TOLERANCE:g} is asked",
                "leave it out, and it is found" if self.is_strongly_convex else "leave it out",
            )

    def require_what_is_said(self) -> None:
        """InputError where the gradients at a few pairs of points contradict mu, L or convexity."""
        L = None if self.given_L is None else np.broadcast_to(self.given_L, self.nodes)
        require_what_is_said(self, L, self.given_mu, convex=self.convex)

    def _steepness(self) -> float:
        """L, 0 where it is not known."""
        return 0.0 if self.given_L is None else self.L

    def _all(self, x: FloatArray) -> FloatArray:
        return self.gradients(np.tile(x, (self.nodes, 1)))

    def _relabelled(self, order: IntArray) -> "PythonProblem":
        objectives = PythonObjectives(tuple(self.objective_list.objectives[i] for i in order))
        given = self.given_L
        return replace(
            self,
            objective_list=objectives,
            given_x_star=self._x_star_if_any if self.convex else None,
            given_L=given if given is None else np.broadcast_to(given, self.nodes)[order],
        )


def require_what_is_said(
    problem: Problem, L: FloatArray | None, mu: float | None, *, convex: bool
) -> None:
    """InputError where node i's gradients at a pair of points contradict its ``L`` (n,), or ``mu``,
    or (without one) that they are monotone, as those of a ``convex`` function are.

    A pair at which a function fails, or answers no finite number, says nothing.
    """
    rng = np.random.default_rng(0)
    least = mu or 0.0
    for i in range(problem.nodes):
        for _ in range(PAIRS):
            x, y = rng.standard_normal((2, problem.dimension))
            try:
                change = problem.gradient(i, x) - problem.gradient(i, y)
            except InputError:
                continue
            if not np.isfinite(change).all():
                continue
            step = x - y
            size, slope = step @ step, change @ step
            steepest = float(np.linalg.norm(change) / np.sqrt(size))
            curvature, slack = float(slope / size), SLACK * (steepest + least)
            if convex and curvature < least - slack:
                said = f"mu = {mu:g}" if mu else "convex"
                raise InputError(
                    "mu",
                    f"node {i} is not {said}: between two points near 0 its gradients say "
                    f"{curvature:.3g}",
                    "give another, or say convex=False" if not mu else "give a smaller one",
                )
            if L is not None and steepest > L[i] * (1 + SLACK):
                raise InputError(
                    "L",
                    f"{L[i]:g} given for node {i}, whose gradients change {steepest:.3g} times as "
                    "fast as x between two points near 0",
                    "give a larger one",
                )


def python_problem(
    objectives: Sequence[Objective],
    mu: float | None,
    L: float | ArrayLike | None,
    dimension: int | None,
    x_star: ArrayLike | None,
    *,
    convex: bool,
) -> PythonProblem:
    """See :meth:`Problem.from_objectives`."""
    if dimension is None:
        raise InputError("dimension", "is missing", "give that of x")
    dimension = whole("dimension", dimension)
    if mu is not None:
        mu = positive("mu", mu)
        if not convex:
            raise InputError("mu", "is given, and convex=False", "leave one of them out")
    if not isinstance(objectives, Sequence) or isinstance(objectives, str):
        raise InputError("objectives", f"{written(objectives)} given", "a list is needed")
    if len(objectives) == 0:
        raise InputError("objectives", "none given", "at least one node is needed")
    asked = PythonObjectives(tuple(objectives))
    for i, objective in enumerate(objectives):
        for name in ("value", "gradient"):
            if not has_method(objective, name):
                raise InputError("objectives", f"node {i} has no method {name}(x)")
        _require_finite_at_zero(asked, i, dimension)
    problem = PythonProblem(
        kind="python",
        objective_list=asked,
        size=dimension,
        given_mu=mu,
        given_L=smoothness_of_nodes(L, len(objectives), mu),
        convex=convex,
    )
    problem.require_what_is_said()
    if x_star is None:
        return problem
    points = known_points("x_star", x_star, dimension, several=not convex)
    for point in points:
        problem.require_optimum(point)
    if convex:
        return replace(problem, given_x_star=points[0])
    return replace(problem, stationary_points=points)


def smoothness_of_nodes(
    L: float | ArrayLike | None, nodes: int, mu: float | None
) -> float | FloatArray | None:
    """A given L, of all nodes or of each (n,); InputError unless it is positive, or 0 at some nodes
    but not at all, and at least mu.
    """
    if L is None or np.ndim(L) == 0:
        found = None if L is None else positive("L", L)
        require_constants(mu, found)
        return found
    each = reals("L", L)
    if each.shape != (nodes,) or not np.isfinite(each).all() or not (each >= 0).all():
        raise InputError(
            "L", "is not one number for each node", f"{nodes} of at least 0 are needed"
        )
    if not each.any():
        raise InputError("L", "is 0 at every node", "at least one node needs a function")
    if mu is not None and each.min() < mu:
        raise InputError(
            "mu", f"{mu} given, above L = {each.min():g} of a node", "mu <= L is needed"
        )
    return each


def known_points(name: str, points: ArrayLike, dimension: int, *, several: bool) -> FloatArray:
    """Solutions that are given, (d,) or where there may be ``several`` (k, d), as (k, d)."""
    given = reals(name, points)
    if several and given.ndim == 2 and len(given):
        return np.stack([finite_point(name, point, dimension) for point in given])
    return finite_point(name, given, dimension)[None]


def _require_finite_at_zero(asked: PythonObjectives, i: int, dimension: int) -> None:
    """InputError where one of the functions of node i does not answer zeros as it should."""
    zero, out = np.zeros(dimension), np.empty(dimension)
    found: dict[str, float | FloatArray] = {"value": asked.value(i, zero)}
    asked.gradient(i, zero, None, out)
    found["gradient"] = out.copy()
    if has_method(asked.objectives[i], "conjugate_gradient"):
        asked.conjugate_gradient(i, zero, out)
        found["conjugate_gradient"] = out.copy()
    for name, answer in found.items():
        if not np.isfinite(answer).all():
            raise InputError(
                f"objectives: {name} of node {i}",
                "nan or infinite at x = 0",
                "finite numbers are needed",
            )


oracles.gradient.register(PythonObjectives, PythonObjectives.gradient)
oracles.conjugate_gradient.register(PythonObjectives, PythonObjectives.conjugate_gradient)
