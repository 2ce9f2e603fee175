"""The problem of a scenario: loss, samples, and how they lie on the nodes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dadao_sim.strict import (
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


class SparseSignalData(StrictModel):
    """One sparse signal, seen by every node through rows of its own."""

    kind: Literal["sparse_signal"] = Field(description="a sparse signal under Gaussian rows")
    dim: Count = Field(description="dimension d of the signal")
    samples_per_node: Count = Field(
        description="samples m of each node; all together may be fewer than dim"
    )
    nonzeros: Count = Field(description="coordinates of the signal that are not 0, Laplacian")
    group_size: Count = Field(
        default=1, description="they come in whole groups of so many consecutive coordinates"
    )
    noise: NotNegative = Field(
        default=0.1, description="standard deviation of the noise of the targets"
    )

    @model_validator(mode="after")
    def _groups_fit(self) -> "SparseSignalData":
        for name, value in (("dim", self.dim), ("nonzeros", self.nonzeros)):
            if value % self.group_size:
                raise misuse(f"must be a multiple of group_size ({self.group_size})", name)
        if self.nonzeros > self.dim:
            raise misuse(f"must be at most dim ({self.dim})", "nonzeros")
        return self


class ImageData(StrictModel):
    """An image to be restored, its pixels split over the nodes in strips."""

    kind: Literal["image"] = Field(description="an image that the nodes restore together")
    task: Literal["deblurring", "inpainting"] = Field(
        description="what the nodes see of it: all pixels, blurred, or some of them"
    )
    image: Literal["china", "flower"] = Field(default="china", description="which image")
    size: Annotated[int, Field(ge=2, le=427)] = Field(
        default=64, description="pixels of a side of the image; d is its square"
    )
    blur: Positive = Field(
        default=1.5, description="standard deviation of the Gaussian blur, in pixels"
    )
    observed: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5, description="share of the pixels that inpainting sees"
    )
    noise: NotNegative = Field(
        default=0.02, description="standard deviation of the noise; the image lies in [0, 1]"
    )

    @model_validator(mode="after")
    def _options_are_of_the_task(self) -> "ImageData":
        if self.task != "deblurring" and self.blur != 1.5:
            raise misuse(f"only deblurring has it, and task is {self.task}", "blur")
        if self.task != "inpainting" and self.observed != 0.5:
            raise misuse(f"only inpainting has it, and task is {self.task}", "observed")
        return self


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
        SyntheticData | AuthorsData | SparseSignalData | ImageData | DataSet | DataFile,
        Field(discriminator="kind"),
        one_by_kind(SyntheticData, AuthorsData, SparseSignalData, ImageData, DataSet, DataFile),
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
            if isinstance(data, ImageData):
                reason = "an image is split into strips"
            raise misuse(f"{reason}; leave it out", "partition")
        if kind == "logistic_l2" and data.kind == "diabetes":
            raise misuse("logistic_l2 needs two classes, diabetes has real targets", "data", "kind")
        if kind == "averaging" and isinstance(data, AuthorsData | SparseSignalData | ImageData):
            raise misuse("averaging needs points, not regressions; use synthetic", "data", "kind")
        if isinstance(data, ImageData) and kind not in ("least_squares", "ridge"):
            raise misuse(f"image needs least_squares or ridge, not {kind}", "data", "kind")
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
