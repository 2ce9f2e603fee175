"""Speed as ratios to programs written by hand (fused_dadao.py, fused_rounds.py), on the same
machine and in the same run.

    make bench                               everything
    python benchmarks/bench.py small         n = 300, d = 2 and 20
    python benchmarks/bench.py million       n = 1 000 000, d = 10 on a random 4-regular graph
    python benchmarks/bench.py rounds        cost of a synchronous round against the edges
    python benchmarks/bench.py synchronous   gradient tracking, n = 20 to 10 000
    python benchmarks/bench.py field         five methods of rounds beside plain NumPy
    python benchmarks/bench.py tuning        a grid of steps as one batch beside one by one

Runs alternate, the best of 5 counts. Every figure is a ratio: absolute times belong to one machine.
"""

import resource
import subprocess
import sys
import time

import fused_rounds
import numpy as np
import plain_rounds
from fused_dadao import run as fused

from dadao_sim import Problem
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.events.log import concatenate
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks import Network
from dadao_sim.networks.graphs import build
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.loop import run
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.sampling import sample_times
from dadao_sim.simulation.study import Study
from dadao_sim.tuning.evaluate import Task, evaluate

RUNS = 5
NEVER = 2**60


def quadratics(nodes, dimension, rng):
    """Hessians with eigenvalues in [1, 10], by one reflection per node."""
    eigenvalues = np.geomspace(1, 10, dimension)
    v = rng.standard_normal((nodes, dimension))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    # (I - 2 v v^T) D (I - 2 v v^T) = D - 2 (v w^T + w v^T), w = D v - (v^T D v) v
    w = eigenvalues * v
    w -= ((w * v).sum(axis=1))[:, None] * v
    H = np.empty((nodes, dimension, dimension))
    H[:] = np.diag(eigenvalues)
    H -= 2 * (v[:, :, None] * w[:, None, :] + w[:, :, None] * v[:, None, :])
    return Problem.quadratic(
        (H + H.transpose(0, 2, 1)) / 2, rng.standard_normal((nodes, dimension))
    )


class Setting:
    """A problem, a network and DADAO's tuning, for both programs."""

    def __init__(self, network, dimension, chi=None):
        self.network = network
        self.problem = quadratics(network.nodes, dimension, np.random.default_rng(0))
        self.method = get_method("dadao")
        self.tuning = self.method.tune(self.problem, network, chi or {})
        self.x0 = np.zeros((network.nodes, dimension))

    def clock(self):
        rates = self.tuning.clock
        seed = np.random.SeedSequence(1)
        return PoissonClock(rates.nodes, rates.edges, self.network.edges, seed)

    def player(self):
        return make_player(self.method, self.problem, self.tuning, self.x0, {})

    def horizon(self, events):
        return events / (self.network.nodes + self.tuning.communications)

    def fused(self, events, samples=NEVER):
        """Events per second of the fused kernel, which draws its own."""
        q, c = self.problem.objective, self.tuning.constants
        i, j = self.network.edges.astype(np.int64).T
        cumulative = np.cumsum(self.network.rates / self.network.rates.sum())
        out = np.zeros((1000, 4))
        begun = time.perf_counter()
        count, *_ = fused(
            *(q.H, q.c, c["L"], c["mu"], np.ascontiguousarray(i), np.ascontiguousarray(j)),
            *(cumulative, c["total_rate"], c["chi1"], self.horizon(events), 1),
            *(self.problem.x_star, max(1, events // samples), out),
        )
        return count / (time.perf_counter() - begun)

    def engine(self, log):
        """Events per second of the engine on a log drawn before."""
        player = self.player()
        begun = time.perf_counter()
        player.play(log, 0, len(log))
        return len(log) / (time.perf_counter() - begun)

    def end_to_end(self, events, points=200):
        """Events per second of drawing, replay, samples and metrics together."""
        errors = Errors(self.problem, self.x0)
        player, clock = self.player(), self.clock()
        horizon = self.horizon(events)
        times = sample_times(horizon, points, "linear", whole=False)
        begun = time.perf_counter()
        outcome = run(player, clock, errors, Limits(time=horizon), times)
        return outcome.events / (time.perf_counter() - begun)


def small():
    """n = 300: the engine on a drawn log, and end to end with 200 samples."""
    print("n = 300, random geometric graph, quadratics in Gram form; ratio to the fused kernel")
    network = build("random_geometric", 300, np.random.default_rng(3))
    for dimension in (2, 20):
        setting = Setting(network, dimension)
        events = 3_000_000
        clock = setting.clock()
        log = concatenate([clock.window() for _ in range(events // 16384)])
        setting.fused(1000), setting.engine(log[:1000]), setting.end_to_end(1000)  # compiled
        rows = [
            (setting.fused(events), setting.engine(log), setting.end_to_end(events))
            for _ in range(RUNS)
        ]
        best = np.max(rows, axis=0)
        print(
            f"  d = {dimension:2d}  fused {best[0] / 1e6:5.2f} M events/s   "
            f"engine on a log {best[1] / best[0]:.2f} (target 0.70)   "
            f"end to end {best[2] / best[0]:.2f} (target 0.50)",
            flush=True,
        )


def million_part(program):
    """One of the two programs alone in its process, so that its peak memory is its own."""
    nodes, dimension, events, samples = 1_000_000, 10, 10_000_000, 10
    begun = time.perf_counter()
    network = build("random_regular", nodes, np.random.default_rng(0), degree=4)
    graph = time.perf_counter() - begun
    # Given here, for the spectrum is timed apart: lambda_2 of a random 4-regular graph tends to
    # 4 - 2 sqrt 3, and no resistance over an edge of rate 1 is above 1.
    edges = len(network.edges)
    chi1, chi2 = edges / (4 - 2 * np.sqrt(3)) * 1.05, edges / 2
    setting = Setting(network, dimension, {"unit_chi1": chi1, "unit_chi2": chi2})
    setting.problem.x_star  # noqa: B018
    if program == "fused":
        Setting(build("cycle", 5, None), dimension).fused(100)
        speed = setting.fused(events, samples)
    else:
        Setting(build("cycle", 5, None), dimension).end_to_end(100)
        speed = setting.end_to_end(events, samples)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(graph, speed, memory)


def million():
    """n = 1 000 000: 10 million events with 10 samples."""
    figures = {}
    for program in ("fused", "engine"):
        command = [sys.executable, __file__, "million-part", program]
        figures[program] = [float(x) for x in subprocess.check_output(command, text=True).split()]
    ratio = figures["engine"][1] / figures["fused"][1]
    print("n = 1 000 000, d = 10, random 4-regular graph, 10 million events, 10 samples")
    print(
        f"  end to end {ratio:.2f} of the fused kernel's events/s (target 0.50); "
        f"peak memory {figures['engine'][2]:.2f} GiB (target 3), fused {figures['fused'][2]:.2f}; "
        f"the graph took {figures['engine'][0]:.1f} s"
    )
    network = build("random_regular", 1_000_000, np.random.default_rng(0), degree=4)
    begun = time.perf_counter()
    chi1 = network.chi1()
    middle = time.perf_counter()
    chi2 = network.chi2()
    end = time.perf_counter()
    print(
        f"  chi1 <= {chi1:.4f} in {middle - begun:.0f} s, chi2 <= {chi2:.4f} "
        f"in {end - middle:.0f} s"
    )


def rounds():
    """A round of ADOM+ beside its gradients: linear in the edges."""
    print("a synchronous round without its gradients, per (n + |E|) d")
    for nodes in (10_000, 100_000):
        for degree in (4, 8, 16):
            network = build("random_regular", nodes, np.random.default_rng(0), degree=degree)
            laplacian = network.laplacian()
            v = np.random.default_rng(0).standard_normal((nodes, 10))
            seconds = []
            for _ in range(RUNS):
                begun = time.perf_counter()
                v - laplacian @ v
                seconds.append(time.perf_counter() - begun)
            cost = min(seconds) / ((nodes + len(network.edges)) * 10) * 1e9
            print(f"  n = {nodes:7,d}  |E| = {len(network.edges):9,d}  {cost:.2f} ns")


def simulated_rounds(problem, network, rounds, name="gradient_tracking", overrides=None):
    """Rounds per second in the package: drawing, rounds, samples and metrics together, one sample
    in 100 rounds.
    """
    method = get_method(name)
    x0 = np.zeros((problem.nodes, problem.dimension))
    overrides = {"step": fused_rounds.STEP} if overrides is None else overrides
    tuning = method.tune(problem, network, overrides)
    player = make_player(method, problem, tuning, x0, {})
    errors, clock = Errors(problem, x0), RoundClock(np.random.SeedSequence(1))
    times = sample_times(rounds, max(1, rounds // 100), "linear", whole=True)
    begun = time.perf_counter()
    outcome = run(player, clock, errors, Limits(time=rounds), times)
    return outcome.events / (time.perf_counter() - begun)


# By nodes: what a speed is divided by, and the least ratio wanted.
ROUND_TARGETS = {
    20: (("full", 0.5), ("sparse", 0.7)),
    300: (("better", 0.8),),
    10_000: (("better", 0.8),),
}


@one_blas_thread()
def synchronous():
    """Gradient tracking end to end, beside the same recursion written by hand."""
    print("gradient tracking with a sample in 100 rounds; ratio to programs written by hand")
    makers = {
        "quadratic": Problem.quadratic,
        "least_squares": lambda A, b: Problem.from_arrays(A, b, "least_squares"),
    }
    for kind, nodes, degree, dimension, rounds in fused_rounds.SETTINGS:
        data = fused_rounds.make_data(kind, nodes, dimension)
        W = fused_rounds.make_mixing(nodes, degree)
        i, j = W.nonzero()
        network = Network(nodes, np.column_stack((i, j))[i < j])
        problem = makers[kind](*data)
        few = max(100, rounds // 10)
        simulated_rounds(problem, network, 1)  # compiled, and x* found
        rows = []
        for _ in range(RUNS):
            speeds = fused_rounds.speeds(kind, data, W, rounds)
            rows.append({**speeds, "package": simulated_rounds(problem, network, few)})
        best = {name: max(row[name] for row in rows) for name in rows[0]}
        best["better"] = max(best["compiled"], best["sparse"])
        wanted = dict(ROUND_TARGETS[nodes])
        ratios = "   ".join(
            f"{name} {best['package'] / best[name]:.2f}"
            + (f" (target {wanted[name]:.2f})" if name in wanted else "")
            for name in best
            if name != "package"
        )
        print(
            f"  {kind:13}  n = {nodes:6,d}  degree {degree}  d = {dimension}  "
            f"{best['package']:,.0f} rounds/s, of {ratios}",
            flush=True,
        )


FIELD = ((20, 4, 10, 20_000), (300, 4, 10, 4000), (10_000, 4, 10, 200))
"""Nodes, degree, dimension and rounds."""
FIELD_TARGET = 0.7


@one_blas_thread()
def field():
    """Five methods end to end, beside their equations in plain NumPy without samples."""
    print(f"methods of rounds; ratio to plain NumPy (target {FIELD_TARGET})")
    for nodes, degree, dimension, rounds in FIELD:
        data = fused_rounds.make_data("quadratic", nodes, dimension)
        W = fused_rounds.make_mixing(nodes, degree)
        i, j = W.nonzero()
        network, problem = Network(nodes, np.column_stack((i, j))[i < j]), Problem.quadratic(*data)
        W = get_method("dgd").tune(problem, network).weights(network)
        for name, plain in plain_rounds.METHODS.items():
            constants = get_method(name).tune(problem, network).constants
            constants = {"mu": problem.mu, "L": problem.L, **constants}
            x0 = np.zeros((nodes, dimension))

            def by_hand(count, plain=plain, c=constants, W=W, x0=x0, data=data):
                return plain(lambda X: fused_rounds.quadratic(data, X), W, c, count, x0)

            ours = get_method(name)
            player = make_player(ours, problem, ours.tune(problem, network), x0, {})
            player.play(RoundClock(np.random.SeedSequence(0)).window(), 0, 20)
            found = player.blocks(("x",))["x"]
            np.testing.assert_allclose(found, by_hand(20), rtol=1e-8, atol=1e-10)
            simulated_rounds(problem, network, 1, name, {})
            best = {"plain": 0.0, "package": 0.0}
            for _ in range(RUNS):
                begun = time.perf_counter()
                by_hand(rounds // 4)
                plain_speed = rounds // 4 / (time.perf_counter() - begun)
                speed = simulated_rounds(problem, network, rounds, name, {})
                best = {
                    "plain": max(best["plain"], plain_speed),
                    "package": max(best["package"], speed),
                }
            print(
                f"  {name:16}  n = {nodes:6,d}  {best['package']:10,.0f} rounds/s, of plain NumPy "
                f"{best['package'] / best['plain']:.2f}",
                flush=True,
            )


TUNING_TARGET = 4.0


def tuning():
    """12 steps x 5 repeats of gradient tracking on 20 nodes: as batches, and one run by one."""
    print("12 steps x 5 repeats, n = 20, d = 10; ratio to the same runs one by one, plans included")
    data = {"kind": "synthetic", "dim": 10, "samples_per_node": 20, "condition_number": 100.0}
    for method in ("gradient_tracking", "extra", "exact_diffusion"):
        scenario = scenario_from_mapping(
            {
                "name": "tuning",
                "problem": {"kind": "least_squares", "data": data},
                "network": {"graph": "random_geometric", "nodes": 20},
                "algorithms": [method],
                "stop": {"time": 1500, "accuracy": 1e-12},
            }
        )
        study = Study(scenario)
        points = tuple((k / 2,) for k in range(-8, 4))
        parts = [study.parts(repeat) for repeat in range(5)]

        def seconds(*, alone, scenario=scenario, points=points, parts=parts):
            begun = time.perf_counter()
            ends = [
                evaluate(Task(scenario, scenario.algorithms[0], r, of_r, ("step",), points, alone))
                for r, of_r in enumerate(parts)
            ]
            return time.perf_counter() - begun, ends

        (_, batched), (_, single) = seconds(alone=False), seconds(alone=True)  # compiled
        rows = [(seconds(alone=False)[0], seconds(alone=True)[0]) for _ in range(RUNS)]
        target = f" (target {TUNING_TARGET:.0f})" if method == "gradient_tracking" else ""
        ratio = min(alone for _, alone in rows) / min(batch for batch, _ in rows)
        print(
            f"  {method:18} {ratio:.1f} times faster{target}; "
            f"{'the same' if batched == single else 'NOT the same'} evaluations",
            flush=True,
        )


PARTS = {
    "small": small,
    "million": million,
    "rounds": rounds,
    "synchronous": synchronous,
    "field": field,
    "tuning": tuning,
}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["million-part"]:
        million_part(arguments[1])
    else:
        for name in arguments or PARTS:
            PARTS[name]()
