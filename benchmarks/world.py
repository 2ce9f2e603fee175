"""Speed of the world: events emitted per second of CPU time, beside a bare loop of SimPy, and their
replay beside that of a Poisson log.

python benchmarks/world.py
"""

import time

import numpy as np
import simpy

from dadao_sim import Problem
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.replay import make_player

BUSY = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}
WORLDS = {
    "ideal": {},
    "delayed": {"nodes": BUSY, "links": {"latency": 0.05}},
    "jitter and loss": {
        "nodes": BUSY,
        "links": {"latency": 0.05, "jitter": 0.3, "loss": {"probability": 0.1}},
    },
    "queues": {
        "nodes": {**BUSY, "exchanges_at_once": 1},
        "links": {"latency": 0.1, "jitter": 0.3},
    },
    "edge_devices": {"preset": "edge_devices"},
}
DEGREE = 4


def bare_loop(steps=30_000):
    """Steps per second of one process of SimPy that does nothing but wait."""
    env = simpy.Environment()

    def wait():
        while True:
            yield env.timeout(1.0)

    env.process(wait())
    begun = time.thread_time()
    for _ in range(steps):
        env.step()
    return steps / (time.thread_time() - begun)


def emitted_by(clock, windows=9):
    """Events per second after the first unit of time, and the same over those of the bare loop:
    medians of windows that take turns with it.
    """
    while clock.window().time[-1] < 1.0:  # until then nodes and links begin in their order
        pass
    speeds, ratios = [], []
    for _ in range(windows):
        begun = time.thread_time()
        events = len(clock.window())
        speeds.append(events / (time.thread_time() - begun))
        ratios.append(speeds[-1] / bare_loop())
    return np.median(speeds), np.median(ratios)


def replayed(method, problem, network, rates, make_clock):
    """Events replayed per second, of twenty windows of a clock of its own."""
    tuning = method.tune(problem, network, {})
    player = make_player(method, problem, tuning, np.ones((problem.nodes, 10)), {})
    player.warm_up()
    clock = make_clock(rates)
    windows = [clock.window() for _ in range(20)]
    begun = time.perf_counter()
    for window in windows:
        player.play(window, 0, len(window))
    return sum(map(len, windows)) / (time.perf_counter() - begun)


def main():
    for nodes in (100, 10_000, 100_000):
        network = build("random_regular", nodes, np.random.default_rng(0), degree=DEGREE)
        problem = Problem.averaging(np.random.default_rng(1).standard_normal((nodes, 10)))
        rates = PoissonRates(np.ones(nodes), np.full(len(network.edges), 2 / DEGREE))
        seed = np.random.SeedSequence(1)
        method = get_method("ad_psgd")

        def poisson(rates, network=network, seed=seed):
            return PoissonClock(rates.nodes, rates.edges, network.edges, seed)

        speed = replayed(method, problem, network, rates, poisson)
        print(f"{nodes:7} {'Poisson clocks':16} {'':42} replay {speed:12,.0f}/s")
        for name, spec in WORLDS.items():
            physics = make_physics(
                *(WorldSpec.model_validate(spec), network, np.random.default_rng(0)),
                accuracy=False,
                end=1e9,
            )

            def world(rates, physics=physics, seed=seed):
                return WorldClock(physics, rates, 80.0, seed)

            emitted, ratio = emitted_by(world(rates))
            speed = replayed(method, problem, network, rates, world)
            print(
                f"{nodes:7} {name:16} emits {emitted:12,.0f}/s   {ratio:.2f} of a bare loop   "
                f"replay {speed:12,.0f}/s"
            )


if __name__ == "__main__":
    main()
