"""A learned proximal network as a local step."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.local_steps.learned.weight_file import Weights
from dadao_sim.local_steps.local_step import Callback, LocalStep


@dataclass(frozen=True)
class LearnedProx:
    """v -> c f(v/c) at every coordinate, with c = step x strength."""

    weights: Weights
    strength: float

    @cached_property
    def network(self) -> ProximalNetwork:
        """The network in double precision."""
        return ProximalNetwork(self.weights).requires_grad_(False)

    def __call__(self, v: NDArray[np.float64], step: float) -> NDArray[np.float64]:
        """The answer (d,) at ``v`` (d,)."""
        c = step * self.strength
        with one_torch_thread(), torch.inference_mode():
            return (c * self.network(torch.from_numpy(v / c))).numpy()


def learned_step(weights: Weights, dimension: int, strength: float = 1.0) -> LocalStep:
    """The local step of a learned prior R: prox(v, step) = c f(v/c), with c = step x ``strength``.

    c f(./c) is exactly the proximal operator of c^2 R(./c). That is step x strength x R, and so
    independent of the step taken, where R is homogeneous of degree 1, like the absolute value that
    the Laplacian prior tends to. For any other prior the strength is a scale of x and not a
    weight, and the optimum depends on the step. A trained network is homogeneous only up to its
    error: the local step counts as not exact and has no value. ``prior`` tells R apart.

    What to expect of the shipped Laplacian network in the place of the l1 norm:

    - It is slightly expansive: its slope reaches 1.09 (``largest_slope``), so that R is not convex
      and no theorem on contractions or nonexpansive operators applies to an iteration with it.
    - It rounds the kink of |x| off over gamma c, gamma = 0.2 that of its training: coordinates of
      that size are shrunk, not removed. So the error against the lasso grows with step x strength:
      relative to the exact solution 0.2 % at strength 0.1 and 1 % at 0.5, but 2 to 17 % at 2, where
      little of the signal is left, on random data with 16 unknowns at the step 1/L; a quarter of
      the step about halves it or better.
    """
    if not isinstance(strength, int | float) or not 0 < strength < np.inf:
        raise InputError("strength", f"{strength!r} given", "it must be above 0")
    operator = Callback(LearnedProx(weights, float(strength)))
    return LocalStep("learned", operator, dimension, convex=False, exact=False, has_value=False)
