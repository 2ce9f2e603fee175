"""Operators that send every number, in a few bits."""

import math
from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.compression.compressor import FLOAT_BITS, Compressor
from dadao_sim.compression.uniform import uniform
from dadao_sim.strict import Count

EXPONENT_BITS = 11  # of a double


class QSGD(Compressor):
    """(||v||_2/s) sign(v_j) floor(s |v_j|/||v||_2 + u), u uniform in [0, 1); sent as the norm, the
    signs and the levels 0, ..., s. (Alistarh, Grubic, Li, Tomioka, Vojnovic, NeurIPS 2017.)
    """

    kind: Literal["qsgd"] = Field(description="the operator")
    levels: Count = Field(default=4, description="s: how finely a modulus is told from 0 to norm")
    unbiased = True

    def omega(self, d: int) -> float:
        """min(d/s^2, sqrt(d)/s)."""
        return min(d / self.levels**2, math.sqrt(d) / self.levels)

    def bits(self, d: int) -> float:
        """A float, and a sign and a level each."""
        return FLOAT_BITS + d * (1 + math.ceil(math.log2(self.levels + 1)))

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        norm = np.linalg.norm(V, axis=1, keepdims=True)
        relative = _over(np.abs(V), norm)
        level = np.minimum(np.floor(self.levels * relative + uniform(V.shape, mark)), self.levels)
        return np.copysign(norm / self.levels * level, V)


class Dither(Compressor):
    """(||v||_inf/s) sign(v_j) floor(s |v_j|/||v||_inf + u), s = 2^{bits-1}, on blocks of numbers,
    each with its norm. (Liu, Li, Wang, Tang, Yan, ICLR 2021.)
    """

    kind: Literal["dither"] = Field(description="the operator")
    bits_per_number: Count = Field(
        default=2, le=52, description="b: a number takes b + 1 bits, its sign and 2^{b-1} + 1 sizes"
    )
    block: Count = Field(default=256, description="numbers that share a norm")
    unbiased = True

    @property
    def levels(self) -> int:
        """s."""
        return 2 ** (self.bits_per_number - 1)

    def omega(self, d: int) -> float:
        """(sqrt(1 + (B - 1)/s^2) - 1)/2 of blocks of B numbers, reached where all but one are equal
        and below 1/s of it; at most the B/(4 s^2) of LEAD.
        """
        others = min(d, self.block) - 1
        return (math.sqrt(1 + others / self.levels**2) - 1) / 2

    def bits(self, d: int) -> float:
        """b + 1 each, and a float for each block."""
        return (self.bits_per_number + 1) * d + FLOAT_BITS * math.ceil(d / self.block)

    def numbers(self, d: int) -> int:
        """Each, and a norm for each block."""
        return d + math.ceil(d / self.block)

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        size, d = np.abs(V), V.shape[1]
        norms = np.maximum.reduceat(size, np.arange(0, d, self.block), axis=1)
        norm = np.repeat(norms, self.block, axis=1)[:, :d]
        # levels + u may round up
        level = np.floor(self.levels * _over(size, norm) + uniform(V.shape, mark))
        return np.copysign(norm / self.levels * np.minimum(level, self.levels), V)


class Sign(Compressor):
    """(||v||_1/d) sign(v_j), sign(0) = 1: the mean modulus and the signs. Of v itself
    1 - delta = 1 - ||v||_1^2/(d ||v||_2^2), exact.
    """

    kind: Literal["sign"] = Field(description="the operator")

    def delta(self, d: int) -> float:
        """1/d, the least, of a v with one number that is not 0."""
        return 1 / d

    def bits(self, d: int) -> float:
        """A float, and a sign each."""
        return FLOAT_BITS + d

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        return np.abs(V).mean(axis=1, keepdims=True) * np.where(V >= 0, 1.0, -1.0)


class Ternary(Compressor):
    """||v||_inf sign(v_j) with probability |v_j|/||v||_inf, else 0. (Wen et al., NeurIPS 2017.)"""

    kind: Literal["ternary"] = Field(description="the operator")
    unbiased = True

    def omega(self, d: int) -> float:
        """(sqrt(d) - 1)/2, reached at (1, t, ..., t), t = 1/(1 + sqrt(d))."""
        return (math.sqrt(d) - 1) / 2

    def bits(self, d: int) -> float:
        """A float, and two each, in a code of fixed length."""
        return FLOAT_BITS + 2 * d

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        size = np.abs(V)
        norm = size.max(axis=1, keepdims=True)
        sent = uniform(V.shape, mark) < _over(size, norm)
        return np.where(sent, np.copysign(norm, V), 0.0)


class Natural(Compressor):
    """Each number to one of the two powers of two beside it: the sign and the exponent of a double.
    (Horvath, Ho, Horvath, Sahu, Canini, Richtarik, 2022.)
    """

    kind: Literal["natural"] = Field(description="the operator")
    unbiased = True

    def omega(self, d: int) -> float:
        """1/8."""
        return 1 / 8

    def bits(self, d: int) -> float:
        """A sign and an exponent each."""
        return (1 + EXPONENT_BITS) * d

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        mantissa, exponent = np.frexp(V)  # V = mantissa 2^exponent, |mantissa| in [1/2, 1)
        up = uniform(V.shape, mark) < 2 * np.abs(mantissa) - 1
        return np.where(V == 0, 0.0, np.copysign(np.ldexp(1.0, exponent - 1 + up), V))


def _over(size: np.ndarray, norm: np.ndarray) -> np.ndarray:
    """size/norm, 0 where the norm is."""
    return np.divide(size, norm, out=np.zeros_like(size), where=norm > 0)
