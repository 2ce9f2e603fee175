"""Rounds of messages along arcs: what their sender divides, and what their receiver averages."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from dadao_sim.algorithms.contract.gossip import FULL_NODES, Gossip, Part, Weights
from dadao_sim.algorithms.contract.tally import Message, Tally
from dadao_sim.networks.directed import arcs_of, pull_weights, push_weights

PUSH, PULL = 0, 1


class DirectedGossip(Gossip):
    """C and R of the round at hand, of a directed method.

    ``W.C(V)`` is a round in which each node divides its row among itself and those it sends to, C
    column-stochastic; ``W.R(V)`` one in which each takes the mean of its own row and of those it
    hears, R row-stochastic (see ``networks.directed``). ``W.RC(V, U)`` is R V and C U, in one
    message. Several arrays given together travel in one message, and are answered together. One
    message goes along every arc of the present graph, which is half a communication: of an
    undirected network along each edge both ways. The graphs of a sequence take turns.
    """

    def __init__(self, graphs: Sequence[Any], tally: Tally):
        super().__init__(graphs, push_weights, tally)
        self.edges = [len(arcs_of(graph)) / 2 for graph in graphs]

    def C(self, *parts: Part) -> Any:
        """C V for each of ``parts`` V (n, d): an array for one, a tuple for several."""
        return self._sent(parts, [PUSH] * len(parts))

    def R(self, *parts: Part) -> Any:
        """R V for each of ``parts`` V (n, d): an array for one, a tuple for several."""
        return self._sent(parts, [PULL] * len(parts))

    def RC(self, pulled: Part, pushed: Part) -> Any:
        """R V of what is ``pulled``, and C U of what is ``pushed``, in one message."""
        return self._sent((pulled, pushed), [PULL, PUSH])

    def _matrices(self, graphs: Sequence[Any], weights: Weights) -> list[Any]:
        """C of each graph, then R of each."""
        matrices = [of(graph) for of in (push_weights, pull_weights) for graph in graphs]
        return [W.toarray() if graphs[0].nodes <= FULL_NODES else W for W in matrices]

    def _sent(self, parts: tuple[Part, ...], kinds: Sequence[int]) -> Any:
        mixed = self._weighted(parts, kinds)
        self._count(parts, self.made, 1)
        self.made += 1
        return mixed

    def _weighted(self, parts: tuple[Part, ...], kinds: Sequence[int]) -> Any:
        count = len(self.graphs)
        place = self.made % count
        turns = iter([self.matrices[kind * count + place] for kind in kinds])
        return self._together(lambda V: _times(next(turns), V), parts)


class StubDirectedGossip(DirectedGossip):
    """One that leaves every row where it is."""

    def _matrices(self, graphs: Sequence[Any], weights: Weights) -> list[Any]:
        return []

    def _weighted(self, parts: tuple[Part, ...], kinds: Sequence[int]) -> Any:
        rows = tuple(np.array(V.rows if isinstance(V, Message) else V) for V in parts)
        return rows[0] if len(rows) == 1 else rows


def _times(matrix: Any, V: np.ndarray) -> np.ndarray:
    if V.ndim > 2 and sparse.issparse(matrix):
        return np.stack([matrix @ rows for rows in V])
    product: np.ndarray = matrix @ V
    return product


def over_weights(X: np.ndarray, w: np.ndarray) -> np.ndarray:
    """X/w of rows X (n, d) and their weights w (n, 1); 0 where a node has lost its weight, and has
    heard of nobody since.
    """
    return np.divide(X, w, out=np.zeros(X.shape), where=w > 0)
