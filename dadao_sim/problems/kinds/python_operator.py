"""Operators written in Python, of whose mean a zero is wanted: never compiled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, failure
from dadao_sim.given import positive, reals, whole
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.operator_problem import OperatorProblem
from dadao_sim.problems.kinds.problem import TOLERANCE
from dadao_sim.problems.kinds.python_objective import (
    known_points,
    require_what_is_said,
    smoothness_of_nodes,
)
from dadao_sim.text.lines import written

Operator = Callable[[FloatArray], ArrayLike]


@dataclass(frozen=True)
class PythonOperators:
    """A user's functions under the engine's signatures. They receive copies, never the state.

    InputError names the node whose function fails, or answers anything but real numbers.
    """

    operators: tuple[Operator, ...]

    def gradient(self, i: int, z: FloatArray, mark: object, out: FloatArray) -> None:
        """Write F_i(z) into out (d,)."""
        what = f"operators: that of node {i}"
        try:
            answer: Any = self.operators[i](z.copy())
        except (Exception, SystemExit) as error:
            raise failure(what, error) from error
        found = reals(what, answer)
        if found.shape != out.shape:
            raise InputError(what, f"has shape {found.shape}", f"{out.shape} is needed")
        out[:] = found


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PythonOperatorProblem(OperatorProblem):
    """A problem of Python functions, whose constants are the user's word."""

    operator_list: PythonOperators
    size: int

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.operator_list.operators)

    @property
    def dimension(self) -> int:
        """Dimension d of z."""
        return self.size

    @property
    def objective(self) -> PythonOperators:
        """The wrapped functions."""
        return self.operator_list

    def _relabelled(self, order: IntArray) -> "PythonOperatorProblem":
        given = self.given_L
        return replace(
            self,
            operator_list=PythonOperators(tuple(self.operator_list.operators[i] for i in order)),
            given_L=given if given is None else np.broadcast_to(given, self.nodes)[order],
        )


def operator_problem(
    operators: Sequence[Operator],
    dimension: int,
    mu: float | None,
    L: float | ArrayLike | None,
    z_star: ArrayLike | None,
) -> PythonOperatorProblem:
    """See :meth:`Problem.from_operators`."""
    dimension = whole("dimension", dimension)
    mu = None if mu is None else positive("mu", mu)
    if not isinstance(operators, Sequence) or isinstance(operators, str) or not len(operators):
        raise InputError("operators", f"{written(operators)} given", "a list is needed")
    for i, operator in enumerate(operators):
        if not callable(operator):
            raise InputError("operators", f"that of node {i} is no function of z")
    asked = PythonOperators(tuple(operators))
    problem = PythonOperatorProblem(
        kind="operators",
        operator_list=asked,
        size=dimension,
        given_mu=mu,
        given_L=smoothness_of_nodes(L, len(operators), mu),
    )
    zero = np.zeros(dimension)
    for i in range(problem.nodes):
        if not np.isfinite(problem.gradient(i, zero)).all():
            raise InputError(
                f"operators: that of node {i}",
                "nan or infinite at z = 0",
                "finite numbers are needed",
            )
    each = None if problem.given_L is None else problem.node_L
    require_what_is_said(problem, each, mu, convex=mu is not None)
    if z_star is None:
        return problem
    points = known_points("z_star", z_star, dimension, several=True)
    for z in points:
        answers = problem.gradients(np.tile(z, (problem.nodes, 1)))
        sizes = np.linalg.norm([*answers, problem.mean_operator(zero)], axis=1)
        found = float(np.linalg.norm(answers.mean(axis=0)) / (sizes.max() or 1.0))
        if not found <= TOLERANCE:
            raise InputError(
                "z_star",
                f"no zero: the mean of the operators there is {found:.1e} of theirs; "
                f"{TOLERANCE:g} is asked",
                "leave it out",
            )
    return replace(problem, zeros=points)


oracles.gradient.register(PythonOperators, PythonOperators.gradient)
