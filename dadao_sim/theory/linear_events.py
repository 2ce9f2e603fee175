"""A method on quadratics: a linear flow, and events that change the state in few directions.

The state s (N,) holds the deviations of all nodes, blocks and coordinates from a point at rest. It
flows by s' = A s; event r, of rate lambda_r, makes it s + W_r (Q_r^T s + o_r), with k columns in
W_r and Q_r. With Ab = A + sum_r lambda_r W_r Q_r^T, the drift of the mean, and o = 0, its second
moment M = E s s^T obeys

    M' = Ab M + M Ab^T + sum_r lambda_r W_r (Q_r^T M Q_r) W_r^T.

Everything else in this package follows from that equation.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import block_diag, csc_array, csr_array, eye_array, kron

from dadao_sim.theory.played import CONJUGATE, Played, Reading
from dadao_sim.theory.quadratics import Quadratics

REACHED = 1e-10  # by which a direction must stick out of a space to be new to it


@dataclass(frozen=True, eq=False)
class LinearEvents:
    """The flow and the events of a method on quadratics, in the order (node, block, coordinate).

    ``A`` (N, N), of steps that are counted what one makes of s; ``W`` and ``Q`` (N, events *
    width), ``width`` k columns for each event, gossip first; ``offsets`` (events, k) and ``rates``
    (events,). ``estimate`` (n c, N) and ``estimate_offset`` (n c,) read x* in the c coordinates.
    """

    played: Played
    coordinates: int
    A: csr_array
    W: csc_array
    Q: csc_array
    width: int
    offsets: np.ndarray
    rates: np.ndarray
    estimate: csr_array
    estimate_offset: np.ndarray

    @classmethod
    def of(
        cls, played: Played, hessians: np.ndarray, gradients: np.ndarray, x_star: np.ndarray
    ) -> "LinearEvents":
        """With ``hessians`` (n, c, c), and the gradients at x*: (n, c), (c,)."""
        reader = _Reader(played, hessians, gradients, x_star)
        events = [reader.gossip(e) for e in range(len(played.network.edges))]
        events += [reader.gradient(i) for i in range(len(played.gradients))]
        width = max(W.shape[1] for W, _, _ in events)
        n, c = gradients.shape
        size = n * played.blocks * c
        estimates = [reader.matrix(i, played.estimates[i]) for i in range(n)]
        return cls(
            played=played,
            coordinates=c,
            A=kron(kron(np.eye(n), played.flow), np.eye(c), format="csr"),
            W=_side_by_side([W for W, _, _ in events], size, width),
            Q=_side_by_side([Q for _, Q, _ in events], size, width),
            width=width,
            offsets=np.stack([np.pad(o, (0, width - len(o))) for _, _, o in events]),
            rates=np.concatenate([played.edge_rates, played.node_rates[: len(played.gradients)]]),
            estimate=block_diag([E for E, _ in estimates], format="csr"),
            estimate_offset=np.concatenate([e for _, e in estimates]),
        )

    @classmethod
    def along(cls, played: Played, quadratics: Quadratics, coordinate: int) -> "LinearEvents":
        """Along one axis of Hessians that commute."""
        axis = quadratics.axes[:, [coordinate]]  # type: ignore[index]
        return cls.of(
            played,
            quadratics.curvatures[:, coordinate][:, None, None],
            quadratics.gradients @ axis,
            quadratics.x_star @ axis,
        )

    @classmethod
    def whole(cls, played: Played, quadratics: Quadratics) -> "LinearEvents":
        """In all coordinates at once."""
        return cls.of(played, quadratics.hessians, quadratics.gradients, quadratics.x_star)

    @cached_property
    def drift(self) -> csr_array:
        """Ab; of steps that are counted what one changes of the mean."""
        weights = np.repeat(self.rates * self.duration, self.width)
        jumps = csr_array((self.W * weights) @ self.Q.T)
        if self.played.counted:
            return csr_array(self.A + jumps @ self.A - eye_array(self.A.shape[0]))
        return csr_array(self.A + jumps)

    @property
    def duration(self) -> float:
        """Of a step that is counted; 1 in continuous time."""
        return self.played.duration

    @cached_property
    def push(self) -> np.ndarray:
        """The part of the drift that does not depend on s, (N,)."""
        return self.W @ (self.rates[:, None] * self.duration * self.offsets).ravel()

    @cached_property
    def reached(self) -> np.ndarray:
        """An orthonormal basis (N, N') of what the events can move: the rest is conserved, or
        flows by itself. Nothing leaves it.
        """
        n, b = self.played.network.nodes, self.played.blocks
        everywhere, differences = reached_blocks(self.played)
        ones = np.full((n, 1), n**-0.5)
        # Householder: columns 1... of I - 2 v v^T / v.v are orthogonal to the ones.
        v = np.eye(n)[:, :1] + ones
        others = (np.eye(n) - 2 * (v @ v.T) / (v.T @ v))[:, 1:]
        basis = np.hstack([np.kron(ones, everywhere), np.kron(others, differences)])
        assert basis.shape[0] == n * b
        return np.kron(basis, np.eye(self.coordinates))


@lru_cache(maxsize=8)  # the same of each curvature
def reached_blocks(played: Played) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal bases, (b, r) each, of what events can move in the sum over the nodes, and in
    their differences: the spaces that their jumps and the flow span.
    """
    steps = np.hstack([np.zeros((played.blocks, 0)), *played.directions])
    jumps = np.hstack(list(played.jumps.reshape(-1, *played.jumps.shape[2:])))
    first, second = played.jumps[:, 0], played.jumps[:, 1]
    one_sided = np.abs(first - second).max() > REACHED * np.abs(played.jumps).max()
    everywhere = np.hstack([steps, jumps]) if one_sided else steps
    return _flowing(everywhere, played.flow), _flowing(np.hstack([steps, jumps]), played.flow)


def _flowing(start: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the least space that holds ``start`` and is closed under flow."""
    basis = np.zeros((len(flow), 0))
    waiting = [(column, np.linalg.norm(column)) for column in np.unique(start, axis=1).T]
    while waiting:
        new, size = waiting.pop(0)
        for _ in range(2):  # once more, for what rounding left
            new = new - basis @ (basis.T @ new)
        if np.linalg.norm(new) > REACHED * size:
            new /= np.linalg.norm(new)
            basis = np.column_stack([basis, new])
            # What is left of terms that cancel is nothing new.
            waiting.append((flow @ new, np.linalg.norm(np.abs(flow) @ np.abs(new))))
    return basis


class _Reader:
    """Turns the readings and jumps of single nodes into columns of the whole state."""

    def __init__(
        self, played: Played, hessians: np.ndarray, gradients: np.ndarray, x_star: np.ndarray
    ):
        self.played, self.x_star, self.g = played, x_star, gradients
        self.H, self.c = hessians, len(x_star)
        asked = {r.oracle for r in (*played.messages, *played.estimates, *played.gradients)}
        self.inverse = np.linalg.inv(hessians) if CONJUGATE in asked else hessians

    def oracle(self, i: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """K and k of o(x) = K x + k."""
        if name == CONJUGATE:
            return self.inverse[i], self.x_star - self.inverse[i] @ self.g[i]
        return self.H[i], self.g[i] - self.H[i] @ self.x_star

    def matrix(self, i: int, reading: Reading) -> tuple[np.ndarray, np.ndarray]:
        """What a reading of node i makes of its (blocks, coordinates): (v c, b c) and (v c,)."""
        rows, offset = np.kron(reading.rows, np.eye(self.c)), np.zeros(len(reading.rows) * self.c)
        if reading.oracle is not None:
            K, k = self.oracle(i, reading.oracle)
            rows += np.kron(np.outer(reading.answer, reading.point), K)
            offset += np.kron(reading.answer, k)
        return rows, offset

    def columns(self, at: dict[int, np.ndarray]) -> csc_array:
        """Columns that are 0 but at some nodes."""
        rows = self.played.blocks * self.c
        width = next(iter(at.values())).shape[1]
        i = np.concatenate([np.repeat(node * rows + np.arange(rows), width) for node in at])
        j = np.concatenate([np.tile(np.arange(width), rows) for _ in at])
        values = np.concatenate([block.ravel() for block in at.values()])
        return csc_array((values, (i, j)), shape=(len(self.g) * rows, width))

    def gossip(self, e: int) -> tuple[csc_array, csc_array, np.ndarray]:
        """W, Q and o of an exchange over edge e."""
        i, j = self.played.network.edges[e].tolist()
        first, second = np.kron(self.played.jumps[e], np.eye(self.c))
        (Ri, oi), (Rj, oj) = (self.matrix(k, self.played.messages[k]) for k in (i, j))
        return self.columns({i: first, j: -second}), self.columns({i: Ri.T, j: -Rj.T}), oi - oj

    def gradient(self, i: int) -> tuple[csc_array, csc_array, np.ndarray]:
        """W, Q and o of a gradient event at node i."""
        R, o = self.matrix(i, self.played.gradients[i])
        direction = np.kron(self.played.directions[i], np.eye(self.c))
        return self.columns({i: direction}), self.columns({i: R.T}), o


def _side_by_side(parts: list[csc_array], size: int, width: int) -> csc_array:
    """Columns of all events, each filled up to ``width`` by zeros."""
    values, rows, columns = [], [], []
    for event, part in enumerate(parts):
        entries = part.tocoo()
        values.append(entries.data)
        rows.append(entries.coords[0])
        columns.append(entries.coords[1] + event * width)
    at = (np.concatenate(rows), np.concatenate(columns))
    return csc_array((np.concatenate(values), at), shape=(size, len(parts) * width))
