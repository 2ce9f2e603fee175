"""Compression operators by kind: ``COMPRESSORS`` holds the declarations.

A new one is a class below :class:`Compressor` in a file of this package or of a user's.
"""

from typing import Annotated

from dadao_sim.compression.compressor import Compressor
from dadao_sim.registration import Registry
from dadao_sim.strict import ByKind, kinds_of

__all__ = ["COMPRESSORS", "Compression", "Compressor"]

COMPRESSORS: Registry[type[Compressor]] = Registry("compression", __name__, kinds_of(Compressor))
Compression = Annotated[Compressor, ByKind(COMPRESSORS)]
