"""From the ``learned`` section of a scenario's local step to the local step."""

from typing import Any

from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.learned.weight_file import load_weights
from dadao_sim.local_steps.local_step import LocalStep


def build_learned(spec: Any, dimension: int) -> LocalStep:
    """The local step of ``spec.network`` (a shipped name or a .npz file) with ``spec.strength``.

    InputError where torch is not installed, and for weights that cannot be used.
    """
    require_torch()
    from dadao_sim.local_steps.learned.step import learned_step

    weights, _ = load_weights(spec.network)
    return learned_step(weights, dimension, spec.strength)
