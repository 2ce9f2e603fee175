"""What a run has cost so far, counted where it is asked for."""

import math
from dataclasses import dataclass, fields

import numpy as np

from dadao_sim.compression.compressor import FLOAT_BITS


@dataclass
class Tally:
    """Of all nodes and edges together, since the start.

    ``gradients`` counts every call of an oracle, a minibatch as its share of the node's samples;
    ``conjugate_gradients`` and ``local_solves`` those among them that are such. A communication is
    one activation of one undirected edge; over it go ``messages``, usually one each way, and
    ``numbers`` and ``bytes`` in them. ``messages_in_sequence`` counts, at one edge, the messages
    each of which can be sent only when the one before has arrived; ``bytes_in_sequence`` what they
    hold in one direction.
    """

    gradients: float = 0.0
    conjugate_gradients: float = 0.0
    local_solves: float = 0.0
    communications: float = 0.0
    messages: float = 0.0
    floats_sent: float = 0.0
    bytes_sent: float = 0.0
    messages_in_sequence: float = 0.0
    bytes_in_sequence: float = 0.0

    def less(self, earlier: "Tally") -> "Tally":
        """What was added since ``earlier``."""
        names = (field.name for field in fields(self))
        return Tally(**{name: getattr(self, name) - getattr(earlier, name) for name in names})

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def times(self, factor: float) -> "Tally":
        """So many of it."""
        return Tally(**{name: factor * value for name, value in vars(self).items()})


@dataclass(frozen=True)
class Message:
    """Rows (n, d) as they arrive, in ``numbers`` numbers and ``bits`` bits each: a compressed one.

    An array of floating point numbers is its own message.
    """

    rows: np.ndarray
    numbers: int
    bits: float


def numbers_and_bytes(parts: tuple[np.ndarray | Message, ...]) -> tuple[int, int]:
    """What one node sends over one edge when it sends its row of each of ``parts``."""
    numbers = bits = 0
    for part in parts:
        if isinstance(part, Message):
            numbers += part.numbers
            bits += 8 * math.ceil(part.bits / 8)
        else:
            numbers += part.shape[-1]
            bits += FLOAT_BITS * part.shape[-1]
    return numbers, bits // 8
