"""An objective and matrices that count what they are asked, below the package's own counters."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract import gossip
from dadao_sim.engine import oracles
from dadao_sim.testing.case import (
    DIMENSION,
    SAMPLES,
)


class Watched:
    """An objective that counts what it is asked, in the place of the real one."""

    def __init__(self, inner: Any):
        self.inner = inner
        self.gradients = 0.0
        self.conjugate_gradients = self.local_solves = 0

    def gradient(self, i: int, x: np.ndarray, mark: Any, out: np.ndarray) -> None:
        """The real one's."""
        self.gradients += 1
        oracles.gradient(self.inner, i, x, mark, out)

    def sample_gradient(self, i: int, k: int, x: np.ndarray, out: np.ndarray) -> None:
        """The real one's; part of a gradient."""
        self.gradients += 1 / SAMPLES
        oracles.sample_gradient(self.inner, i, k, x, out)

    def sample_dot(self, i: int, k: int, x: np.ndarray) -> float:
        """The real one's; part of the gradient of a sample."""
        return float(oracles.sample_dot(self.inner, i, k, x))

    def sample_slope(self, i: int, k: int, weight: float, r: float) -> float:
        """The real one's; part of a gradient."""
        self.gradients += 1 / SAMPLES
        return float(oracles.sample_slope(self.inner, i, k, weight, r))

    def add_sample(self, i: int, k: int, weight: float, out: np.ndarray) -> None:
        """The real one's; part of the gradient of a sample."""
        oracles.add_sample(self.inner, i, k, weight, out)

    def conjugate_gradient(self, i: int, y: np.ndarray, out: np.ndarray) -> None:
        """The real one's."""
        self.conjugate_gradients += 1
        oracles.conjugate_gradient(self.inner, i, y, out)

    def local_solve(
        self, i: int, v: np.ndarray, curvature: float, step: float, x: np.ndarray
    ) -> None:
        """The real one's; the gradients that it takes are part of it."""
        self.local_solves += 1
        oracles.local_solve(self.inner, i, v, curvature, step, x)

    def prox(self, step: float, v: np.ndarray, out: np.ndarray) -> None:
        """The real one's."""
        oracles.prox(self.inner, step, v, out)

    def gradient_mapping(self, step: float, x: np.ndarray, g: np.ndarray) -> None:
        """The real one's."""
        oracles.gradient_mapping(self.inner, step, x, g)

    def local_direction(self, step: float, x: np.ndarray, g: np.ndarray, t: float) -> None:
        """The real one's."""
        oracles.local_direction(self.inner, step, x, g, t)


for _verb in (
    *("gradient", "sample_gradient", "conjugate_gradient"),
    *("local_solve", "prox", "gradient_mapping", "local_direction"),
    *("sample_dot", "sample_slope", "add_sample"),
):
    getattr(oracles, _verb).register(Watched, getattr(Watched, _verb))


@dataclass
class Wire:
    """What went over the edges of a synchronous method: the rows of every message that W was
    applied to, and of every one whose mean a server took the numbers in a row.
    """

    rows: list[np.ndarray] = field(default_factory=list)
    means: list[int] = field(default_factory=list)

    def watch(self, W: Any) -> "WatchedMatrix":
        """A matrix that records what it is applied to."""
        return WatchedMatrix(W, self)

    def watch_mean(
        self, mean: Callable[[np.ndarray], np.ndarray]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The same function, which records what it is applied to."""

        def watched(V: np.ndarray) -> np.ndarray:
            self.means.append(V.shape[1])
            return mean(V)

        return watched

    def watch_together(self, together: Callable[..., Any]) -> Callable[..., Any]:
        """The same function of (function, parts), whose parts travel in one message."""

        def watched(function: Callable[[np.ndarray], np.ndarray], parts: tuple[Any, ...]) -> Any:
            rows, means = len(self.rows), len(self.means)
            answers = together(function, parts)
            made = self.rows[rows:]
            rounds = len(made) // len(parts)
            self.rows[rows:] = [np.hstack(made[q::rounds]) for q in range(rounds)]
            if self.means[means:]:
                self.means[means:] = [sum(self.means[means:])]
            return answers

        return watched

    def numbers_and_bits(self, d: int) -> tuple[int, int]:
        """What a row of d numbers, a message for each DIMENSION of them, takes that can be read off
        all such rows: floats of 64 bits; where some are always 0, a float and a place for each of
        the others; where those of a message have few values relative to their largest, a symbol
        each and the largest at full length.
        """
        sent = np.vstack([rows for rows in self.rows if rows.shape[1] == d])
        most, parts = int(np.count_nonzero(sent, axis=1).max()), d // DIMENSION
        if most < d:
            bits = most // parts * (64 + math.ceil(math.log2(DIMENSION)))
            return most, parts * 8 * math.ceil(bits / 8)
        if d % DIMENSION == 0:
            sent = sent.reshape(-1, DIMENSION)
        messages = d // sent.shape[1]
        largest = np.abs(sent).max(axis=1, keepdims=True)
        relative = np.divide(sent, largest, out=np.zeros(sent.shape), where=largest > 0)
        symbols = np.unique(np.round(relative, 12))
        if len(symbols) > 64:
            return d, 64 * d
        bits = math.ceil(math.log2(len(symbols))) * sent.shape[1] + 64
        return d + messages, messages * 8 * math.ceil(bits / 8)


@dataclass
class WatchedMatrix:
    """See :class:`Wire`."""

    inner: Any
    wire: Wire

    def __matmul__(self, V: np.ndarray) -> np.ndarray:
        self.wire.rows.append(V.copy())
        return self.inner @ V


@contextmanager
def watching(player: Any) -> Iterator[tuple[Watched, Wire]]:
    """Count, beside the package's own counters and below them, what a player asks for."""
    watched, wire = Watched(player.objective), Wire()
    product_nodes = gossip.PRODUCT_NODES
    player.objective = watched
    if hasattr(player, "nodes"):
        player.nodes.objective = watched
        player.W.matrices = [wire.watch(W) for W in player.W.matrices]
        player.W._mean = wire.watch_mean(player.W._mean)
        player.W._together = wire.watch_together(player.W._together)
    else:
        player.compiled_objective = False
    try:
        gossip.PRODUCT_NODES = 0  # rounds one by one
        yield watched, wire
    finally:
        gossip.PRODUCT_NODES = product_nodes
