"""What a theorem promises of a method: how fast, and from where."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.errors import InputError

ONE_THEOREM = "one theorem for six methods (docs/exact-rates.md)"
MOST_NODES = 3000
"""Of a matrix whose eigenvectors are computed."""


@dataclass(frozen=True)
class Guarantee:
    """E sum_i ||x_i(t) - x*||^2 <= ``start`` e^{-``decay`` t}, by ``theorem``.

    ``decay`` is per round, or per unit of time of an asynchronous method; ``start`` is what the
    theorem's Lyapunov function has at the start, relative to what it has of sum_i ||x_i - x*||^2.
    """

    theorem: str
    decay: float
    start: float

    @classmethod
    def of_factor(cls, theorem: str, factor: float, start: float) -> "Guarantee | None":
        """Of a function that falls by ``factor`` each round; None where it need not fall."""
        return cls(theorem, -math.log(factor), start) if 0 < factor < 1 else None

    def time(self, accuracy: float, distance: float) -> float:
        """When sum_i ||x_i - x*||^2 is at most ``accuracy`` times ``distance``, its value of x0;
        nan where that is 0.
        """
        if distance == 0:
            return math.nan
        if self.start == 0:
            return 0.0
        # Of logarithms: an accuracy may be the least number there is.
        logs = math.log(self.start) - math.log(accuracy) - math.log(distance)
        return max(0.0, logs / self.decay)


class Gaps:
    """P = I - W of the rounds, or the Laplacian of the actual rates: what gossip takes away.

    ``values`` (n - 1,) are its positive eigenvalues, ``least`` and ``largest`` the ends of them; of
    a sequence of graphs the ends over all, and no eigenvectors.
    """

    def __init__(self, matrices: list[Any]):
        self.spectra = [np.linalg.eigh(_full(P)) for P in matrices]
        positive = [values[1:] for values, _ in self.spectra]
        self.least = float(min(values[0] for values in positive))
        self.largest = float(max(values[-1] for values in positive))

    def apply(self, V: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The function of P times V (n, d) apart from its mean over the nodes. InputError for a
        sequence of graphs.
        """
        if len(self.spectra) > 1:
            raise InputError("a sequence of graphs has no one function of P")
        values, vectors = self.spectra[0]
        return vectors[:, 1:] @ (function(values[1:])[:, None] * (vectors[:, 1:].T @ V))

    def inverse(self, V: np.ndarray) -> float:
        """<V, P^+ V> for V (n, d) without mean; the largest over a sequence."""
        found = []
        for values, vectors in self.spectra:
            found.append(((vectors[:, 1:].T @ V) ** 2 / values[1:, None]).sum())
        return float(max(found))


def square(V: np.ndarray) -> float:
    """||V||^2."""
    return float((V**2).sum())


def _full(P: Any) -> np.ndarray:
    full = P if isinstance(P, np.ndarray) else P.toarray()
    if len(full) > MOST_NODES:
        raise InputError(
            "network", f"{len(full):,} nodes", f"a theorem's start is computed up to {MOST_NODES:,}"
        )
    return np.asarray(full, dtype=float)


# (constants, blocks at the start, blocks at the fixed point, gaps) -> what the theorem promises,
# None where the constants do not meet its conditions. mu and L are those of the problem.
Promise = Callable[[SimpleNamespace, SimpleNamespace, SimpleNamespace, Gaps], Guarantee | None]
