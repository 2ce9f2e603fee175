"""Random graphs whose nodes all have the same number of neighbours."""

from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.networks.graphs.connected import first_connected
from dadao_sim.networks.graphs.graph import Graph, Size, impossible
from dadao_sim.networks.network import Network
from dadao_sim.strict import Count


class RandomRegular(Graph):
    """Every node has ``degree`` neighbours: a random pairing whose loops and repeats are switched.

    Uniform in the limit of many nodes and fixed degree.
    """

    graph: Literal["random_regular"] = Field(description="every node has as many neighbours")
    degree: Count = Field(default=4, description="neighbours of every node")

    def size(self) -> Size:
        """Half the degrees; what is dense is drawn as what is absent, in a square of flags."""
        n, degree = self.nodes, self.degree
        if degree >= n:
            raise impossible(n, f"degree {degree} needs more nodes", [degree + 1])
        if degree * n % 2:
            raise impossible(n, f"with odd degree {degree} it must be even", [n - 1, n + 1])
        edges = n * degree // 2
        dense = 2 * degree >= n
        return Size(n, edges, scratch=80 * edges + (2 * n**2 if dense else 0))

    def build(self, rng: np.random.Generator) -> Network:
        """A pairing, or the complement of one."""
        n, degree = self.nodes, self.degree
        self.size()

        def draw() -> np.ndarray:
            if 2 * degree < n:
                return _random_pairing(n, degree, rng)
            absent = np.zeros((n, n), dtype=bool)
            absent[tuple(_random_pairing(n, n - 1 - degree, rng).T)] = True
            return np.argwhere(np.triu(~(absent | absent.T), k=1))

        edges = first_connected(self, draw, "degree", degree)
        return Network(n, edges, name=self.graph)


def _random_pairing(n: int, degree: int, rng: np.random.Generator) -> np.ndarray:
    """Edges of a simple graph with all degrees equal, ``degree`` < n / 2."""
    while True:
        ends = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
        ends.sort(axis=1)
        _, first = np.unique(ends[:, 0] * n + ends[:, 1], return_index=True)
        bad = np.ones(len(ends), dtype=bool)
        bad[first] = False
        bad |= ends[:, 0] == ends[:, 1]
        if _switch(ends, np.flatnonzero(bad), n, rng):
            return ends


def _switch(ends: np.ndarray, bad: np.ndarray, n: int, rng: np.random.Generator) -> bool:
    """Replace each bad pair (a, b) and a random pair (c, d) by new edges (a, c), (b, d), in place.

    False if some pair finds no partner.
    """
    if len(bad) == 0:
        return True
    good = np.delete(ends, bad, axis=0)
    taken = set((good[:, 0] * n + good[:, 1]).tolist())
    waiting = set(bad.tolist())

    def key(u: int, v: int) -> int:
        return min(u, v) * n + max(u, v)

    for e in bad.tolist():
        for f in rng.integers(len(ends), size=1000).tolist():
            (a, b), (c, d) = ends[e].tolist(), ends[f].tolist()
            new = key(a, c), key(b, d)
            if f in waiting or a == c or b == d or new[0] == new[1] or taken & set(new):
                continue
            taken.remove(key(c, d))
            taken.update(new)
            waiting.remove(e)
            ends[e], ends[f] = (a, c), (b, d)
            break
        else:
            return False
    return True
