"""Chebyshev gossip: K rounds whose product is the best polynomial of degree K in W."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dadao_sim.errors import InputError

LEAST_RHO = 1e-100


@dataclass(frozen=True)
class Chebyshev:
    """K rounds of gossip as one: W_K = T_K(c2 (I - c3 (I - W))) / T_K(c2).

    For an I - W whose positive eigenvalues lie in [1 - l2, 1 - ln]: off 1 the spectrum of W_K lies
    within +-rho, rho = 2 c1^K/(1 + c1^{2K}). With ``shifted`` it is (W_K + rho I)/(1 + rho), whose
    eigenvalues are not negative. (Scaman et al. 2017, Algorithm 2; Auzinger, Melenk 2011.)
    """

    K: int
    c2: float
    c3: float
    rho: float
    shifted: bool

    @classmethod
    def over(cls, l2: float, ln: float, K: int | Literal["auto"], *, shifted: bool) -> "Chebyshev":
        """Of a W whose second largest and least eigenvalue are ``l2`` and ``ln``; "auto" takes
        K = floor(sqrt((1 - ln)/(1 - l2))). InputError for more rounds than floating point can tell
        from the mean.
        """
        g = min((1 - l2) / (1 - ln), 1.0)
        c1 = (1 - math.sqrt(g)) / (1 + math.sqrt(g))
        rounds = max(1, math.floor(1 / math.sqrt(g) + 1e-9)) if K == "auto" else K
        rho = 2 * c1**rounds / (1 + c1 ** (2 * rounds))
        if g < 1 and rho < LEAST_RHO:  # T_K leaves floating point
            wrong = f"{rounds:,} rounds leave less than {LEAST_RHO:g} of what differs"
            raise InputError("chebyshev", wrong, "use fewer, or auto")
        return cls(
            K=rounds,
            c2=(1 + g) / (1 - g) if g < 1 else math.inf,
            c3=2 / ((1 + g) * (1 - ln)),
            rho=rho,
            shifted=shifted,
        )

    def eigenvalues(self) -> tuple[float, float]:
        """Bounds of the second largest eigenvalue and of the least."""
        if self.shifted:
            return 2 * self.rho / (1 + self.rho), 0.0
        return self.rho, -self.rho

    def __call__(self, W: Any, V: np.ndarray) -> np.ndarray:
        """W_K V, (n, d), by K products with W."""

        def narrowed(v: np.ndarray) -> np.ndarray:  # (I - c3 (I - W)) v
            return v - self.c3 * (v - W @ v)

        if self.c2 == math.inf:  # a single positive eigenvalue: one round takes the mean
            mixed = V
            for _ in range(self.K):
                mixed = narrowed(mixed)
        else:
            a_before, a = 1.0, self.c2
            before, mixed = V, self.c2 * narrowed(V)
            for _ in range(self.K - 1):
                a_before, a = a, 2 * self.c2 * a - a_before
                before, mixed = mixed, 2 * self.c2 * narrowed(mixed) - before
            mixed = mixed / a
        return (mixed + self.rho * V) / (1 + self.rho) if self.shifted else mixed
