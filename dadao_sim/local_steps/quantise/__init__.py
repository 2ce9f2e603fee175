"""Quantised local steps by name: ``QUANTISERS`` holds the declarations.

A new one is one class below :class:`Quantiser`, with the kernels of its operator beside it, in a
file of this package or of a user's.
"""

from dadao_sim.local_steps.quantise.quantiser import Quantiser
from dadao_sim.local_steps.quantise.step import QuantisedStep
from dadao_sim.registration import Registry
from dadao_sim.strict import kinds_of

__all__ = ["QUANTISERS", "QuantisedStep", "Quantiser"]

QUANTISERS: Registry[type[Quantiser]] = Registry("quantiser", __name__, kinds_of(Quantiser))
