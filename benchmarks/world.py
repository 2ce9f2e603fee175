"""Speed of the world: events emitted per second, and their replay beside that of a Poisson log.

python benchmarks/world.py
"""

import time

import numpy as np

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


def windows_of(clock, seconds):
    """Windows drawn for so many seconds, after a first one; and events per second."""
    clock.window()
    begun, windows = time.perf_counter(), []
    while time.perf_counter() - begun < seconds:
        windows.append(clock.window())
    taken = time.perf_counter() - begun
    return windows, sum(map(len, windows)) / taken


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
    for nodes in (100, 10_000):
        network = build("random_regular", nodes, np.random.default_rng(0), degree=DEGREE)
        problem = Problem.averaging(np.random.default_rng(1).standard_normal((nodes, 10)))
        rates = PoissonRates(np.ones(nodes), np.full(len(network.edges), 2 / DEGREE))
        seed = np.random.SeedSequence(1)
        method = get_method("ad_psgd")

        def poisson(rates, network=network, seed=seed):
            return PoissonClock(rates.nodes, rates.edges, network.edges, seed)

        speed = replayed(method, problem, network, rates, poisson)
        print(f"{nodes:6} {'Poisson clocks':16} {'':23} replay {speed:12,.0f}/s")
        for name, spec in WORLDS.items():
            physics = make_physics(
                *(WorldSpec.model_validate(spec), network, np.random.default_rng(0)),
                accuracy=False,
                end=1e9,
            )

            def world(rates, physics=physics, seed=seed):
                return WorldClock(physics, rates, 80.0, seed)

            _, emitted = windows_of(world(rates), 1.0)
            speed = replayed(method, problem, network, rates, world)
            print(f"{nodes:6} {name:16} emits {emitted:12,.0f}/s   replay {speed:12,.0f}/s")


if __name__ == "__main__":
    main()
