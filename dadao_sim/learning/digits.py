"""Training of a learned proximal network on 8 x 8 digits, by proximal matching.

Problem
    Find the proximal operator of -sigma^2 log p, p the density of handwritten digits, from samples
    alone: denoise y = x + sigma eps.
Loss
    First the l1 norm of f(y) - x, summed over the pixels; then, in the other half of the training,
    1 - exp(-||f(y) - x||^2/gamma^2) with gamma falling. W and w are cut to be no less than 0 after
    every step, so that f stays the gradient of a convex function.
Data
    scikit-learn's digits, less their mean, but for the 297 that are held out, of which scenarios
    have theirs.
What counts
    The average of the weights over the last few hundred steps, weighted exponentially.
Reference
    Z. Fang, S. Buchanan, J. Sulam, "What's in a Prior? Learned Proximal Networks for Inverse
    Problems", ICLR 2024. The digits, the size, and the constants are our choice.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from dadao_sim.local_steps.learned.convex_network import ConvexNetwork
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems.data.digit import digits

LINEAR = 200.0
"""From here on beta s(a) is beta a in double precision; torch would cut at 20."""
NOT_NEGATIVE = ("W", "w")

Arrays = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights."""

    neurons: int = 96
    alpha: float = 0.1
    beta: float = 10.0
    sigma: float = 0.15
    batch: int = 256
    warm_up: int = 8000
    gammas: tuple[float, ...] = (2.0, 1.4, 1.0, 0.8)
    steps_per_gamma: int = 2000
    learning_rates: tuple[float, float] = (3e-3, 9e-5)
    kept: float = 0.995

    def stages(self) -> Iterator[tuple[float, float | None]]:
        """Learning rate (falling geometrically) and gamma of every step; None is the warm-up."""
        gammas: list[float | None] = [None] * self.warm_up
        gammas += [gamma for gamma in self.gammas for _ in range(self.steps_per_gamma)]
        first, last = self.learning_rates
        for step, gamma in enumerate(gammas):
            yield first * (last / first) ** (step / len(gammas)), gamma


@one_torch_thread()
def train(
    *, seed: int = 0, recipe: Recipe = Recipe(), tick: Callable[[int, float], None] | None = None
) -> ConvexNetwork:
    """Train the network; the same ``seed`` gives the same weights.

    ``tick(step, loss)`` hears of every hundredth step.
    """
    clean = torch.tensor(digits().training, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    net = initial_weights(recipe, clean.shape[1], generator)
    average = {name: array.detach().clone() for name, array in net.items()}
    optimiser = torch.optim.Adam(net.values(), lr=recipe.learning_rates[0])
    for step, (learning_rate, gamma) in enumerate(recipe.stages()):
        optimiser.param_groups[0]["lr"] = learning_rate
        x = clean[torch.randint(len(clean), (recipe.batch,), generator=generator)]
        y = x + recipe.sigma * torch.randn(x.shape, generator=generator)
        loss = matching_loss(forward(net, y, recipe) - x, gamma)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for name in NOT_NEGATIVE:
                net[name].clamp_(min=0)
            for name, array in net.items():
                average[name].lerp_(array, 1 - recipe.kept)
        if tick is not None and step % 100 == 0:
            tick(step, float(loss.detach()))
    arrays = {name: array.double().numpy() for name, array in average.items()}
    return ConvexNetwork(**arrays, alpha=recipe.alpha, beta=recipe.beta)


def initial_weights(recipe: Recipe, dimension: int, generator: torch.Generator) -> Arrays:
    """Normal of variance 1/d from the pixels, small positive weights between and behind."""
    h, d = recipe.neurons, dimension
    net = {
        "H1": torch.randn(h, d, generator=generator) / math.sqrt(d),
        "b1": torch.zeros(h),
        "W": torch.rand(h, h, generator=generator) / h,
        "H2": torch.randn(h, d, generator=generator) / math.sqrt(d),
        "b2": torch.zeros(h),
        "w": torch.rand(h, generator=generator) / 4,
    }
    return {name: array.requires_grad_(True) for name, array in net.items()}


def forward(net: Arrays, y: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """f at y (N, d), with gradients; see ``learned.convex_network``."""
    a1 = y @ net["H1"].T + net["b1"]
    a2 = softplus(a1, recipe.beta, LINEAR) @ net["W"].T + y @ net["H2"].T + net["b2"]
    q = net["w"] * torch.sigmoid(recipe.beta * a2)
    p = (q @ net["W"]) * torch.sigmoid(recipe.beta * a1)
    return recipe.alpha * y + q @ net["H2"] + p @ net["H1"]


def matching_loss(residual: torch.Tensor, gamma: float | None) -> torch.Tensor:
    """Mean proximal matching loss of f(y) - x (N, d), or mean l1 norm where gamma is None."""
    if gamma is None:
        return residual.abs().sum(dim=1).mean()
    return -torch.expm1(-(residual**2).sum(dim=1) / gamma**2).mean()
