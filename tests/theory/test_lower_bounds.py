"""Lower bounds: no method is below them on the problem they are of, and messages carry no more."""

import math

import networkx as nx
import numpy as np
import pytest

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks import Network
from dadao_sim.simulation.replay import make_player
from dadao_sim.theory.lower_bounds import apart, coordinates, lower_bound

MU, L, CHAIN = 1.0, 40.0, 90


def network_of(graph):
    return Network(graph.number_of_nodes(), np.array(graph.edges()))


def chain(nodes, first, second):
    """The problem of the bound: sets ``first`` and ``second`` hold a half of the chain each."""
    H = np.tile(MU * np.eye(CHAIN), (nodes, 1, 1))
    c, b = (L - MU) / 2, np.zeros((nodes, CHAIN))
    link = c * np.array([[1.0, -1.0], [-1.0, 1.0]])
    for i in first:
        H[i, 0, 0] += c
        b[i, 0] = c
        for k in range(1, CHAIN - 1, 2):
            H[i, k : k + 2, k : k + 2] += link
    for i in second:
        for k in range(0, CHAIN - 1, 2):
            H[i, k : k + 2, k : k + 2] += link
    return Problem.quadratic(H, b)


def sets_of(graph, size, distance):
    """Two sets of ``size`` nodes that are ``distance`` apart, by another way: a ball and the rest,
    around the node that has them.
    """
    hops = dict(nx.all_pairs_shortest_path_length(graph))
    for middle in graph:
        near = sorted(graph, key=lambda v, m=middle: hops[m][v])[:size]
        far = [v for v in graph if min(hops[u][v] for u in near) >= distance]
        if len(far) >= size:
            return near, far[:size]
    raise AssertionError("there are no such sets")


GRAPHS = {
    "path": nx.path_graph(12),
    "star": nx.star_graph(9),
    "barbell": nx.barbell_graph(5, 2),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 5)),
}


def test_the_minimiser_of_the_chain_is_geometric():
    problem = chain(2, [0], [1])
    root = math.sqrt(L / MU)
    q = (root - 1) / (root + 1)
    np.testing.assert_allclose(problem.x_star, q ** np.arange(1, CHAIN + 1), rtol=1e-6, atol=1e-12)
    assert problem.mu == pytest.approx(MU)
    assert problem.L == pytest.approx(L)
    # k coordinates of it leave q^{2k} of its square.
    k = coordinates(L / MU, 1, 2, 1e-4)
    rest = (problem.x_star[k:] ** 2).sum() / (problem.x_star**2).sum()
    assert rest <= 1e-4 * (1 + 1e-6) < (problem.x_star[k - 1 :] ** 2).sum()


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_sets_are_as_far_apart_as_they_are_said_to_be(graph):
    for distance, size in apart(network_of(GRAPHS[graph])):
        near, far = sets_of(GRAPHS[graph], size, distance)
        assert not set(near) & set(far)


SYNCHRONOUS = ["msda", "opapc", "acc_gt", "extra", "nids", "adom_plus", "gradient_tracking"]


@pytest.mark.parametrize("graph", GRAPHS)
def test_no_method_of_rounds_is_below_it(graph):
    network, accuracy = network_of(GRAPHS[graph]), 1e-3
    bound = lower_bound(MU, L, network, accuracy)
    problem = chain(network.nodes, *sets_of(GRAPHS[graph], bound.size, bound.distance))
    result = simulate(
        {
            "name": "chain",
            "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 1}},
            "network": {"graph": "path", "nodes": 2},
            "algorithms": SYNCHRONOUS,
            "stop": {"time": 30_000, "accuracy": accuracy},
            "record": {"points": 20_000, "spacing": "linear"},
        },
        problem=problem,
        network=network,
    )
    for name in SYNCHRONOUS:
        curve = result.curves[result.curves.algorithm == name]
        # Samples are some rounds apart: the last that was not there yet.
        before = curve[curve.accuracy > accuracy].iloc[-1]
        rounds = before.communications / len(network.edges)
        assert rounds + 2 >= bound.rounds, (name, rounds, bound)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_coordinate_appears_no_sooner_than_it_can_travel(graph):
    """Of MSDA and EXTRA: after r rounds no node has more than 1 + r/distance of them, or of
    gradients one each.
    """
    network = network_of(GRAPHS[graph])
    for distance, size in apart(network):
        problem = chain(network.nodes, *sets_of(GRAPHS[graph], size, distance))
        for name in ("msda", "extra"):
            method = METHODS[name]
            tuning = method.tune(problem, network)
            x0 = np.zeros((network.nodes, CHAIN))
            player = make_player(method, problem, tuning, x0, {})
            events, X = RoundClock(np.random.SeedSequence(0)).window(), x0.copy()
            player.begin(events)
            for k in range(30):
                player.play(events, k, k + 1)
                player.observe(0.0, X)
                seen = np.flatnonzero(np.abs(X).max(axis=0))
                rounds = player.tally.communications / len(network.edges)
                # A conjugate gradient has both coordinates of a pair.
                pairs = 2 if name == "msda" else 1
                assert seen.max(initial=-1) + 1 <= pairs * (1 + rounds / distance), (name, k)


def test_the_least_is_monotone_and_what_is_wrong_is_refused():
    network = network_of(GRAPHS["path"])
    bounds = [lower_bound(1.0, kappa, network, 1e-4).rounds for kappa in (2.0, 20.0, 200.0)]
    assert 0 < bounds[0] < bounds[1] < bounds[2]
    assert lower_bound(1.0, 1.0, network, 1e-4).rounds == 0
    complete = lower_bound(1.0, 100.0, network_of(nx.complete_graph(6)), 1e-4)
    assert complete.distance == 1
    assert complete.rounds == complete.gradients - 1
    for mu, high, accuracy in ((0.0, 1.0, 0.1), (2.0, 1.0, 0.1), (1.0, 2.0, 1.0)):
        with pytest.raises(InputError):
            lower_bound(mu, high, network, accuracy)
