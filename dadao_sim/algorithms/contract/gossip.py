"""Rounds of gossip in a synchronous step, counted where they are made."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from dadao_sim.algorithms.contract.chebyshev import Chebyshev
from dadao_sim.algorithms.contract.server import Server
from dadao_sim.algorithms.contract.tally import Message, Tally, numbers_and_bytes
from dadao_sim.compiled.parallel import shared_out, threads_in_use

# Nodes up to which a product with a full matrix is faster than with a sparse one; and up to which
# the product of many rounds is multiplied out once.
FULL_NODES, PRODUCT_NODES = 200, 1500
LEAST_TERMS = 2**20
"""Products of two numbers that a thread has to add up, of a sparse matrix."""
PRODUCT_NUMBERS = 10**7  # in the products of all places of a sequence at which rounds may begin

Weights = Callable[[Any], sparse.csr_array]
Part = np.ndarray | Message


def normalised(graph: Any) -> sparse.csr_array:
    """W = I - Laplacian/lambda_max with unit weights (n, n): symmetric, doubly stochastic, its
    eigenvalues in [0, 1].
    """
    return sparse.eye_array(graph.nodes, format="csr") - graph.laplacian() / graph.lambda_max()


def laplacian(graph: Any) -> sparse.csr_array:
    """The Laplacian with unit weights, (n, n): what W stands for in some papers."""
    return sparse.csr_array(graph.laplacian())


def product(W: Any, V: np.ndarray) -> np.ndarray:
    """W V; of a sparse W by all threads in use, each some rows: a row's sum has the order of W."""
    terms = W.nnz * V.shape[1] if sparse.issparse(W) and W.format == "csr" else 0
    if threads_in_use() == 1 or terms < 2 * LEAST_TERMS:
        return np.asarray(W @ V)
    V, out = np.ascontiguousarray(V), np.empty(V.shape)

    def rows(_: int, first: int, stop: int) -> None:
        begin, end = W.indptr[first], W.indptr[stop]
        part = W.data[begin:end], W.indices[begin:end], W.indptr[first : stop + 1] - begin
        out[first:stop] = sparse.csr_array(part, shape=(stop - first, W.shape[1])) @ V

    shared_out(W.shape[0], LEAST_TERMS * W.shape[0] // terms, rows)
    return out


class Gossip:
    """W of the round at hand.

    ``W(V)`` is a round of gossip: every edge of the present graph is activated, and the graphs of a
    sequence take turns; with ``chebyshev`` (of fixed graphs) it is its K rounds. ``W.again(V)``
    sends once more over the edges of the same activation, what could be known only after the first
    message had arrived. ``W.mean(V)`` is the mean over all nodes, of a method with a ``server``.
    Several arrays given together travel in one message, and are answered together. V is (n, d), or
    (batch, n, d) for a batch of runs, of which one is counted.
    """

    def __init__(
        self,
        graphs: Sequence[Any],
        weights: Weights,
        tally: Tally,
        chebyshev: Chebyshev | None = None,
    ):
        self.tally, self.chebyshev, self.graphs = tally, chebyshev, graphs
        self.edges: list[float] = [len(graph.edges) for graph in graphs]  # a round activates
        self.made = 0  # rounds of gossip so far
        self.matrices = self._matrices(graphs, weights)
        self.products: dict[tuple[int, int], np.ndarray] = {}

    def __call__(self, *parts: Part, rounds: int = 1) -> Any:
        """W V for each of ``parts`` V (n, d): an array for one, a tuple for several.

        ``rounds`` of gossip one after the other, W the product of their matrices.
        """
        mixed = self._mixed(parts, self.made, rounds)
        self._count(parts, self.made, rounds * self.each)
        self.made += rounds * self.each
        return mixed

    def __matmul__(self, V: Part) -> Any:
        """W V, a round of gossip: for what is written for matrices, such as :class:`Chebyshev`."""
        return self(V)

    def again(self, *parts: Part, rounds: int = 1) -> Any:
        """A further message over the edges of the last round, after its first has arrived; of the
        last ``rounds``, one in each.
        """
        first = self.made - rounds * self.each
        mixed = self._mixed(parts, first, rounds)
        self._count(parts, first, rounds * self.each, activations=0)
        return mixed

    def mean(self, *parts: Part) -> Any:
        """The mean over the nodes in every row, exact: see :class:`Server`. Of a fixed graph.

        Each edge of the tree is activated once, for a message up and one down.
        """
        tally, messages = self.tally, self.server.messages
        numbers, size = numbers_and_bytes(parts)
        edges = len(self.server.parent) - 1
        tally.communications += edges
        tally.messages += 2 * edges
        tally.floats_sent += 2 * edges * numbers
        tally.bytes_sent += 2 * edges * size
        tally.messages_in_sequence += messages
        tally.bytes_in_sequence += messages * size
        return self._together(self._mean, parts)

    def _mean(self, V: np.ndarray) -> np.ndarray:
        return np.array(np.broadcast_to(V.mean(axis=-2, keepdims=True), V.shape))

    @cached_property
    def server(self) -> Server:
        """Who takes the mean."""
        return Server.of(self.graphs[0])

    @property
    def each(self) -> int:
        """The rounds of gossip in one W: of Chebyshev gossip several."""
        return 1 if self.chebyshev is None else self.chebyshev.K

    def _matrices(self, graphs: Sequence[Any], weights: Weights) -> list[Any]:
        full = graphs[0].nodes <= FULL_NODES
        matrices = (weights(graph) for graph in graphs)
        return [W.toarray() if full else W for W in matrices]

    def _count(
        self, parts: tuple[Part, ...], first: int, rounds: int, activations: int = 1
    ) -> None:
        tally, graphs = self.tally, len(self.edges)
        numbers, size = numbers_and_bytes(parts)
        if rounds == 1:
            edges = self.edges[first % graphs]
        else:
            turns, rest = divmod(rounds, graphs)
            edges = turns * sum(self.edges)
            edges += sum(self.edges[q % graphs] for q in range(first, first + rest))
        tally.communications += activations * edges
        tally.messages += 2 * activations * edges
        tally.floats_sent += 2 * edges * numbers
        tally.bytes_sent += 2 * edges * size
        tally.messages_in_sequence += rounds
        tally.bytes_in_sequence += rounds * size

    def _mixed(self, parts: tuple[Part, ...], first: int, rounds: int) -> Any:
        return self._together(lambda V: self._product(first, rounds, V), parts)

    def _together(
        self, function: Callable[[np.ndarray], np.ndarray], parts: tuple[Part, ...]
    ) -> Any:
        answers = tuple(function(V.rows if isinstance(V, Message) else V) for V in parts)
        return answers if len(answers) > 1 else answers[0]

    def _product(self, first: int, rounds: int, V: np.ndarray) -> np.ndarray:
        graphs, nodes = len(self.matrices), V.shape[-2]
        if V.ndim > 2 and sparse.issparse(self.matrices[0]):
            return np.stack([self._product(first, rounds, rows) for rows in V])
        if rounds == 1 and self.chebyshev is None:
            return product(self.matrices[first % graphs], V)
        if nodes > PRODUCT_NODES or graphs * nodes**2 > PRODUCT_NUMBERS:
            return self._one_by_one(first, rounds, V)
        place = first % graphs, rounds
        if place not in self.products:
            turns, rest = divmod(rounds, graphs)
            power = np.eye(nodes)
            if turns:
                one_turn = self._one_by_one(first, graphs, power)
                power = np.linalg.matrix_power(one_turn, turns)
            self.products[place] = self._one_by_one(first, rest, power)
        return self.products[place] @ V

    def _one_by_one(self, first: int, rounds: int, V: np.ndarray) -> np.ndarray:
        for q in range(first, first + rounds):
            W = self.matrices[q % len(self.matrices)]
            V = product(W, V) if self.chebyshev is None else self.chebyshev(W, V)
        return V
