"""Networks of dense layers, xbar_{l+1} = f(W_l xbar_l + b_l), the last one without f: values and
gradients of their loss at the nodes, in NumPy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.compiled.splitmix import drawn
from dadao_sim.engine import oracles
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.gradient_oracle import BACKPROP, GradientOracle

Activation = Literal["tanh", "sigmoid", "softplus"]
LossName = Literal["square", "cross_entropy"]
Order = Literal["layers", "units"]


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


class Loss(NamedTuple):
    """Of outputs (m, o) and targets (m,): the sum over the samples, and its derivatives (m, o)."""

    of: Callable[[FloatArray, FloatArray], float]
    slope: Callable[[FloatArray, FloatArray], FloatArray]


def _half_square(outputs: FloatArray, targets: FloatArray) -> float:
    off = outputs[:, 0] - targets
    return float(0.5 * (off @ off))


def _cross_entropy(outputs: FloatArray, targets: FloatArray) -> float:
    top = outputs.max(axis=1)
    logs = top + np.log(np.exp(outputs - top[:, None]).sum(axis=1))
    return float((logs - outputs[np.arange(len(targets)), targets.astype(int)]).sum())


def _slope_of_cross_entropy(outputs: FloatArray, targets: FloatArray) -> FloatArray:
    slope = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(targets)), targets.astype(int)] -= 1.0
    return slope


LOSSES: dict[LossName, Loss] = {
    "square": Loss(_half_square, lambda outputs, targets: outputs - targets[:, None]),
    "cross_entropy": Loss(_cross_entropy, _slope_of_cross_entropy),
}
"""(output - b)^2/2 of one output; -log of the softmax at class b = 0, 1, ..., an output each."""


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
    """f_i(w) = scale_i sum_k loss(outputs(a_ik), b_ik) + (l2/2) ||w||^2 under the engine's
    signatures.

    Node i holds ``rows[i]`` (m_i, p) and ``targets[i]`` (m_i,). ``sizes`` are the widths of the
    layers, from p on. w has W_0 row by row, b_0, W_1, ...; in the ``order`` of units, of one hidden
    layer, what leads into the first unit, its bias, what leads out of it, then the next unit, and
    the biases of the outputs at the end. Gradients are those of the ``oracle``, of ``batch``
    samples drawn with replacement, or of all where it is 0.
    """

    rows: tuple[FloatArray, ...]
    targets: tuple[FloatArray, ...]
    scale: FloatArray
    sizes: tuple[int, ...]
    activation: Activation
    oracle: GradientOracle = BACKPROP
    batch: int = 0
    loss: LossName = "square"
    l2: float = 0.0
    order: Order = "layers"

    def layers(self, w: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """W_l (o, i) and b_l (o,) of every layer: views of w (d,), or of a gradient."""
        if self.order == "units":
            p, h, o = self.sizes
            units = w[: h * (p + 1 + o)].reshape(h, p + 1 + o)
            return [(units[:, :p], units[:, p]), (units[:, p + 1 :].T, w[units.size :])]
        found, k = [], 0
        for i, o in pairwise(self.sizes):
            W = w[k : k + o * i].reshape(o, i)
            found.append((W, w[k + o * i : k + o * (i + 1)]))
            k += o * (i + 1)
        return found

    def live_units(self, w: FloatArray) -> list[NDArray[np.bool_]]:
        """Which units of every hidden layer are not 0 in all that leads into and out of them."""
        return [
            W.any(axis=1) | (b != 0) | V.any(axis=0) for (W, b), (V, _) in pairwise(self.layers(w))
        ]

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
        """Of ``rows`` (m, p), (m, o)."""
        return self.forward(w, rows).activations[-1]

    def value(self, i: int, w: FloatArray) -> float:
        """f_i(w), for w (d,), over all samples."""
        of_samples = LOSSES[self.loss].of(self.outputs(w, self.rows[i]), self.targets[i])
        ridge = 0.5 * self.l2 * (w @ w) if self.l2 else 0.0
        return float(self.scale[i] * of_samples + ridge)

    def gradient(self, i: int, w: FloatArray, mark: Any, out: FloatArray) -> None:
        """Write what the oracle answers for grad f_i(w) into out (d,)."""
        rows, targets, scale = self.rows[i], self.targets[i], self.scale[i]
        if self.batch:
            m = len(targets)
            picked = [drawn(mark, k, m) for k in range(self.batch)]
            rows, targets, scale = rows[picked], targets[picked], scale * m / self.batch
        there = self.forward(w, rows)
        self.assemble(there, self.oracle.backward(*there, self.top(there, targets, scale)), out)
        if self.l2:
            out += self.l2 * w

    def top(self, there: Pass, targets: FloatArray, scale: float) -> FloatArray:
        """x_L: the derivatives of the loss by the outputs (m, o)."""
        return scale * LOSSES[self.loss].slope(there.activations[-1], targets)

    def assemble(self, there: Pass, x: list[FloatArray], out: FloatArray) -> None:
        """Write the derivatives of all weights that x_1, ..., x_L make into out (d,), of the loss
        alone.
        """
        for (W, b), above, slope, below in zip(
            self.layers(out), x, there.slopes, there.activations, strict=False
        ):
            product = above * slope
            np.matmul(product.T, below, out=W)
            product.sum(axis=0, out=b)


oracles.gradient.register(Mlp, Mlp.gradient)
