"""Learned proximal networks: f = grad psi for an input-convex network psi: R -> R.

The gradient of a convex function is the proximal operator of some function R, exactly, whatever
was learned (Gribonval and Nikolova, 2020). A network here is scalar and serves every coordinate
of a vector: R(x) = sum_j R(x_j).

Reference
    Z. Fang, S. Buchanan, J. Sulam, "What's in a Prior? Learned Proximal Networks for Inverse
    Problems", ICLR 2024.
"""

import numpy as np
import torch
from torch.nn.functional import softplus

from dadao_sim.local_steps.learned.weight_file import Weights

LINEAR = 40.0
"""From here on log(1 + exp(a)) is a in double precision; torch would cut at 20."""


class ProximalNetwork(torch.nn.Module):
    """psi and its gradient for ``weights``; see :class:`Weights` for the equations."""

    hidden: torch.Tensor
    skip: torch.Tensor
    bias: torch.Tensor
    output: torch.Tensor

    def __init__(self, weights: Weights, dtype: torch.dtype = torch.float64):
        super().__init__()
        for name in ("hidden", "skip", "bias", "output"):
            values = torch.tensor(getattr(weights, name), dtype=dtype)
            self.register_parameter(name, torch.nn.Parameter(values))
        self.beta, self.alpha, self.radius = weights.beta, weights.alpha, weights.radius
        self.symmetric = weights.symmetric

    @property
    def weights(self) -> Weights:
        """A copy of the weights, in double precision."""
        arrays = {
            name: array.detach().numpy().astype(np.float64)
            for name, array in self.named_parameters()
        }
        return Weights(
            **arrays,
            beta=self.beta,
            alpha=self.alpha,
            radius=self.radius,
            symmetric=self.symmetric,
        )

    def potential(self, u: torch.Tensor) -> torch.Tensor:
        """psi(u) at every one of ``u`` (N,), without the extension beyond the radius."""
        if not self.symmetric:
            return self._one_sided_potential(u)
        one, other = self._one_sided_potential(torch.cat([u, -u])).chunk(2)
        return (one + other) / 2

    def gradient(self, u: torch.Tensor) -> torch.Tensor:
        """f(u) = psi'(u) at every one of ``u`` (N,)."""
        if not self.symmetric:
            return self._one_sided_gradient(u)
        one, other = self._one_sided_gradient(torch.cat([u, -u])).chunk(2)
        return (one - other) / 2

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """f, carried on with slope 1 beyond the radius, where the network would saturate:
        f(clip u) + u - clip u is still the gradient of a convex function.
        """
        inside = u.clamp(-self.radius, self.radius)
        return self.gradient(inside) + (u - inside)

    def extended_potential(self, u: torch.Tensor) -> torch.Tensor:
        """The convex function (N,) whose gradient is :meth:`forward`."""
        inside = u.clamp(-self.radius, self.radius)
        beyond = u - inside
        return self.potential(inside) + beyond * (self.gradient(inside) + 0.5 * beyond)

    def _one_sided_potential(self, u: torch.Tensor) -> torch.Tensor:
        z = softplus(self._layers(u)[-1], self.beta, LINEAR)
        return z @ self.output + 0.5 * self.alpha * u**2

    def _one_sided_gradient(self, u: torch.Tensor) -> torch.Tensor:
        """By the chain rule written out: it costs a third of what reverse differentiation does,
        and can itself be differentiated.
        """
        layers = self._layers(u)
        slope = self.alpha * u
        back = self.output  # dpsi/dz of the layer at hand
        for k in range(len(layers) - 1, -1, -1):
            inner = back * torch.sigmoid(self.beta * layers[k])
            slope = slope + inner @ self.skip[k]
            if k > 0:
                back = inner @ self.hidden[k - 1]
        return slope

    def _layers(self, u: torch.Tensor) -> list[torch.Tensor]:
        """What enters the activation of every layer, each (N, h)."""
        column = u[:, None]
        entering = [torch.addcmul(self.bias[0], column, self.skip[0])]
        for k in range(len(self.hidden)):
            z = softplus(entering[-1], self.beta, LINEAR)
            direct = torch.addcmul(self.bias[k + 1], column, self.skip[k + 1])
            entering.append(torch.addmm(direct, z, self.hidden[k].T))
        return entering
