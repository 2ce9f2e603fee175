"""DADAO with counters, delayed gossip, and the methods whose messages go one way: their equations
written densely, what they conserve, and what losses do to them and to others."""

import numpy as np
import pytest
import yaml
from cases import lollipop, small_problem
from numpy.testing import assert_allclose

from dadao_sim import Problem, replay, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    SEND,
    SEND_ONE,
    concatenate,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player

NETWORK, PROBLEM = lollipop(), small_problem(7)
COMPUTES = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}
X0 = np.random.default_rng(0).standard_normal((7, 3))


def world_log(name, windows=1, loss=0.1, latency=0.2, nodes=COMPUTES, problem=PROBLEM):
    """The events of a method where messages are late, overtake each other, and get lost."""
    links = {"latency": latency, "jitter": 0.7, "loss": {"probability": loss, "noticed": "one"}}
    spec = WorldSpec.model_validate({"nodes": nodes, "links": links})
    rng = np.random.default_rng(0)
    physics = make_physics(spec, NETWORK, rng, accuracy=False, end=1e9)
    tuning = METHODS[name].tune(problem, NETWORK)
    clock = WorldClock(physics, tuning.clock, 8.0, np.random.SeedSequence(1))
    return concatenate([clock.window() for _ in range(windows)])


def play(name, log, x0=X0, problem=PROBLEM, **constants):
    method = METHODS[name]
    player = make_player(method, problem, method.tune(problem, NETWORK, constants), x0, {})
    player.play(log, 0, len(log))
    return player


def by_hand(log, send, receive, start, end):
    """Play a log with the given functions; ``receive`` hears in which row a message began."""
    way = {}
    for row, (kind, i, j, begun) in enumerate(zip(log.kind, log.i, log.j, log.start, strict=True)):
        if kind == SEND_ONE:
            way[row] = send(i, j)
        elif kind == ARRIVE_ONE:
            receive(i, j, begun, way.pop(begun))
        elif kind == LOST:
            way.pop(begun)
        elif kind == GRADIENT_START:
            way[row] = start(i)
        elif kind == GRADIENT_END:
            end(i, way.pop(begun))
    return way


def neighbours(i):
    return [b if a == i else a for a, b in NETWORK.edges.tolist() if i in (a, b)]


# ---- DADAO with counters -------------------------------------------------------------------------


def flow_invariant(player):
    """alpha~ z + alpha z~ of all nodes."""
    p, (z, zt) = player.p, (player.blocks((b,))[b] for b in ("z", "z_tilde"))
    return (p.alpha_tilde * z + p.alpha * zt).sum(axis=0)


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_the_sum_is_conserved_with_what_is_on_its_way(state):
    """To 1e-12 of what it is made of, with losses, overtaking and crashes, at any moment."""
    crashes = {"every": 30.0, "length": 2.0, "state": state}
    log = world_log("dadao_counters", nodes={**COMPUTES, "crashes": crashes}, latency=0.02)
    assert (RESET in log.kind) == (state == "lost")
    alone = []
    for rows in (200, 3000, 9000):
        player = play("dadao_counters", log[:rows])
        p, applied = player.p, player.state.ends[:, :, 3:]
        one_sided = (applied[:, 0] + applied[:, 1]).sum(axis=0)
        c = p.alpha_tilde * p.beta + p.alpha * p.beta_tilde
        total = flow_invariant(player)
        scale = max(c * np.abs(applied).max(), 1.0)
        assert_allclose(total + c * one_sided, 0, atol=1e-12 * scale)
        alone.append(np.abs(total).max() / scale)
    assert max(alone) > 1e-3, "what is on its way counts"


SCENARIO = """
name: tried
problem:
  kind: least_squares
  data: {kind: synthetic, dim: 10, samples_per_node: 50, condition_number: 10, heterogeneity: 0.1}
network: {graph: GRAPH, nodes: 16}
world:
  nodes:
    gradient: {kind: exponential, mean: 1.0}
    pause: {kind: constant, mean: 0.0}
  links: {latency: 0.02, loss: {probability: LOSS, noticed: one}}
algorithms: [ALGORITHM]
stop: {time: 4000, accuracy: 1.0e-10}
record: {points: 100}
"""


def run(graph, loss, algorithm):
    text = SCENARIO.replace("GRAPH", graph).replace("LOSS", str(loss))
    result = simulate(yaml.safe_load(text.replace("ALGORITHM", algorithm)))
    return result.runs["status"][0], result.curves["accuracy"].iloc[-1]


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["grid_2d", "cycle", "star", "complete", "barbell"])
def test_one_in_a_hundred_messages_lost_at_one_end_leaves_no_bias(graph):
    assert run(graph, 0.01, "{name: dadao_counters, time_unit: auto}")[0] == "converged"
    status, accuracy = run(graph, 0.01, "{name: dadao, time_unit: auto}")
    assert (status, accuracy > 1e-4) == ("stopped", True)


@pytest.mark.slow
def test_a_tenth_lost_needs_more_careful_constants():
    """What is lost comes late, and DADAO's constants know no delay: on the cycle it diverges."""
    counters = "{name: dadao_counters, time_unit: auto"
    assert run("cycle", 0.1, counters + "}")[0] == "diverged"
    for careful in ("constants: patient", "rate_factor: 2"):
        for loss in (0.1, 0.3):
            assert run("cycle", loss, f"{counters}, {careful}}}")[0] == "converged"


@pytest.mark.slow
def test_a_node_that_lost_its_state_gets_back_what_the_edges_know(tmp_path):
    """One failure: DADAO stays beside x*, for a sum that is no longer 0; with counters it is."""
    (tmp_path / "failures.csv").write_text("node,from,to\n5,150,160\n")
    failures = f"{{file: {tmp_path / 'failures.csv'}, state: lost}}"
    for name, expected in (("dadao_counters", "converged"), ("dadao", "stopped")):
        text = SCENARIO.replace("GRAPH", "grid_2d").replace("LOSS", "0.0")
        text = text.replace("  nodes:\n", f"  nodes:\n    failures: {failures}\n", 1)
        text = text.replace("ALGORITHM", f"{{name: {name}, time_unit: auto}}")
        assert simulate(yaml.safe_load(text)).runs["status"][0] == expected


# ---- delayed gossip ------------------------------------------------------------------------------


def test_delayed_gossip_is_its_equation():
    problem = Problem.averaging(X0)
    method = METHODS["delayed_gossip"]
    tuning = method.tune(problem, NETWORK, {"delay": 0.6})
    log = clock_of_the_paper(tuning, NETWORK, np.random.SeedSequence(2)).window()[:600]
    p = np.full(9, 3.5 / 9)
    shares = np.array([[len({*a} & {*b}) > 0 for b in NETWORK.edges] for a in NETWORK.edges])
    K = p / (2 * (1 + shares @ (p * 0.6 * (1 + np.e))))
    x, read = X0.copy(), {}
    for row in range(len(log)):
        i, j, e, start = log.i[row], log.j[row], log.edge[row], log.start[row]
        if log.kind[row] == SEND:
            read[row] = x[i] - x[j]
        elif log.kind[row] == ARRIVE_I:
            x[i] -= K[e] / p[e] * read[start]
        elif log.kind[row] == ARRIVE_J:
            x[j] += K[e] / p[e] * read[start]
    found = replay(method, problem, NETWORK, log, overrides={"delay": 0.6})["x"]
    assert_allclose(found, x, rtol=0, atol=1e-14)


def test_where_plain_gossip_diverges_delayed_gossip_arrives():
    star = build("star", 16, np.random.default_rng(0))
    problem = Problem.averaging(np.random.default_rng(1).standard_normal((16, 2)))
    method = METHODS["delayed_gossip"]
    tuning = method.tune(problem, star, {"delay": 1.0})
    clock = clock_of_the_paper(tuning, star, np.random.SeedSequence(2))
    log = concatenate([clock.window() for _ in range(2)])[:60_000]
    late = replay(method, problem, star, log, overrides={"delay": 1.0})["x"]
    plain = replay("randomised_gossip", problem, star, log[:10_000])["x"]
    assert np.abs(late - problem.x_star).max() < 1e-7
    assert not np.abs(plain).max() < 1e6


# ---- messages that go one way --------------------------------------------------------------------


def test_asy_sonata_is_its_equations_and_conserves_its_sum():
    log = world_log("asy_sonata", loss=0.3, latency=1.0)[:4000]
    player = play("asy_sonata", log)
    a, d = player.p.step, np.bincount(NETWORK.edges.ravel())
    share = 1 / (1 + d)
    x, z, v, g = X0.copy(), np.zeros((7, 3)), X0.copy(), np.zeros((7, 3))
    gave, heard, took = np.zeros((3, 7, 7, 3))  # [sender, receiver]
    seen, newest = np.tile(X0, (7, 1, 1)), np.full((7, 7), -1)

    def start(i):
        x_new = share[i] * (x[i] - a * z[i] + sum(seen[i, j] for j in neighbours(i)))
        return x_new, gradient(i, x_new)

    def end(i, step):
        v[i] = x[i] - a * z[i]
        x[i] = step[0]
        whole = z[i] + sum(heard[j, i] - took[j, i] for j in neighbours(i)) + step[1] - g[i]
        g[i], z[i] = step[1], share[i] * whole
        for j in neighbours(i):
            took[j, i] = heard[j, i]
            gave[i, j] += share[i] * whole

    def receive(i, j, begun, message):
        if begun > newest[i, j]:
            newest[i, j] = begun
            seen[i, j], heard[j, i] = message

    by_hand(log, lambda i, j: (v[i].copy(), gave[i, j].copy()), receive, start, end)
    found = player.blocks(("x", "z", "v", "g"))
    for block, expected in zip("xzvg", (x, z, v, g), strict=True):
        assert_allclose(found[block], expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    remembered = np.split(player.state.ends, 4, axis=2)
    under_way = (remembered[0] - remembered[3]).sum(axis=(0, 1))
    assert np.abs(under_way).max() > 1e-3
    total = found["z"].sum(axis=0) + under_way
    assert_allclose(total, found["g"].sum(axis=0), rtol=0, atol=1e-12 * np.abs(found["g"]).max())


def gradient(i, x):
    out = np.empty((7, 3))
    out[:] = PROBLEM.gradients(np.tile(x, (7, 1)))
    return out[i]


def test_asy_sonata_arrives_at_x_star_whatever_is_lost():
    log = world_log("asy_sonata", windows=8, loss=0.3, latency=0.3)
    x = play("asy_sonata", log, step=1 / PROBLEM.L).blocks(("x",))["x"]
    assert_allclose(x, np.tile(PROBLEM.x_star, (7, 1)), rtol=0, atol=1e-10)


def test_osgp_is_its_equations_and_loses_what_is_lost():
    log = world_log("osgp", loss=0.1, latency=1.0)[:6000]
    player = play("osgp", log)
    x, w = X0.copy(), np.ones(7)

    def send(i, j):
        x[i] /= 2
        w[i] /= 2
        return x[i].copy(), w[i]

    def receive(i, j, begun, message):
        x[i] += message[0]
        w[i] += message[1]

    def end(i, g):
        x[i] -= player.p.step * g

    way = by_hand(log, send, receive, lambda i: gradient(i, x[i] / w[i]), end)
    found = player.blocks(("x", "w"))
    assert_allclose(found["x"], x, rtol=0, atol=1e-12 * np.abs(x).max())
    assert_allclose(found["w"], w[:, None] * np.ones(3), rtol=1e-12)
    weights = sum(m[1] for m in way.values() if isinstance(m, tuple))
    assert w.sum() + weights < 6.9, "some of it was lost"


def plateau_of_dgd(step, weights):
    """Where DGD with these W and step comes to rest, for least squares: a linear system."""
    zero = PROBLEM.gradients(np.zeros((7, 3)))
    H = np.stack([PROBLEM.gradients(np.tile(e, (7, 1))) - zero for e in np.eye(3)], axis=2)
    laplacian = NETWORK.laplacian(weights).toarray()
    M = np.kron(laplacian, np.eye(3))
    for i in range(7):
        M[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] += step * H[i]
    return np.linalg.solve(M, -step * zero.ravel()).reshape(7, 3)


def test_asynchronous_dgd_arrives_where_dgd_does_whatever_is_late():
    log = world_log("asy_dgd", windows=6, loss=0.3, latency=2.0)
    player = play("asy_dgd", log)
    expected = plateau_of_dgd(player.p.step, player.p.weights)
    assert_allclose(player.blocks(("x",))["x"], expected, rtol=0, atol=1e-10)
    assert np.abs(expected - PROBLEM.x_star).max() > 1e-2
