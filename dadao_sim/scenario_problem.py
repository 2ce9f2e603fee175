"""The problem of a scenario: loss, samples, and how they lie on the nodes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dadao_sim.strict_model import (
    Count,
    FilePath,
    NotNegative,
    Positive,
    StrictModel,
    Text,
    misuse,
    one_by_kind,
)


class SyntheticData(StrictModel):
    """Gaussian samples drawn at each node."""

    kind: Literal["synthetic"] = Field(description="samples drawn at each node")
    dim: Count = Field(description="dimension d of the unknown x")
    samples_per_node: Count | None = Field(
        default=None, description="samples m of each node; only averaging can do without"
    )
    condition_number: Annotated[float, Field(ge=1)] | None = Field(
        default=None, description="L/mu that the problem shall have; as drawn if absent"
    )
    heterogeneity: NotNegative = Field(
        default=1.0, description="how far apart the nodes' own minimisers lie; 0: all alike"
    )
    noise: NotNegative = Field(
        default=0.1, description="standard deviation of the noise of the targets"
    )


class AuthorsData(StrictModel):
    """The data of the DADAO authors' own experiments."""

    kind: Literal["authors"] = Field(description="as the authors of DADAO draw theirs")
    dim: Count = Field(description="dimension d of the unknown x")
    samples_per_node: Count = Field(description="samples m of each node")


class DataSet(StrictModel):
    """A data set that comes with scikit-learn, split over the nodes."""

    kind: Literal["breast_cancer", "digits", "diabetes"] = Field(description="name of the data set")
    standardise: bool = Field(default=True, description="give every feature mean 0 and variance 1")
    limit: Count | None = Field(default=None, description="use at most this number of samples")
    intercept: bool = Field(default=True, description="append a feature that is 1 for every sample")


class DataFile(StrictModel):
    """A data file, split over the nodes."""

    kind: Literal["file"] = Field(description="samples read from a file")
    path: FilePath = Field(description="the file, relative to the scenario file")
    format: Literal["auto", "svmlight", "npz", "csv"] = Field(
        default="auto", description="format of the file; auto goes by the ending of its name"
    )
    target: Text | None = Field(
        default=None, description="name of the column or array of the targets"
    )
    standardise: bool = Field(default=False, description="give every feature mean 0 and variance 1")
    limit: Count | None = Field(default=None, description="use at most this number of samples")
    intercept: bool = Field(
        default=False, description="append a feature that is 1 for every sample"
    )


class PartitionSpec(StrictModel):
    """How a data set is split over the nodes."""

    kind: Literal["iid", "sorted", "dirichlet"] = Field(
        default="iid",
        description="at random, sorted by target, or by Dirichlet shares of the targets",
    )
    alpha: Positive | None = Field(
        default=None, description="concentration of the Dirichlet shares; small is heterogeneous"
    )
    sizes: Literal["equal", "uneven"] = Field(default="equal", description="samples per node")

    @model_validator(mode="after")
    def _alpha_is_of_dirichlet(self) -> "PartitionSpec":
        if self.kind == "dirichlet" and self.alpha is None:
            raise misuse("is missing: kind dirichlet needs its concentration", "alpha")
        if self.kind != "dirichlet" and self.alpha is not None:
            raise misuse(f"only kind dirichlet has it, and kind is {self.kind}", "alpha")
        return self


class ProblemSpec(StrictModel):
    """Minimise F(x) = (1/n) sum_i f_i(x), f_i made of the samples of node i."""

    kind: Literal["least_squares", "ridge", "logistic_l2", "huber_l2", "averaging"] = Field(
        description="loss of a sample; ridge, logistic_l2 and huber_l2 add (mu/2) ||x||^2"
    )
    mu: Positive | None = Field(default=None, description="strength of the l2 term")
    delta: Positive = Field(
        default=1.0, description="threshold of the Huber loss, in units of the targets"
    )
    weighting: Literal["samples", "uniform"] = Field(
        default="samples", description="every sample counts the same in F, or every node does"
    )
    data: Annotated[
        SyntheticData | AuthorsData | DataSet | DataFile,
        Field(discriminator="kind"),
        one_by_kind(SyntheticData, AuthorsData, DataSet, DataFile),
    ] = Field(description="the samples")
    partition: PartitionSpec | None = Field(
        default=None, description="how a data set is split over the nodes; iid and equal if absent"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> "ProblemSpec":
        self._check_l2()
        data, kind = self.data, self.kind
        if kind != "huber_l2" and self.delta != 1.0:
            raise misuse(f"only huber_l2 has a threshold, and kind is {kind}", "delta")
        if self.partition is not None and not isinstance(data, DataSet | DataFile):
            reason = f"{data.kind} data are drawn at each node, there is nothing to split"
            raise misuse(f"{reason}; leave it out", "partition")
        if kind == "logistic_l2" and data.kind == "diabetes":
            raise misuse("logistic_l2 needs two classes, diabetes has real targets", "data", "kind")
        if kind == "averaging" and isinstance(data, AuthorsData):
            raise misuse("averaging needs points, not regressions; use synthetic", "data", "kind")
        if isinstance(data, SyntheticData):
            if kind != "averaging" and data.samples_per_node is None:
                raise misuse(f"is missing: {kind} needs samples", "data", "samples_per_node")
            if kind == "averaging" and data.condition_number is not None:
                raise misuse("that of averaging is 1; leave it out", "data", "condition_number")
        return self

    def _check_l2(self) -> None:
        synthetic = isinstance(self.data, SyntheticData)
        conditioned = getattr(self.data, "condition_number", None) is not None
        if self.kind in ("least_squares", "averaging"):
            if self.mu is not None:
                hint = "; kind ridge has" if self.kind == "least_squares" else ""
                raise misuse(f"{self.kind} has no l2 term{hint}", "mu")
        elif self.mu is None and not conditioned:
            instead = " (or data.condition_number)" if synthetic else ""
            raise misuse(f"is missing: {self.kind} needs its l2 strength{instead}", "mu")
        elif self.mu is not None and conditioned:
            raise misuse("determined by data.condition_number; give one of the two", "mu")
