"""Small networks that denoise pictures, as torch modules, and as local steps.

Pictures lie in [0, 1], a batch of them is (N, 1, height, width).

- ``Convolutions``: D(v) = v - c(v), c four 3 x 3 convolutions with relu between them. It knows
  one level of noise, that of its training. As a local step of a step a

      v - w c(v),     w = a strength

  so that its fixed points with a gradient step on F solve grad F(x) + strength c(x - a grad F(x))
  = 0: the strength weighs c against the gradient, and a step makes its own way of it.
- ``MaskedUnet``: D(v; sigma) with some pixels hidden, or none. As a local step sigma^2 = a
  strength: a prox of -strength log p removes noise of that variance.

Reference
    L. Davy, L. M. Briceno-Arias, N. Pustelnik, "Restarted contractive operators to learn at
    equilibrium", arXiv:2506.13239, 2025, of the first; N. Zheng et al., "Empowering Low-Light Image
    Enhancer through Customized Learnable Priors", ICCV 2023, whose prior of light is a U-net that
    was fed with hidden windows, of the second.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn import functional

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.denoiser_file import (
    DenoiserWeights,
    save_denoiser_weights,
)
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.local_steps.local_step import Callback, LocalStep

FloatArray = NDArray[np.float64]

MOST_NOISE = 0.2
"""The largest sigma that the U-net was trained for."""
ROUNDING = 1e-9
NEAR = 5
"""Pixels of a side of the square whose mean stands for what is hidden."""
UNIT = 0.1
"""Of sigma, as the U-net sees it."""


class Convolutions(torch.nn.Module):
    """D(v) = v - c(v)."""

    def __init__(self, width: int = 12):
        super().__init__()
        options: dict[str, Any] = {"padding": 1, "padding_mode": "replicate"}
        self.c0 = torch.nn.Conv2d(1, width, 3, **options)
        self.c1 = torch.nn.Conv2d(width, width, 3, **options)
        self.c2 = torch.nn.Conv2d(width, width, 3, **options)
        self.c3 = torch.nn.Conv2d(width, 1, 3, **options)
        with torch.no_grad():  # nearly the identity
            self.c3.weight.mul_(0.1)
            torch.nn.init.zeros_(cast(torch.Tensor, self.c3.bias))

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        """Of pictures (N, 1, h, w)."""
        h = v
        for layer in (self.c0, self.c1, self.c2):
            h = torch.relu(layer(h))
        return v - self.c3(h)


class MaskedUnet(torch.nn.Module):
    """D(v; sigma), of the pixels that are shown. D(v + t) = D(v) + t for any number t."""

    def __init__(self, first: int = 10, second: int = 20, third: int = 24):
        super().__init__()
        a, b, c = first, second, third
        self.e1 = torch.nn.Conv2d(3, a, 3, padding=1)
        self.d1 = torch.nn.Conv2d(a, b, 2, 2)
        self.e2 = torch.nn.Conv2d(b, b, 3, padding=1)
        self.d2 = torch.nn.Conv2d(b, c, 2, 2)
        self.e3 = torch.nn.Conv2d(c, c, 3, padding=1)
        self.u2 = torch.nn.Conv2d(c + b, b, 3, padding=1)
        self.u1 = torch.nn.Conv2d(b + a, a, 3, padding=1)
        self.out = torch.nn.Conv2d(a, 1, 3, padding=1)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            torch.nn.init.zeros_(cast(torch.Tensor, self.out.bias))

    def forward(self, v: torch.Tensor, shown: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Of pictures and masks, 1 where shown, (N, 1, h, w), h and w multiples of 4; sigma (N,).

        What is hidden does not matter. A pixel none of whose neighbours is shown starts from 0.
        """
        square = torch.ones(1, 1, NEAR, NEAR, dtype=v.dtype)
        count = functional.conv2d(shown, square, padding=NEAR // 2)
        total = functional.conv2d(v * shown, square, padding=NEAR // 2)
        mean = total / count.clamp(min=0.5)
        base = v * shown + mean * (1 - shown)
        level = (sigma / UNIT)[:, None, None, None].expand_as(v)
        relu = torch.relu
        fine = relu(self.e1(torch.cat([4 * (base - mean), shown, level], 1)))
        middle = relu(self.e2(relu(self.d1(fine))))
        coarse = relu(self.e3(relu(self.d2(middle))))
        up = functional.interpolate(coarse, scale_factor=2)
        up = relu(self.u2(torch.cat([up, middle], 1)))
        up = functional.interpolate(up, scale_factor=2)
        up = relu(self.u1(torch.cat([up, fine], 1)))
        return base + 0.25 * self.out(up)


def weights_of(module: torch.nn.Module) -> DenoiserWeights:
    """What a file keeps. InputError for a module that is none of these."""
    names = {Convolutions: "convolutions", MaskedUnet: "masked_unet"}
    if type(module) not in names:
        raise InputError(
            "denoiser",
            f"{type(module).__name__} has no file of ours",
            "keep its state_dict yourself, and give it to `denoiser` in Python",
        )
    arrays = {name: one.detach().double().numpy() for name, one in module.state_dict().items()}
    return DenoiserWeights(names[type(module)], arrays)


def module_of(weights: DenoiserWeights) -> Convolutions | MaskedUnet:
    """The module with these weights, in single precision, frozen."""
    arrays = {name: torch.from_numpy(one).float() for name, one in weights.arrays.items()}
    module: Convolutions | MaskedUnet
    if weights.network == "convolutions":
        module = Convolutions(arrays["c0.bias"].numel())
    else:
        module = MaskedUnet(*(arrays[f"{name}.bias"].numel() for name in ("e1", "e2", "e3")))
    module.load_state_dict(arrays)
    return module.requires_grad_(False)


def save_denoiser(
    path: str | Path,
    module: torch.nn.Module,
    metadata: dict[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write ``Convolutions`` or ``MaskedUnet`` to a .npz file, in half precision, for ``local_step:
    {learned: {network: FILE.npz, strength: ...}}``; ``metadata`` says how the weights came about.
    """
    save_denoiser_weights(path, weights_of(module), metadata or {}, overwrite=overwrite)


@one_torch_thread()
def restored(
    unet: MaskedUnet, v: ArrayLike, sigma: float, shown: ArrayLike | None = None
) -> FloatArray:
    """D(v; sigma) of a picture (h, w), of which the pixels ``shown`` (h, w) are known, by default
    all; (h, w). Sides that are no multiples of 4 are mirrored up to one.

    InputError for a sigma beyond those of the training.
    """
    picture = np.asarray(v, dtype=float)
    mask = np.ones(picture.shape) if shown is None else np.asarray(shown, dtype=float)
    if not 0 <= sigma <= MOST_NOISE * (1 + ROUNDING):
        raise InputError(
            "strength",
            f"noise of {sigma:.3g}, the root of step x strength",
            f"the network was trained for at most {MOST_NOISE:g}",
        )
    height, width = picture.shape
    border = (0, -height % 4), (0, -width % 4)
    hidden = np.where(mask > 0, picture, 0.0)
    both = (np.pad(one, border, mode="symmetric") for one in (hidden, mask))
    batch = [torch.from_numpy(one)[None, None].float() for one in both]
    with torch.inference_mode():
        found = unet(*batch, torch.tensor([sigma], dtype=torch.float32))
    return found[0, 0, :height, :width].double().numpy()


@dataclass(frozen=True)
class DenoisingStep:
    """A network as (v, step) -> x on flat pictures (d,) of ``shape``."""

    weights: DenoiserWeights
    shape: tuple[int, int]
    strength: float

    @cached_property
    def module(self) -> Convolutions | MaskedUnet:
        """The network."""
        return module_of(self.weights)

    def __call__(self, v: FloatArray, step: float) -> FloatArray:
        """The answer (d,) at ``v`` (d,)."""
        picture, amount = v.reshape(self.shape), step * self.strength
        if isinstance(self.module, MaskedUnet):
            return restored(self.module, picture, amount**0.5).reshape(-1)
        with one_torch_thread(), torch.inference_mode():
            single = torch.from_numpy(picture)[None, None].float()
            taken = (single - self.module(single))[0, 0].double().numpy()
        return v - amount * taken.reshape(-1)


def denoising_step(
    weights: DenoiserWeights,
    dimension: int,
    strength: float,
    shape: tuple[int, int] | None = None,
) -> LocalStep:
    """The local step of a denoiser of pictures of ``shape``, by default square."""
    side = round(dimension**0.5)
    height, width = (side, side) if shape is None else shape
    if height * width != dimension:
        given = f"{dimension} numbers are no square" if shape is None else f"{height} x {width}"
        raise InputError("shape", given, f"a picture of {dimension} pixels is needed")
    step = DenoisingStep(weights, (height, width), float(strength))
    return LocalStep(
        "denoiser", Callback(step), dimension, convex=False, exact=False, has_value=False
    )
