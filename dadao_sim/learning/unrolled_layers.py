"""The layers of unrolled methods as networks: what their methods do in NumPy, to be trained.

Another family of layers is a class below :class:`Layers`, and its line in ``LAYERS``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from dadao_sim.algorithms import deep_mix, surf
from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.learning.problem_batches import CubeBatch, ProblemBatch
from dadao_sim.problems import Problem


@dataclass(frozen=True)
class Recipe:
    """The constants of a training; the defaults give the shipped weights of ``surf``.

    ``steps`` of Adam over so many problems each, at a rate that falls along a cosine to
    ``last_rate`` of the first; gradients longer than ``clip`` are shortened to it. ``eps`` is how
    much every layer must descend; ``constrained`` false leaves that out. ``asleep`` is the largest
    number of nodes that sleep in a layer, as many as drawn for each step.
    """

    steps: int = 2500
    problems_per_step: int = 16
    learning_rate: float = 5e-3
    last_rate: float = 0.02
    clip: float = 5.0
    eps: float = 0.1
    dual_rate: float = 5e-2
    constrained: bool = True
    asleep: int = 0


class Layers(torch.nn.Module):
    """Layers of a method over a batch of problems; its parameters are the arrays of the method.

    ``method`` is the method's name; ``made`` what the arrays are for (see ``Trained``).
    """

    method: ClassVar[str]

    def __init__(self, arrays: Mapping[str, np.ndarray], made: Mapping[str, Any]):
        super().__init__()
        self.made = dict(made)
        for name, array in arrays.items():
            tensor = torch.as_tensor(array, dtype=torch.float32)
            self.register_parameter(name, torch.nn.Parameter(tensor))

    @classmethod
    @abstractmethod
    def begin(cls, problem: Problem, generator: torch.Generator, made: Mapping[str, Any]) -> Layers:
        """What the training starts from, for problems like this one."""

    def first(self, Y: torch.Tensor, problems: Any) -> torch.Tensor:
        """What the layers begin with, of the start Y (Q, n, d)."""
        return Y

    @abstractmethod
    def layer(
        self,
        number: int,
        Y: torch.Tensor,
        problems: Any,
        W: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Y, in the shape of :meth:`first`, after that layer."""

    def answer(self, Y: torch.Tensor) -> torch.Tensor:
        """The estimates that are part of Y."""
        return Y

    def __len__(self) -> int:
        return int(self.made["layers"])

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """The parameters, and the rates of their steps."""
        return [{"params": list(self.parameters()), "lr": rate}]

    def forward(
        self,
        Y: torch.Tensor,
        problems: Any,
        W: torch.Tensor,
        generator: torch.Generator,
        asleep: int = 0,
    ) -> list[torch.Tensor]:
        """The estimates that the layers begin with, and those after each layer. In every layer so
        many nodes, drawn anew for each problem, are ``asleep``: they keep their values, which the
        others still read.
        """
        Y = self.first(Y, problems)
        found = [self.answer(Y)]
        for number in range(len(self)):
            after = self.layer(number, Y, problems, W, generator)
            if asleep:
                chance = torch.rand(Y.shape[:2], generator=generator)
                least = chance.sort(1).values[:, asleep - 1 : asleep]
                after = torch.where((chance <= least)[..., None], Y, after)
            Y = after
            found.append(self.answer(Y))
        return found

    @property
    def trained(self) -> Trained:
        """The arrays for the method."""
        arrays = {name: p.detach().double().numpy() for name, p in self.named_parameters()}
        return Trained(arrays, {**self.made, "method": self.method})


MIX_RECIPE = Recipe(
    steps=800,
    problems_per_step=8,
    learning_rate=3e-3,
    last_rate=0.03,
    clip=1.0,
    constrained=False,
)
"""Of the shipped weights of ``deep_mix``."""


class SurfLayers(Layers):
    """Those of ``algorithms.surf``."""

    method = "surf"
    h: torch.Tensor
    M: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def begin(
        cls, problem: Problem, generator: torch.Generator, made: Mapping[str, Any]
    ) -> SurfLayers:
        """Rounds of DGD for gradients, random numbers for samples; M is slightly disturbed."""
        trained = surf.untrained(problem, made["layers"], made["taps"])
        shapes = surf.shapes(made)
        noise = 0.01 * torch.randn(shapes["M"], generator=generator, dtype=torch.float64).numpy()
        M = trained.arrays["M"] if made["features"] == "gradient" else np.zeros(shapes["M"])
        return cls({**trained.arrays, "M": M + noise}, {**trained.made, **made})

    def layer(
        self,
        number: int,
        Y: torch.Tensor,
        problems: ProblemBatch,
        W: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """See :mod:`dadao_sim.algorithms.surf`."""
        h, M, bias = self.h[number], self.M[number], self.bias[number]
        power, mixed = Y, h[0] * Y
        for weight in h[1:]:
            power = W @ power
            mixed = mixed + weight * power
        rows = problems.draw(self.made["batch_size"], generator)
        if self.made["features"] == "gradient":
            return mixed - (torch.cat([problems.local_gradient(rows, Y), Y], -1) @ M + bias)
        seen = torch.cat([rows.features, rows.targets[..., None]], -1).flatten(2)
        return mixed - torch.relu(torch.cat([seen, Y], -1) @ M + bias)


class MixLayers(Layers):
    """Those of ``algorithms.deep_mix`` in one place, where every average is exact: Y (Q, 2, d) is
    z1 and z2, of which z2 is the estimate.

    To be compared with, ``made`` may say that there is no handcrafted module (``hand`` false: z1
    stays away, from the learned one too), or that the learned one does not see it (``skip`` false).
    """

    method = "deep_mix"
    rate_of_logarithms: ClassVar[float] = 10.0
    log: torch.Tensor
    skip: torch.Tensor

    @classmethod
    def begin(
        cls, problem: Problem, generator: torch.Generator, made: Mapping[str, Any]
    ) -> MixLayers:
        """Convolutions uniform in +-1/sqrt(inputs), the last a twentieth of that."""
        trained = deep_mix.untrained(problem, made["layers"], made["width"])
        both = made.get("hand", True) and made.get("skip", True)
        arrays = dict(trained.arrays)
        if not both:
            arrays["C1"] = arrays["C1"][:, : problem.nodes]
        for name in ("1", "2", "3"):
            inputs = arrays[f"C{name}"][0].size
            for letter in ("C", "a"):
                shape = arrays[letter + name].shape
                drawn = (2 * torch.rand(shape, generator=generator) - 1) / inputs**0.5
                arrays[letter + name] = drawn.numpy()
        arrays["C3"], arrays["a3"] = 0.05 * arrays["C3"], 0 * arrays["a3"]
        return cls(arrays, {**trained.made, **made})

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Logarithms take longer steps."""
        found: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
        for name, parameter in self.named_parameters():
            found[name in ("log", "skip")].append(parameter)
        return [
            {"params": found[True], "lr": self.rate_of_logarithms * rate},
            {"params": found[False], "lr": rate},
        ]

    def first(self, Y: torch.Tensor, problems: CubeBatch) -> torch.Tensor:
        """z1 = z2 = H y; the start Y is not looked at."""
        seen = problems.blurred(problems.seen).flatten(1)
        return torch.stack([seen, seen], 1)

    def layer(
        self,
        number: int,
        Y: torch.Tensor,
        problems: CubeBatch,
        W: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """See :meth:`modules_of`; all layers are alike."""
        z1, z2 = (z.view_as(problems.seen) for z in Y.unbind(1))
        return torch.stack([z.flatten(1) for z in self.modules_of(problems, z1, z2)], 1)

    def answer(self, Y: torch.Tensor) -> torch.Tensor:
        """z2."""
        return Y[:, 1:]

    def modules_of(
        self, problems: CubeBatch, z1: torch.Tensor, z2: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :mod:`dadao_sim.algorithms.deep_mix`; (Q, B, s, s)."""
        hand, skip = self.made.get("hand", True), self.made.get("skip", True)
        b1, b2, tau = self.log.exp()
        if not hand:
            x = problems.solved(b2 * z2, b2)
            return x, x + self.convolved(x)
        x = problems.solved(b1 * z1 + b2 * z2, b1 + b2)
        z1 = low_rank(x, tau)
        if not skip:
            return z1, x + self.convolved(x)
        g = torch.sigmoid(self.skip)
        return z1, (1 - g) * x + g * z1 + self.convolved(torch.cat([x, z1], 1))

    def convolved(self, h: torch.Tensor) -> torch.Tensor:
        """c."""
        for name in ("1", "2", "3"):
            around = torch.nn.functional.pad(h, (1, 1, 1, 1), mode="circular")
            C, a = getattr(self, f"C{name}"), getattr(self, f"a{name}")
            h = torch.nn.functional.conv2d(around, C, a)
            h = h if name == "3" else torch.relu(h)
        return h


def low_rank(x: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    """The singular values of every cube as a matrix, less tau sqrt(p), (Q, B, s, s).

    The gradient by tau is exact. The one by x takes the directions, and of each the share that is
    kept, as they are: U diag(kept) U' for a fixed matrix, which is shorter along what is shrunk.
    No eigenvectors are differentiated, whose derivatives grow without bound where two values meet.
    """
    M = x.flatten(2)
    squares, U = torch.linalg.eigh((M @ M.mT).detach())
    sigma = squares.clamp(min=deep_mix.LEAST).sqrt()
    kept = torch.relu(1 - tau * M.shape[2] ** 0.5 / sigma)
    return ((U * kept[:, None, :]) @ (U.mT @ M)).view_as(x)


LAYERS: dict[str, type[Layers]] = {"surf": SurfLayers, "deep_mix": MixLayers}
"""By the name of the method."""
