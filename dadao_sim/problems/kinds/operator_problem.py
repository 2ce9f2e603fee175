"""Problems of operators F_i, R^d to R^d, of whose mean a zero is wanted: nothing is minimised."""

import math
from abc import ABC
from dataclasses import dataclass
from functools import cached_property

from numpy.typing import ArrayLike

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.problem import Problem, ProblemClass


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class OperatorProblem(Problem, ABC):
    """Find z with (1/n) sum_i F_i(z) = 0: a saddle point, an equilibrium, a fixed point.

    ``gradient`` and what is named after it answer F_i. ``zeros`` (k, d) are those that are known;
    a kind that can compute them overrides ``solutions``. mu is that of strong monotonicity.
    """

    zeros: FloatArray | None = None

    @property
    def problem_class(self) -> ProblemClass:
        """No minimisation."""
        return "operator"

    @property
    def has_conjugate(self) -> bool:
        """There is no f_i to have one."""
        return False

    @cached_property
    def solutions(self) -> FloatArray | None:
        """The known zeros (k, d)."""
        return self.zeros

    def value(self, i: int, x: ArrayLike) -> float:
        """InputError: there is none."""
        raise self._no_value()

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """InputError: there is none."""
        raise self._no_value()

    def suboptimality(self, x: ArrayLike) -> float:
        """nan: there is none."""
        return math.nan

    @property
    def monotonicity(self) -> float:
        """See :attr:`Problem.monotonicity`; negative where a node's operator is not monotone."""
        return -self.L if self.given_mu is None else self.given_mu

    def _mu(self) -> float:
        try:
            found = self.monotonicity
        except InputError:  # not even L is known
            found = -math.inf
        if found > 0:
            return found
        known = f"mu = {found:.4g}, not above 0" if math.isfinite(found) else "no known mu"
        raise InputError(f"kind {self.kind} has {known}")

    def _node_L(self) -> FloatArray:
        raise InputError(
            "L", f"kind {self.kind} has none", "give one among the parameters of the algorithm"
        )

    def _optimum(self) -> FloatArray:
        if self.solutions is None or len(self.solutions) > 1:
            raise InputError("x_star", f"kind {self.kind} knows no single zero")
        return self.solutions[0]

    def _no_value(self) -> InputError:
        return InputError("problem", f"kind {self.kind} has operators and no value")
