"""A handwritten digit of which every node sees other pixels.

x is the digit, 8 x 8 pixels in [0, 1] row by row, less the mean of all training digits: d = 64, and
0 is that mean. With N pixels seen by all nodes, y_k on the same scale,

    F(x) = (1/N) sum_k (x_k - y_k)^2    over the pixels k that are seen

which says nothing of the others: those are for the term to say. Each pixel is at one node, so that
F is n times flatter than the steepest f_i.
"""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.image import Picture
from dadao_sim.problems.data.source import DataSource, Wanted
from dadao_sim.strict import NotNegative

SIDE = 8
PIXELS = SIDE * SIDE
TRAINING = 1500
"""Of scikit-learn's 1797 digits: what networks are trained on; the others are held out."""
HELD_OUT = 297


class Digits(NamedTuple):
    """scikit-learn's digits: ``training`` (1500, 64) and ``held_out`` (297, 64), which no training
    sees, less the ``mean`` (64,) of those of the training; drawn once for all.
    """

    training: FloatArray
    held_out: FloatArray
    mean: FloatArray


@cache
def digits() -> Digits:
    """See :class:`Digits`."""
    from sklearn.datasets import load_digits

    every = load_digits().data / 16.0
    every = every[np.random.default_rng(0).permutation(len(every))]
    mean = every[:TRAINING].mean(axis=0)
    centred = every - mean
    for array in (mean, centred):
        array.flags.writeable = False
    return Digits(centred[:TRAINING], centred[TRAINING:], mean)


def conditional_mean(own: IntArray, seen: FloatArray, noise: float) -> FloatArray:
    """The mean (..., 64) of digits of whose pixels ``own`` (k,) one sees ``seen`` (..., k) with
    ``noise``, were digits normal with the mean 0 and the covariance of those of the training: what
    a prior that knows the first two moments can do.
    """
    training = digits().training
    covariance = training.T @ training / len(training)
    of_seen = covariance[np.ix_(own, own)] + noise**2 * np.eye(len(own))
    return np.asarray(seen @ np.linalg.lstsq(of_seen, covariance[own], rcond=None)[0])


class DigitData(DataSource):
    """One held-out digit, some of whose pixels are seen, each by one node."""

    kind: Literal["digit"] = Field(description="a handwritten digit of 8 x 8 pixels, to be filled")
    digit: Annotated[int, Field(ge=0, lt=HELD_OUT)] = Field(
        default=0, description="which of 297 digits of scikit-learn that no network was trained on"
    )
    observed: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="share of the pixels that are seen, dealt out to the nodes"
    )
    noise: NotNegative = Field(
        default=0.05, description="standard deviation of the noise; the digit lies in [0, 1]"
    )

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """A pixel is a number, of either sign."""
        if wanted.labels:
            return "kind", f"digit needs targets that are numbers, not the labels of {wanted.kind}"
        return super().refusal(wanted)

    @property
    def dimension(self) -> int:
        """The pixels."""
        return PIXELS

    @property
    def samples_of_a_node(self) -> int:
        """At most all pixels that are seen."""
        return self.seen

    @property
    def seen(self) -> int:
        """Pixels that anybody sees."""
        return max(1, round(self.observed * PIXELS))

    @property
    def truth(self) -> FloatArray:
        """The digit (64,), less the mean."""
        return digits().held_out[self.digit]

    def rows(
        self, wanted: Wanted, nodes: int, rng: np.random.Generator
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """A row of the identity for each pixel that a node sees, and what it sees there."""
        A, b = [], []
        for own, seen in self.parts(nodes, rng):
            A.append(np.eye(PIXELS)[own])
            b.append(seen)
        return A, b

    def parts(self, nodes: int, rng: np.random.Generator) -> Iterator[tuple[IntArray, FloatArray]]:
        """Of each node the pixels that it sees, at random and equal in number to within one, and
        what it sees of them: with noise, the same whatever the number of nodes.
        """
        if self.seen < nodes:
            raise InputError(
                "observed",
                f"{self.observed:g} of {PIXELS} pixels is {self.seen}, for {nodes} nodes",
                "a larger share, or fewer nodes, are needed",
            )
        order = rng.permutation(PIXELS)[: self.seen]
        noisy = self.truth + self.noise * rng.standard_normal(PIXELS)
        for part in np.array_split(order, nodes):
            own = np.sort(part)
            yield own, noisy[own]

    def picture(self, nodes: int, rng: np.random.Generator) -> Picture:
        """What :meth:`rows` is about, from a generator in the same state."""
        seen, mean = np.full(PIXELS, np.nan), digits().mean
        for own, values in self.parts(nodes, rng):
            seen[own] = values
        truth, seen = self.truth + mean, seen + mean
        return Picture(truth.reshape(SIDE, SIDE), seen.reshape(SIDE, SIDE))
