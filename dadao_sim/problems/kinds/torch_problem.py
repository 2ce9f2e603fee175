"""Modules of torch as objectives: their parameters are x. Torch is imported when it is used."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.splitmix import drawn
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError, failure
from dadao_sim.given import positive
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread, require_torch
from dadao_sim.problems.data.arrays import FloatArray, IntArray, scales
from dadao_sim.problems.data.checks import require_weighting
from dadao_sim.problems.kinds.problem import Problem, ProblemClass
from dadao_sim.text.lines import written

if TYPE_CHECKING:
    import torch

Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True, eq=False)
class TorchObjective:
    """f_i(x) = weight_i loss(module(inputs_i), targets_i) under the engine's signatures, with x
    added to the parameters that the module came with, one after the other.

    Gradients are of ``batch`` samples drawn with replacement, or of all where it is 0.
    """

    module: "torch.nn.Module"
    data: tuple[tuple[Any, Any], ...]
    loss: Loss
    weights: FloatArray
    batch: int = 0

    def value(self, i: int, x: FloatArray) -> float:
        """f_i(x), for x (d,), over all samples."""
        import torch

        with one_torch_thread(), torch.no_grad():
            return float(self._loss(i, torch.from_numpy(x), *self.data[i]))

    def gradient(self, i: int, x: FloatArray, mark: Any, out: FloatArray) -> None:
        """Write grad f_i(x), or its estimate, into out (d,)."""
        import torch

        inputs, targets = self.data[i]
        if self.batch:
            picked = [drawn(mark, k, len(targets)) for k in range(self.batch)]
            inputs, targets = inputs[picked], targets[picked]
        with one_torch_thread(), torch.enable_grad():
            leaf = torch.from_numpy(np.array(x)).requires_grad_()
            (found,) = torch.autograd.grad(self._loss(i, leaf, inputs, targets), leaf)
        out[:] = found.numpy()

    def outputs(self, x: Any, inputs: Any) -> Any:
        """What the module answers with x (d,), a tensor, added to its parameters."""
        from torch.func import functional_call

        own = dict(self.module.named_parameters())
        parts = x.split([parameter.numel() for parameter in own.values()])
        moved = {
            name: parameter.detach() + part.view_as(parameter)
            for (name, parameter), part in zip(own.items(), parts, strict=True)
        }
        return functional_call(self.module, moved, (inputs,))

    def _loss(self, i: int, x: Any, inputs: Any, targets: Any) -> Any:
        import torch

        what = f"torch: the module, or the loss, of node {i}"
        try:
            found = self.loss(self.outputs(x, inputs), targets)
        except Exception as error:
            raise failure(what, error) from error
        if not isinstance(found, torch.Tensor) or found.numel() != 1:
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else written(found)
            raise InputError(what, f"answers {shape}", "the mean over the samples is needed")
        return found.reshape(()) * float(self.weights[i])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TorchProblem(Problem):
    """A module with the samples of the nodes, and those that no node holds."""

    torch_objective: TorchObjective
    test: tuple[Any, Any] | None = None

    @property
    def problem_class(self) -> ProblemClass:
        """Nobody knows more."""
        return "non-convex"

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.torch_objective.data)

    @property
    def dimension(self) -> int:
        """Parameters d."""
        return sum(parameter.numel() for parameter in self.torch_objective.module.parameters())

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,)."""
        return np.array([len(targets) for _, targets in self.torch_objective.data])

    @property
    def has_conjugate(self) -> bool:
        """The conjugate of what is not convex is of no use."""
        return False

    @property
    def objective(self) -> TorchObjective:
        """The module under the engine's signatures."""
        return self.torch_objective

    def stochastic_objective(self, batch_size: int) -> TorchObjective:
        """See :meth:`Problem.stochastic_objective`."""
        if int(batch_size) != batch_size or batch_size < 1:
            raise InputError(
                "batch_size", f"{batch_size} given", "an integer of at least 1 is needed"
            )
        return replace(self.torch_objective, batch=int(batch_size))

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return self.torch_objective.value(self._node(i), self._point(x))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; of any sign here, and as fine as the values."""
        point, start = self._point(x), self._point(origin)
        slope = self.mean_operator(start) @ (point - start)
        return float(self.mean_value(point) - self.mean_value(start) - slope)

    def test_accuracy(self, x: ArrayLike) -> float:
        """See :meth:`Problem.test_accuracy`; of several outputs the largest counts, of one its
        sign.
        """
        import torch

        if self.test is None:
            raise InputError("problem", "no node is without samples to test on", "give test")
        inputs, labels = self.test
        with one_torch_thread(), torch.no_grad():
            point = torch.from_numpy(self._point(x))
            answers = self.torch_objective.outputs(point, inputs)
            if answers.ndim == 2 and answers.shape[1] > 1:
                right = answers.argmax(dim=1) == labels.reshape(-1)
            else:
                right = (answers.reshape(-1) > 0) == (labels.reshape(-1) > 0)
            return float(right.double().mean())

    def _mu(self) -> float:
        raise InputError("mu", "a module is not convex", "take a method that needs none")

    def _node_L(self) -> FloatArray:
        raise InputError(
            "L", "none was given", "give one, or among the parameters of the algorithm"
        )

    def _optimum(self) -> FloatArray:
        raise InputError("x_star", "a module has none that is known")

    def _relabelled(self, order: IntArray) -> "TorchProblem":
        asked = self.torch_objective
        data = tuple(asked.data[i] for i in order)
        moved = replace(asked, data=data, weights=asked.weights[order])
        return replace(self, torch_objective=moved)


def torch_problem(
    module: Any,
    data: Sequence[Any],
    loss: Loss,
    *,
    test: Any,
    L: float | None,
    weighting: str,
) -> TorchProblem:
    """See :meth:`Problem.from_torch`."""
    require_torch()
    require_weighting(weighting)
    import torch

    if not isinstance(module, torch.nn.Module):
        raise InputError("module", f"{written(module)} given", "a torch.nn.Module is needed")
    if not callable(loss):
        raise InputError("loss", f"{written(loss)} given", "a function of outputs and targets")
    own = copy.deepcopy(module).double().eval()
    if not sum(parameter.numel() for parameter in own.parameters()):
        raise InputError("module", "it has no parameters", "give one that can be trained")
    if not isinstance(data, Sequence) or isinstance(data, str) or not len(data):
        raise InputError("data", f"{written(data)} given", "a list, a pair for each node")
    pairs = tuple(_pair(f"data of node {i}", pair) for i, pair in enumerate(data))
    samples = np.array([len(targets) for _, targets in pairs])
    problem = TorchProblem(
        kind="torch",
        torch_objective=TorchObjective(own, pairs, loss, scales(samples, weighting) * samples),
        test=None if test is None else _pair("test", test),
        given_L=None if L is None else positive("L", L),
    )
    zero = np.zeros(problem.dimension)
    for i in range(problem.nodes):
        if not (
            np.isfinite(problem.value(i, zero)) and np.isfinite(problem.gradient(i, zero)).all()
        ):
            raise InputError(
                f"data of node {i}", "the loss or its gradient is not finite at the start"
            )
    return problem


def _pair(what: str, pair: Any) -> tuple[Any, Any]:
    """Inputs and targets as tensors, as many of each; numbers in double precision, copied."""
    import torch

    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(what, f"{written(pair)} given", "(inputs, targets) is needed")
    inputs, targets = (torch.as_tensor(part).detach().clone() for part in pair)
    inputs, targets = (t.double() if t.is_floating_point() else t for t in (inputs, targets))
    if not (inputs.ndim and targets.ndim and len(inputs) == len(targets) > 0):
        shapes = f"{tuple(inputs.shape)} and {tuple(targets.shape)}"
        raise InputError(
            what, f"inputs and targets have shapes {shapes}", "as many of both are needed"
        )
    return inputs, targets


oracles.gradient.register(TorchObjective, TorchObjective.gradient)
