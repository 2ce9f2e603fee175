"""How communications grow with the number of nodes: what `network` prints against closed forms, and
what is measured against both.
"""

import math

import numpy as np
import pytest

from dadao_sim import Problem, simulate
from dadao_sim.networks.graphs import build
from dadao_sim.reports.network import network_report

GRAPHS = ("star", "complete", "path", "cycle", "grid_2d")


def closed_form(graph, n):
    """|E|, lambda_2 and lambda_max of the Laplacian, and the largest resistance of an edge."""
    half = math.pi / (2 * n)
    match graph:
        case "star":
            return n - 1, 1.0, float(n), 1.0
        case "complete":
            return n * (n - 1) // 2, float(n), float(n), 2 / n
        case "path":
            return n - 1, 4 * math.sin(half) ** 2, 4 * math.cos(half) ** 2, 1.0
        case "cycle":
            return n, 4 * math.sin(2 * half) ** 2, 4.0, (n - 1) / n
    m = math.isqrt(n)
    half = math.pi / (2 * m)
    # An edge at the corner: the sum over products of the path's modes.
    k = np.arange(m)
    w = 2 - 2 * np.cos(np.pi * k / m)
    first, second = (
        np.where(k == 0, math.sqrt(1 / m), math.sqrt(2 / m)) * np.cos(np.pi * k * (p + 0.5) / m)
        for p in (0, 1)
    )
    sums = w[:, None] + w
    sums[0, 0] = math.inf
    R = float(((np.outer(first, first) - np.outer(second, first)) ** 2 / sums).sum())
    return 2 * m * (m - 1), 4 * math.sin(half) ** 2, 8 * math.cos(half) ** 2, R


def of_theory(method, graph, n):
    """Communications per n gradients."""
    E, low, top, R = closed_form(graph, n)
    match method:
        case "dadao":
            return E * math.sqrt(R / low)
        case "msda" | "opapc":
            return E * max(1, math.floor(math.sqrt(top / low) + 1e-9))
        case "adom_plus_multi_consensus":
            return E * max(1, math.ceil(top / low * math.log(2) - 1e-9))
    return E


METHODS = ("dadao", "msda", "opapc", "adom_plus", "adom_plus_multi_consensus")


def exponent(nodes, values):
    return np.polyfit(np.log(nodes), np.log(values), 1)[0]


def network_of(graph, n):
    return build(graph, n, np.random.default_rng(0))


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_exponents_in_n_are_those_of_the_closed_forms(graph):
    nodes = (16, 64, 256, 1024)
    if graph == "complete":
        nodes = (16, 64, 256, 484)  # 1024 nodes have half a million edges
    reports = [network_report(network_of(graph, n))["methods"] for n in nodes]
    for method in METHODS:
        found = [report[method]["communications_per_round"] for report in reports]
        wanted = [of_theory(method, graph, n) for n in nodes]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert exponent(nodes, found) == pytest.approx(exponent(nodes, wanted), abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("graph", GRAPHS)
def test_measured_communications_grow_alike(graph):
    """DADAO to 1e-6 where every node has curvatures 1 and 10: its time does not depend on the
    graph.
    """
    nodes, found = (16, 64, 256), []
    scenario = {
        "name": "scaling",
        "repeats": 3,
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
        "network": {"graph": graph, "nodes": 4},
        "algorithms": ["dadao"],
        "stop": {"time": 2000, "accuracy": 1e-6},
        "record": {"points": 400},
    }
    for n in nodes:
        H = np.tile(np.diag([1.0, 10.0]), (n, 1, 1))
        targets = 1 + np.random.default_rng(n).standard_normal((n, 2))
        problem = Problem.quadratic(H, (H @ targets[..., None])[..., 0])
        result = simulate(scenario, problem=problem, network=network_of(graph, n))
        assert set(result.runs.status) == {"converged"}
        found.append(result.runs.communications.mean())
    wanted = exponent(nodes, [of_theory("dadao", graph, n) for n in nodes])
    print(f"{graph}: n^{exponent(nodes, found):.2f}, by theory n^{wanted:.2f}")
    assert exponent(nodes, found) == pytest.approx(wanted, abs=0.1)
