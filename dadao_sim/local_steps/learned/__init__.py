"""Learned local steps: networks and denoisers in the place of a proximal operator.

What a run uses; the programs that train it are in ``dadao_sim.learning``. Only what needs torch
imports it, and only when it is used: the extra ``dadao-sim[learned]``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dadao_sim.local_steps.learned.plug_and_play import ExpansiveDenoiserWarning, denoiser
from dadao_sim.local_steps.learned.weight_file import load_weights, save_weights

if TYPE_CHECKING:
    from dadao_sim.local_steps.learned.recovery import prior as prior
    from dadao_sim.local_steps.learned.step import learned_step as learned_step

_HOMES = {"learned_step": "step", "prior": "recovery"}
__all__ = [
    "ExpansiveDenoiserWarning",
    "denoiser",
    "learned_step",
    "load_weights",
    "prior",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dadao_sim.local_steps.learned.torch_extra import require_torch

    require_torch()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
