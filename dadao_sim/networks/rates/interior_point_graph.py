"""What one graph adds to the interior-point method: its constraints and their multipliers."""

import numpy as np

from dadao_sim.networks.rates.dense import between_edges, laplacian, over_edges, pseudo_inverse
from dadao_sim.networks.rates.dual import DualPoint


class GraphTerms:
    """The constraints S = L_w - t P >= 0 (multiplier X) and c_e = C_e(w) - s >= 0 (multiplier p).

    ``ids`` (|E|,) says which of all the rates w are those of this graph's ``edges``. Vectors over
    all rates and t and s at the end are called ``change``, ``gradient``, ``point``.
    """

    def __init__(self, nodes: int, edges: np.ndarray, ids: np.ndarray):
        self.nodes, self.edges, self.ids = nodes, edges, ids
        self.count = nodes - 1 + len(edges)  # rank of S and number of c
        self.projector = np.eye(nodes) - 1 / nodes
        self.X = np.zeros((nodes, nodes))
        self.p = np.zeros(len(edges))

    def over_edges(self, matrix: np.ndarray) -> np.ndarray:
        """b_e^T A b_e, (|E|,)."""
        return over_edges(matrix, self.edges)

    # ---- at rates w, and t, s ----------------------------------------------------------------

    def laplacian(self, w: np.ndarray) -> np.ndarray:
        """L_w, (n, n), w over all rates."""
        return laplacian(self.nodes, self.edges, w[self.ids])

    def lambda_2(self, w: np.ndarray) -> float:
        """Smallest positive eigenvalue of L_w."""
        return float(np.linalg.eigvalsh(self.laplacian(w))[1])

    def least_conductance(self, w: np.ndarray) -> float:
        """min_e C_e(w)."""
        inverse = pseudo_inverse(self.laplacian(w))
        return 0.0 if inverse is None else float(1 / self.over_edges(inverse).max())

    def start_matrix(self, w: np.ndarray, t: float) -> float:
        """X = S^-1; its trace."""
        inverse = pseudo_inverse(self.laplacian(w) - t * self.projector)
        assert inverse is not None, "the start is strictly feasible"
        self.X = inverse
        return float(np.trace(self.X))

    def start_conductances(self, w: np.ndarray, s: float) -> float:
        """p = 1/c; its sum."""
        inverse = pseudo_inverse(self.laplacian(w))
        assert inverse is not None, "the graph is connected"
        self.p = 1 / (1 / self.over_edges(inverse) - s)
        return float(self.p.sum())

    def is_inside(self, w: np.ndarray, t: float, s: float) -> bool:
        """Whether the constraints hold, strictly."""
        matrix = self.laplacian(w)
        if pseudo_inverse(matrix - t * self.projector) is None:
            return False
        inverse = pseudo_inverse(matrix)
        return inverse is not None and float((1 / self.over_edges(inverse) - s).min()) > 0

    def refresh(self, w: np.ndarray, t: float, s: float) -> None:
        """All that the next step needs at a strictly feasible point."""
        matrix = self.laplacian(w)
        self.eigenvalue = float(np.linalg.eigvalsh(matrix)[1])
        self.S = matrix - t * self.projector
        inverse, self.G = pseudo_inverse(self.S), pseudo_inverse(matrix)
        assert inverse is not None, "checked by is_inside"
        assert self.G is not None, "checked by is_inside"
        self.S_inverse = inverse
        self.C = 1 / self.over_edges(self.G)
        self.c = self.C - s
        self.M = between_edges(self.G, self.edges)
        self.dC = self.M**2 * self.C**2  # [g, e]: derivative of C_e in w_g

    def dual_point(self) -> DualPoint:
        """X and p, with the potentials of the present rates."""
        i, j = self.edges.T
        assert self.G is not None
        values, vectors = np.linalg.eigh(self.X)
        factor = vectors * np.sqrt(np.maximum(values, 0))
        return DualPoint(factor, self.p, np.arange(len(i)), self.G[:, i] - self.G[:, j])

    # ---- the Newton system -------------------------------------------------------------------

    def add_hessian(self, hessian: np.ndarray) -> None:
        """Second derivatives, with X S^-1, p/c in the place of mu S^-2, mu/c^2."""
        p, c, C, M, dC = self.p, self.c, self.C, self.M, self.dC
        i, j = self.edges.T
        X, S_inverse = self.X, self.S_inverse
        block = between_edges(X, self.edges) * between_edges(S_inverse, self.edges)
        block += 2 * M * ((M * (p * C**2)) @ M)
        block += (dC * (p / c - 2 * p / C)) @ dC.T
        hessian[np.ix_(self.ids, self.ids)] += block
        in_t = ((X[i] - X[j]) * (S_inverse[i] - S_inverse[j])).sum(axis=1)
        in_s = dC @ (p / c)
        hessian[self.ids, -2] -= in_t
        hessian[-2, self.ids] -= in_t
        hessian[self.ids, -1] -= in_s
        hessian[-1, self.ids] -= in_s
        hessian[-2, -2] += (X * S_inverse).sum()
        hessian[-1, -1] += (p / c).sum()

    def aim(self, centre: float, second_order: bool) -> None:
        """Where X and p would go if w, t and s stayed; the last ``follow`` gives the correction."""
        self.X_aim, self.p_aim = centre * self.S_inverse, centre / self.c
        if second_order:
            self.X_aim = self.X_aim - _symmetric(self.dX @ self.dS @ self.S_inverse)
            self.p_aim = self.p_aim - self.dp * self.dc / self.c

    def add_gradient(self, gradient: np.ndarray) -> None:
        """Subtract what the aimed X and p carry of the cost of each rate, and of t and s."""
        gradient[self.ids] -= self.over_edges(self.X_aim) + self.dC @ self.p_aim
        gradient[-2] += np.trace(self.X_aim)
        gradient[-1] += self.p_aim.sum()

    def follow(self, change: np.ndarray) -> None:
        """Changes of S, c, X and p that go with the change of w, t and s."""
        self.dS = self.laplacian(change[:-2]) - change[-2] * self.projector
        self.dc = change[:-2][self.ids] @ self.dC - change[-1]
        self.dX = self.X_aim - self.X - _symmetric(self.X @ self.dS @ self.S_inverse)
        self.dp = self.p_aim - self.p - self.p * self.dc / self.c

    def complementarity(self, primal: float, dual: float) -> float:
        """<X, S> + p @ c after steps of these lengths."""
        X, S = self.X + dual * self.dX if dual else self.X, self.S
        p, c = self.p + dual * self.dp if dual else self.p, self.c
        if primal:
            S, c = S + primal * self.dS, c + primal * self.dc
        return float((X * S).sum() + p @ c)

    def primal_length(self, most: float) -> float:
        """Longest step that keeps S and the linear model of c positive, times ``most``, up to 1."""
        return min(matrix_length(self.S, self.dS, most), step_length(self.c, self.dc, most))

    def dual_length(self, most: float) -> float:
        """Longest step that keeps X and p positive, times ``most``, up to 1."""
        return min(matrix_length(self.X, self.dX, most), step_length(self.p, self.dp, most))


def step_length(values: np.ndarray, change: np.ndarray, most: float) -> float:
    """Longest step that keeps positive values positive, times ``most``; 1 at the most."""
    return min(1.0, most / max(float((-change / values).max()), 1e-300))


def matrix_length(matrix: np.ndarray, change: np.ndarray, most: float) -> float:
    """The same for a matrix that is positive definite on the complement of 1."""
    from scipy.linalg import eigh

    n = len(matrix)
    shift = np.trace(matrix) / n
    try:
        smallest = eigh(
            change, matrix + shift / n, eigvals_only=True, subset_by_index=[0, 0], driver="gvx"
        )[0]
    except np.linalg.LinAlgError:  # X has lost its rank to rounding
        return 0.0
    return min(1.0, most / max(-float(smallest), 1e-300))


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    return 0.5 * (matrix + matrix.T)
