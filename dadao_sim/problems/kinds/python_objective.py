"""Objectives written in Python: called one by one, never compiled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.checks import require_constants
from dadao_sim.problems.kinds.problem import TOLERANCE, Problem

MOST_GROWTH = 1e12
"""Growth of the gradient after which the search for x* gives up."""


class Objective(Protocol):
    """What a user's f_i must offer; dual methods also need ``conjugate_gradient(y)`` -> (d,)."""

    def value(self, x: FloatArray) -> float:
        """f_i(x), for x (d,)."""

    def gradient(self, x: FloatArray) -> FloatArray:
        """Gradient of f_i at x; (d,) to (d,)."""


@dataclass(frozen=True)
class PythonObjectives:
    """The users' objects under the engine's signatures. They receive copies, never the state."""

    objectives: tuple[Objective, ...]

    @property
    def has_conjugate(self) -> bool:
        """Whether every object offers a conjugate gradient."""
        return all(hasattr(objective, "conjugate_gradient") for objective in self.objectives)

    def gradient(self, i: int, x: FloatArray, mark: object, out: FloatArray) -> None:
        """Write grad f_i(x) into out (d,)."""
        self._write(i, "gradient", self.objectives[i].gradient(x.copy()), out)

    def conjugate_gradient(self, i: int, y: FloatArray, out: FloatArray) -> None:
        """Write grad f_i*(y) into out (d,)."""
        answer = self.objectives[i].conjugate_gradient(y.copy())  # type: ignore[attr-defined]
        self._write(i, "conjugate_gradient", answer, out)

    @staticmethod
    def _write(i: int, name: str, answer: object, out: FloatArray) -> None:
        values = np.asarray(answer, dtype=float)
        if values.shape != out.shape:
            raise InputError(
                "objectives",
                f"{name} of node {i} has shape {values.shape}",
                f"{out.shape} is needed",
            )
        out[:] = values


@dataclass(frozen=True, eq=False, kw_only=True)
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
        return float(self.objective_list.objectives[self._node(i)].value(self._point(x).copy()))

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
    require_constants(mu, L)
    if dimension < 1 or len(objectives) == 0:
        raise InputError("objectives", "at least one node and one dimension are needed")
    zero = np.zeros(dimension)
    for i, objective in enumerate(objectives):
        for name in ("value", "gradient"):
            if not callable(getattr(objective, name, None)):
                raise InputError("objectives", f"node {i} has no method {name}(x)")
        gradient = np.asarray(objective.gradient(zero.copy()))
        if gradient.shape != zero.shape or not np.isfinite(gradient).all():
            raise InputError(
                "objectives",
                f"gradient(0) of node {i} has shape {gradient.shape} or is not finite",
                f"({dimension},) finite numbers are needed",
            )
    problem = PythonProblem(
        kind="python",
        objective_list=PythonObjectives(tuple(objectives)),
        size=int(dimension),
        given_mu=float(mu),
        given_L=float(L),
    )
    return problem if x_star is None else replace(problem, given_x_star=problem._point(x_star))


oracles.gradient.register(PythonObjectives, PythonObjectives.gradient)
oracles.conjugate_gradient.register(PythonObjectives, PythonObjectives.conjugate_gradient)
