"""Training of learned proximal networks by proximal matching.

Problem
    Find the proximal operator of -log p from samples x of p alone: denoise y = x + sigma eps.
Loss
    1 - exp(-(f(y) - x)^2/gamma^2), with gamma annealed to 0; an l1 warm-up comes first. The mean
    square would give the posterior mean, this gives its mode, which is the proximal operator of
    -sigma^2 log p. At a finite gamma f(y) tends to argmax_z E[exp(-(z - x)^2/gamma^2) | y].
    Two controls have one loss throughout: ``l2``, the mean square, and ``l1``, the mean absolute
    value, which gives the posterior median.
Sampling
    x and eps come from the points of a rank-1 lattice with a random shift per step, through their
    quantile functions (randomised quasi-Monte Carlo; our choice). The loss looks only at the few
    samples within gamma of the target: an even spread takes most of the noise out.
Symmetry
    The priors are even, and so is psi(u) + psi(-u), still convex: the network is odd by
    construction (our choice), and learns from x >= 0 alone.
Reference
    Z. Fang, S. Buchanan, J. Sulam, "What's in a Prior? Learned Proximal Networks for Inverse
    Problems", ICLR 2024.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.local_steps.learned.weight_file import Weights


def laplacian_magnitude(u: torch.Tensor) -> torch.Tensor:
    """|x| for uniform ``u`` in (0, 1), where p(x) = exp(-|x|)/2."""
    return -torch.log1p(-u)


PRIORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"laplacian": laplacian_magnitude}
"""Quantile function of |x|, by name, for even densities p of unit scale."""

GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights."""

    neurons: int = 16
    layers: int = 2
    beta: float = 4.0
    alpha: float = 0.01
    radius: float = 3.5
    sigma: float = 1.0
    pairs: int = 1024
    warm_up: int = 5000
    gammas: tuple[float, ...] = (0.5, 0.3, 0.2)
    steps_per_gamma: int = 4000
    learning_rates: tuple[float, float] = (5e-3, 4e-4)
    averaged: float = 0.75
    loss: Literal["matching", "l1", "l2"] = "matching"

    def stages(self) -> Iterator[tuple[float, float | None, bool]]:
        """Learning rate (falling geometrically), gamma, and whether the average counts, of every
        step; gamma None is the warm-up. What is averaged is the end of the last stage.
        """
        gammas = [None] * self.warm_up + [
            g for g in self.gammas for _ in range(self.steps_per_gamma)
        ]
        first, last = self.learning_rates
        begin = len(gammas) - self.averaged * self.steps_per_gamma
        for step, gamma in enumerate(gammas):
            yield first * (last / first) ** (step / len(gammas)), gamma, step >= begin


@one_torch_thread()
def train(
    prior: str = "laplacian",
    *,
    seed: int = 0,
    recipe: Recipe = Recipe(),
    tick: Callable[[int, float], None] | None = None,
) -> Weights:
    """Train a network on ``prior``, one of ``PRIORS``; the same ``seed`` gives the same weights.

    ``tick(step, loss)`` hears of every hundredth step.
    """
    if prior not in PRIORS:
        raise InputError(f"learn-prior: unknown prior {prior!r} (known: {', '.join(PRIORS)})")
    generator = torch.Generator().manual_seed(seed)
    network = ProximalNetwork(initial_weights(recipe, generator), torch.float32)
    average = torch.optim.swa_utils.AveragedModel(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rates[0])
    for step, (learning_rate, gamma, averaged) in enumerate(recipe.stages()):
        optimiser.param_groups[0]["lr"] = learning_rate
        x, y = samples(PRIORS[prior], recipe, generator)
        loss = LOSSES[recipe.loss](network.gradient(y) - x, gamma)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            for array in (network.hidden, network.output):
                array.clamp_(min=0)  # psi stays convex
        if averaged:
            average.update_parameters(network)
        if tick is not None and step % 100 == 0:
            tick(step, float(loss))
    network.load_state_dict(average.module.state_dict())
    return network.weights


def initial_weights(recipe: Recipe, generator: torch.Generator) -> Weights:
    """Kinks spread over the radius, normal slopes, small positive weights between and behind."""
    layers, neurons = recipe.layers, recipe.neurons
    skip = torch.randn(layers, neurons, generator=generator)
    kinks = recipe.radius * (2 * torch.rand(layers, neurons, generator=generator) - 1)
    bias = -skip * kinks
    hidden = torch.rand(layers - 1, neurons, neurons, generator=generator) / neurons
    output = torch.rand(neurons, generator=generator) / neurons
    return Weights(
        hidden=hidden.double().numpy(),
        skip=skip.double().numpy(),
        bias=bias.double().numpy(),
        output=output.double().numpy(),
        beta=recipe.beta,
        alpha=recipe.alpha,
        radius=recipe.radius,
        symmetric=True,
    )


def samples(
    magnitude: Callable[[torch.Tensor], torch.Tensor], recipe: Recipe, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clean x >= 0 and noisy y, each (pairs,); their mirror images would tell f nothing new."""
    count = recipe.pairs
    shift = torch.rand(2, generator=generator, dtype=torch.float64)
    points = torch.arange(count, dtype=torch.float64)
    x = magnitude((points + shift[0]) / count)
    noise = torch.special.ndtri((points * GOLDEN + shift[1]).frac().clamp(1e-12, 1 - 1e-12))
    y = x + recipe.sigma * noise
    return x.float(), y.float()


def matching_loss(residual: torch.Tensor, gamma: float | None) -> torch.Tensor:
    """Mean proximal matching loss of f(y) - x, or its mean absolute value where gamma is None."""
    if gamma is None:
        return residual.abs().mean()
    return -torch.expm1(-((residual / gamma) ** 2)).mean()


LOSSES: dict[str, Callable[[torch.Tensor, float | None], torch.Tensor]] = {
    "matching": matching_loss,
    "l1": lambda residual, gamma: matching_loss(residual, None),
    "l2": lambda residual, gamma: residual.square().mean(),
}
