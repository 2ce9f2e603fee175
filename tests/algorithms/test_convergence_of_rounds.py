"""Methods of rounds where their guarantees say they go, and as fast: at condition number 100.

python -m pytest tests/algorithms/test_convergence_of_rounds.py -k rate -s     prints the ratios
"""

import functools
import math

import numpy as np

from dadao_sim import Problem
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.replay import make_player

NODES, DIMENSION, SAMPLES = 10, 4, 12
GRAPHS = {
    "cycle": build("cycle", NODES, np.random.default_rng(0)),
    "random geometric": build("random_geometric", NODES, np.random.default_rng(3)),
}


@functools.cache
def problem(kind):
    """``aligned``: least squares whose Hessians share their eigenvectors, 1 to 100; ``ridge`` and
    ``logistic``, of condition number 100 at the worst node.
    """
    rng = np.random.default_rng(5)
    V = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
    shape = (NODES, SAMPLES)
    A = np.stack([np.linalg.qr(rng.standard_normal((SAMPLES, DIMENSION)))[0] for _ in range(NODES)])
    scales = np.geomspace(1, 10, DIMENSION) * math.sqrt(SAMPLES / 2)
    if kind == "aligned":
        return Problem.from_arrays(A * scales @ V.T, rng.standard_normal(shape), "least_squares")
    if kind == "ridge":
        turned = np.stack(
            [one * scales @ np.linalg.qr(rng.standard_normal((4, 4)))[0] for one in A]
        )
        return Problem.from_arrays(turned, rng.standard_normal(shape), "ridge", mu=0.1)
    b = np.where(rng.standard_normal(shape) > 0, 1.0, -1.0)
    return Problem.from_arrays(A * scales @ V.T, b, "logistic_l2", mu=0.05)


@functools.cache
def course(name, kind, graph, rounds, every, **overrides):
    """The mean square distance of the nodes to x*, relative to ||x*||^2, every so many rounds."""
    method, f = METHODS[name], problem(kind)
    tuning = method.tune(f, GRAPHS[graph], overrides)
    start = np.zeros((f.nodes, f.dimension))
    player = make_player(method, f, tuning, start, {}, None)
    clock, X, found = RoundClock(np.random.SeedSequence(0)), np.empty(start.shape), []
    while len(found) * every < rounds:
        events = clock.window()
        for row in range(0, len(events), every):
            player.play(events, row, min(row + every, len(events)))
            player.observe(0.0, X)
            found.append(((X - f.x_star) ** 2).sum(axis=1).mean() / (f.x_star**2).sum())
    return np.array(found)
