"""Training the layers of an unrolled method to descend, by a primal-dual method.

Problem
    minimise E f(Y_L) over the layers' numbers, subject to E c_l <= 0 for every layer l, where
    c_l = ||grad F(Y_l)||/||grad F(Y_{l-1})|| - (1 - eps) and f(Y) = (1/n) sum_i F(y_i); F and its
    gradients are those of the whole problem at every node's own y_i, so that consensus is part of
    it. The expectation is over a family of problems, starts, minibatches and sleepers.
Step
    Adam on f(Y_L) + sum_l nu_l c_l, over some problems at a time;  nu <- relu(nu + dual_rate c).
Reference
    S. Hadou, N. NaderiAlizadeh, A. Ribeiro, "Stochastic Unrolled Federated Learning",
    arXiv:2305.15371, 2023. The ratio of gradients as a constraint is that of its authors' program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.algorithms.contract.unrolled import Features
from dadao_sim.errors import InputError
from dadao_sim.learning.fixed_point_maps import normalised_laplacian
from dadao_sim.learning.problem_batches import CubeBatch, ProblemBatch
from dadao_sim.learning.unrolled_layers import (
    LAYERS,
    MIX_RECIPE,
    Layers,
    MixLayers,
    Recipe,
)
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems import Problem

RECIPE = Recipe()


@dataclass(frozen=True)
class Start:
    """Y_0: zeros, or normal with this standard deviation, one for all nodes where ``shared``."""

    scale: float = 0.0
    shared: bool = False

    def draw(self, problems: ProblemBatch | CubeBatch, generator: torch.Generator) -> torch.Tensor:
        """(Q, n, d)."""
        shape = (len(problems), 1 if self.shared else problems.nodes, problems.dimension)
        drawn = self.scale * torch.randn(shape, generator=generator)
        return drawn.expand(-1, problems.nodes, -1).clone()


@one_torch_thread()
def learn_unrolled(
    problems: Sequence[Problem],
    network: Any,
    *,
    layers: int = 10,
    taps: int = 3,
    batch_size: int | None = None,
    features: Features = "gradient",
    start: Start = Start(),
    seed: int = 0,
    recipe: Recipe = RECIPE,
    tick: Callable[[int, float, np.ndarray], None] | None = None,
) -> Trained:
    """Train an unrolled method on problems of one family; the same ``seed``, the same numbers.

    ``network`` is a fixed one, that of the training. ``tick(step, loss, duals)`` hears of every
    hundredth step. InputError for problems that cannot be trained on.
    """
    if features == "samples" and batch_size is None:
        raise InputError("batch_size", "is missing", "raw samples come in minibatches of one size")
    batch = ProblemBatch.of(problems)
    if batch_size is not None and batch_size > (most := int(batch.count.max())):
        wrong = f"{batch_size} given"
        raise InputError("batch_size", wrong, f"no node has more than {most} samples")
    if not 0 <= recipe.asleep < batch.nodes:
        raise InputError("asleep", f"{recipe.asleep} given", f"at most {batch.nodes - 1} can sleep")
    W = torch.as_tensor(np.eye(batch.nodes) - normalised_laplacian(network, batch.nodes)).float()
    generator = torch.Generator().manual_seed(seed)
    made = {
        **{"layers": layers, "taps": taps, "batch_size": batch_size, "features": features},
        **{"kind": problems[0].kind, "dimension": batch.dimension},
    }
    net = LAYERS["surf"].begin(problems[0], generator, made)
    duals = _train(net, batch, W, start, recipe, generator, tick)
    more = {"start": asdict(start), "seed": seed, "recipe": asdict(recipe), "duals": duals.tolist()}
    return Trained(net.trained.arrays, {**net.trained.made, **more})


@one_torch_thread()
def learn_mix(
    problems: Sequence[Problem],
    *,
    layers: int = 5,
    width: int = 6,
    hand: bool = True,
    skip: bool = True,
    seed: int = 0,
    recipe: Recipe = MIX_RECIPE,
    tick: Callable[[int, float, np.ndarray], None] | None = None,
) -> Trained:
    """Train ``deep_mix`` in one place on problems of kind ``bands``, of one shape, to come near
    their cubes; ``width`` channels in the convolutions. ``hand`` or ``skip`` false leave a part
    out (see ``MixLayers``): these have no method. The rest as in :func:`learn_unrolled`.
    """
    if recipe.asleep:
        raise InputError("asleep", f"{recipe.asleep} given", "0: deep_mix is trained in one place")
    batch, generator = CubeBatch.of(problems), torch.Generator().manual_seed(seed)
    made: dict[str, Any] = {"layers": layers, "width": width}
    made |= {} if hand and skip else {"hand": hand, "skip": skip}
    net = MixLayers.begin(problems[0], generator, made)
    _train(net, batch, torch.empty(0), Start(shared=True), recipe, generator, tick)
    more = {"seed": seed, "recipe": asdict(recipe)}
    return Trained(net.trained.arrays, {**net.trained.made, **more})


def _train(
    net: Layers,
    batch: ProblemBatch | CubeBatch,
    W: torch.Tensor,
    start: Start,
    recipe: Recipe,
    generator: torch.Generator,
    tick: Callable[[int, float, np.ndarray], None] | None,
) -> torch.Tensor:
    """The multipliers (L,) at the end."""
    optimiser = torch.optim.Adam(net.groups(recipe.learning_rate))
    last = recipe.last_rate * recipe.learning_rate
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps, last)
    duals = torch.zeros(len(net))
    for step in range(recipe.steps):
        chosen = torch.randint(len(batch), (recipe.problems_per_step,), generator=generator)
        problems = batch.take(chosen)
        sleepers = int(torch.randint(recipe.asleep + 1, (), generator=generator))
        outputs = net(start.draw(problems, generator), problems, W, generator, sleepers)
        loss = problems.value(outputs[-1]).mean()
        total = loss
        if recipe.constrained:
            assert isinstance(problems, ProblemBatch)  # cubes are only to be come near
            norms = gradient_norms(problems, outputs)
            slack = (norms[1:] / norms[:-1].clamp_min(1e-12)).mean(1) - (1 - recipe.eps)
            total = loss + (duals * slack).sum()
            duals = torch.relu(duals + recipe.dual_rate * slack.detach())
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        optimiser.step()
        rate.step()
        if tick is not None and step % 100 == 0:
            tick(step, float(loss.detach()), duals.numpy())
    if not all(torch.isfinite(p).all() for p in net.parameters()):
        raise InputError("learn-unrolled: the training diverged; try fewer layers or another seed")
    return duals


def gradient_norms(problems: ProblemBatch, outputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """||grad F|| over all nodes, after no layer and after each: (L + 1, Q)."""
    together = problems.gradient(torch.cat(list(outputs), 1))
    each = together.unflatten(1, (len(outputs), problems.nodes))
    return each.square().sum((2, 3)).sqrt().T


@dataclass(frozen=True)
class Played:
    """What layers do on problems, after none of them and after each, (L + 1, Q): mean squared
    distance of the nodes to x*, and ||grad F|| over all nodes.
    """

    squared_distance: np.ndarray
    gradient_norm: np.ndarray

    @property
    def falling(self) -> int:
        """Layers in which the mean norm of the gradient falls."""
        return int((np.diff(self.gradient_norm.mean(axis=1)) < 0).sum())


@one_torch_thread()
def play(
    trained: Trained,
    problems: Sequence[Problem],
    network: Any,
    start: Start = Start(),
    *,
    seed: int = 0,
    asleep: int = 0,
) -> Played:
    """Let trained layers loose on problems, with so many nodes ``asleep`` in each layer."""
    net = LAYERS[trained.made["method"]](trained.arrays, trained.made)
    batch, generator = ProblemBatch.of(problems), torch.Generator().manual_seed(seed)
    W = torch.as_tensor(np.eye(batch.nodes) - normalised_laplacian(network, batch.nodes)).float()
    with torch.inference_mode():
        outputs = net(start.draw(batch, generator), batch, W, generator, asleep)
        x_star = torch.as_tensor(np.stack([one.x_star for one in problems])).float()
        off = torch.stack(outputs) - x_star[:, None]
        return Played(
            off.square().sum(-1).mean(-1).double().numpy(),
            gradient_norms(batch, outputs).double().numpy(),
        )


@one_torch_thread()
def play_mix(trained: Trained, problems: Sequence[Problem]) -> np.ndarray:
    """PSNR in dB of what ``deep_mix`` makes of cubes in one place: H y, which it begins at, and
    after each layer, (K + 1, Q).
    """
    net, batch = MixLayers(trained.arrays, trained.made), CubeBatch.of(problems)
    with torch.inference_mode():
        outputs = net(torch.empty(0), batch, torch.empty(0), torch.Generator())
        errors = torch.stack([batch.value(one)[:, 0] for one in outputs])
    return -10 * np.log10(errors.double().numpy())
