"""The numbers of docs/systems/learned-filters.md: pictures with noise, restored by learned filters
and by others; and the learned filters in the scenarios of deblurring and of inpainting.

    python benchmarks/filters.py

The pictures are scikit-learn's flower and, where scikit-image is installed, four of its own besides
and its wavelets, total variation and non-local means; no training saw any of them.
"""

import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_image

from dadao_sim.learning.filters import Recipe, start_of
from dadao_sim.learning.photographs import averaged, training_pictures
from dadao_sim.local_steps.learned.filters import Filters, filters_step
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.reweighting import annealed_limit
from dadao_sim.local_steps.terms import make
from dadao_sim.problems.build import build_problem, picture
from dadao_sim.problems.data.image import in_grey
from dadao_sim.randomness import stream
from dadao_sim.reports.recovered import psnr
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

Denoiser = Callable[[np.ndarray], np.ndarray]
SIGMA = 0.1


def pictures() -> Iterator[tuple[str, np.ndarray]]:
    """Held-out photographs in grey, averaged over 2 x 2 pixels, 192 x 192 of each."""
    every = {"flower": load_sample_image("flower.jpg")}
    spec = find_spec("skimage")
    if spec is not None and spec.origin is not None:
        from PIL import Image

        for name in ("camera", "astronaut", "coffee", "chelsea"):
            with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as image:
                every[name] = np.asarray(image.convert("RGB"))
    for name, colours in every.items():
        yield name, averaged(in_grey(colours / 255.0), 2)[20:212, 20:212]


def noisy(clean: np.ndarray, seed: int) -> np.ndarray:
    return clean + SIGMA * np.random.default_rng(seed).standard_normal(clean.shape)


def tuned(name: str, make_one: Callable[[float], Denoiser], grid: tuple[float, ...]) -> Denoiser:
    """With the constant that is best on the training pictures."""
    squares = [averaged(one, 2)[40:200, 40:200] for one in training_pictures()]

    def quality(constant: float) -> float:
        one = make_one(constant)
        return float(np.mean([psnr(one(noisy(c, 9 + k)), c) for k, c in enumerate(squares)]))

    best = max(grid, key=quality)
    print(f"{name}: {best:g} of {', '.join(f'{one:g}' for one in grid)}")
    return make_one(best)


def tv_2d(strength: float) -> Denoiser:
    def restored(y: np.ndarray) -> np.ndarray:
        step = make("tv_2d", y.size, strength=strength, shape=y.shape)
        return step.prox(y.ravel(), 1.0).reshape(y.shape)

    return restored


def by_filters(net: Filters) -> Denoiser:
    def restored(y: np.ndarray) -> np.ndarray:
        return filters_step(net, y.size, 1.0, y.shape).prox(y.ravel(), 1.0).reshape(y.shape)

    return restored


def denoising(net: Filters) -> None:
    """The mean over the pictures, noise .1."""
    methods: dict[str, Denoiser] = {"noisy": lambda y: y}
    if find_spec("skimage") is not None:
        from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

        methods["wavelets, BayesShrink db2"] = lambda y: denoise_wavelet(
            y, sigma=SIGMA, wavelet="db2", method="BayesShrink", mode="soft"
        )
        methods["TV, isotropic"] = tuned(
            "TV, isotropic",
            lambda w: lambda y: denoise_tv_chambolle(y, weight=w, max_num_iter=200),
            (0.04, 0.06, 0.08, 0.1, 0.12),
        )
    methods["tv_2d"] = tuned("tv_2d", tv_2d, (0.04, 0.055, 0.07, 0.085, 0.1))
    if find_spec("skimage") is not None:
        methods["non-local means"] = tuned(
            "non-local means",
            lambda h: (
                lambda y: denoise_nl_means(
                    y, patch_size=5, patch_distance=7, h=h, sigma=SIGMA, fast_mode=True
                )
            ),
            (0.04, 0.06, 0.08, 0.1),
        )
    methods["filters, start of the training"] = by_filters(start_of(Recipe()))
    methods["filters, learned"] = by_filters(net)
    held_out = list(pictures())
    print(f"{'':32s}" + "".join(f"{name:>11s}" for name, _ in held_out) + f"{'mean':>11s}")
    for name, method in methods.items():
        began = time.process_time()
        found = [psnr(method(noisy(c, k)), c) for k, (_, c) in enumerate(held_out)]
        spent = (time.process_time() - began) / len(found)
        row = "".join(f"{one:11.2f}" for one in [*found, np.mean(found)])
        print(f"{name:32s}{row}   {spent:.2f} s each", flush=True)


def in_one_place(name: str, net: Filters, image: str, mu: float, factors: list[float]) -> None:
    """A scenario with another image and l2 term, in one place: total variation, from there the
    proximal gradient iteration with filters, and annealed reweighting from 0.
    """
    scenario = load_scenario(shipped.scenarios()[f"composite/{name}"])
    nodes = scenario.network.nodes
    data = scenario.problem.data.model_copy(update={"image": image})
    spec = scenario.problem.model_copy(update={"mu": mu, "data": data})
    seed = stream(scenario.seed, 0, "data")
    problem = build_problem(spec, nodes, np.random.default_rng(seed))
    truth = picture(spec, nodes, np.random.default_rng(seed)).truth
    pixels = int(problem.samples.sum())
    a = 0.95 * pixels / 2

    def gradient(x: np.ndarray) -> np.ndarray:
        return problem.gradients(np.tile(x, (nodes, 1))).mean(axis=0)

    def iterate(step: LocalStep, x: np.ndarray, count: int) -> np.ndarray:
        for _ in range(count):
            x = step.prox(x - a * gradient(x), a)
        return x

    def said(x: np.ndarray) -> str:
        return f"{psnr(x.reshape(truth.shape), truth):.2f} dB"

    term, found = scenario.local_step.prox, np.zeros(truth.size)
    by_share = {}
    for share in (1.0, 0.5, 0.25, 0.125):  # the weaker, the longer: each begins where one ended
        strength = share * term.strength
        tv = term.model_copy(update={"strength": strength}).local_step(truth.size)
        by_share[share] = found = iterate(tv, found, 300)
        print(f"{name}, {image}, mu {mu:g}: tv_2d {said(found)}, strength {strength:g}")
    by_noise = 2 * data.noise**2 / SIGMA**2 / pixels
    for factor in factors:
        step = filters_step(net, truth.size, factor * by_noise)
        found = iterate(step, by_share[1.0], 120)
        annealed = annealed_limit(gradient, step.operator, truth.size, 160, 20)
        moved = np.abs(step.prox(annealed - a * gradient(annealed), a) - annealed).max()
        print(
            f"   filters, strength {factor:g} x {by_noise:.2g}: {said(found)} by 120 steps from "
            f"there; {said(annealed)} by reweighting, which a step then moves by {moved:.0e}",
            flush=True,
        )


if __name__ == "__main__":
    network = load_network(sys.argv[1] if len(sys.argv) > 1 else "filters")
    assert isinstance(network, Filters)
    denoising(network)
    in_one_place("deblurring", network, "flower", 2e-5, [0.25, 0.5, 1.0])
    in_one_place("inpainting", network, "china", 1e-5, [1.0])
    in_one_place("inpainting", network, "flower", 1e-5, [1.0])
    in_one_place("inpainting", network, "flower", 1e-8, [1.0])
