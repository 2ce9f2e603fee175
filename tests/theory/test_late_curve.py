"""The late part of expected curves: against whole ones, the engine's runs, and what it is not."""

import networkx as nx
import numpy as np
import pytest
from second_moments import alike, network, problem_for, unlike
from simulated import errors

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.simulation.study import Study
from dadao_sim.theory import exact_rate, expected_curve, late_curve
from dadao_sim.theory.late import AGREEMENT
from dadao_sim.theory.rest import parts_of
from dadao_sim.theory.setting import Setting

LATE = np.linspace(160, 320, 9)  # where DADAO's runs get to 1e-6, at L/mu = 10
GRID = Network.from_networkx(nx.convert_node_labels_to_integers(nx.grid_2d_graph(3, 3)))
NETWORKS = {
    "path": network("path", 8),
    "short path": network("path", 6),
    "star": network("star", 8),
    "cycle": network("cycle", 8),
    "grid": GRID,
}


def aligned(nodes):
    """The problem of the scenario `scaling`."""
    data = {"kind": "synthetic", "dim": 3, "samples_per_node": 5, "condition_number": 10}
    scenario = {
        "name": "late",
        "problem": {"kind": "least_squares", "data": {**data, "hessians": "aligned"}},
        "network": {"graph": "path", "nodes": nodes},
        "algorithms": ["dadao"],
        "stop": {"time": 10},
    }
    return Study(scenario).plan(("dadao", 0)).parts.problem


# ---- Against the whole curve ---------------------------------------------------------------------


@pytest.mark.parametrize("graph", NETWORKS)
def test_it_is_the_end_of_the_whole_curve(graph):
    net = NETWORKS[graph]
    problem = aligned(net.nodes)
    found = late_curve("dadao", problem, net, LATE)
    np.testing.assert_allclose(found, expected_curve("dadao", problem, net, LATE), rtol=1e-4)


@pytest.mark.parametrize("name", ["dadao", "continuized", "accelerated_gossip", "a2cid2"])
def test_it_is_that_of_other_methods(name):
    """And of Hessians that do not commute, at nodes that have a start of their own."""
    net, problem = network("cycle", 4), problem_for(name, 4, 2)
    if name == "a2cid2":  # the centres of all nodes at one place: no plateau
        problem = Problem.quadratic(problem.form.H, problem.form.H @ np.array([2.0, 1.0]))
    if name == "dadao":
        problem = unlike(4, 2, turned=True)
    x0 = None
    if not get_method(name).needs_averaging:
        x0 = np.random.default_rng(2).standard_normal((4, 2))
    first = 10 / -exact_rate(name, problem, net).sigma
    times = np.linspace(first, 2 * first, 5)
    found = late_curve(name, problem, net, times, x0=x0)
    wanted = expected_curve(name, problem, net, times, x0=x0)
    np.testing.assert_allclose(found, wanted, rtol=AGREEMENT)


def test_what_comes_too_early_is_refused_or_right():
    problem, net = aligned(8), NETWORKS["path"]
    refused = []
    for first in (1.0, 3.0, 10.0, 30.0, 100.0):
        times = np.linspace(first, 2 * first, 5)
        try:
            found = late_curve("dadao", problem, net, times)
        except InputError as error:
            refused.append(str(error))
            continue
        wanted = expected_curve("dadao", problem, net, times)
        np.testing.assert_allclose(found, wanted, rtol=AGREEMENT)
    assert 0 < len(refused) < 5
    assert all("what oscillates is slow" in said for said in refused)


def test_a_path_of_64_rests_where_its_events_read_nothing():
    """Rounding must not count as hovering, which has no late curve."""
    net = network("path", 64)
    for part in parts_of(Setting.of("dadao", aligned(64), net), None, None):
        assert not part.hovers


# ---- Against the engine --------------------------------------------------------------------------


@pytest.mark.slow
def test_runs_have_it_and_not_the_slope_alone():
    """Within three standard errors; an error that falls from 1 at the exact rate is outside."""
    runs, problem, net = 300, aligned(8), NETWORKS["path"]
    times = np.linspace(100, 200, 6)
    ran = errors(runs, "dadao", problem, net, times)
    mean, error = ran.mean(axis=0), ran.std(axis=0) / runs**0.5
    found = late_curve("dadao", problem, net, times)
    assert (np.abs(mean - found) <= 3 * error).all()
    sigma = exact_rate("dadao", problem, net).sigma
    alone = (problem.x_star**2).sum() * np.exp(sigma * times)
    assert (np.abs(mean - alone) > 10 * error).all()


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        ("dadao", {"times": [2.0, 1.0]}, "times: given otherwise"),
        ("dadao", {"times": [1.0, 3.0]}, "within 2 times"),
        ("dadao", {"times": []}, "times: given otherwise"),
        ("dadao", {"times": [0.0]}, "times: given otherwise"),
        ("dadao", {"options": Options(batch_size=1)}, "minibatches"),
        ("dadao", {"overrides": {"gamma": 0.5}}, "it diverges"),
        ("ad_psgd", {}, "hovers"),
        ("esdacd", {}, "steps that are counted"),
        ("dgd", {}, "plays rounds"),
    ],
)
def test_what_is_refused(name, given, reason):
    problem = alike(4, [1.0, 10.0])
    arguments = {"times": [100.0], **given}
    with pytest.raises(InputError, match=reason):
        late_curve(name, problem, network("path", 4), **arguments)
