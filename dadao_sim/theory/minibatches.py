"""The noise of gradients of minibatches, as events whose size is quadratic in what they read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import block_diag, csc_array

from dadao_sim.algorithms.contract.minibatches import MinibatchErrors
from dadao_sim.errors import InputError
from dadao_sim.theory.played import GRADIENT, Played

if TYPE_CHECKING:
    from dadao_sim.problems import Problem


@dataclass(frozen=True, eq=False)
class GradientNoise:
    """At a gradient event node i adds W_i xi, xi of mean 0 and of a covariance that is quadratic in
    the point P_i s at which the gradient is asked for.

    ``W`` and ``P`` (N, n d), d columns for each node.
    """

    W: csc_array
    P: csc_array
    errors: MinibatchErrors
    rates: np.ndarray

    @classmethod
    def of(cls, played: Played, problem: "Problem", batch_size: int) -> "GradientNoise":
        """InputError for a problem that is not of squares, and a method that asks otherwise."""
        if {reading.oracle for reading in played.gradients} != {GRADIENT}:
            raise InputError(
                f"{played.method.name} has no gradients that minibatches could estimate"
            )
        eye = np.eye(problem.dimension)
        return cls(
            W=_nodes([np.kron(step[:, None], eye) for step in played.steps]),
            P=_nodes([np.kron(reading.point[:, None], eye) for reading in played.gradients]),
            errors=MinibatchErrors.of(problem, batch_size),
            rates=played.node_rates,
        )

    def at(self, s: np.ndarray) -> np.ndarray:
        """The covariances (n, d, d) where the state is s (N,)."""
        n = len(self.rates)
        return self.errors.at((self.P.T @ s).reshape(n, -1))

    def across(self, s: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The part (n, d, d) of what ``moved`` (N,) changes in them that is linear in it."""
        shift = (self.P.T @ moved).reshape(len(self.rates), -1)
        squares = self.errors.around(np.einsum("ia,ib->iab", shift, shift))
        return self.at(s + moved) - self.at(s) - squares


def _nodes(blocks: list[np.ndarray]) -> csc_array:
    return csc_array(block_diag(blocks, format="csc"))
