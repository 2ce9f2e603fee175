"""Deep denoisers of other packages: built by the name of their factory, with weights from a file.

    drunet = module_from("deepinv.models:DRUNet", weights="drunet_gray.pth",
                         options={"in_channels": 1, "out_channels": 1, "pretrained": None})
    step = denoiser(at_level(drunet, 0.05), 64 * 64, shape=(1, 1, 64, 64), region=(0.0, 1.0))

``denoiser`` estimates how much such a network stretches distances, and says so.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dadao_sim.errors import InputError


def module_from(
    factory: str, *, options: Mapping[str, Any] | None = None, weights: str | Path | None = None
) -> torch.nn.Module:
    """``factory`` ("package.module:name") called with ``options``, in evaluation mode.

    ``weights`` is a file of torch.save that holds its state_dict; nothing else in it is ever
    loaded, and nothing is downloaded unless the options ask for it. InputError for a name that
    cannot be imported, for what makes no module, and for weights that do not fit.
    """
    home, colon, name = factory.partition(":")
    if not (home and colon and name.isidentifier()):
        raise InputError("factory", f"{factory!r} given", "package.module:name is needed")
    try:
        made = getattr(importlib.import_module(home), name)(**(options or {}))
    except Exception as error:  # whatever the package raises, also while it is imported
        raise InputError("factory", f"{factory}: {_one_line(error)}") from error
    if not isinstance(made, torch.nn.Module):
        raise InputError("factory", f"{factory} makes a {type(made).__name__}, no torch.nn.Module")
    if weights is not None:
        _load(made, Path(weights))
    return made.eval().requires_grad_(False)


def at_level(module: torch.nn.Module, sigma: float) -> torch.nn.Module:
    """v -> module(v, sigma): a network that is told the level of the noise, at one of them."""
    return _AtLevel(module, sigma)


class _AtLevel(torch.nn.Module):
    def __init__(self, module: torch.nn.Module, sigma: float):
        super().__init__()
        if not isinstance(sigma, int | float) or not 0 <= sigma < float("inf"):
            raise InputError("sigma", f"{sigma!r} given", "a level of noise >= 0 is needed")
        self.module, self.sigma = module, float(sigma)

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        """What the module makes of v."""
        answer: torch.Tensor = self.module(v, self.sigma)
        return answer


def _load(module: torch.nn.Module, path: Path) -> None:
    if not path.is_file():
        raise InputError("weights", f"{path}: there is no such file")
    try:
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError("weights", f"{path}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:200]
