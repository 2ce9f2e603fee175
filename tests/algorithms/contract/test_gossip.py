"""Rounds of gossip: the same numbers by whichever product, counted by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dadao_sim.algorithms.contract import gossip
from dadao_sim.algorithms.contract.gossip import Gossip, normalised
from dadao_sim.algorithms.contract.tally import Message, Tally
from dadao_sim.networks import Network

NODES = 6
PATH = Network(NODES, [(i, i + 1) for i in range(5)])
STAR = Network(NODES, [(0, i) for i in range(1, 6)])
CYCLE = Network(NODES, [(i, (i + 1) % NODES) for i in range(NODES)])
GRAPHS = (PATH, STAR, CYCLE)


def by_hand(V, first, rounds):
    """V after the rounds, edge by edge."""
    for q in range(first, first + rounds):
        graph, before = GRAPHS[q % 3], V.copy()
        largest = np.linalg.eigvalsh(graph.laplacian().toarray()).max()
        V = V.copy()
        for i, j in graph.edges.tolist():
            V[i] += (before[j] - before[i]) / largest
            V[j] += (before[i] - before[j]) / largest
    return V


@pytest.mark.parametrize("full_nodes", [0, 200], ids=["sparse", "full"])
@pytest.mark.parametrize("product_nodes", [0, 1500], ids=["one by one", "multiplied out"])
@pytest.mark.parametrize("rounds", [1, 2, 3, 8])
def test_rounds_are_those_of_the_edges(monkeypatch, full_nodes, product_nodes, rounds):
    """From each place in the sequence, and twice from the first: then the product is known."""
    monkeypatch.setattr(gossip, "FULL_NODES", full_nodes)
    monkeypatch.setattr(gossip, "PRODUCT_NODES", product_nodes)
    W = Gossip(GRAPHS, normalised, Tally())
    rng = np.random.default_rng(0)
    for call in range(4):
        one, other = rng.standard_normal((2, NODES, 2))
        mixed = W(one, other, rounds=rounds)
        for before, after in zip((one, other), mixed, strict=True):
            assert_allclose(after, by_hand(before, call * rounds, rounds), atol=1e-14)


def test_further_messages_go_over_the_same_rounds():
    """Also of a sequence: the same graphs, in the same order, and no edge is activated again."""
    tally, rng = Tally(), np.random.default_rng(0)
    W = Gossip(GRAPHS, normalised, tally)
    first = 0
    for rounds in (1, 2, 4):
        one, other = rng.standard_normal((2, NODES, 2))
        W(one, rounds=rounds)
        before = tally.communications
        again = W.again(other, rounds=rounds)
        assert_allclose(again, by_hand(other, first, rounds), atol=1e-14)
        assert tally.communications == before
        first += rounds
    assert (W.made, tally.messages_in_sequence) == (7, 14)
    assert tally.floats_sent == 2 * 2 * 2 * tally.communications


def test_what_is_sent_is_counted():
    tally = Tally()
    W = Gossip(GRAPHS, normalised, tally)
    x = np.ones((NODES, 2))
    W(x)  # 5 edges
    W.again(x, x)  # the same ones, another message
    W(x, rounds=4)  # 5 + 6 + 5 + 5
    W(Message(x, numbers=3, bits=9))  # 6
    assert W.made == 6
    assert tally.communications == 5 + 21 + 6
    assert tally.floats_sent == 2 * (5 * 2 + 5 * 4 + 21 * 2 + 6 * 3)
    assert tally.bytes_sent == 2 * (5 * 16 + 5 * 32 + 21 * 16 + 6 * 2)
    assert tally.messages_in_sequence == 1 + 1 + 4 + 1
    assert tally.bytes_in_sequence == 16 + 32 + 4 * 16 + 2
