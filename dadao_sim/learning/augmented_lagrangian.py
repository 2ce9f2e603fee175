"""Learning the solutions of a parametric programme without any solution: a network answers the
inputs, and an augmented Lagrangian is its loss.

Problem
    min_u f(u, theta) subject to g(u, theta) = G u + E theta - c <= 0, for every theta of a box.
Loss
    f + <y, relu(g)> + (rho/2) |relu(g)|^2 at u = u(theta), in the mean over a fixed set of thetas
    with multipliers y of their own.
Rounds
    After so many steps of Adam y <- y + rho relu(g) and rho <- 1.5 rho, up to 30.
Correction
    u <- u - (1.5/|G|^2) G^T relu(g), 20 times, of what is taken for a label.
Reference
    Liu et al., arXiv:2505.04037, 2025, of which the loss is; sizes, the rule for rho and the
    correction were not found there, and are ours.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.parametric_programme import ParametricProgramme


@dataclass(frozen=True)
class SolutionRecipe:
    """The constants of a training; the defaults give the shipped weights."""

    widths: tuple[int, ...] = (128, 128, 128)
    samples: int = 8192
    batch: int = 1024
    rounds: int = 10
    steps: int = 700
    learning_rate: float = 2e-3
    falling: float = 0.75
    rho: float = 1.0
    growth: float = 1.5
    largest_rho: float = 30.0
    corrections: int = 20


SOLVED = SolutionRecipe()


@dataclass(frozen=True)
class Round:
    """After a round of training, on thetas that were not learned from: means of |f - phi|, of the
    largest violation and of the residual of the conditions of Karush, Kuhn and Tucker, the worst
    violation, and the mean distance from the solution.
    """

    gap: float
    violation: float
    worst_violation: float
    residual: float
    distance: float


Inputs = Callable[[FloatArray], FloatArray]
"""From thetas (N, p) to inputs (N, m)."""


@one_torch_thread()
def learn_solutions(
    programme: ParametricProgramme,
    box: FloatArray,
    held_out: FloatArray,
    *,
    seed: int = 0,
    recipe: SolutionRecipe = SOLVED,
    tick: Callable[[int, Round], None] | None = None,
) -> tuple[Inputs, list[Round]]:
    """The corrected inputs that a network answers in the ``box`` (p, 2), and how good it was after
    every round, before the correction, on ``held_out`` (N, p). No solver has a part in training.

    ``tick(round, what it came to)`` hears of every round.
    """
    generator = torch.Generator().manual_seed(seed)
    middle, half = box.mean(axis=1), (box[:, 1] - box[:, 0]) / 2
    p, m = len(middle), len(programme.Q)
    S = 2 * torch.rand((recipe.samples, p), generator=generator) - 1
    thetas = S * _single(half) + _single(middle)
    layers = _layers((p, *recipe.widths, m), generator)
    Q, C, G, E, c = map(_single, (programme.Q, programme.C, programme.G, programme.E, programme.c))
    y, rho = torch.zeros((len(S), len(c))), recipe.rho

    def network(s: torch.Tensor) -> torch.Tensor:
        for W, b in layers[:-1]:
            s = torch.relu(torch.addmm(b, s, W))
        return torch.addmm(layers[-1][1], s, layers[-1][0])

    def violations(u: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        return torch.relu(u @ G.T + theta @ E.T - c)

    def inputs(points: FloatArray) -> FloatArray:
        with one_torch_thread(), torch.no_grad():
            return np.asarray(network(_single((points - middle) / half)).double().numpy())

    solved = [programme.solve(theta).u for theta in held_out]
    history: list[Round] = []
    for number in range(recipe.rounds):
        first = recipe.learning_rate * recipe.falling**number
        optimiser = torch.optim.Adam([t for layer in layers for t in layer], lr=first)
        for step in range(recipe.steps):
            along = (1 + math.cos(math.pi * step / recipe.steps)) / 2
            optimiser.param_groups[0]["lr"] = first * (0.1 + 0.9 * along)
            k = torch.randint(0, len(S), (recipe.batch,), generator=generator)
            theta, u = thetas[k], network(S[k])
            over = violations(u, theta)
            f = ((u @ Q) * u).sum(dim=1) / 2 + ((u @ C) * theta).sum(dim=1)
            loss = (f + (y[k] * over).sum(dim=1) + rho / 2 * (over**2).sum(dim=1)).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            y += rho * violations(network(S), thetas)
        rho = min(recipe.growth * rho, recipe.largest_rho)
        history.append(_round(programme, inputs(held_out), held_out, solved))
        if tick is not None:
            tick(number, history[-1])
    return lambda points: corrected(programme, inputs(points), points, recipe.corrections), history


def corrected(
    programme: ParametricProgramme, u: FloatArray, thetas: FloatArray, times: int
) -> FloatArray:
    """Inputs (N, m) after so many steps on the square of what is violated."""
    G, E, c = programme.G, programme.E, programme.c
    step = 1.5 / np.linalg.norm(G, 2) ** 2
    for _ in range(times):
        u = u - step * np.maximum(u @ G.T + thetas @ E.T - c, 0.0) @ G
    return u


def falls(values: Sequence[float]) -> int:
    """How often a number is below the one before."""
    return sum(after < before for before, after in pairwise(values))


def _round(
    programme: ParametricProgramme,
    inputs: FloatArray,
    thetas: FloatArray,
    solved: Sequence[FloatArray],
) -> Round:
    pairs = list(zip(inputs, thetas, strict=True))
    found = np.array([programme.objective(u, theta) for u, theta in pairs])
    least = [programme.objective(u, theta) for u, theta in zip(solved, thetas, strict=True)]
    violation = np.array([programme.violation(u, theta) for u, theta in pairs])
    return Round(
        gap=float(np.abs(found - least).mean()),
        violation=float(violation.mean()),
        worst_violation=float(violation.max()),
        residual=float(np.mean([programme.residual(u, theta) for u, theta in pairs])),
        distance=float(np.linalg.norm(inputs - np.array(solved), axis=1).mean()),
    )


def _layers(
    widths: Sequence[int], generator: torch.Generator
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights of a scale that keeps the size of what passes, and small ones in the end."""
    found = []
    for number, (into, out) in enumerate(pairwise(widths)):
        last = number == len(widths) - 2
        W = torch.randn((into, out), generator=generator) * (0.05 if last else (2 / into) ** 0.5)
        b = torch.zeros(out) if last else 0.5 * torch.randn(out, generator=generator)
        found.append((W.requires_grad_(True), b.requires_grad_(True)))
    return found


def _single(x: FloatArray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).float()
