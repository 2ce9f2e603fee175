"""How fast a run of rounds falls in the end."""

import numpy as np

from dadao_sim.events.rounds import RoundClock
from dadao_sim.simulation.replay import make_player


def decay_of_run(method, problem, network, guess):
    """The slope of ln sum_i ||x_i - x*||^2 over the last half of as many rounds as take about
    e^{-60}, before rounding sets in, from random blocks without what is conserved.
    """
    tuning = method.tune(problem, network)
    shape = problem.nodes, problem.dimension
    rng = np.random.default_rng(1)
    blocks = {name: rng.standard_normal(shape) for name in method.blocks}
    for name in (*method.invariant, *method.drifting):
        blocks[name] -= blocks[name].mean(axis=0)
    player = make_player(method, problem, tuning, np.ones(shape), blocks)
    clock, rounds = RoundClock(np.random.SeedSequence(0)), int(60 / guess)
    events, row, first, X = clock.window(), 0, 0, np.empty(shape)
    player.begin(events)
    times = np.linspace(rounds // 2, rounds, 200).astype(int)
    found = []
    for t in times:
        while first + len(events) < t:
            player.play(events, row, len(events))
            first, row, events = first + len(events), 0, clock.window()
        player.play(events, row, t - first)
        row = t - first
        player.observe(float(t), X)
        found.append(np.log(((X - problem.x_star) ** 2).sum()))
    return -np.polyfit(times, found, 1)[0]


def decay_by_restarts(method, problem, network, guess):
    """The same where rounding would hide it: every so many rounds all blocks are made large again
    and lose what rounding has put into their conserved means. Of a problem with x* = 0.
    """
    tuning = method.tune(problem, network)
    shape = problem.nodes, problem.dimension
    rng = np.random.default_rng(1)
    blocks = {name: rng.standard_normal(shape) for name in method.blocks}
    period = len(network.graphs)
    rounds = period * int(np.ceil(4 / guess / period))
    events, logs = RoundClock(np.random.SeedSequence(0)).window(), []
    for _ in range(40):
        for name in (*method.invariant, *method.drifting):
            blocks[name] = blocks[name] - blocks[name].mean(axis=0)
        before = (blocks[method.estimate] ** 2).sum()
        player = make_player(method, problem, tuning, np.ones(shape), blocks)
        player.begin(events)
        for first in range(0, rounds, len(events)):
            player.play(events, 0, min(len(events), rounds - first))
        blocks = player.blocks(method.blocks)
        after = (blocks[method.estimate] ** 2).sum()
        logs.append(np.log(after / before))
        blocks = {name: value / np.sqrt(after) for name, value in blocks.items()}
    return -np.mean(logs[10:]) / rounds
