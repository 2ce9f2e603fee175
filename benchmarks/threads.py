"""Two threads beside one: the same bytes, how many times faster.

    python benchmarks/threads.py             every part
    python benchmarks/threads.py replay      a log of DADAO, n = 1 000, 20 000, 100 000
    python benchmarks/threads.py end         the same with drawing, a sample per n events, metrics
    python benchmarks/threads.py million     both, n = 1 000 000
    python benchmarks/threads.py rounds      gradient tracking, n = 1 000, 10 000, 100 000
    python benchmarks/threads.py ceiling     what the machine gives to two runs that share nothing

Runs alternate, and a ratio is the median of those of neighbours. It wants two cores that nothing
else uses; what no program can pass on them is the ceiling: how many times the events of one run two
runs play that share nothing, each by a thread of its own, at once.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from bench import Setting, quadratics

from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.compiled.parallel import use_threads
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.loop import run
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.sampling import sample_times

RUNS, DIMENSION = 7, 10
THREADS = 2


def compare(name, play):
    """``play()`` gives its seconds, and what it ends with."""
    play()  # compiles
    ratios = []
    for _ in range(RUNS):
        one, left = play()
        with use_threads(THREADS):
            several, right = play()
        assert all(map(np.array_equal, left, right)), "other bytes"
        ratios.append(one / several)
    print(
        f"  {name}: {np.median(ratios):.2f} times faster ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


def setting(nodes):
    """DADAO on a random 4-regular graph; its spectrum is given, as in ``bench.py``."""
    network = build("random_regular", nodes, np.random.default_rng(0), degree=4)
    edges = len(network.edges)
    chi1, chi2 = edges / (4 - 2 * np.sqrt(3)) * 1.05, edges / 2
    return Setting(network, DIMENSION, {"unit_chi1": chi1, "unit_chi2": chi2})


def replayed(made, windows):
    """Windows of a log, played."""
    clock = made.clock()
    logs = [clock.window() for _ in range(windows)]

    def play():
        player = made.player()
        begun = time.perf_counter()
        for log in logs:
            player.play(log, 0, len(log))
        return time.perf_counter() - begun, player.arrays

    return play


def ended(made, events):
    """A run, with a sample in as many events as there are nodes."""
    made.problem.x_star  # noqa: B018
    errors, horizon = Errors(made.problem, made.x0), made.horizon(events)
    points = max(1, events // made.network.nodes)

    def play():
        player, clock = made.player(), made.clock()
        times = sample_times(horizon, points, "linear", whole=False)
        begun = time.perf_counter()
        run(player, clock, errors, Limits(time=horizon), times)
        return time.perf_counter() - begun, player.arrays

    return play


def replay():
    """A log that is there."""
    for nodes in (1_000, 20_000, 100_000):
        compare(f"replay, n = {nodes:9,d}", replayed(setting(nodes), 40))


def end():
    """Everything that a run does."""
    for nodes in (1_000, 20_000, 100_000):
        compare(f"end to end, n = {nodes:9,d}", ended(setting(nodes), max(5 * nodes, 300_000)))


def million():
    """Both, of a million nodes."""
    made = setting(1_000_000)
    compare("replay, n = 1 000 000", replayed(made, 60))
    compare("end to end, n = 1 000 000", ended(made, 3_000_000))


def ceiling():
    """Twice the time of one replay over that of two at once."""
    for nodes, windows in ((100_000, 40), (1_000_000, 60)):
        made = setting(nodes)
        plays = [replayed(made, windows) for _ in range(2)]
        ratios = []
        for _ in range(RUNS):
            alone = plays[0]()[0]
            with ThreadPoolExecutor(2) as threads:
                at_once = max(threads.map(lambda play: play()[0], plays))
            ratios.append(2 * alone / at_once)
        print(
            f"  two that share nothing, n = {nodes:9,d}: {np.median(ratios):.2f} times the events "
            f"({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def rounds():
    """Gradient tracking, whole runs."""
    for nodes, count in ((1_000, 400), (10_000, 100), (100_000, 20)):
        network = build("random_regular", nodes, np.random.default_rng(0), degree=4)
        problem = quadratics(nodes, DIMENSION, np.random.default_rng(0))
        method, x0 = get_method("gradient_tracking"), np.zeros((nodes, DIMENSION))
        tuning, errors = method.tune(problem, network, {"step": 0.01}), Errors(problem, x0)

        def play(*, method=method, problem=problem, tuning=tuning, x0=x0, errors=errors, n=count):
            player, clock = make_player(method, problem, tuning, x0, {}), RoundClock(SEED)
            times = sample_times(n, 1, "linear", whole=True)
            begun = time.perf_counter()
            run(player, clock, errors, Limits(time=n), times)
            return time.perf_counter() - begun, player.arrays

        compare(f"rounds, n = {nodes:9,d}", play)


SEED = np.random.SeedSequence(1)
PARTS = {
    **{"replay": replay, "end": end, "million": million},
    **{"rounds": rounds, "ceiling": ceiling},
}

if __name__ == "__main__":
    print(f"{THREADS} threads beside one, d = {DIMENSION}, random 4-regular graphs; same bytes")
    with one_blas_thread():
        for name in sys.argv[1:] or PARTS:
            PARTS[name]()
