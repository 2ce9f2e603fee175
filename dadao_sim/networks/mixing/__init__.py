"""Mixing matrices by name: ``MIXINGS`` holds them.

A new one is a :class:`Mixing` in a file of this package or of a user's.
"""

from dadao_sim.networks.mixing.mixing import Mixing
from dadao_sim.registration import Registry

__all__ = ["MIXINGS", "Mixing"]

MIXINGS: Registry[Mixing] = Registry(
    "mixing", __name__, lambda thing: (thing.name,) if isinstance(thing, Mixing) else ()
)
