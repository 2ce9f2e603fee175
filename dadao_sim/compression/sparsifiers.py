"""Operators that send some of the numbers, at full length."""

import math
from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.compression.compressor import FLOAT_BITS, Compressor
from dadao_sim.compression.masks import Masks
from dadao_sim.compression.uniform import uniform
from dadao_sim.errors import InputError
from dadao_sim.strict import BelowOne, Count


class Identity(Compressor):
    """All of them."""

    kind: Literal["identity"] = Field(description="the operator")
    unbiased = True

    def omega(self, d: int) -> float:
        """0: nothing is lost."""
        return 0.0

    def bits(self, d: int) -> float:
        """A float each."""
        return FLOAT_BITS * d

    def masks(self, d: int) -> Masks:
        """All 1."""
        return Masks(1.0, np.zeros((d, d)))

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        return V.copy()


class _SomeNumbers(Compressor):
    """k of the d numbers."""

    k: Count = Field(description="how many numbers are sent")

    def check(self, d: int) -> None:
        """InputError for more numbers than there are."""
        if self.k > d:
            raise InputError("k", f"{self.k} of {d} numbers cannot be sent", f"give at most {d}")

    def numbers(self, d: int) -> int:
        """k."""
        return self.k


class TopK(_SomeNumbers):
    """The k numbers of largest modulus, of equal ones those that come first; their places beside
    them. 1 - delta is reached where all moduli are equal.
    """

    kind: Literal["top_k"] = Field(description="the operator")

    def delta(self, d: int) -> float:
        """k/d."""
        return self.k / d

    def bits(self, d: int) -> float:
        """A float and a place each."""
        return self.k * (FLOAT_BITS + math.ceil(math.log2(d)))

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        kept = np.argsort(-np.abs(V), axis=1, kind="stable")[:, : self.k]
        return _only(V, kept)


class RandomK(_SomeNumbers):
    """k numbers at places that both ends draw from a shared seed; ``scaled`` by d/k it is unbiased,
    with omega = d/k - 1, and otherwise a contraction with delta = k/d, both exact.
    """

    kind: Literal["random_k"] = Field(description="the operator")
    scaled: bool = Field(default=True, description="times d/k, which makes it unbiased")

    @property
    def unbiased(self) -> bool:  # type: ignore[override]
        """Whether it is scaled."""
        return self.scaled

    def omega(self, d: int) -> float:
        """d/k - 1."""
        return d / self.k - 1

    def delta(self, d: int) -> float:
        """k/d."""
        return self.k / d

    def bits(self, d: int) -> float:
        """A float each."""
        return self.k * FLOAT_BITS

    def masks(self, d: int) -> Masks:
        """The scale at k places, 0 elsewhere; two are kept with the chance k(k - 1)/(d(d - 1))."""
        scale, k = d / self.k if self.scaled else 1.0, self.k
        both = k * (k - 1) / (d * (d - 1)) if d > 1 else 1.0
        second = np.full((d, d), both) + (k / d - both) * np.eye(d)
        covariance = scale**2 * (second - (k / d) ** 2) if k < d else np.zeros((d, d))
        return Masks(scale * k / d, covariance)

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        d = V.shape[1]
        kept = np.argsort(uniform(V.shape, mark), axis=1, kind="stable")[:, : self.k]
        return (d / self.k if self.scaled else 1.0) * _only(V, kept)


class Drop(Compressor):
    """The whole vector with a probability, else nothing, and a bit that says which. The bits are
    those of the mean.
    """

    kind: Literal["drop"] = Field(description="the operator")
    probability: BelowOne = Field(description="of sending the vector")

    def delta(self, d: int) -> float:
        """The probability."""
        return self.probability

    def bits(self, d: int) -> float:
        """The probability times a float each, and one."""
        return self.probability * FLOAT_BITS * d + 1

    def masks(self, d: int) -> Masks:
        """All 1, or all 0."""
        return Masks(self.probability, np.full((d, d), self.probability * (1 - self.probability)))

    def rows(self, V: np.ndarray, mark: int) -> np.ndarray:
        """See :meth:`Compressor.rows`."""
        return np.where(uniform((len(V), 1), mark) < self.probability, V, 0.0)


def _only(V: np.ndarray, kept: np.ndarray) -> np.ndarray:
    out = np.zeros_like(V)
    np.put_along_axis(out, kept, np.take_along_axis(V, kept, axis=1), axis=1)
    return out
