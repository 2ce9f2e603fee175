"""What a compression operator is: Q(v) of a vector v, its bits and its constants."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dadao_sim.compression.masks import Masks
from dadao_sim.strict import StrictModel

FLOAT_BITS = 64


class Compressor(StrictModel):
    """Q: R^d -> R^d, at random or not, the base of all; a subclass has a ``kind`` and its keys.

    ``unbiased`` says that E Q(v) = v; such a Q has E||Q(v) - v||^2 <= omega ||v||^2. Any other is a
    contraction: E||Q(v) - v||^2 <= (1 - delta) ||v||^2.
    """

    unbiased: ClassVar[bool] = False
    if TYPE_CHECKING:  # a key of every subclass
        kind: Any

    def omega(self, d: int) -> float:
        """Of an unbiased Q in d dimensions."""
        raise NotImplementedError

    def delta(self, d: int) -> float:
        """Of a contraction in d dimensions; of an unbiased Q, that of Q/(1 + omega)."""
        return 1 / (1 + self.omega(d))

    def check(self, d: int) -> None:
        """InputError where Q is not defined in d dimensions."""

    def bits(self, d: int) -> float:
        """Of the message that Q(v) takes, at most; see the class for the code."""
        raise NotImplementedError

    def numbers(self, d: int) -> int:
        """How many numbers the message consists of."""
        return d

    def masks(self, d: int) -> Masks | None:
        """What multiplies the numbers, where that is drawn whatever they are; None for others. It
        is what exact rates need.
        """
        return None

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """Q of each row of ``V`` (n, d). What is random is drawn from ``mark`` (uint64), each row's
        on its own.
        """
        raise NotImplementedError
