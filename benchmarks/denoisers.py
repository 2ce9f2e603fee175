"""The numbers of docs/systems/equilibrium.md, of shipped weights on pictures that no training saw:
scikit-learn's flower, and, where scikit-image is installed, three of its pictures besides.

    python benchmarks/denoisers.py
    python benchmarks/denoisers.py --unet unet_unmasked.npz --equilibrium equilibrium_unrolled.npz
"""

import argparse
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_sample_image

from dadao_sim.learning.equilibrium import BLUR, SIZE, scenes
from dadao_sim.learning.photographs import averaged
from dadao_sim.local_steps.learned.denoisers import module_of, restored
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.problems.data.image import blur_matrix, in_grey
from dadao_sim.reports.recovered import psnr

MARKS, SCENES = (1, 5, 20, 150, 600), 16


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
    for number, picture in enumerate(pictures()):
        truth = averaged(picture, 2)[20:140, 20:140]
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--unet", nargs="+", default=["unet"])
    parser.add_argument(
        "--equilibrium",
        nargs="+",
        default=["equilibrium", "equilibrium_alone", "equilibrium_cold"],
    )
    given = parser.parse_args()
    print(f"{len(list(pictures()))} held-out pictures")
    for network in given.unet:
        unet(network)
    at_equilibrium(given.equilibrium)
