"""Many problems of one shape as tensors: linear ones, with F, its gradient and what nodes see of
their f_i; cubes of bands, with what was seen of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.nn.functional import softplus

from dadao_sim.errors import InputError
from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.bands import BandsProblem
from dadao_sim.problems.kinds.linear_problem import LinearProblem
from dadao_sim.problems.kinds.periodic_blur import blur_of_a_line
from dadao_sim.problems.kinds.square import Square

Function = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class TorchLoss(NamedTuple):
    """A loss of z = <a, x> and the target b, and its derivative by z."""

    value: Function
    slope: Function


LOSSES = {
    "Square": TorchLoss(lambda z, b: (z - b) ** 2, lambda z, b: 2 * (z - b)),
    "Logistic": TorchLoss(lambda z, b: softplus(-b * z), lambda z, b: -b * torch.sigmoid(-b * z)),
}
"""By the name of the class of the loss in ``problems.kinds``."""


class Rows(NamedTuple):
    """Samples of every node: features (Q, n, b, d), targets and weights (Q, n, b).

    The weighted sum over the b samples is f_i, or its estimate, without the l2 term.
    """

    features: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


class Squares(NamedTuple):
    """Of losses that are squares F(x) = <x, H x>/2 - <c, x> + least: ``H`` (Q, d, d), ``c`` (Q, d)
    and ``least`` (Q,).
    """

    H: torch.Tensor
    c: torch.Tensor
    least: torch.Tensor


@dataclass(frozen=True)
class ProblemBatch:
    """Q problems of n nodes: rows A (Q, N, d) and b (Q, N), one node after the other, each with the
    ``scale`` (Q, N) of its node; ``first`` and ``count`` (Q, n) are the rows of the nodes, and
    ``squares`` is F where the loss is one.
    """

    loss: TorchLoss
    A: torch.Tensor
    b: torch.Tensor
    scale: torch.Tensor
    ridge: torch.Tensor
    first: torch.Tensor
    count: torch.Tensor
    squares: Squares | None = None

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ProblemBatch:
        """InputError for what is no linear model of a loss in ``LOSSES``, and for problems of
        unequal shapes.
        """
        models = []
        for problem in problems:
            model = problem.model if isinstance(problem, LinearProblem) else None
            if model is None or type(model.loss).__name__ not in LOSSES:
                raise InputError(
                    f"learn-unrolled: problem {problem.kind}: trained on least_squares, ridge and "
                    "logistic_l2 with dense samples only"
                )
            models.append(model)
        if len({(type(m.loss), m.A.shape, m.scale.size) for m in models}) != 1:
            raise InputError("learn-unrolled: the problems have unequal shapes")

        def stacked(arrays: Any, kind: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.stack([torch.as_tensor(array) for array in arrays]).to(kind)

        offsets = stacked([m.offsets for m in models], torch.int64)
        count = offsets.diff(dim=1)
        scale = [
            torch.as_tensor(m.scale).repeat_interleave(rows)
            for m, rows in zip(models, count, strict=True)
        ]
        squares = None
        if isinstance(models[0].loss, Square):
            A, b = (stacked([getattr(m, n) for m in models], torch.float64) for n in "Ab")
            weights = 2 * torch.stack(scale) / count.shape[1]
            weighted = weights[..., None] * A
            ridge = stacked([m.ridge for m in models], torch.float64)
            H = A.mT @ weighted + ridge[:, None, None] * torch.eye(A.shape[2], dtype=A.dtype)
            c, least = (weighted.mT @ b[..., None])[..., 0], (weights * b * b).sum(1) / 2
            squares = Squares(H.float(), c.float(), least.float())
        return cls(
            LOSSES[type(models[0].loss).__name__],
            stacked([m.A for m in models]),
            stacked([m.b for m in models]),
            stacked(scale),
            stacked([m.ridge for m in models]),
            offsets[:, :-1],
            count,
            squares,
        )

    def __len__(self) -> int:
        return len(self.A)

    @property
    def nodes(self) -> int:
        """n."""
        return self.count.shape[1]

    @property
    def dimension(self) -> int:
        """d."""
        return self.A.shape[2]

    def take(self, numbers: torch.Tensor) -> ProblemBatch:
        """Those with these numbers."""
        tensors = {
            field.name: getattr(self, field.name)[numbers]
            for field in dataclasses.fields(self)
            if field.name not in ("loss", "squares")
        }
        squares = self.squares and Squares(*(part[numbers] for part in self.squares))
        return ProblemBatch(self.loss, **tensors, squares=squares)

    def value(self, X: torch.Tensor) -> torch.Tensor:
        """F at points (Q, k, d): (Q, k)."""
        if self.squares is not None:
            H, c, least = self.squares
            return ((X @ H / 2 - c[:, None]) * X).sum(-1) + least[:, None]
        losses = self.loss.value(X @ self.A.mT, self.b[:, None])
        squares = self.ridge[:, None] / 2 * X.square().sum(-1)
        return (losses * self.scale[:, None]).sum(-1) / self.nodes + squares

    def gradient(self, X: torch.Tensor) -> torch.Tensor:
        """grad F at points (Q, k, d): (Q, k, d)."""
        if self.squares is not None:
            H, c, _ = self.squares
            return X @ H - c[:, None]
        slopes = self.loss.slope(X @ self.A.mT, self.b[:, None]) * self.scale[:, None]
        return slopes @ self.A / self.nodes + self.ridge[:, None, None] * X

    def draw(self, batch: int | None, generator: torch.Generator) -> Rows:
        """A minibatch of every node, with replacement; all samples without a size."""
        if batch is None:
            places = torch.arange(int(self.count.max())).expand(*self.count.shape, -1)
            held = places < self.count[..., None]
            number = self.first[..., None] + torch.where(held, places, 0)
            factor = held.to(self.A.dtype)
        else:
            uniform = torch.rand((*self.count.shape, batch), generator=generator)
            drawn = (uniform * self.count[..., None]).long()
            number = self.first[..., None] + drawn.clamp_max(self.count[..., None] - 1)
            factor = (self.count[..., None] / batch).expand(number.shape)
        problem = torch.arange(len(self))[:, None, None]
        weights = self.scale[problem, number] * factor
        return Rows(self.A[problem, number], self.b[problem, number], weights)

    def local_gradient(self, rows: Rows, Y: torch.Tensor) -> torch.Tensor:
        """That of f_i at Y_i, from these samples; Y (Q, n, d) to (Q, n, d)."""
        z = (rows.features @ Y[..., None])[..., 0]
        slopes = self.loss.slope(z, rows.targets) * rows.weights
        return (slopes[..., None, :] @ rows.features)[..., 0, :] + self.ridge[:, None, None] * Y


@dataclass(frozen=True)
class CubeBatch:
    """Q cubes of B bands of s x s pixels, and what was ``seen`` of them, both (Q, B, s, s);
    ``gains`` (s, s/2 + 1) of the blur in the basis of ``torch.fft.rfft2``; the l2 term of the f_i.
    """

    cube: torch.Tensor
    seen: torch.Tensor
    gains: torch.Tensor
    ridge: float

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> CubeBatch:
        """InputError for what is no cube of bands, and for problems of unequal shapes or blurs."""
        cubes = [one for one in problems if isinstance(one, BandsProblem)]
        if len(cubes) < len(problems):
            kind = next(one.kind for one in problems if not isinstance(one, BandsProblem))
            raise InputError(f"learn-unrolled: problem {kind}: trained on bands only")
        if len({(one.cube.shape, one.blur, one.ridge) for one in cubes}) != 1:
            raise InputError("learn-unrolled: the problems have unequal shapes")
        first = cubes[0]
        line = torch.fft.fft(torch.as_tensor(blur_of_a_line(first.size, first.blur)[0])).real
        return cls(
            torch.stack([torch.as_tensor(one.cube).float() for one in cubes]),
            torch.stack([torch.as_tensor(one.seen).float() for one in cubes]),
            torch.outer(line, line[: first.size // 2 + 1]).float(),
            first.ridge,
        )

    def __len__(self) -> int:
        return len(self.cube)

    @property
    def nodes(self) -> int:
        """n, a band at each."""
        return self.cube.shape[1]

    @property
    def dimension(self) -> int:
        """d."""
        return self.cube[0].numel()

    def take(self, numbers: torch.Tensor) -> CubeBatch:
        """Those with these numbers."""
        return dataclasses.replace(self, cube=self.cube[numbers], seen=self.seen[numbers])

    def value(self, X: torch.Tensor) -> torch.Tensor:
        """The mean squared error of cubes (Q, k, d): (Q, k). F has no part in it: what was seen of
        a cube is not what is wanted.
        """
        return (X - self.cube.flatten(1)[:, None]).square().mean(-1)

    def blurred(self, X: torch.Tensor) -> torch.Tensor:
        """H of every band, (Q, B, s, s)."""
        size = X.shape[-2:]
        return torch.fft.irfft2(torch.fft.rfft2(X) * self.gains, s=size)

    def solved(self, V: torch.Tensor, curvature: torch.Tensor) -> torch.Tensor:
        """argmin ||H x - y||^2/2 + (mu p/4) ||x||^2 + curvature ||x||^2/2 - <V, x> of every band:
        the f_i times p/2; (Q, B, s, s).
        """
        rows, columns = V.shape[-2:]
        ridge = self.ridge * rows * columns / 2
        slope = torch.fft.rfft2(V + self.blurred(self.seen))
        over = self.gains.square() + curvature + ridge
        return torch.fft.irfft2(slope / over, s=(rows, columns))
