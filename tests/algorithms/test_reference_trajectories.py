"""Replays of the authors' own trajectories (tests/data/README.md says what the files hold)."""

from pathlib import Path

import numpy as np
import pytest

from dadao_sim import Events, Network, Problem, replay
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.events.log import GOSSIP, ROUND
from dadao_sim.networks import GraphSequence

DATA = Path(__file__).parents[1] / "data"


def load(name):
    with np.load(DATA / f"{name}.npz") as archive:
        return dict(archive)


def problem_of(data):
    loss = str(data["loss"])
    mu = None if loss == "least_squares" else float(data["mu"])
    return Problem.from_arrays(data["A"], data["b"], loss, mu=mu)


def complete(nodes):
    """A network with every edge: what the log uses is in the log."""
    return Network(nodes, np.argwhere(np.triu(np.ones((nodes, nodes)), 1)))


def sequence_of(data):
    graph, edges = data["edges"][:, 0], data["edges"][:, 1:]
    nodes = len(data["A"])
    return GraphSequence(tuple(Network(nodes, edges[graph == q]) for q in np.unique(graph)))


def relative_error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def assert_final_matches(found, data, tolerance):
    for name, expected in zip(data["final_names"], data["final"], strict=True):
        assert relative_error(found[str(name)], expected) <= tolerance, name


def rounds(count):
    return Events.from_arrays(np.arange(1.0, count + 1), np.full(count, ROUND), np.full(count, -1))


@pytest.mark.parametrize("name", ["dadao_least_squares_cycle", "dadao_logistic_random_geometric"])
def test_dadao(name):
    data = load(name)
    problem, network = problem_of(data), complete(len(data["A"]))
    events = Events.from_arrays(
        data["event_time"], data["event_kind"], data["event_i"], data["event_j"], network
    )
    constants = {"mu": data["mu"], "L": data["L"], "chi1": data["beta_tilde_chi1"]}
    for event, expected in zip(data["checkpoint_event"], data["checkpoint_x"], strict=True):
        found = replay("dadao", problem, network, events[: event + 1], data["x0"], constants)
        assert relative_error(found["x"], expected) <= 1e-6
    assert_final_matches(
        replay("dadao", problem, network, events, data["x0"], constants), data, 1e-6
    )


def test_continuized():
    data = load("continuized_least_squares_path")
    problem, network = problem_of(data), Network(len(data["A"]), data["edges"])
    kinds = np.full(len(data["event_time"]), GOSSIP)
    events = Events.from_arrays(
        data["event_time"], kinds, data["event_i"], data["event_j"], network
    )
    constants = {"mu": data["mu"], "L": data["L"], "total_rate": 1.0, "margin": 1.0}
    for event in range(0, len(events), 100):
        z = replay("continuized", problem, network, events[: event + 1], None, constants)["z"]
        distance = ((problem.conjugate_gradients(z) - data["x_star"]) ** 2).sum(axis=1).mean()
        # The file's distances were measured to an x* known to about ten digits.
        error = abs(np.sqrt(distance) - np.sqrt(data["mean_sq_dist"][event]))
        assert error <= 1e-10 * np.linalg.norm(data["x_star"])
    assert_final_matches(
        replay("continuized", problem, network, events, None, constants), data, 1e-10
    )


def test_msda():
    data = load("msda_least_squares_grid")
    problem, network = problem_of(data), Network(len(data["A"]), data["edges"])
    constants = {"mu": float(data["mu"]), "L": float(data["L"])}
    tuning = get_method("msda").tune(problem, network, constants)
    assert tuning.params.K == data["K"]
    assert tuning.asked.per_round.messages_in_sequence == data["K"]
    assert tuning.params.eta == pytest.approx(float(data["eta"]), rel=1e-12)
    assert tuning.params.momentum == pytest.approx(float(data["momentum"]), rel=1e-12)
    steps = len(data["mean_sq_dist"])
    assert tuning.communications * steps == data["comm_total"]
    assert_final_matches(
        replay("msda", problem, network, rounds(steps), None, constants), data, 1e-10
    )


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("adom_plus_logistic_random_geometric", "adom_plus"),
        ("adom_plus_mc_least_squares_cycle", "adom_plus_multi_consensus"),
    ],
)
def test_adom_plus(name, method):
    data = load(name)
    problem, network = problem_of(data), sequence_of(data)
    constants = {"mu": float(data["mu"]), "L": float(data["L"]), "chi": float(data["chi"])}
    tuning = get_method(method).tune(problem, network, constants)
    assert tuning.asked.per_round.messages_in_sequence == data["n_consensus"]
    steps = len(data["mean_sq_dist"])
    found = replay(
        method, problem, network, rounds(steps), data["x0"], constants, y=data["y0"], m=data["m0"]
    )
    assert_final_matches(found, data, 1e-10)
