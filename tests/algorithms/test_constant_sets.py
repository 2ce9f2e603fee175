"""DADAO's sets of constants: what they save, and what they stand that the paper's do not."""

import numpy as np
import pytest
from cases import small_problem

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.networks.graphs import build
from dadao_sim.theory import exact_rate

SETS = tuple(METHODS["dadao"].constant_sets)
ALIGNED = {"condition_number": 30, "hessians": "aligned"}
SETTINGS = {
    "regression on a grid": (
        {"graph": "grid_2d", "nodes": 9},
        {"kind": "least_squares"},
        {"dim": 4, "samples_per_node": 12, **ALIGNED},
    ),
    "classes on a path": (
        {"graph": "path", "nodes": 8},
        {"kind": "logistic_l2", "mu": 0.05},
        {"dim": 4, "samples_per_node": 12},
    ),
}
# Exponential gradients, of the place where they began, and messages of three tenths of one.
LATE = {
    "nodes": {
        "gradient": {"kind": "exponential", "mean": 1.0},
        "pause": {"kind": "constant", "mean": 0.0},
    },
    "links": {"latency": 0.3},
}


def play(network, problem, data, names, time, **given):
    """The summary and the runs of DADAO with each set, by its name."""
    scenario = {
        "name": "sets",
        "repeats": 3,
        "problem": {**problem, "data": {"kind": "synthetic", **data}},
        "network": network,
        "algorithms": [{"name": "dadao", "constants": name, "label": name} for name in names],
        "stop": {"time": time, "accuracy": 1e-6},
        "record": {"points": 1000},
        "report": {"accuracies": [1e-6]},
        **given,
    }
    result = simulate(scenario)
    return result.summary.set_index("algorithm"), result.runs.set_index("algorithm")


@pytest.mark.parametrize("setting", SETTINGS)
def test_fast_and_frugal_save_what_is_claimed(setting):
    spent, _ = play(*SETTINGS[setting], ("paper", "fast", "frugal"), 5_000)
    assert (spent.reached == 3).all()
    communications, time = spent.communications_median, spent.time_median
    assert communications["paper"] >= 2.5 * communications["fast"]
    assert communications["paper"] >= 4.0 * communications["frugal"]
    assert time["paper"] >= 2.5 * time["fast"]
    assert time["paper"] >= time["frugal"]


def test_patient_stands_a_latency_at_which_the_paper_diverges():
    network = {"graph": "star", "nodes": 10}
    spent, runs = play(
        *(network, *SETTINGS["regression on a grid"][1:], ("paper", "patient"), 2_000),
        world=LATE,
    )
    assert spent.reached["patient"] == 3
    assert (runs.status["paper"] == "diverged").all()


def test_latency_is_sooner_there_than_patient():
    network = {"graph": "star", "nodes": 10}
    spent, runs = play(
        *(network, *SETTINGS["regression on a grid"][1:], ("fast", "patient", "latency"), 2_000),
        world=LATE,
    )
    assert (spent.reached[["patient", "latency"]] == 3).all()
    assert (runs.status["fast"] == "diverged").all()
    assert 2 * spent.time_median["latency"] < spent.time_median["patient"]


@pytest.mark.parametrize("name", SETS)
def test_no_theorem_covers_a_set(name):
    dadao = METHODS["dadao"]
    problem = small_problem(3)
    assert dadao.is_experimental(problem, Options(constants=name))
    assert not dadao.is_experimental(problem, Options())


def decay(graph, kappa, constants, **given):
    """Of the second moment, exactly: curvatures 1 and kappa, the same at all of eight nodes."""
    problem = Problem.quadratic(np.tile(np.diag([1.0, kappa]), (8, 1, 1)), np.zeros((8, 2)))
    network = build(graph, 8, np.random.default_rng(0))
    return -exact_rate("dadao", problem, network, given, Options(constants=constants)).sigma


@pytest.mark.parametrize("graph", ["path", "cycle", "star"])
@pytest.mark.parametrize("kappa", [10.0, 100.0])
def test_the_exact_rates_of_the_sets(graph, kappa):
    paper = decay(graph, kappa, "paper")
    assert 3.4 * paper < decay(graph, kappa, "fast") < 4.0 * paper
    assert 1.3 * paper < decay(graph, kappa, "frugal") < 1.9 * paper
    assert 0.3 * paper < decay(graph, kappa, "patient")


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_stable_with_less_gossip_and_where_L_is_too_small(name):
    for graph in ("path", "star"):
        assert decay(graph, 100.0, name, rate_factor=0.93) > 0
        assert decay(graph, 100.0, name, L=100 / 1.1) > 0
