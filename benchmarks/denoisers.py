"""The numbers of docs/systems/equilibrium.md, of shipped weights on pictures that no training saw:
scikit-learn's flower, and, where scikit-image is installed, three of its pictures besides.

    python benchmarks/denoisers.py                 (a minute and a half)
    python benchmarks/denoisers.py --deblurring    (five minutes)
    python benchmarks/denoisers.py --unet unet_unmasked.npz --equilibrium equilibrium_unrolled.npz

Where scico is installed, its DnCNN, trained by others, is among them.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_sample_image

from dadao_sim.learning.equilibrium import BLUR, SIZE, scenes
from dadao_sim.learning.photographs import averaged, crops
from dadao_sim.local_steps.learned.denoisers import module_of, restored
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.terms import make
from dadao_sim.problems.build import picture
from dadao_sim.problems.data.image import blur_matrix, in_grey
from dadao_sim.randomness import stream
from dadao_sim.reports.recovered import psnr
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

MARKS, SCENES = (1, 5, 20, 150, 600), 16
SIDE, CROPS, ROUNDS = 64, 4, 100
"""Of deblurring: pixels of a side, crops of the pictures, and rounds of x+ = D(x - a grad F(x))."""
TV_STRENGTHS, SIGMAS = (2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3), (0.01, 0.02, 0.04, 0.08)
"""Tried: of total variation beside ||B x - y||^2/2, and levels of noise told to the networks."""


def pictures() -> Iterator[np.ndarray]:
    """Held-out photographs in grey."""
    yield in_grey(load_sample_image("flower.jpg") / 255.0)
    spec = find_spec("skimage")
    if spec is not None and spec.origin is not None:
        from PIL import Image

        for name in ("camera", "coffee", "chelsea"):
            with Image.open(Path(spec.origin).parent / "data" / f"{name}.png") as image:
                yield in_grey(np.asarray(image.convert("RGB")) / 255.0)


def at_equilibrium(networks: list[str]) -> None:
    """x = D(x - a grad F(x)), a = N/2, from what was seen: decibels after so many rounds."""
    truth, seen = (torch.from_numpy(a).float() for a in scenes(list(pictures()), SCENES, 2))
    B = torch.from_numpy(blur_matrix(SIZE, BLUR).toarray()).float()
    for name in networks:
        module, x, found = module_of(load_network(name)), seen, {}
        with torch.inference_mode():
            for k in range(1, max(MARKS) + 1):
                v = x - (x @ B.T - seen) @ B
                x = module(v.reshape(-1, 1, SIZE, SIZE)).reshape(x.shape)
                if k in MARKS:
                    error = ((x - truth) ** 2).mean(dim=1)
                    found[k] = float((-10 * torch.log10(error)).mean())
        print(name, ", ".join(f"{k} rounds {v:.2f} dB" for k, v in found.items()))


def unet(network: str) -> None:
    """Noise of .1, and half of the windows of 4 x 4 hidden."""
    module, rows = module_of(load_network(network)), []
    for number, whole in enumerate(pictures()):
        truth = averaged(whole, 2)[20:140, 20:140]
        rng = np.random.default_rng(number)
        noisy = truth + 0.1 * rng.standard_normal(truth.shape)
        shown = np.kron(rng.random((30, 30)) > 0.5, np.ones((4, 4)))
        near = uniform_filter(truth * shown, 5) / np.maximum(uniform_filter(shown, 5), 1e-6)
        rows.append(
            [
                psnr(restored(module, noisy, 0.1), truth),
                psnr(restored(module, truth, 0.0, shown), truth),
                psnr(np.where(shown > 0, truth, near), truth),
            ]
        )
    noise, windows, means = np.mean(rows, axis=0)
    print(f"{network}: noise {noise:.2f} dB; windows {windows:.2f} dB, by means {means:.2f} dB")


Denoise = Callable[[np.ndarray], np.ndarray]


def dncnn(sigma: float) -> Denoise | None:
    """D(v; sigma) of scico's network of six layers; None where scico is not installed."""
    if find_spec("scico") is None:
        return None
    from scico.denoiser import DnCNN

    net = DnCNN(variant="6N")
    return lambda v: np.asarray(net(np.asarray(v, dtype=np.float32), sigma), dtype=float)


def noise_by_dncnn() -> None:
    """Noise of .1, as in :func:`unet`."""
    denoise, found = dncnn(0.1), []
    if denoise is None:
        return
    for number, whole in enumerate(pictures()):
        truth = averaged(whole, 2)[20:140, 20:140]
        noisy = truth + 0.1 * np.random.default_rng(number).standard_normal(truth.shape)
        found.append(psnr(denoise(noisy), truth))
    print(f"DnCNN of scico: noise {np.mean(found):.2f} dB")


def deblurring(networks: list[str]) -> None:
    """The picture of `composite/deblurring`, and crops with its blur and noise: total variation,
    and plug-and-play, all at their best strength on each set.
    """
    scenario = load_scenario(shipped.scenarios()["composite/deblurring"])
    data = scenario.problem.data
    B = blur_matrix(SIDE, data.blur)
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    shown = picture(scenario.problem, scenario.network.nodes, rng)
    rng = np.random.default_rng(5)
    some = crops(list(pictures()), SIDE, CROPS, rng, (2, 3))
    blurred = (B @ some.reshape(CROPS, -1).T).T.reshape(some.shape)
    seen = blurred + data.noise * rng.standard_normal(some.shape)
    for name, truth, y in (
        ("composite/deblurring", shown.truth[None], shown.seen[None]),
        (f"{CROPS} crops", some, seen),
    ):
        before = np.mean([psnr(*pair) for pair in zip(y, truth, strict=True)])
        print(f"{name}: seen {before:.2f} dB", flush=True)
        for strength in TV_STRENGTHS:
            tv = make("tv_2d", SIDE**2, strength=strength, shape=[SIDE, SIDE])
            said(f"tv_2d, strength {strength:g}", lambda v: tv.prox(v.ravel(), 1.0), truth, y, B)  # noqa: B023
        for network in networks:
            module = module_of(load_network(network))
            for sigma in SIGMAS:
                said(
                    f"{network}, sigma {sigma:g}",
                    partial(restored, module, sigma=sigma),
                    truth,
                    y,
                    B,
                )
        for sigma in SIGMAS:
            if (denoise := dncnn(sigma)) is not None:
                said(f"DnCNN of scico, sigma {sigma:g}", denoise, truth, y, B)


def said(what: str, denoise: Denoise, truth: np.ndarray, seen: np.ndarray, B: Any) -> None:
    """x+ = D(x - B'(B x - y)) from y, which is a gradient step of 1/L at F = ||B x - y||^2/N."""
    rows = []
    for one, y in zip(truth, seen, strict=True):
        x, row = y.ravel(), []
        for _ in range(ROUNDS):
            v = x - B.T @ (B @ x - y.ravel())
            x = np.asarray(denoise(v.reshape(y.shape))).ravel()
            row.append(psnr(x.reshape(y.shape), one))
        rows.append(row)
    mean = np.mean(rows, axis=0)
    best = int(np.argmax(mean))
    print(f"   {what}: {mean[-1]:.2f} dB, best {mean[best]:.2f} after {best + 1}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--unet", nargs="+", default=["unet"])
    parser.add_argument(
        "--equilibrium",
        nargs="+",
        default=["equilibrium", "equilibrium_alone", "equilibrium_cold"],
    )
    parser.add_argument("--deblurring", action="store_true")
    given = parser.parse_args()
    print(f"{len(list(pictures()))} held-out pictures")
    if given.deblurring:
        sys.exit(deblurring(given.unet))
    for network in given.unet:
        unet(network)
    noise_by_dncnn()
    at_equilibrium(given.equilibrium)
