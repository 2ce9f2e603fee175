"""How small a network of digits may be: the tables of docs/systems/sparse-networks.md.

    python benchmarks/sparse_networks.py [--seeds 3]

On one machine that has all the samples of the scenario: stochastic gradients with momentum and the
prox of WGSEF or of group l2, what is left when a network is cut to its k largest neurons, after
training goes on without a term, and when k neurons are trained from the beginning. Then the ring of
the scenario, whose nodes cut their networks and go on with small ones. Two minutes.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dadao_sim import make
from dadao_sim.events.log import ROUND, Events
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.networks.section import build_network
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.mlp import MlpProblem
from dadao_sim.randomness import stream
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.replay import replay

SCENARIO = load_scenario(shipped.scenarios()["systems/sparse-networks"])
PIXELS, HIDDEN, CLASSES = 64, 40, 10
UNIT = PIXELS + 1 + CLASSES
STEPS, BATCH, MOMENTUM, RATE = 6000, 128, 0.9, 0.05
MORE_STEPS, MORE_RATE = 1000, 0.02
KEPT = (6, 8, 12)
STRENGTHS = (0.01, 0.05, 0.1, 0.2)
OF_GROUP_L2 = (0.0005, 0.001, 0.002, 0.004)


def problem_of(nodes: int, hidden: int = HIDDEN) -> MlpProblem:
    """The samples of the scenario on so many nodes, and the same ones held out."""
    spec = SCENARIO.problem.model_copy(update={"hidden": (hidden,)})
    found = build_problem(spec, nodes, np.random.default_rng(stream(SCENARIO.seed, 0, "data")))
    assert isinstance(found, MlpProblem)
    return found


def start(hidden: int, seed: int) -> np.ndarray:
    """Normal, as that of the scenario."""
    x = np.random.default_rng(seed).standard_normal(hidden * UNIT + CLASSES)
    return x * SCENARIO.start.scale


def wgsef(k: int, strength: float) -> LocalStep:
    """A group for each neuron, and the biases of the outputs as a last group of hardly any weight,
    which takes no share: k neurons may stay.
    """
    groups = [UNIT] * HIDDEN + [CLASSES]
    weights = [1.0] * HIDDEN + [1e-6]
    size = HIDDEN * UNIT + CLASSES
    return make("wgsef", size, strength=strength, k=k, groups=groups, weights=weights)


def group_l2(strength: float) -> LocalStep:
    """The same groups, with weights that are the roots of their sizes."""
    groups = [UNIT] * HIDDEN + [CLASSES]
    return make("group_l2", HIDDEN * UNIT + CLASSES, strength=strength, groups=groups)


def train(
    problem: MlpProblem,
    x: np.ndarray,
    seed: int,
    local_step: LocalStep | None = None,
    steps: int = STEPS,
    rate: float = RATE,
) -> np.ndarray:
    """Proximal stochastic gradients with momentum, in one place: m <- .9 m + g, x <- prox_{a r}(x -
    a m), with an a that falls from ``rate`` to nearly 0.
    """
    rng = np.random.default_rng(seed)
    model = problem.model
    (rows,), (targets,) = model.rows, model.targets
    m, g = np.zeros_like(x), np.empty_like(x)
    for k in range(steps):
        drawn = rng.integers(len(targets), size=BATCH)
        batch = replace(
            model, rows=(rows[drawn],), targets=(targets[drawn],), scale=np.array([1 / BATCH])
        )
        batch.gradient(0, x, None, g)
        m = MOMENTUM * m + g
        a = rate * (1 - k / steps) + 1e-4
        x = x - a * m
        if local_step is not None:
            x = local_step.prox(x, a)
    return x


def units_of(x: np.ndarray) -> np.ndarray:
    """A row for each neuron (h, 75)."""
    return x[:-CLASSES].reshape(-1, UNIT)


def neurons(x: np.ndarray) -> int:
    """Those that are not 0."""
    return int(units_of(x).any(axis=1).sum())


def largest(x: np.ndarray, k: int) -> np.ndarray:
    """The k neurons of largest norm, in their order."""
    return np.sort(np.argsort(-np.linalg.norm(units_of(x), axis=1))[:k])


def cut(x: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The network (k 75 + 10,) of the neurons ``kept`` alone."""
    return np.concatenate([units_of(x)[kept].ravel(), x[-CLASSES:]])


def said(values: list[float]) -> str:
    """Their mean, and how far apart they are."""
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def of_all(seeds: int, found: Callable[[int], tuple[float, ...]]) -> list[list[float]]:
    """What ``found`` says of every seed, a list for each of its answers."""
    return [list(column) for column in zip(*map(found, range(seeds)), strict=True)]


def in_one_place(seeds: int) -> None:
    """Levels, and networks that are cut."""
    whole = problem_of(1)
    small = {k: problem_of(1, k) for k in KEPT}
    dense = [train(whole, start(HIDDEN, seed), seed) for seed in range(seeds)]
    print(f"no term, {HIDDEN} neurons: {said([whole.test_accuracy(x) for x in dense])}")

    def after_a_cut(x: np.ndarray, k: int, seed: int) -> tuple[float, float]:
        left = cut(x, largest(x, k))
        on = train(small[k], left, seed, steps=MORE_STEPS, rate=MORE_RATE)
        return small[k].test_accuracy(left), small[k].test_accuracy(on)

    for k in KEPT:
        for strength in STRENGTHS:

            def with_term(seed: int, k: int = k, strength: float = strength) -> tuple[float, ...]:
                x = train(whole, start(HIDDEN, seed), seed, wgsef(k, strength))
                return neurons(x), whole.test_accuracy(x), *after_a_cut(x, k, seed)

            count, accuracy, left, on = of_all(seeds, with_term)
            counts = " ".join(f"{one:.0f}" for one in count)
            print(
                f"k = {k}, strength {strength:g}: {counts} neurons, {said(accuracy)}; "
                f"cut to {k} {said(left)}, trained on {said(on)}",
                flush=True,
            )

        def without(seed: int, k: int = k) -> tuple[float, ...]:
            scratch = train(small[k], start(k, seed), seed)
            return *after_a_cut(dense[seed], k, seed), small[k].test_accuracy(scratch)

        left, on, scratch = of_all(seeds, without)
        print(
            f"no term, cut to {k}: {said(left)}, trained on {said(on)}; "
            f"{k} neurons from the beginning {said(scratch)}",
            flush=True,
        )
    for strength in OF_GROUP_L2:

        def lasso(seed: int, strength: float = strength) -> tuple[float, ...]:
            x = train(whole, start(HIDDEN, seed), seed, group_l2(strength))
            return neurons(x), whole.test_accuracy(x)

        count, accuracy = of_all(seeds, lasso)
        counts = " ".join(f"{one:.0f}" for one in count)
        print(f"group l2, strength {strength:g}: {counts} neurons, {said(accuracy)}", flush=True)


def on_the_ring(k: int = 12, strength: float = 5e-3, rounds: int = 3000, more: int = 1000) -> None:
    """Prox-ED; then every node cuts its network, and they go on with what is left."""
    nodes = SCENARIO.network.nodes
    network = build_network(SCENARIO.network, np.random.default_rng(0))
    whole, small = problem_of(nodes), problem_of(nodes, k)

    def play(problem: object, x: np.ndarray, count: int) -> np.ndarray:
        log = Events.from_arrays(np.arange(float(count)), np.full(count, ROUND), np.full(count, -1))
        return replay("prox_ed", problem, network, log, x, {"step": 0.5})["x"]

    term = wgsef(k, strength)
    X = play(whole.with_local_step(term), np.tile(start(HIDDEN, 0), (nodes, 1)), rounds)
    counts = ", ".join(str(neurons(x)) for x in X)
    print(
        f"ring of {nodes}, {rounds} rounds: {counts} neurons, {whole.test_accuracy(X.mean(0)):.3f}"
    )
    kept = [largest(x, k) for x in X]
    same = all((one == kept[0]).all() for one in kept)
    X = np.array([cut(x, kept[0]) for x in X])
    X = play(small, X, more)
    sizes = 8 * whole.dimension, 8 * small.dimension
    print(
        f"cut to {k}, {'the same' if same else 'not the same'} at every node, {more} rounds more: "
        f"{small.test_accuracy(X.mean(0)):.3f}; bytes of a message {sizes[0]:,}, then {sizes[1]:,}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    on_the_ring()
    in_one_place(parser.parse_args().seeds)
