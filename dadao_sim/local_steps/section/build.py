"""The local step a scenario asks for."""

from typing import Any

from dadao_sim.errors import within
from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.learned.weight_file import load_weights
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.section.spec import LearnedSpec, LocalStepSpec
from dadao_sim.strict import checked


def build_local_step(section: Any, dimension: int) -> LocalStep:
    """The local step of the ``local_step`` section, as a LocalStepSpec or a mapping.

    Raises InputError naming the key at fault, and for a learned one where torch is not installed.
    """
    spec: LocalStepSpec = checked(LocalStepSpec, section)
    if spec.prox is not None:
        with within("prox"):
            return spec.prox.local_step(dimension)
    if spec.quantise is not None:
        return spec.quantise.local_step(dimension)
    assert spec.learned is not None, "there is no other"
    with within("learned"):
        return build_learned(spec.learned, dimension)


def build_learned(spec: LearnedSpec, dimension: int) -> LocalStep:
    """The local step of ``spec.network``, a shipped name or a .npz file, with its strength."""
    require_torch()
    from dadao_sim.local_steps.learned.step import learned_step

    weights, _ = load_weights(spec.network)
    return learned_step(weights, dimension, spec.strength)
