"""The numbers of docs/systems/bands.md: held-out cubes restored by DeepMix in one place and at the
nodes, by total variation, and by networks of which a part is left out.

    python benchmarks/bands.py            of the shipped weights
    python benchmarks/bands.py --draws    of the scenario's cube, drawn anew
    python benchmarks/bands.py --train    of networks trained here (needs torch; five minutes)

The cubes are of scikit-learn's flower, and, where scikit-image is installed, of three of its
pictures besides; no training saw any of them.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from dadao_sim import replay
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.trained import load_trained
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms import make
from dadao_sim.networks.graphs import build
from dadao_sim.problems.data.cubes import cube, halved, photograph
from dadao_sim.problems.kinds.bands import BandsProblem, bands_problem, observed

BANDS, SIZE, CUBES, AT_NODES, DRAWS = 8, 64, 16, 4, 24
STRENGTHS, ROUNDS_OF_TV = (0.03, 0.02, 0.01), 5
"""Of total variation, beside ||H x - y||^2/2, chosen on these very cubes; after so many rounds of
accelerated proximal gradient, where it is better than after 60.
"""


def pictures() -> Iterator[np.ndarray]:
    """Held-out photographs in colours, halved."""
    yield photograph("flower")
    spec = find_spec("skimage")
    if spec is not None and spec.origin is not None:
        from PIL import Image

        for name in ("astronaut", "coffee", "chelsea"):
            with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as image:
                yield halved(np.asarray(image.convert("RGB")) / 255.0)


def held_out() -> list[BandsProblem]:
    """Cubes of random crops."""
    pool, rng, found = list(pictures()), np.random.default_rng(3), []
    print(f"{CUBES} cubes of {len(pool)} held-out pictures")
    for _ in range(CUBES):
        truth = cube(pool[rng.integers(len(pool))], BANDS, SIZE, rng)
        found.append(bands_problem(truth, observed(truth, 1.0, 0.06, rng), 1.0, 1e-6))
    return found


def total_variation(problem: BandsProblem, strength: float, rounds: int = ROUNDS_OF_TV) -> float:
    """PSNR of accelerated proximal gradient in one place."""
    d, n = problem.dimension, problem.nodes
    term = make("tv_bands", d, strength=strength * 2 / d, shape=[n, problem.size, problem.size])
    x = ahead = np.zeros(d)
    step, t = n / problem.L, 1.0
    for _ in range(rounds):
        slope = problem.gradients(np.tile(ahead, (n, 1))).mean(axis=0)
        new = term.prox(ahead - step * slope, step)
        after = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead = new + (t - 1) / after * (new - x)
        x, t = new, after
    return float(problem.psnr(np.tile(x, (n, 1)))[0])


def at_nodes(problem: BandsProblem, graph: str, T: int) -> float:
    """PSNR of DeepMix at the worst node."""
    method = get_method("deep_mix").with_weights(load_trained("bands"))
    network = build(graph, BANDS, np.random.default_rng(0))
    log = RoundClock(np.random.SeedSequence(0)).window()[: method.layers]
    with np.errstate(over="ignore", invalid="ignore"):
        z2 = replay(method, problem, network, log, overrides={"gossip_rounds": T})["z2"]
        return float(problem.psnr(z2).min())


def shipped(problems: list[BandsProblem]) -> None:
    """In one place, at the nodes, and total variation."""
    seen = [one.psnr(np.tile(one.seen.ravel(), (BANDS, 1)))[0] for one in problems]
    mixed = [at_nodes(one, "complete", 1) for one in problems]
    print(f"seen {np.mean(seen):.2f} dB, DeepMix in one place {np.mean(mixed):.2f}", flush=True)
    print(f"first {AT_NODES} in one place: {np.mean(mixed[:AT_NODES]):.2f}")
    for graph, choices in (("cycle", (2, 4, 8, 12)), ("path", (16,))):
        for T in choices:
            found = [at_nodes(one, graph, T) for one in problems[:AT_NODES]]
            lost = np.array(mixed[:AT_NODES]) - found
            print(
                f"{graph}, T = {T}: worst node {np.mean(found):.2f} dB, at most {lost.max():.2f} "
                "lost",
                flush=True,
            )
    for strength in STRENGTHS:
        tv = np.array([total_variation(one, strength) for one in problems])
        better = (np.array(mixed) > tv).sum()
        print(
            f"total variation of strength {strength}: {tv.mean():.2f} dB; DeepMix is better on "
            f"{better}",
            flush=True,
        )


def trained(problems: list[BandsProblem]) -> None:
    """What each part is worth: half of the steps of the shipped weights for all."""
    from dadao_sim.learning.unrolled import MIX_RECIPE, learn_mix, play_mix
    from dadao_sim.scenario import shipped as scenarios
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.training import training_problems

    scenario = load_scenario(scenarios.scenarios()["systems/bands"])
    examples, _ = training_problems(scenario, 1024)
    recipe = replace(MIX_RECIPE, steps=400)
    for what, options in (
        ("mix, width 6", {"width": 6}),
        ("mix, width 6, seed 1", {"width": 6, "seed": 1}),
        ("mix, width 12", {"width": 12}),
        ("mix without the skip, width 12", {"width": 12, "skip": False}),
        ("learned alone, width 12", {"width": 12, "hand": False}),
        ("learned alone, width 24", {"width": 24, "hand": False}),
    ):
        found = learn_mix(examples, recipe=recipe, **options)
        numbers = sum(array.size for array in found.arrays.values())
        psnr = play_mix(found, problems)[-1].mean()
        print(f"{what}: {numbers} numbers, {psnr:.2f} dB", flush=True)


def draws() -> None:
    """Both in one place, eight rounds of total variation of the scenario's strength."""
    from dadao_sim.problems.build import build_problem
    from dadao_sim.randomness import stream
    from dadao_sim.scenario import shipped as scenarios
    from dadao_sim.scenario.reading import load_scenario

    scenario = load_scenario(scenarios.scenarios()["systems/bands"])
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(stream(seed, 0, "data"))
        problem = build_problem(scenario.problem, BANDS, rng)
        assert isinstance(problem, BandsProblem)
        found.append((at_nodes(problem, "complete", 1), total_variation(problem, STRENGTHS[0], 8)))
        print(f"seed {seed}: DeepMix {found[-1][0]:.2f} dB, total variation {found[-1][1]:.2f}")
    mixed, tv = np.mean(found, axis=0)
    print(f"{DRAWS} draws: DeepMix {mixed:.2f} dB, total variation {tv:.2f}")


if __name__ == "__main__":
    if "--draws" in sys.argv[1:]:
        sys.exit(draws())
    (trained if "--train" in sys.argv[1:] else shipped)(held_out())
