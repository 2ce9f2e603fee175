"""f-divergences D_f(p||q) = sum_y q(y) f(p(y)/q(y)) of two distributions on one alphabet.

A divergence is a NamedTuple with its value, its second derivatives, and a ``kernel`` for
:func:`slope`, the first derivative, which the compiled engine asks for. Derivatives are those in
q(y), term by term.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import rel_entr

from dadao_sim.compiled.dispatch import by_type
from dadao_sim.compiled.kernel import kernel
from dadao_sim.problems.data.arrays import FloatArray


@by_type(0)
def slope(divergence, p, q):
    """d D_f/d q(y) = f(r) - r f'(r) with r = p/q, of p = p(y) and q = q(y) above 0."""


class KL(NamedTuple):
    """sum p log(p/q)."""

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q)."""
        return float(np.sum(rel_entr(p, q)))

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return p / q**2


@kernel
def kl_slope(divergence, p, q):
    """-p/q."""
    return -p / q


class ReverseKL(NamedTuple):
    """sum q log(q/p)."""

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q)."""
        return float(np.sum(rel_entr(q, p)))

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return 1 / q


@kernel
def reverse_kl_slope(divergence, p, q):
    """log(q/p) + 1."""
    return np.log(q / p) + 1.0


class Chi2(NamedTuple):
    """sum (p - q)^2/q."""

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q)."""
        return float(np.sum((p - q) ** 2 / q))

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return 2 * p**2 / q**3


@kernel
def chi2_slope(divergence, p, q):
    """1 - (p/q)^2."""
    return 1.0 - (p / q) * (p / q)


class Hellinger2(NamedTuple):
    """sum (sqrt(p) - sqrt(q))^2."""

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q)."""
        return float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2))

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return 0.5 * np.sqrt(p) * q**-1.5


@kernel
def hellinger2_slope(divergence, p, q):
    """1 - sqrt(p/q)."""
    return 1.0 - np.sqrt(p / q)


class JS(NamedTuple):
    """sum (p log(2p/(p+q)) + q log(2q/(p+q)))/2."""

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q)."""
        mean = (p + q) / 2
        return float(np.sum(rel_entr(p, mean) + rel_entr(q, mean)) / 2)

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return 0.5 * (1 / q - 1 / (p + q))


@kernel
def js_slope(divergence, p, q):
    """log(2q/(p+q))/2."""
    return 0.5 * np.log(2.0 * q / (p + q))


class TV(NamedTuple):
    """sum (sqrt((p - q)^2 + delta^2) - delta)/2: sum |p - q|/2, smoothed, less by at most
    delta/2 for each letter.
    """

    delta: float

    def value(self, p: FloatArray, q: FloatArray) -> float:
        """D_f(p||q), smoothed."""
        return float(np.sum(np.hypot(p - q, self.delta) - self.delta) / 2)

    def curvature(self, p: FloatArray, q: FloatArray) -> FloatArray:
        """Second derivatives in q."""
        return 0.5 * self.delta**2 / np.hypot(p - q, self.delta) ** 3


@kernel
def tv_slope(tv, p, q):
    """(q - p)/(2 sqrt((p - q)^2 + delta^2))."""
    return 0.5 * (q - p) / np.sqrt((p - q) * (p - q) + tv.delta * tv.delta)


Divergence = KL | ReverseKL | Chi2 | Hellinger2 | JS | TV
DIVERGENCES: dict[str, Any] = {
    "kl": KL,
    "reverse_kl": ReverseKL,
    "chi2": Chi2,
    "hellinger2": Hellinger2,
    "js": JS,
    "tv": TV,
}
"""By the names that scenarios have for them."""

slope.register(KL, kl_slope)
slope.register(ReverseKL, reverse_kl_slope)
slope.register(Chi2, chi2_slope)
slope.register(Hellinger2, hellinger2_slope)
slope.register(JS, js_slope)
slope.register(TV, tv_slope)
