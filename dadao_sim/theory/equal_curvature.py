"""The growth of a second moment on any graph, where all nodes are alike and have one curvature.

The drift of the mean then splits by the Laplacian of the gossip rates, into one (b, b) matrix for
each of its eigenvalues, as in ``symmetric``; but exchanges over unlike edges make unlike noise, and
that mixes the modes. With B (m, n) the edges' differences of the eigenvectors V, and c the energies
of ``perron``, what event r hears is a quadratic form of its row of B (or of V),

    K_u * (B^T diag(lambda c) B) + K_w * (V^T diag(c) V),

where the kernels K (n, n) hold what the (b, b) matrices of two modes make of a unit of noise. So no
matrix of all states is ever solved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dadao_sim.theory.linear_events import reached_blocks
from dadao_sim.theory.perron import perron
from dadao_sim.theory.played import Played
from dadao_sim.theory.symmetric import row_of

STEPS = 20  # of the power method, before ARPACK is asked
TOLERANCE = 1e-6  # between the bounds of Collatz and Wielandt on a radius, relative


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The eigenvalues (n,) of the Laplacian of the gossip rates, 0 first, its eigenvectors V (n, n)
    by columns, and their differences over the edges, B (m, n).
    """

    values: np.ndarray
    at_nodes: np.ndarray
    at_edges: np.ndarray

    @classmethod
    def of(cls, played: Played) -> "Spectrum":
        """Of the rates at which a method gossips."""
        values, vectors = np.linalg.eigh(played.network.laplacian(played.edge_rates).toarray())
        values[0], vectors[:, 0] = 0.0, len(vectors) ** -0.5
        i, j = played.network.edges.T
        return cls(values, vectors, vectors[i] - vectors[j])


class EqualEnergies:
    """The map G of a method whose nodes are alike, at one curvature h."""

    def __init__(self, played: Played, spectrum: Spectrum, h: float):
        self.spectrum, self.edge_rates = spectrum, played.edge_rates
        u, q = played.jumps[0, 0, :, 0], row_of(played.messages[0], h)
        self.node_rate, drift = 0.0, played.flow
        jumps, rows = [u], [q]
        if played.has_gradients:
            self.node_rate = played.node_rates[0]
            w, g = played.directions[0][:, 0], row_of(played.gradients[0], h)
            jumps.append(w)
            rows.append(g)
            drift = drift + self.node_rate * np.outer(w, g)
        drifts = drift + spectrum.values[:, None, None] * np.outer(u, q)
        everywhere, differences = reached_blocks(played)
        n, b = len(drifts), played.blocks
        # What no event reaches stays 0: weights of 0 stand in its place.
        self.eigenvalues = np.full((n, b), -1.0, dtype=complex)
        abscissas = []
        weights = np.zeros((len(rows), len(jumps), n, b), dtype=complex)
        for modes, basis in ((slice(0, 1), everywhere), (slice(1, n), differences)):
            r = basis.shape[1]
            if r == 0:
                continue
            values, vectors = np.linalg.eig(basis.T @ drifts[modes] @ basis)
            heard = np.einsum("ra,kac->rkc", np.stack(rows) @ basis, vectors)
            pushed = np.linalg.solve(vectors, (np.stack(jumps) @ basis).T)
            self.eigenvalues[modes, :r] = values
            weights[:, :, modes, :r] = heard[:, None] * pushed.transpose(2, 0, 1)
            abscissas.append(float(values.real.max()))
        self.abscissa = max(abscissas)
        self._channels = len(rows)
        self._weights = weights.reshape(-1, n, b)
        self._sums = self.eigenvalues.reshape(n, b, 1) + self.eigenvalues.ravel()
        m = len(self.edge_rates)
        self._start = np.ones((m + n * (self._channels - 1), 1, 1))

    def _kernels(self, sigma: float) -> np.ndarray:
        """K (rows, jumps, n, n): of what each row hears of each jump's noise in two modes."""
        n, b = self.eigenvalues.shape
        weights = self._weights.transpose(1, 0, 2)  # (n, pairs, b)
        half = weights @ (1 / (sigma - self._sums))
        full = half.transpose(1, 0, 2).reshape(-1, n, n, b) * self._weights[:, None]
        return full.sum(axis=-1).real.reshape(self._channels, self._channels, n, n)

    def _applied(self, K: np.ndarray, c: np.ndarray) -> np.ndarray:
        B, V, m = self.spectrum.at_edges, self.spectrum.at_nodes, len(self.edge_rates)
        noises = [(B.T * (self.edge_rates * c[:m])) @ B]
        if self._channels > 1:
            noises.append(self.node_rate * (V.T * c[m:]) @ V)
        heard = np.einsum("rskl,skl->rkl", K, np.stack(noises))
        return np.concatenate(
            [((of @ M) * of).sum(axis=1) for of, M in zip((B, V), heard, strict=False)]
        )

    def radius(self, sigma: float) -> float:
        """See ``Energies.radius``."""
        K = self._kernels(sigma)
        bounds = self._bounds(K, lambda low, high: high - low <= TOLERANCE * high)
        if bounds is not None:
            return bounds[1]
        shape = self._start.shape
        root, self._start = perron(
            lambda C: self._applied(K, C.ravel()).reshape(shape), np.abs(self._start)
        )
        return root

    def is_below_one(self, sigma: float) -> bool:
        """Whether the radius is below 1, which takes less than to know it."""
        bounds = self._bounds(self._kernels(sigma), lambda low, high: high < 1 or low >= 1)
        return self.radius(sigma) < 1 if bounds is None else bounds[1] < 1

    def _bounds(
        self, K: np.ndarray, enough: Callable[[float, float], bool]
    ) -> tuple[float, float] | None:
        """Those of Collatz and Wielandt on the radius, once they are good ``enough``."""
        c = self._start.ravel()
        for _ in range(STEPS):
            after = self._applied(K, c)
            if not (after > 0).all():
                return None
            ratios = after / c
            c = after / after.sum()
            if enough(ratios.min(), ratios.max()):
                self._start = c.reshape(self._start.shape)
                return float(ratios.min()), float(ratios.max())
        self._start = c.reshape(self._start.shape)
        return None

    @cached_property
    def is_stable(self) -> bool:
        """Whether E||s||^2 decays."""
        return self.abscissa < 0 and self.is_below_one(0.0)
