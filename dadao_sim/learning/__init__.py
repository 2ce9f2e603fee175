"""Programs that train what learned local steps and unrolled methods use, and convex surrogates; all
but ``filters`` need torch, ``dadao-sim[learned]``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dadao_sim.learning.jacobian_free import learn as learn
    from dadao_sim.learning.proximal_matching import train as train
    from dadao_sim.learning.surrogates import learn_meeting as learn_meeting
    from dadao_sim.learning.surrogates import learn_surrogate as learn_surrogate
    from dadao_sim.learning.unrolled import learn_unrolled as learn_unrolled

_HOMES = {
    "learn": "jacobian_free",
    "learn_meeting": "surrogates",
    "learn_surrogate": "surrogates",
    "learn_unrolled": "unrolled",
    "train": "proximal_matching",
}
__all__ = ["learn", "learn_meeting", "learn_surrogate", "learn_unrolled", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dadao_sim.local_steps.learned.torch_extra import require_torch

    require_torch()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
