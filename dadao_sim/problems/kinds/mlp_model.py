"""Networks of dense layers, xbar_{l+1} = f(W_l xbar_l + b_l), the last one without f: values and
gradients of their square loss at the nodes, in NumPy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np

from dadao_sim.compiled.splitmix import drawn
from dadao_sim.engine import oracles
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.gradient_oracle import BACKPROP, GradientOracle

Activation = Literal["tanh", "sigmoid", "softplus"]


class Nonlinearity(NamedTuple):
    """f, and f'(a) from a and f(a)."""

    of: Callable[[FloatArray], FloatArray]
    slope: Callable[[FloatArray, FloatArray], FloatArray]


def _sigmoid(a: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.tanh(0.5 * a))


NONLINEARITIES: dict[Activation, Nonlinearity] = {
    "tanh": Nonlinearity(np.tanh, lambda a, f: 1.0 - f * f),
    "sigmoid": Nonlinearity(_sigmoid, lambda a, f: f * (1.0 - f)),
    "softplus": Nonlinearity(
        lambda a: np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0.0), lambda a, f: _sigmoid(a)
    ),
}


def count_weights(sizes: tuple[int, ...]) -> int:
    """Weights of layers of these widths, the biases among them."""
    return sum(o * (i + 1) for i, o in pairwise(sizes))


class Pass(NamedTuple):
    """What a forward pass leaves: W_l and f'(a_l) of every layer, and xbar_0, ..., xbar_L."""

    weights: list[FloatArray]
    slopes: list[FloatArray]
    activations: list[FloatArray]


@dataclass(frozen=True, eq=False)
class Mlp:
    """f_i(w) = scale_i sum_k (output(a_ik) - b_ik)^2/2 under the engine's signatures.

    Node i holds ``rows[i]`` (m_i, p) and ``targets[i]`` (m_i,). ``sizes`` are the widths of the
    layers, p to 1; w has W_0 row by row, b_0, W_1, ... Gradients are those of the ``oracle``, of
    ``batch`` samples drawn with replacement, or of all where it is 0.
    """

    rows: tuple[FloatArray, ...]
    targets: tuple[FloatArray, ...]
    scale: FloatArray
    sizes: tuple[int, ...]
    activation: Activation
    oracle: GradientOracle = BACKPROP
    batch: int = 0

    def layers(self, w: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """W_l (o, i) and b_l (o,) of every layer: views of w (d,), or of a gradient."""
        found, k = [], 0
        for i, o in pairwise(self.sizes):
            W = w[k : k + o * i].reshape(o, i)
            found.append((W, w[k + o * i : k + o * (i + 1)]))
            k += o * (i + 1)
        return found

    def forward(self, w: FloatArray, rows: FloatArray) -> Pass:
        """The pass of ``rows`` (m, p) upwards."""
        f = NONLINEARITIES[self.activation]
        found, layers = Pass([], [], [rows]), self.layers(w)
        for k, (W, b) in enumerate(layers):
            a = found.activations[-1] @ W.T
            a += b
            is_last = k == len(layers) - 1
            out = a if is_last else f.of(a)
            found.weights.append(W)
            found.slopes.append(np.ones_like(a) if is_last else f.slope(a, out))
            found.activations.append(out)
        return found

    def outputs(self, w: FloatArray, rows: FloatArray) -> FloatArray:
        """Of ``rows`` (m, p), (m,)."""
        return self.forward(w, rows).activations[-1][:, 0]

    def value(self, i: int, w: FloatArray) -> float:
        """f_i(w), for w (d,), over all samples."""
        off = self.outputs(w, self.rows[i]) - self.targets[i]
        return float(0.5 * self.scale[i] * (off @ off))

    def gradient(self, i: int, w: FloatArray, mark: Any, out: FloatArray) -> None:
        """Write what the oracle answers for grad f_i(w) into out (d,)."""
        rows, targets, scale = self.rows[i], self.targets[i], self.scale[i]
        if self.batch:
            m = len(targets)
            picked = [drawn(mark, k, m) for k in range(self.batch)]
            rows, targets, scale = rows[picked], targets[picked], scale * m / self.batch
        there = self.forward(w, rows)
        top = scale * (there.activations[-1] - targets[:, None])
        self.assemble(there, self.oracle.backward(*there, top), out)

    def assemble(self, there: Pass, x: list[FloatArray], out: FloatArray) -> None:
        """Write the derivatives of all weights that x_1, ..., x_L make into out (d,)."""
        for (W, b), above, slope, below in zip(
            self.layers(out), x, there.slopes, there.activations, strict=False
        ):
            product = above * slope
            np.matmul(product.T, below, out=W)
            product.sum(axis=0, out=b)


oracles.gradient.register(Mlp, Mlp.gradient)
