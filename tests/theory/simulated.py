"""The package's engine, run many times: squared errors of the estimates, mean over the nodes."""

import numpy as np

from dadao_sim.algorithms.contract.options import NO_OPTIONS
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player


def errors_of(name, problem, network, times, seed, overrides=None, options=NO_OPTIONS, x0=0.0):
    """Of one run, at ascending ``times``."""
    method = get_method(name)
    tuning = method.tune(problem, network, overrides or {}, options)
    rows = np.full((problem.nodes, problem.dimension), x0)
    player = make_player(method, problem, tuning, rows, {}, options.batch_size)
    clock = clock_of_the_paper(tuning, network, np.random.SeedSequence(seed))
    window, position = clock.window(), 0
    found, estimates = np.empty(len(times)), np.empty_like(rows)
    for k, t in enumerate(times):
        while window.time[-1] < t:
            player.play(window, position, len(window))
            window, position = clock.window(), 0
        last = int(np.searchsorted(window.time, t))
        player.play(window, position, last)
        position = last
        player.observe(t, estimates)
        found[k] = ((estimates - problem.x_star) ** 2).sum() / problem.nodes
    return found


@one_blas_thread()
def errors(runs, *arguments, seed=0, **options):
    """(runs, times)."""
    return np.stack([errors_of(*arguments, seed=[seed, r], **options) for r in range(runs)])


def standard_error(statistic, curves, seed=1, times=200):
    """Of a statistic of the mean curve, by a bootstrap over the runs."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(curves), size=(times, len(curves)))
    return np.std([statistic(curves[draw].mean(axis=0)) for draw in draws], axis=0)
