"""Objectives written in Python: called one by one, never compiled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, failure
from dadao_sim.given import number, positive, reals, whole
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.checks import require_constants
from dadao_sim.problems.kinds.problem import TOLERANCE, Problem, finite_point
from dadao_sim.text.lines import written

MOST_GROWTH = 1e12
"""Growth of the gradient after which the search for x* gives up."""
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

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return self.objective_list.value(self._node(i), self._point(x))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; as fine as the rounding of the values, cut at 0."""
        point, start = self._point(x), self._point(origin)
        differences = [self.value(i, point) - self.value(i, start) for i in range(self.nodes)]
        slope = self._all(start).mean(axis=0) @ (point - start)
        return max(float(np.mean(differences) - slope), 0.0)

    def _mu(self) -> float:
        raise AssertionError("mu of Python objectives is always given")

    def _node_L(self) -> FloatArray:
        raise AssertionError("L of Python objectives is always given")

    def _optimum(self) -> FloatArray:
        """Nesterov's method with constant momentum (Introductory Lectures, 2004, scheme 2.2.11)."""
        root = np.sqrt(self.mu / self.L)
        momentum = (1 - root) / (1 + root)
        x = y = np.zeros(self.dimension)
        at_zero = np.linalg.norm(self._all(x).mean(axis=0))
        for _ in range(100 + int(100 / root)):
            gradients = self._all(y)
            mean = gradients.mean(axis=0)
            size = np.linalg.norm(mean)
            scale = max(at_zero, np.linalg.norm(gradients, axis=1).mean())
            if size <= TOLERANCE * scale:
                return y
            if not size <= MOST_GROWTH * at_zero:
                break
            x, before = y - mean / self.L, x
            y = x + momentum * (x - before)
        raise InputError(
            "x_star",
            f"not found to {TOLERANCE:g} with mu = {self.mu:g}, L = {self.L:g}",
            "check these constants, or give x_star",
        )

    def require_optimum(self, x: FloatArray) -> None:
        """InputError unless x (d,) is the minimiser, to the accuracy of :attr:`x_star`, or as far
        as the rounding of the gradients tells.
        """
        at_zero, at_x = self._all(np.zeros(x.size)), self._all(x)
        scale = max(
            float(np.linalg.norm(at_zero.mean(axis=0))),
            float(np.linalg.norm(at_x, axis=1).mean()),
        )
        size = float(np.linalg.norm(at_x.mean(axis=0)))
        if not size <= TOLERANCE * scale + ROUNDING * self.L * float(np.linalg.norm(x)):
            found = size / scale if scale else np.inf
            raise InputError(
                "x_star",
                f"not the optimum: the mean gradient there is {found:.1e} of that at 0, "
                f"or of the nodes' own; {TOLERANCE:g} is asked",
                "leave it out, and it is found",
            )

    def _all(self, x: FloatArray) -> FloatArray:
        return self.gradients(np.tile(x, (self.nodes, 1)))

    def _relabelled(self, order: IntArray) -> "PythonProblem":
        objectives = PythonObjectives(tuple(self.objective_list.objectives[i] for i in order))
        return replace(self, objective_list=objectives, given_x_star=self.x_star)


def python_problem(
    objectives: Sequence[Objective],
    mu: float,
    L: float,
    dimension: int,
    x_star: ArrayLike | None,
) -> PythonProblem:
    """See :meth:`Problem.from_objectives`."""
    mu, L, dimension = positive("mu", mu), positive("L", L), whole("dimension", dimension)
    require_constants(mu, L)
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
        kind="python", objective_list=asked, size=dimension, given_mu=mu, given_L=L
    )
    if x_star is None:
        return problem
    point = finite_point("x_star", x_star, dimension)
    problem.require_optimum(point)
    return replace(problem, given_x_star=point)


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
