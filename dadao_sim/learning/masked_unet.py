"""Training of the masked U-net: a denoiser that knows of hidden pixels.

Problem
    Give the clean crop from a noisy one of which some pixels are hidden.
Data
    Crops of two photographs at two scales, turned and mirrored, with noise of a level that is
    uniform in (0, .2). A third of the crops is whole, a third has single pixels hidden, a third
    windows of 4 x 4; the share of what is hidden is uniform in (.25, .75).
Loss
    Mean absolute error. ``masked`` false hides nothing: the control. The weights are a running mean
    of those of Adam.
Reference
    N. Zheng et al., "Empowering Low-Light Image Enhancer through Customized Learnable Priors", ICCV
    2023; the network, the data and the loss are our choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from dadao_sim.learning.photographs import FloatArray, crops, training_pictures
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights
from dadao_sim.local_steps.learned.denoisers import MOST_NOISE, MaskedUnet, weights_of
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread

SCALES = (2, 3)
WINDOW = 4


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights."""

    steps: int = 4000
    batch: int = 16
    size: int = 32
    masked: bool = True
    learning_rates: tuple[float, float] = (4e-3, 1.2e-4)
    remembered: float = 0.99


def any_mask(count: int, size: int, rng: np.random.Generator) -> FloatArray:
    """1 where shown, (count, size, size); see the module."""
    masks = np.ones((count, size, size))
    for mask, kind in zip(masks, rng.integers(3, size=count), strict=True):
        share = rng.uniform(0.25, 0.75)
        if kind == 1:
            mask[:] = rng.random((size, size)) > share
        if kind == 2:
            windows = rng.random((size // WINDOW, size // WINDOW)) > share
            mask[:] = np.kron(windows, np.ones((WINDOW, WINDOW)))
    return masks


@one_torch_thread()
def train(
    *, seed: int = 0, recipe: Recipe = Recipe(), tick: Callable[[int, float], None] | None = None
) -> DenoiserWeights:
    """Train the network; the same ``seed`` gives the same weights.

    ``tick(step, loss)`` hears of every hundredth step.
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # of the first weights, which torch draws itself
        unet = MaskedUnet()
    mean = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.remembered)
    average = torch.optim.swa_utils.AveragedModel(unet, multi_avg_fn=mean)
    first, last = recipe.learning_rates
    optimiser = torch.optim.Adam(unet.parameters(), lr=first)
    pictures = training_pictures()
    for step in range(recipe.steps):
        optimiser.param_groups[0]["lr"] = first * (last / first) ** (step / recipe.steps)
        clean = _batch(crops(pictures, recipe.size, recipe.batch, rng, SCALES))
        masks = any_mask(recipe.batch, recipe.size, rng)
        shown = _batch(masks if recipe.masked else np.ones_like(masks))
        sigma = MOST_NOISE * torch.rand(recipe.batch, generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        found = unet(clean + sigma[:, None, None, None] * noise, shown, sigma)
        loss = (found - clean).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average.update_parameters(unet)
        if tick is not None and step % 100 == 0:
            tick(step, float(loss.detach()))
    return weights_of(average.module)


def _batch(pictures: FloatArray) -> torch.Tensor:
    return torch.from_numpy(pictures)[:, None].float()
