"""The f_i as quadratics around x*: their Hessians, and how far these decouple."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.kinds.linear_problem import LinearProblem
from dadao_sim.problems.kinds.newton import hessian

if TYPE_CHECKING:
    from dadao_sim.compression.masks import Masks
    from dadao_sim.problems import Problem

COMMUTE = 1e-9  # off-diagonals of Hessians that count as 0, relative to the largest curvature
ALIKE = 1e-12  # by which curvatures may differ and count as one, relative
STEP = 1e-5  # of differences of gradients, relative to x*


@dataclass(frozen=True)
class Quadratics:
    """f_i(x) = (x - x*)^T H_i (x - x*)/2 + g_i.(x - x*): ``hessians`` (n, d, d), ``gradients``
    (n, d) and ``x_star`` (d,). With ``linearised`` that is all there is to first order only.
    """

    hessians: np.ndarray
    gradients: np.ndarray
    x_star: np.ndarray
    linearised: bool

    @classmethod
    def of(cls, problem: "Problem") -> "Quadratics":
        """Of ``problem``, exactly where it is quadratic; else its second order at x*. InputError of
        operators, whose Jacobians are not symmetric.
        """
        if problem.problem_class == "operator":
            raise InputError(f"nothing exact is known of operators, as those of {problem.kind}")
        x = problem.x_star
        X = np.tile(x, (problem.nodes, 1))
        g = problem.gradients(X)
        linearised = problem.hessians != "constant"
        if isinstance(problem, LinearProblem):
            H = _of_rows(problem, x)
        else:
            h = STEP * max(1.0, float(np.abs(x).max())) if linearised else 1.0
            unit = np.eye(len(x)) * h
            H = np.stack(
                [(problem.gradients(X + u) - problem.gradients(X - u)) / (2 * h) for u in unit], 2
            )
        return cls((H + H.transpose(0, 2, 1)) / 2, g - g.mean(axis=0), x, linearised)

    @cached_property
    def axes(self) -> np.ndarray | None:
        """Coordinates (d, d), by columns, in which every Hessian is diagonal; None if there are
        none.
        """
        d = len(self.x_star)
        if d == 1:
            return np.eye(1)
        weights = np.random.default_rng(0).uniform(1, 2, len(self.hessians))
        _, axes = np.linalg.eigh(np.einsum("i,iab->ab", weights, self.hessians))
        turned = axes.T @ self.hessians @ axes
        off = turned * (1 - np.eye(d))
        return axes if np.abs(off).max() <= COMMUTE * np.abs(turned).max() else None

    @cached_property
    def curvatures(self) -> np.ndarray:
        """The curvature of every node along every axis, (n, d); of Hessians that commute."""
        assert self.axes is not None
        return np.einsum("ac,iab,bc->ic", self.axes, self.hessians, self.axes)

    def curvatures_under(self, masks: "Masks | None") -> np.ndarray | None:
        """The same where messages are multiplied by ``masks``: of numbers that are drawn each for
        itself along the given axes only. None where the axes do not decouple.
        """
        if masks is None or masks.are_of_vectors:
            return None if self.axes is None else self.curvatures
        diagonal = np.diagonal(self.hessians, axis1=1, axis2=2)
        off = self.hessians - np.einsum("ia,ab->iab", diagonal, np.eye(len(self.x_star)))
        return diagonal if np.abs(off).max() <= COMMUTE * np.abs(diagonal).max() else None

    def is_equal(self, coordinate: int) -> bool:
        """Whether all nodes have the same curvature along this axis."""
        h = self.curvatures[:, coordinate]
        return bool(np.ptp(h) <= ALIKE * np.abs(h).max())


def _of_rows(problem: LinearProblem, x: np.ndarray) -> np.ndarray:
    H = np.zeros((problem.nodes, len(x), len(x)))
    for i in range(problem.nodes):
        hessian(problem.model, i, i + 1, 1.0, x, H[i])
    return np.tril(H) + np.tril(H, -1).transpose(0, 2, 1)
