"""The layers of unrolled methods as networks: what their methods do in NumPy, to be trained.

Another family of layers is a class below :class:`Layers`, and its line in ``LAYERS``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from dadao_sim.algorithms import surf
from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.learning.problem_batches import ProblemBatch
from dadao_sim.problems import Problem


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

    @abstractmethod
    def layer(
        self,
        number: int,
        Y: torch.Tensor,
        problems: ProblemBatch,
        W: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Y (Q, n, d) after that layer."""

    def __len__(self) -> int:
        return len(next(iter(self.parameters())))

    def forward(
        self,
        Y: torch.Tensor,
        problems: ProblemBatch,
        W: torch.Tensor,
        generator: torch.Generator,
        asleep: int = 0,
    ) -> list[torch.Tensor]:
        """Y and what it is after each layer. In every layer so many nodes, drawn anew for each
        problem, are ``asleep``: they keep their values, which the others still read.
        """
        found = [Y]
        for number in range(len(self)):
            after = self.layer(number, Y, problems, W, generator)
            if asleep:
                chance = torch.rand(Y.shape[:2], generator=generator)
                least = chance.sort(1).values[:, asleep - 1 : asleep]
                after = torch.where((chance <= least)[..., None], Y, after)
            Y = after
            found.append(Y)
        return found

    @property
    def trained(self) -> Trained:
        """The arrays for the method."""
        arrays = {name: p.detach().double().numpy() for name, p in self.named_parameters()}
        return Trained(arrays, {**self.made, "method": self.method})


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


LAYERS: dict[str, type[Layers]] = {"surf": SurfLayers}
"""By the name of the method."""
