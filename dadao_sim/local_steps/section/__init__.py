"""The local step of a scenario: what its section says, and the local step that is made from it."""

from dadao_sim.local_steps.section.build import build_local_step
from dadao_sim.local_steps.section.spec import LocalStepSpec

__all__ = ["LocalStepSpec", "build_local_step"]
