"""Learned local steps: networks and denoisers in the place of a proximal operator.

What a run uses; the programs that train it are in ``dadao_sim.learning``. Only what needs torch
imports it, and only when it is used: the extra ``dadao-sim[learned]``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dadao_sim.local_steps.learned.plug_and_play import ExpansiveDenoiserWarning, denoiser
from dadao_sim.local_steps.learned.weight_file import load_weights, save_weights

if TYPE_CHECKING:
    from dadao_sim.local_steps.learned.denoisers import save_denoiser as save_denoiser
    from dadao_sim.local_steps.learned.factory import at_level as at_level
    from dadao_sim.local_steps.learned.factory import module_from as module_from
    from dadao_sim.local_steps.learned.recovery import prior as prior
    from dadao_sim.local_steps.learned.step import learned_step as learned_step

_HOMES = {
    "at_level": "factory",
    "learned_step": "step",
    "module_from": "factory",
    "prior": "recovery",
    "save_denoiser": "denoisers",
}
__all__ = [
    "ExpansiveDenoiserWarning",
    "at_level",
    "denoiser",
    "learned_step",
    "load_weights",
    "module_from",
    "prior",
    "save_denoiser",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dadao_sim.local_steps.learned.torch_extra import require_torch

    require_torch()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
