"""Training of the prior of light: a masked autoencoder of dark scenes.

Problem
    Find the log light behind a picture, from the mean brightness of those of its 8 x 8 windows that
    are shown: what any part of a picture tells of the light on all of it.
Data
    Crops of two photographs at three scales, turned and mirrored, under one to three lamps, with
    noise; none of them is an image that a scenario has. The target is the field of 6 x 6 cosines
    nearest to the true log light.
Loss
    Squared error of the field. Of each picture a share of the windows, uniform in (0, hidden), is
    hidden: with ``hidden`` 0 it is the same network without masks, the control.
Reference
    N. Zheng et al., "Empowering Low-Light Image Enhancer through Customized Learnable Priors", ICCV
    2023; the network, the data and the loss are our choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dadao_sim.learning.photographs import crops, training_pictures
from dadao_sim.local_steps.learned.illumination import (
    COSINES,
    GRID,
    SIZE,
    WAVES,
    WINDOW,
    Illumination,
)
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems.data.lamps import log_light, photographed

FloatArray = NDArray[np.float64]

NOISE = 0.01
SCALES = (2, 3, 4)
MOST_LAMPS = 3
AT_ONCE = 2000
"""Scenes that are made at a time: whole pictures of all of them would take gigabytes."""
BASIS = np.einsum("ai,bj->abij", COSINES, COSINES).reshape(WAVES**2, SIZE**2)


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights."""

    scenes: int = 60_000
    steps: int = 8900
    batch: int = 512
    hidden: float = 0.75
    neurons: int = 96
    learning_rates: tuple[float, float] = (3e-3, 6e-5)
    decay: float = 0.02


class Scenes(NamedTuple):
    """Dark pictures y and the log light on them, (count, 64, 64), and what they show of things."""

    reflectance: FloatArray
    light: FloatArray
    seen: FloatArray

    @property
    def windows(self) -> FloatArray:
        """The mean of log y over each window, (count, 8, 8)."""
        shape = (-1, GRID, WINDOW, GRID, WINDOW)
        return np.log(self.seen).reshape(shape).mean(axis=(2, 4))


def scenes(pictures: Sequence[FloatArray], count: int, rng: np.random.Generator) -> Scenes:
    """Random crops of the pictures under random lamps."""
    reflectance = crops(pictures, SIZE, count, rng, SCALES)
    light = np.array([any_light(rng) for _ in range(count)])
    return Scenes(reflectance, light, photographed(light, reflectance, NOISE, rng))


def any_light(rng: np.random.Generator) -> FloatArray:
    """log L (64, 64) of one to three lamps."""
    return log_light(SIZE, int(rng.integers(1, MOST_LAMPS + 1)), rng)


def examples(recipe: Recipe, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows (scenes, 64) and coefficients of the light (scenes, 36)."""
    pictures, inverse = training_pictures(), np.linalg.pinv(BASIS)
    means, targets = [], []
    for start in range(0, recipe.scenes, AT_ONCE):
        part = scenes(pictures, min(AT_ONCE, recipe.scenes - start), rng)
        means.append(part.windows.reshape(-1, GRID**2))
        targets.append(part.light.reshape(-1, SIZE**2) @ inverse)
    windows, light = (torch.from_numpy(np.concatenate(each)).float() for each in (means, targets))
    return windows, light


@one_torch_thread()
def train(
    *, seed: int = 0, recipe: Recipe = Recipe(), tick: Callable[[int, float], None] | None = None
) -> Illumination:
    """Train the network; the same ``seed`` gives the same weights.

    ``tick(step, loss)`` hears of every hundredth step.
    """
    means, targets = examples(recipe, np.random.default_rng(seed))
    basis = np.sqrt((BASIS**2).mean(axis=1))
    scale = torch.from_numpy(basis).float()

    generator = torch.Generator().manual_seed(seed)
    net = initial_weights(recipe, generator)
    first, last = recipe.learning_rates
    optimiser = torch.optim.AdamW(net.values(), lr=first, weight_decay=recipe.decay)
    for step in range(recipe.steps):
        optimiser.param_groups[0]["lr"] = first * (last / first) ** (step / recipe.steps)
        chosen = torch.randint(len(means), (recipe.batch,), generator=generator)
        share = recipe.hidden * torch.rand(recipe.batch, 1, generator=generator)
        shown = (torch.rand(recipe.batch, GRID**2, generator=generator) >= share).float()
        error = forward(net, means[chosen], shown) - targets[chosen]
        loss = ((error * scale) ** 2).sum(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if tick is not None and step % 100 == 0:
            tick(step, float(loss.detach()))
    arrays = {name: array.detach().double().numpy() for name, array in net.items()}
    return Illumination(**arrays)


def initial_weights(recipe: Recipe, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Uniform in +-1/sqrt(inputs), the last matrix a tenth of that."""
    shapes = {"A": (recipe.neurons, 2 * GRID**2), "a": (recipe.neurons,)}
    shapes |= {"B": (recipe.neurons, recipe.neurons), "b": (recipe.neurons,)}
    shapes |= {"C": (WAVES**2, recipe.neurons), "c": (WAVES**2,)}
    net = {}
    for name, shape in shapes.items():
        inputs = shapes[name.upper()][1]
        drawn = (2 * torch.rand(shape, generator=generator) - 1) / inputs**0.5
        net[name] = (0.1 * drawn if name == "C" else drawn).requires_grad_(True)
    return net


def forward(net: dict[str, torch.Tensor], means: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    """Coefficients (N, 36) of windows (N, 64), with gradients; see ``learned.illumination``."""
    mean = (means * shown).sum(dim=1, keepdim=True) / shown.sum(dim=1, keepdim=True).clamp(min=1)
    inputs = torch.cat([(means - mean) * shown, shown], dim=1)
    h = torch.relu(inputs @ net["A"].T + net["a"])
    h = h + torch.relu(h @ net["B"].T + net["b"])
    return h @ net["C"].T + net["c"] + mean * torch.eye(1, WAVES**2)
