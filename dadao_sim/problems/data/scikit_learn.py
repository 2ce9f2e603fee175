"""Data sets that come with scikit-learn; a set is a class that names and loads it."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from dadao_sim.problems.data.source import (
    Intercept,
    Samples,
    SampleSet,
    Standardise,
    Wanted,
)
from dadao_sim.strict import NotNegative, Positive, misuse


class ScikitLearnSet(SampleSet):
    """A data set that comes with scikit-learn, split over the nodes."""

    standardise: Standardise = True
    intercept: Intercept = True


class BreastCancer(ScikitLearnSet):
    """Wisconsin diagnostic breast cancer: 569 samples, 30 features; benign 1, malignant -1."""

    kind: Literal["breast_cancer"] = Field(description="name of the data set")

    def read(self, *, points: bool) -> Samples:
        """X (569, 30) and labels."""
        from sklearn.datasets import load_breast_cancer

        X, y = load_breast_cancer(return_X_y=True)
        return Samples(X, 2.0 * y - 1.0)


class Digits(ScikitLearnSet):
    """Handwritten digits: 1797 samples, 64 pixels; even digits 1, odd ones -1, or all ten."""

    kind: Literal["digits"] = Field(description="name of the data set")
    targets: Literal["parity", "digit"] = Field(
        default="parity", description="1 of even and -1 of odd digits, or the digits 0 to 9"
    )
    brightest: Positive | None = Field(
        default=None, description="what a full pixel counts, 16 if absent; where not standardised"
    )

    @model_validator(mode="after")
    def _scaled_once(self) -> "Digits":
        if self.brightest is not None and self.standardise:
            raise misuse("standardised pixels have variance 1; set standardise: false", "brightest")
        return self

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """Ten classes are no two."""
        if wanted.labels and self.targets == "digit":
            return "targets", f"{wanted.kind} needs two classes, digits are ten; use parity"
        return None

    def read(self, *, points: bool) -> Samples:
        """X (1797, 64) and labels."""
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        if self.brightest is not None:
            X = X * (self.brightest / 16)
        return Samples(X, np.where(y % 2 == 0, 1.0, -1.0) if self.targets == "parity" else y)


class Diabetes(ScikitLearnSet):
    """Diabetes progression after a year: 442 samples, 10 features, targets from 25 to 346."""

    kind: Literal["diabetes"] = Field(description="name of the data set")

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """No labels."""
        if wanted.labels:
            return "kind", f"{wanted.kind} needs two classes, diabetes has real targets"
        return None

    def read(self, *, points: bool) -> Samples:
        """X (442, 10) and real targets."""
        from sklearn.datasets import load_diabetes

        return Samples(*load_diabetes(return_X_y=True))


class Moons(SampleSet):
    """Two half moons that reach into one another, drawn: labels 1 and -1, as many of each."""

    kind: Literal["moons"] = Field(description="two half moons, of two features")
    size: Annotated[int, Field(ge=2)] = Field(default=300, description="samples of both moons")
    noise: NotNegative = Field(
        default=0.15, description="standard deviation of the noise of the features"
    )
    draw: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        default=0, description="which ones; they are the same in every repeat"
    )

    @property
    def dimension(self) -> int:
        """Two features, and the intercept."""
        return 2 + self.intercept

    def read(self, *, points: bool) -> Samples:
        """X (size, 2) and labels, in random order."""
        from sklearn.datasets import make_moons

        X, y = make_moons(self.size, noise=self.noise, random_state=self.draw)
        return Samples(X, 2.0 * y - 1.0)
