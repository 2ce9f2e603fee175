"""Directed graphs: arcs from a sender to a receiver. All are strongly connected, at once or in
turn.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.networks.directed import (
    Digraph,
    DirectedNetwork,
    DirectedSequence,
    in_turn,
    not_reached,
)
from dadao_sim.networks.graphs.arrays import on_circle, pairs
from dadao_sim.networks.graphs.connected import MOST_DRAWS
from dadao_sim.networks.graphs.drawn import Probability
from dadao_sim.networks.graphs.graph import DirectedGraph, Size, impossible
from dadao_sim.strict import Count


class InTurns(DirectedGraph):
    """A directed graph whose arcs may come in turns."""

    turns: Count = Field(
        default=1, description="graphs that its arcs are dealt out to, which come one by one"
    )

    def build(self, rng: np.random.Generator) -> DirectedNetwork | DirectedSequence:
        """The network of all its arcs, or the sequence of those that come in turns."""
        network = DirectedNetwork(self.nodes, self.arcs(rng), self.graph, self.places())
        return network if self.turns == 1 else in_turn(network, self.turns)

    def arcs(self, rng: np.random.Generator) -> np.ndarray:
        """(m, 2), the sender and the receiver of each. InputError as :meth:`build`."""
        raise NotImplementedError

    def places(self) -> np.ndarray | None:
        """Where to draw the nodes."""
        return on_circle(self.nodes)

    def first_drawn(self, draw: Callable[[], np.ndarray], option: str, value: float) -> np.ndarray:
        """The first arcs drawn that connect all nodes strongly. InputError, of the ``option`` with
        this ``value``, where MOST_DRAWS are not enough.
        """
        for _ in range(MOST_DRAWS):
            arcs = draw()
            if not_reached(arcs, self.nodes) is None:
                return arcs
        raise InputError(
            option,
            f"{value:.3g} gave no strongly connected {self.graph} of {self.nodes} nodes in "
            f"{MOST_DRAWS} draws",
            "use a larger one",
        )


class DirectedRing(InTurns):
    """Node k sends to k + 1 modulo n."""

    graph: Literal["directed_ring"] = Field(description="arcs around a circle, one way")

    def arcs(self, rng: np.random.Generator) -> np.ndarray:
        """To the next."""
        ring = np.arange(self.nodes)
        return pairs(ring, (ring + 1) % self.nodes)


class RandomDigraph(InTurns):
    """An arc from each node to each other with ``probability``, by default min(1, 2 log(n)/n)."""

    graph: Literal["random_digraph"] = Field(description="every arc with a probability of its own")
    probability: Probability | None = Field(
        default=None, description="of an arc; min(1, 2 log(n)/n) if absent"
    )

    @property
    def _p(self) -> float:
        if self.probability is not None:
            return self.probability
        return min(1.0, 2 * float(np.log(self.nodes)) / self.nodes)

    def size(self) -> Size:
        """The mean; many of the arcs are drawn from a list of all."""
        every = self.nodes * (self.nodes - 1)
        arcs = int(self._p * every)
        return Size(self.nodes, arcs, scratch=8 * every if 50 * arcs > every else 0)

    def places(self) -> None:
        """Anywhere."""
        return

    def arcs(self, rng: np.random.Generator) -> np.ndarray:
        """The number of arcs, then which."""
        n, p = self.nodes, self._p
        every = n * (n - 1)

        def draw() -> np.ndarray:
            count = int(rng.binomial(every, p))
            chosen = rng.choice(every, size=count, replace=False, shuffle=False)
            sender, other = np.divmod(chosen, n - 1)
            return pairs(sender, other + (other >= sender))  # the sender itself is left out

        return self.first_drawn(draw, "probability", p)


class KOut(InTurns):
    """Each node sends to ``out`` others, drawn at random, by default to 1.5 log(n), rounded up: so
    many that all nodes are likely to be heard.
    """

    graph: Literal["k_out"] = Field(description="each node sends to as many others, at random")
    out: Count | None = Field(
        default=None, description="arcs from each node; ceil(1.5 log(n)) if absent"
    )

    @property
    def _out(self) -> int:
        if self.out is not None:
            return self.out
        return min(self.nodes - 1, math.ceil(1.5 * math.log(self.nodes)))

    def size(self) -> Size:
        """So many arcs per node."""
        if self._out >= self.nodes:
            reason = f"out = {self._out} needs more nodes than that"
            raise impossible(self.nodes, reason, [self._out + 1])
        return Size(self.nodes, self.nodes * self._out)

    def places(self) -> None:
        """Anywhere."""
        return

    def arcs(self, rng: np.random.Generator) -> np.ndarray:
        """Node by node."""
        n, out = self.nodes, self._out
        self.size()

        def draw() -> np.ndarray:
            others = [rng.choice(n - 1, size=out, replace=False) for _ in range(n)]
            receivers = np.array(others) + (np.array(others) >= np.arange(n)[:, None])
            return pairs(np.repeat(np.arange(n), out), receivers)

        return self.first_drawn(draw, "out", out)


class ExponentialOnePeer(DirectedGraph):
    """In turn k each node i sends to i + 2^k modulo n alone, for every 2^k < n."""

    graph: Literal["exponential_one_peer"] = Field(
        description="one receiver at a time, at distances of powers of two in turn"
    )

    def size(self) -> Size:
        """As many arcs per node as there are distances."""
        return Size(self.nodes, self.nodes * (self.nodes - 1).bit_length())

    def build(self, rng: np.random.Generator) -> DirectedSequence:
        """On a circle."""
        n = self.nodes
        every = np.arange(n)
        hops = [2**k for k in range((n - 1).bit_length())]
        graphs = [
            Digraph(n, pairs(every, (every + hop) % n), f"{self.graph} {hop}", on_circle(n))
            for hop in hops
        ]
        return DirectedSequence(graphs, name=self.graph)
