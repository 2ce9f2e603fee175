"""Where the gradients of a network of layers come from: exactly, or from a relaxation that is cut
short. An oracle is a class with a ``kind``, its options, and what it makes of a backward pass.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.oracle import Oracle
from dadao_sim.strict import Count, misuse

ENOUGH = 0.01
"""The relative error from which on an oracle counts as good."""


class GradientOracle(Oracle):
    """What answers dLoss/dxbar_l of every layer, for the derivatives of the weights to be made of.

    One with ``sweeps`` passes so many times over the layers for a gradient, where the exact one
    does once: they are what ``relaxations`` count.
    """

    @abstractmethod
    def backward(
        self,
        weights: Sequence[FloatArray],
        slopes: Sequence[FloatArray],
        activations: Sequence[FloatArray],
        top: FloatArray,
    ) -> list[FloatArray]:
        """x_1, ..., x_L, of which x_l is an answer for dLoss/dxbar_l, (m, width of layer l).

        ``weights`` W_0, ..., W_{L-1} lead from xbar_l to a_l = W_l xbar_l + b_l; ``slopes`` are
        f'(a_l) and ``activations`` xbar_0, ..., xbar_L of the forward pass, a row for each sample;
        ``top`` is x_L, which is known.
        """

    def error(self, layers: int) -> float:
        """Of a gradient of so many layers, relative, as far as it is known beforehand."""
        return 0.0

    def advice(self, layers: int) -> str:
        """What to say where gradients of so many layers come out far from exact; else nothing."""
        return ""


class Backprop(GradientOracle):
    """Backpropagation: exact, one pass from the top down."""

    kind: Literal["backprop"] = Field(default="backprop", description="exact, by one pass")

    def backward(
        self,
        weights: Sequence[FloatArray],
        slopes: Sequence[FloatArray],
        activations: Sequence[FloatArray],
        top: FloatArray,
    ) -> list[FloatArray]:
        """See :meth:`GradientOracle.backward`."""
        x = [top]
        for W, slope in zip(weights[:0:-1], slopes[:0:-1], strict=True):
            x.append((x[-1] * slope) @ W)
        return x[::-1]


def _converges(step: float) -> float:
    if not 0 < step < 2:
        raise misuse(f"{step:g} diverges; in (0, 2)")
    return step


class ActivationRelaxation(GradientOracle):
    """Activation relaxation (Millidge, Tschantz, Seth and Buckley 2020): the x_l relax towards
    dLoss/dxbar_l, all at once in each sweep and by what is next to them alone.

    x_l <- x_l + h (W_l^T (f'(a_l) * x_{l+1}) - x_l), with all of the forward pass frozen. The
    error after K sweeps is sum_j C(K, j) h^j (1 - h)^{K-j} N^j e(0) over j < L - l, where N leads
    from a layer to the one below: exact at h = 1 after L - 1 sweeps.
    """

    reference = "millidge2020activation"

    kind: Literal["activation_relaxation"] = Field(description="by sweeps over the layers")
    sweeps: Count = Field(description="per gradient")
    step: Annotated[float, AfterValidator(_converges)] = Field(
        description="h of a sweep, in (0, 2): 1 is exact after as many sweeps as hidden layers"
    )
    start: Literal["zeros", "activations"] = Field(
        default="zeros", description="of the quantities that relax, in every gradient"
    )
    nonlinear: bool = Field(
        default=True, description="false leaves f' out of the relaxation, as the paper may"
    )

    def backward(
        self,
        weights: Sequence[FloatArray],
        slopes: Sequence[FloatArray],
        activations: Sequence[FloatArray],
        top: FloatArray,
    ) -> list[FloatArray]:
        """See :meth:`GradientOracle.backward`."""
        if self.start == "zeros":
            x = [np.zeros_like(layer) for layer in activations[1:-1]]
        else:
            x = [layer.copy() for layer in activations[1:-1]]
        x.append(top)
        scaled = [self.step * W for W in weights[1:]]
        pushes = [np.empty_like(layer) for layer in x[:-1]]
        lifted = [np.empty_like(layer) for layer in x[1:]]
        kept = 1.0 - self.step
        for _ in range(self.sweeps):
            # From the bottom up, each layer is asked for before it is replaced: all at once.
            for k, push in enumerate(pushes):
                above = x[k + 1]
                if self.nonlinear:
                    above = np.multiply(above, slopes[k + 1], out=lifted[k])
                np.matmul(above, scaled[k], out=push)
                x[k] *= kept
                x[k] += push
        return x

    def error(self, layers: int) -> float:
        """From zeros and with f' a bound, which the lowest layer attains for steps up to 1: there
        it is the chance that fewer than L - 1 of K draws succeed, each with chance h.
        """
        return max((abs(self.missing(depth)) for depth in range(1, layers)), default=0.0)

    def advice(self, layers: int) -> str:
        """See :meth:`GradientOracle.advice`."""
        if (error := self.error(layers)) <= ENOUGH:
            return ""
        return (
            f"oracle.sweeps: {self.sweeps} at step {self.step:g} leaves a relative error of up to "
            f"{error:.2g} with {layers} layers{self._from_there}; {self.enough(layers)} or more"
        )

    @property
    def _from_there(self) -> str:
        return "" if self.start == "zeros" else ", and more from activations"

    def missing(self, depth: int) -> float:
        """What after the sweeps is missing of dLoss/dxbar_l, relative, so far below the top; from
        zeros, with f', where nothing but this factor differs.
        """
        return sum(self.coefficients(depth))

    def coefficients(self, count: int) -> list[float]:
        """The first C(K, j) h^j (1 - h)^{K-j}."""
        K, h = self.sweeps, self.step
        if h == 1.0:
            return [float(j == K) for j in range(count)]
        found = [(1.0 - h) ** K]
        for j in range(1, count):
            found.append(found[-1] * (K - j + 1) / j * h / (1.0 - h))
        return found[:count]

    def enough(self, layers: int) -> int:
        """A number of sweeps with an error of at most ``ENOUGH``: the least for steps up to 1."""

        def is_enough(sweeps: int) -> bool:
            return self.model_copy(update={"sweeps": sweeps}).error(layers) <= ENOUGH

        few, many = 0, 1
        while not is_enough(many):
            few, many = many, 2 * many
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if is_enough(middle) else (middle, many)
        return many


BACKPROP = Backprop()
