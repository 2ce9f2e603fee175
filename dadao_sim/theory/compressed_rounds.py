"""The growth of the second moment of rounds whose messages are multiplied by random masks.

Message k of a round, of what V_k = P_k s + sum_{l<k} D_kl e_l says, is its mean m V_k and an error
e_k, of mean 0 and of the covariance C * V_k V_k^T at each node, independent of other nodes' and
other messages'. So with s+ = A s + sum_k B_k e_k::

    M -> A M A^T + sum_k B_k S_k B_k^T,    S_k = C * (P_k M P_k^T + sum_{l<k} D_kl S_l D_kl^T)_ii

at every node i. What no round changes, whatever is drawn, is left out of s if it is 0 at the start:
the copies W h, which neighbours keep, less W times h.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.linalg import matrix_balance
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from dadao_sim.algorithms.contract.method import Tuning
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Message, Tally
from dadao_sim.compression.masks import Masks
from dadao_sim.errors import InputError
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.played_rounds import LATER, ROUNDING, PlayedRounds

MOST_STATES = 800  # numbers in the state, whose second moment is a matrix
DENSE = 20  # up to which its map is written out
CONSERVED = 1e-12  # of what a round changes, relative
VECTORS = 30  # that are kept on the way to the largest eigenvalue
RESTARTS = 1000
PRECISION = 1e-11  # of it, relative


class _MeanNodes(Nodes):
    """Nodes whose messages are the mean ones and given errors, and that remember what they say."""

    mean: float

    def begin(self, errors: Sequence[np.ndarray] = ()) -> None:
        """A round in which message k has the error ``errors[k]``."""
        self.errors, self.said = errors, list[np.ndarray]()

    def compressed(self, V: np.ndarray) -> Message:
        """See the class."""
        k = len(self.said)
        self.said.append(V.copy())
        error = self.errors[k] if k < len(self.errors) else 0.0
        return Message(self.mean * V + error, numbers=V.shape[-1], bits=0.0)


class CompressedRounds(PlayedRounds):
    """The rounds of a method whose messages ``masks`` multiply, in coordinates of what they change.

    InputError, with the reason, for a method that is not of the form.
    """

    nodes: _MeanNodes

    def __init__(self, method: RoundMethod, tuning: Tuning, problem: Problem, masks: Masks):
        self.masks = masks
        super().__init__(method, tuning, problem)
        if self.size > MOST_STATES:
            wrong = f"{self.size} numbers in the state of {method.name}, which compresses"
            raise InputError("network", wrong, f"at most {MOST_STATES} are possible")
        played = [self._round(unit) for unit in np.eye(self.size)]
        A, P = (np.stack(found, axis=-1) for found in zip(*played, strict=True))
        calls, width = P.shape[:2]
        B = np.empty((calls, self.size, width))
        D = np.empty((calls, calls, width, width))
        for k, column in np.ndindex(calls, width):
            errors = np.zeros((calls, width))
            errors[k, column] = 1.0
            B[k, :, column], D[:, k, :, column] = self._round(np.zeros(self.size), errors)
        Z, inverse = self._what_changes(A, B)
        self._check_form(A, B, Z)
        self.A, self.P, self.B, self.D = inverse @ A @ Z, P @ Z, inverse @ B, D

    def oracles(self, objective: object, share: np.ndarray, tally: Tally) -> Nodes:
        """See :class:`_MeanNodes`."""
        nodes = _MeanNodes(objective, share, tally, stochastic=False)
        nodes.mean = self.masks.mean
        nodes.begin()
        return nodes

    def _round(
        self,
        s: np.ndarray,
        errors: Sequence[np.ndarray] | np.ndarray = (),
        number: int = 1,
        keeps: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The state after a round, and what its messages were to say, (calls, n d)."""
        self.nodes.begin([e.reshape(self.shape) for e in errors])
        after = self.play(s, 1, first=number, keeps=keeps)
        return after, np.array([V.ravel() for V in self.nodes.said])

    def _what_changes(self, A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z (N, N') and its inverse on the states s = Z u in which all is 0 that no round changes,
        whatever is drawn; u is balanced. InputError where that is not 0 at the start.
        """
        _, (scale, _) = matrix_balance(A, permute=False, separate=True)
        moved = np.hstack([A / scale[:, None] * scale - np.eye(self.size), *B / scale[:, None]])
        U, sizes, _ = np.linalg.svd(moved, full_matrices=False)
        changes = sizes > CONSERVED * sizes[0]
        start = self._start() / scale
        if np.abs(U[:, ~changes].T @ start).max(initial=0.0) > ROUNDING * np.abs(start).max():
            raise conserves(self.method)
        return scale[:, None] * U[:, changes], U[:, changes].T / scale

    def _start(self) -> np.ndarray:
        """The state at round 0, from any x."""
        x = np.random.default_rng(0).standard_normal(self.shape)
        state = self.method.state(self.method.initial_values(*self.shape, x, {}))
        self.nodes.begin()
        self.nodes.at(0, 0)
        self.method.prepare(state, self.tuning.params, self.nodes, self.W)
        return self.inside([getattr(state, name).ravel() for name in self.method.blocks])

    def _check_form(self, A: np.ndarray, B: np.ndarray, Z: np.ndarray) -> None:
        """InputError unless rounds are A and B there, and keep the means that they declare to."""
        rng = np.random.default_rng(0)
        s, e = Z @ rng.standard_normal(Z.shape[1]), rng.standard_normal((len(B), B.shape[2]))
        wanted = A @ s + np.einsum("kij,kj->i", B, e)
        for number, wrong in ((1, "is not linear"), (LATER, "is another in each round")):
            self.check(wanted, self._round(s, e, number, keeps=True)[0], wrong)

    def growth(self) -> float:
        """What E s s^T is multiplied by each round, in the end: a spectral radius."""
        if not self.masks.are_drawn:
            return float(np.abs(np.linalg.eigvals(self.A)).max()) ** 2
        size = len(self.A)
        i, j = np.triu_indices(size)
        # M and its half have the same norm.
        weight = np.where(i == j, 1.0, math.sqrt(2))

        def grown(half: np.ndarray) -> np.ndarray:
            M = np.empty((size, size))
            M[i, j] = M[j, i] = half.ravel() / weight
            return weight * self._grown(M)[i, j]

        if size <= DENSE:
            columns = [grown(unit) for unit in np.eye(len(i))]
            return float(np.abs(np.linalg.eigvals(np.column_stack(columns))).max())
        operator = LinearOperator((len(i), len(i)), grown, dtype=float)
        ways = {"ncv": VECTORS, "tol": PRECISION, "maxiter": RESTARTS}
        try:
            (found,) = eigs(operator, 1, v0=np.eye(size)[i, j], return_eigenvectors=False, **ways)
        except ArpackNoConvergence:
            raise InputError(
                f"{self.method.name}: no exact rate is known: its second moment did not settle"
            ) from None
        return float(np.abs(found))

    def _grown(self, M: np.ndarray) -> np.ndarray:
        """E s s^T after a round."""
        n, d = self.shape
        out = self.A @ M @ self.A.T
        errors: list[np.ndarray] = []
        for k, (P, B) in enumerate(zip(self.P, self.B, strict=True)):
            said = (P @ M).reshape(n, d, -1) @ P.reshape(n, d, -1).transpose(0, 2, 1)
            for D, S in zip(self.D[k], errors, strict=False):
                of_nodes = D.reshape(n, d, n, d)
                said += np.einsum("iajc,jce,ibje->iab", of_nodes, S, of_nodes, optimize=True)
            errors.append(self.masks.covariance * said)
            pushed = np.einsum("pia,iab->pib", B.reshape(-1, n, d), errors[-1])
            out += pushed.reshape(B.shape) @ B.T
        return out


def conserves(method: RoundMethod) -> InputError:
    """What is raised of a method with a part that it neither declares as conserved nor lets go."""
    return InputError(
        f"{method.name}: no exact rate is known: it conserves what it does not declare, or does "
        "not decay"
    )
