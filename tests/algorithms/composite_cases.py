"""What the tests of the methods with a proximal step share: elastic net on a ring of ten nodes."""

import numpy as np

from dadao_sim import Problem
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms import make
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.replay import make_player

NODES, SAMPLES, DIMENSION = 10, 20, 8
L1, L2 = 0.2, 0.3
RING = build("cycle", NODES, np.random.default_rng(0))


def data(nodes=NODES, samples=SAMPLES, dimension=DIMENSION, seed=0):
    """Rows and targets of every node; every other coefficient behind them is 0."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((nodes, samples, dimension))
    b = A @ np.where(np.arange(dimension) % 2, 1.0, 0.0) + rng.standard_normal((nodes, samples))
    return A, b


def elastic_net(form="ridge", nodes=NODES):
    """(1/n) sum_i ||A_i x - b_i||^2/m + L1 ||x||_1 + (L2/2) ||x||^2, its square term in the f_i or
    in r."""
    A, b = data(nodes)
    if form == "ridge":
        return Problem.from_arrays(A, b, "ridge", mu=L2).with_local_step(
            make("l1", DIMENSION, strength=L1)
        )
    return Problem.from_arrays(A, b, "least_squares").with_local_step(
        make("elastic_net", DIMENSION, strength=L1, l2=L2)
    )


def soft(v, threshold):
    return np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0)


def prox_of(problem):
    """The prox of the l1 form, written again; the identity where the problem is smooth."""
    if problem.local_step is None:
        return lambda v, step: v
    return lambda v, step: soft(v, step * L1)


def mixing(graph):
    """W = I - Laplacian/lambda_max with NumPy alone."""
    laplacian = np.zeros((graph.nodes, graph.nodes))
    for i, j in graph.edges:
        laplacian[[i, j], [i, j]] += 1
        laplacian[[i, j], [j, i]] -= 1
    return np.eye(graph.nodes) - laplacian / np.linalg.eigvalsh(laplacian)[-1]


def play(method, problem, network, rounds, overrides=None, x0=0.0, batch=None, **blocks):
    """Every block after ``rounds`` rounds."""
    tuning = method.tune(problem, network, overrides or {})
    start = np.broadcast_to(x0, (problem.nodes, problem.dimension))
    player = make_player(method, problem, tuning, start, blocks, batch)
    clock = RoundClock(np.random.SeedSequence(0))
    while rounds > 0:
        events = clock.window()
        player.play(events, 0, min(rounds, len(events)))
        rounds -= len(events)
    return player.blocks(method.blocks)


def errors(method, problem, network, rounds, overrides=None, x0=0.0, batch=None):
    """``distance`` after every round, (rounds,)."""
    tuning = method.tune(problem, network, overrides or {})
    start = np.broadcast_to(x0, (problem.nodes, problem.dimension))
    player = make_player(method, problem, tuning, start, {}, batch)
    clock = RoundClock(np.random.SeedSequence(0))
    X, found = np.empty(start.shape), []
    while len(found) < rounds:
        events = clock.window()
        for row in range(min(rounds - len(found), len(events))):
            player.play(events, row, row + 1)
            player.observe(0.0, X)
            found.append(distance(X, problem))
    return np.array(found)


def distance(X, problem):
    """Root mean square distance of the rows of X to x*, relative to ||x*||."""
    norms = np.linalg.norm(X - problem.x_star, axis=1) / np.linalg.norm(problem.x_star)
    return np.sqrt((norms**2).mean())


def random_rows(problem, seed=1):
    return np.random.default_rng(seed).standard_normal((problem.nodes, problem.dimension))
