"""A torch module under NumPy's signatures: flat arrays in, flat arrays out, double precision."""

import copy
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.lipschitz import Products, finite_differences
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread

FloatArray = NDArray[np.float64]
AGREEMENT = 0.05
"""Relative, of torch's derivatives and finite differences: 0.05 spots what was detached."""


class FlatModule:
    """v (d,) -> module(v as ``shape``) (d,), by a frozen copy of the module in evaluation mode.

    The precision is the first that the module takes: of its parameters, of its buffers, double,
    single. InputError where it takes none.
    """

    def __init__(self, module: torch.nn.Module, shape: tuple[int, ...]):
        self.module, self.shape = _frozen_copy(module), shape
        self.dtype = self._precision()

    def __call__(self, v: FloatArray) -> FloatArray:
        """The answer of the module."""
        with one_torch_thread():
            return self._plain(self._map(self._tensor(v)))

    def products(self, region: tuple[float, float], seed: int) -> Products:
        """Products with the Jacobian and its transpose: torch's own where they agree with finite
        differences at a random point of ``region``. Modules that detach what they compute, or
        leave torch on the way, have none, and finite differences take their place.
        """
        width = region[1] - region[0]
        spacing = max(1e-4, torch.finfo(self.dtype).eps ** 0.5) * width
        differences = finite_differences(self, spacing)
        rng = np.random.default_rng(seed)
        dimension = int(np.prod(self.shape))
        x, (u, w) = rng.uniform(*region, dimension), rng.standard_normal((2, dimension))
        image = differences.forward(x, u)
        allowed = AGREEMENT * float(np.linalg.norm(image))
        forward, transposed = _attempt(self._forward, x, u), _attempt(self._transposed, x, w)
        trusted = forward is not None and np.linalg.norm(forward - image) <= allowed
        adjoint = transposed is not None and (
            abs(transposed @ u - w @ image) <= allowed * np.linalg.norm(w)
        )
        return Products(
            self._forward if trusted else differences.forward,
            self._transposed if adjoint else None,
        )

    def _forward(self, x: FloatArray, u: FloatArray) -> FloatArray:
        with one_torch_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of torch, about itself
            pair = torch.func.jvp(self._map, (self._tensor(x),), (self._tensor(u),))
        return self._plain(pair[1])

    def _transposed(self, x: FloatArray, w: FloatArray) -> FloatArray:
        with one_torch_thread():
            pull_back = torch.func.vjp(self._map, self._tensor(x))[1]
            (image,) = pull_back(self._tensor(w))
        return self._plain(image)

    def _map(self, v: torch.Tensor) -> torch.Tensor:
        answer = self.module(v.clone().reshape(self.shape))  # the module may work in place
        if not isinstance(answer, torch.Tensor) or tuple(answer.shape) != self.shape:
            found = tuple(answer.shape) if hasattr(answer, "shape") else type(answer).__name__
            raise InputError(f"denoiser: answers with shape {found}; {self.shape} is needed")
        return answer.reshape(-1)

    def _precision(self) -> torch.dtype:
        stored = (*self.module.parameters(), *self.module.buffers())
        floating = [array.dtype for array in stored if array.dtype.is_floating_point]
        reason = ""
        for dtype in dict.fromkeys([*floating, torch.float64, torch.float32]):
            try:
                self.module(torch.zeros(self.shape, dtype=dtype))
            except Exception as error:  # whatever a module raises
                reason = reason or f"{dtype}: {_one_line(error)}"
            else:
                return dtype
        raise InputError(f"denoiser: the module does not take shape {self.shape} ({reason})")

    def _tensor(self, v: FloatArray) -> torch.Tensor:
        return torch.from_numpy(v).to(self.dtype)

    @staticmethod
    def _plain(answer: torch.Tensor) -> FloatArray:
        return answer.detach().double().numpy()


def _frozen_copy(module: torch.nn.Module) -> torch.nn.Module:
    """With no parameter that asks for a gradient: nothing is recorded that nobody asks for."""
    # Weights computed from others, as by spectral_norm, cannot be copied with their history.
    computed = {id(t): t.detach().clone() for t in _tensors(module) if not t.is_leaf}
    try:
        with torch.no_grad():  # or the parameters of a script would keep a history
            frozen = copy.deepcopy(module, computed)
    except Exception as error:
        raise InputError(f"denoiser: the module cannot be copied ({_one_line(error)})") from error
    if getattr(frozen, "training", False):  # scripts that were frozen have no such switch
        frozen.eval()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return frozen


def _tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    for part in module.modules():
        for value in vars(part).values():
            if isinstance(value, torch.Tensor):
                yield value


def _attempt(
    product: Callable[[FloatArray, FloatArray], FloatArray], x: FloatArray, u: FloatArray
) -> FloatArray | None:
    try:
        return product(x, u)
    except Exception:  # torch has no derivative of this module
        return None


def _one_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
