"""Local steps: the proximal operator that a node applies in its step, or what stands in for one.

Above this: ``terms`` makes them by name, ``quantise`` those that lead to a few levels, ``learned``
from networks and denoisers, and ``section`` what a scenario asks for.
"""

from dadao_sim.local_steps.local_step import LocalStep, from_callable

__all__ = ["LocalStep", "from_callable"]
