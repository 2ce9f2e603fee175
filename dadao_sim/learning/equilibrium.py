"""Training of a denoiser where it is used: at the fixed point of x = D(x - a grad F(x)).

Problem
    Restore pictures that are blurred and noisy: F(x) = ||B x - y||^2/N, N pixels, a = 1/L.
Data
    Crops of two photographs at two scales: many for a denoiser that is trained alone, for one level
    of noise; and some scenes, seen through the blur, on which it then learns in its iteration.
Loss
    Mean squared error of D; then the logarithm of that of each scene's z = T^K(.), which is its
    decibels, so that smooth scenes count like others: T(z) = D(z - a grad F(z)), by Jacobian-free
    backpropagation. With ``restart`` every scene goes on from where it was; without, from what was
    seen of it, which is K unrolled layers: the controls.
Reference
    L. Davy, L. M. Briceno-Arias, N. Pustelnik, "Restarted contractive operators to learn at
    equilibrium", arXiv:2506.13239, 2025; the network, the data and the sizes are our choice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from dadao_sim.learning.jacobian_free import learn
from dadao_sim.learning.photographs import FloatArray, crops, training_pictures
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights
from dadao_sim.local_steps.learned.denoisers import Convolutions, weights_of
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems import Problem
from dadao_sim.problems.data.image import blur_matrix

SIZE, BLUR, NOISE = 32, 1.2, 0.02
SCALES = (2, 3)


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights.

    First ``alone`` steps of a denoiser, ``batch`` of ``crops`` at a time; then ``steps`` at
    equilibrium, ``batch`` of ``scenes`` at a time, with K = ``applications``.
    """

    crops: int = 3000
    alone: int = 1500
    rates_alone: tuple[float, float] = (3e-3, 1.5e-4)
    scenes: int = 128
    steps: int = 800
    applications: int = 1
    restart: bool = True
    rates: tuple[float, float] = (1e-3, 1e-4)
    batch: int = 16
    clip: float = 0.1


class Scenes(NamedTuple):
    """Pictures and what was seen of them, (count, SIZE^2), and a problem of each."""

    truth: FloatArray
    seen: FloatArray

    @property
    def problems(self) -> list[Problem]:
        """One node each: least squares."""
        rows = blur_matrix(SIZE, BLUR)
        return [Problem.from_arrays([rows], [y], "least_squares") for y in self.seen]


def scenes(
    pictures: Sequence[FloatArray], count: int, seed: int, scales: Sequence[int] = SCALES
) -> Scenes:
    """Crops of pictures, blurred and noisy."""
    rng = np.random.default_rng(seed)
    truth = crops(pictures, SIZE, count, rng, scales).reshape(count, -1)
    blurred = (blur_matrix(SIZE, BLUR) @ truth.T).T
    return Scenes(truth, blurred + NOISE * rng.standard_normal(truth.shape))


@one_torch_thread()
def train(
    *, seed: int = 0, recipe: Recipe = Recipe(), tick: Callable[[int, float], None] | None = None
) -> DenoiserWeights:
    """Train the denoiser; the same ``seed`` gives the same weights.

    ``tick(step, loss)`` hears of every hundredth step of it alone.
    """
    pictures = training_pictures()
    module = trained_alone(pictures, recipe, seed, tick)
    if recipe.steps == 0:
        return weights_of(module)
    seen = scenes(pictures, recipe.scenes, seed + 1)
    truth = torch.from_numpy(seen.truth)
    first, last = recipe.rates
    found = learn(
        seen.problems,
        lambda x, chosen: ((x[:, 0] - truth[chosen]) ** 2).mean(dim=1).log().mean(),
        denoiser=module,
        shape=(1, SIZE, SIZE),
        learned="denoiser",
        applications=recipe.applications,
        iterations=recipe.steps,
        denoiser_rate=first,
        last_rate=last / first,
        clip=recipe.clip,
        scenes_per_step=recipe.batch,
        restart=recipe.restart,
        x0=seen.seen,
        seed=seed,
    )
    assert found.denoiser is not None, "it was given one"
    return weights_of(found.denoiser)


def trained_alone(
    pictures: Sequence[FloatArray],
    recipe: Recipe,
    seed: int,
    tick: Callable[[int, float], None] | None,
) -> Convolutions:
    """A denoiser of the level of noise of the scenes."""
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    clean = torch.from_numpy(crops(pictures, SIZE, recipe.crops, rng, SCALES))[:, None].float()
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # of the first weights, which torch draws itself
        module = Convolutions()
    first, last = recipe.rates_alone
    optimiser = torch.optim.Adam(module.parameters(), lr=first)
    for step in range(recipe.alone):
        optimiser.param_groups[0]["lr"] = first * (last / first) ** (step / recipe.alone)
        chosen = torch.randint(len(clean), (recipe.batch,), generator=generator)
        noise = torch.randn((recipe.batch, 1, SIZE, SIZE), generator=generator)
        loss = ((module(clean[chosen] + NOISE * noise) - clean[chosen]) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if tick is not None and step % 100 == 0:
            tick(step, float(loss.detach()))
    return module
