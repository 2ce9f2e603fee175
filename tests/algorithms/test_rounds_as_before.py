"""The methods of rounds give the numbers that they gave before they had named blocks."""

from pathlib import Path

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.build import make
from dadao_sim.simulation.replay import make_player

# Blocks and estimate after 200 rounds, by commit d398dd1.
BEFORE = np.load(Path(__file__).parents[1] / "data" / "rounds_before.npz")


class InTheOldOrder:
    """V - L V: a random rounding of the quantiser turns a last digit into a symbol."""

    def __init__(self, graph):
        self.laplacian = graph.laplacian() / graph.lambda_max()

    def __matmul__(self, V):
        return V - self.laplacian @ V


@pytest.mark.parametrize("case", BEFORE.files)
def test_rounds_as_before(case):
    name, graph, kind, composite, batch = case.split("|")
    network = lollipop() if graph == "fixed" else sequence()
    problem = small_problem(7, kind)
    if composite == "True":
        problem = problem.with_local_step(make("l1", 3, strength=0.2))
    x0 = np.random.default_rng(9).standard_normal((7, 3))
    method = METHODS[name]
    size = None if batch == "None" else int(batch)
    player = make_player(method, problem, method.tune(problem, network), x0, {}, size)
    if name == "prox_lead":
        player.W.matrices = [InTheOldOrder(network)]
    events = RoundClock(np.random.SeedSequence(0)).window()
    player.play(events, 0, 200)
    estimate = np.empty((7, 3))
    player.observe(0.0, estimate)
    blocks = player.blocks(tuple(block for block in method.blocks if block != "t"))
    for found, expected in zip((*blocks.values(), estimate), BEFORE[case], strict=True):
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(BEFORE[case]).max()
