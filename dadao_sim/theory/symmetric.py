"""The growth of a second moment where all nodes and all edges are alike, by Laplacian modes.

With equal rates, functions and curvatures the noise c_e of an exchange and c_i of a gradient event
may be taken the same for all edges and nodes. The second moment then splits into one (b, b) matrix
for each eigenvalue l of the Laplacian, and the map G of ``perron`` into 2 x 2 numbers: sums over
the modes. A positive vector that is mapped to a multiple of itself is the Perron vector.
"""

from dataclasses import dataclass

import numpy as np

from dadao_sim.theory.linear_events import reached_blocks
from dadao_sim.theory.modes import Modes
from dadao_sim.theory.perron import NEAR, NEGLIGIBLE, PRECISION, crossing, perron
from dadao_sim.theory.played import CONJUGATE, Played, Reading

ALIKE = 1e-12  # by which the functions of nodes may differ and count as the same, relative


@dataclass(frozen=True)
class ModalGrowth:
    """``sigma`` and ``drift`` as in ``perron.Growth``; ``shares`` (modes,) of each Laplacian
    eigenvalue in the second moment of the estimate.
    """

    sigma: float
    drift: float
    shares: np.ndarray


def is_alike(played: Played) -> bool:
    """Whether all nodes and all edges of a method have the same functions and rates."""
    return are_nodes_alike(played) and _same(played.edge_rates[:, None])


def are_nodes_alike(played: Played) -> bool:
    """Whether all nodes have the same functions and rates, and all edges the same functions."""
    nodes = (played.messages, played.estimates, played.gradients)
    if played.has_gradients and any(d.shape[1] > 1 for d in played.directions):
        return False
    return (
        played.jumps.shape[-1] == 1
        and _same(played.jumps.reshape(-1, played.blocks))
        and _same(played.node_rates[:, None])
        and (not played.has_gradients or _same(np.stack(played.directions)))
        and all(_same_readings(readings) for readings in nodes)
    )


def _same(rows: np.ndarray) -> bool:
    return bool(np.abs(rows - rows[0]).max() <= ALIKE * np.abs(rows[0]).max())


def _same_readings(readings: tuple[Reading, ...]) -> bool:
    if not readings:
        return True
    parts = zip(*(reading[:3] for reading in readings), strict=True)
    return all(_same(np.stack([part.ravel() for part in each])) for each in parts)


class ModalEnergies:
    """The map G of a method that is alike everywhere, at one curvature h."""

    def __init__(self, played: Played, modes: Modes, h: float):
        self.modes, self.n, self.m = modes, played.network.nodes, len(played.network.edges)
        rate = played.edge_rates[0]
        u = played.jumps[0, 0, :, 0]
        q = row_of(played.messages[0], h)
        self.x = row_of(played.estimates[0], h)
        self.rows, noises, drift = [q], [rate * np.outer(u, u)], played.flow
        if played.has_gradients:
            w, g = played.directions[0][:, 0], row_of(played.gradients[0], h)
            self.rows.append(g)
            noises.append(played.node_rates[0] * np.outer(w, w))
            drift = drift + played.node_rates[0] * np.outer(w, g)
        everywhere, differences = reached_blocks(played)
        drifts = drift + (rate * modes.values)[:, None, None] * np.outer(u, q)
        # Of the mean over the nodes some blocks are never reached: nothing of these is counted.
        self.bases = [everywhere, differences]
        self.drifts = [
            basis.T @ some @ basis
            for basis, some in zip(self.bases, (drifts[:1], drifts[1:]), strict=True)
        ]
        self.noises = [basis.T @ np.stack(noises) @ basis for basis in self.bases]
        eigenvalues = [np.linalg.eigvals(some).real.ravel() for some in self.drifts]
        self.abscissa = float(np.concatenate(eigenvalues).max())
        self._start = np.ones((len(noises), 1, 1))

    def _moments(self, c: np.ndarray, sigma: float) -> np.ndarray:
        """The second moments (modes, b, b) that the noises ``c`` (channels,) of all events make."""
        values, found = self.modes.values, []
        for basis, drifts, noises, some in zip(
            self.bases, self.drifts, self.noises, (values[:1], values[1:]), strict=True
        ):
            weights = np.stack([some, *[np.ones_like(some)] * (len(c) - 1)], axis=1) * c
            right = np.einsum("kc,cab->kab", weights, noises)
            found.append(basis @ _lyapunov(drifts, sigma, right) @ basis.T)
        return np.concatenate(found)

    def __call__(self, C: np.ndarray, sigma: float) -> np.ndarray:
        """G(sigma) of what all exchanges have, and all gradient events: (channels, 1, 1)."""
        moments = self._moments(C.ravel(), sigma)
        heard = [np.einsum("a,kab,b->k", row, moments, row) for row in self.rows]
        counts = self.modes.counts
        found = [(counts * self.modes.values * heard[0]).sum() / self.m]
        found += [(counts * each).sum() / self.n for each in heard[1:]]
        return np.array(found).reshape(C.shape)

    def radius(self, sigma: float) -> float:
        """See ``Energies.radius``."""
        root, self._start = perron(lambda C: self(C, sigma), self._start)
        return root

    def is_below_one(self, sigma: float) -> bool:
        """Whether the radius is below 1."""
        return self.radius(sigma) < 1

    @property
    def is_stable(self) -> bool:
        """Whether E||s||^2 decays."""
        return self.abscissa < 0 and self.is_below_one(0.0)

    def growth(self) -> ModalGrowth:
        """How the second moment grows."""
        least = 2 * self.abscissa
        largest = max(float(np.abs(some).max(initial=0.0)) for some in self.drifts)
        scale = max(abs(least), NEGLIGIBLE * largest)
        near = self._near(least, scale)
        above = crossing(lambda x: self.radius(least + x), near, scale, PRECISION * scale)
        moments = self._moments(self._start.ravel(), least + max(above, near))
        shares = self.modes.counts * np.einsum("a,kab,b->k", self.x, moments, self.x)
        return ModalGrowth(least + above, least, shares / shares.sum())

    def _near(self, least: float, scale: float) -> float:
        """How near to ``least`` the map can be worked out: eigenvalues that coincide are known to
        half the digits.
        """
        near = NEAR * scale
        while True:
            try:
                self.radius(least + near)
            except np.linalg.LinAlgError:
                near *= 10
            else:
                return near


def row_of(reading: Reading, h: float) -> np.ndarray:
    """What is read of the blocks (b,) at curvature h."""
    K = 1 / h if reading.oracle == CONJUGATE else h
    return reading.rows[0] + reading.answer[0] * K * reading.point


def _lyapunov(drifts: np.ndarray, sigma: float, right: np.ndarray) -> np.ndarray:
    """X with sigma X - A X - X A^T = right, for each drift A (k, r, r)."""
    k, r, _ = drifts.shape
    if r == 0:
        return np.zeros_like(right)
    eye = np.eye(r)
    both = np.einsum("kac,bd->kabcd", drifts, eye) + np.einsum("kbd,ac->kabcd", drifts, eye)
    operator = sigma * np.eye(r * r) - both.reshape(k, r * r, r * r)
    return np.linalg.solve(operator, right.reshape(k, r * r, 1)).reshape(k, r, r)
