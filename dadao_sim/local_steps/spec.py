"""The local step of a scenario: the term r that all nodes share, by its proximal operator or by a
learned one.

What depends on the dimension of the problem (do the groups fill it?) is checked when it is built.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    TypeAdapter,
    ValidationInfo,
    model_validator,
)

from dadao_sim.strict import (
    Count,
    FilePath,
    Positive,
    StrictModel,
    Text,
    misuse,
    one_by_kind,
    shown,
)

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


def _one_or_list(one: Any, many: Any) -> BeforeValidator:
    """Choose by whether it is a list: pydantic's unions would report the errors of both."""
    single, several = TypeAdapter(one, config=_STRICT), TypeAdapter(many, config=_STRICT)

    def choose(value: Any) -> Any:
        chosen = several if isinstance(value, list | tuple) else single
        return chosen.validate_python(value)

    return BeforeValidator(choose)


def _pair(shape: Any) -> Any:
    if isinstance(shape, list | tuple) and len(shape) == 2:
        return shape
    found = f"a list of {len(shape)}" if isinstance(shape, list | tuple) else shown(shape)
    raise misuse(f"must be [rows, columns], got {found}")


Numbers = Annotated[tuple[float, ...], Strict(False), Field(min_length=1)]
Sizes = Annotated[tuple[Count, ...], Strict(False), Field(min_length=1)]
Weights = Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)]
Groups = Annotated[Count | Sizes, _one_or_list(Count, Sizes)]
Bound = Annotated[float | Numbers, _one_or_list(float, Numbers)]
Shape = Annotated[tuple[Count, Count], Strict(False), BeforeValidator(_pair)]
Strength = Annotated[Positive, Field(description="factor of the term, in units of F")]


class L1(StrictModel):
    """strength ||x||_1."""

    kind: Literal["l1"] = Field(description="the l1 norm")
    strength: Strength


class SquaredL2(StrictModel):
    """(strength/2) ||x||^2."""

    kind: Literal["squared_l2"] = Field(description="half the squared Euclidean norm")
    strength: Strength


class ElasticNet(StrictModel):
    """strength ||x||_1 + (l2/2) ||x||^2."""

    kind: Literal["elastic_net"] = Field(description="the l1 norm and half the squared l2 norm")
    strength: Strength
    l2: Positive = Field(description="factor of ||x||^2/2")


class Huber(StrictModel):
    """The l1 norm smoothed: strength (z^2/2 up to |z| = delta, delta |z| - delta^2/2 beyond)."""

    kind: Literal["huber"] = Field(description="the Huber function of each coordinate")
    strength: Strength
    delta: Positive = Field(default=1.0, description="size at which the parabola becomes a line")


class GroupL2(StrictModel):
    """strength sum_j w_j ||x_j||_2: the group lasso."""

    kind: Literal["group_l2"] = Field(description="sum of the norms of groups of coordinates")
    strength: Strength
    groups: Groups = Field(description="size of every group, or list of the sizes; they sum to d")
    weights: Weights | None = Field(
        default=None, description="weight of each group; the roots of the sizes if absent"
    )


class Wgsef(StrictModel):
    """strength times the convex envelope of (1/2) sum_j d_j ||x_j||^2 where k groups are not 0."""

    kind: Literal["wgsef"] = Field(description="weighted group sparse envelope function")
    strength: Strength
    k: Count = Field(description="groups that may be nonzero")
    groups: Groups = Field(description="size of every group, or list of the sizes; they sum to d")
    weights: Weights | None = Field(default=None, description="d_j of each group; 1 if absent")


class TotalVariation1D(StrictModel):
    """strength sum_k |x_{k+1} - x_k|."""

    kind: Literal["tv_1d"] = Field(description="total variation of a line")
    strength: Strength


class TotalVariation2D(StrictModel):
    """strength times the total variation of an image along its rows and its columns."""

    kind: Literal["tv_2d"] = Field(description="anisotropic total variation of an image")
    strength: Strength
    shape: Shape = Field(description="rows and columns of the image; their product is d")


class Nuclear(StrictModel):
    """strength times the sum of the singular values."""

    kind: Literal["nuclear"] = Field(description="the nuclear norm of a matrix")
    strength: Strength
    shape: Shape = Field(description="rows and columns of the matrix; their product is d")


class Box(StrictModel):
    """lower <= x <= upper."""

    kind: Literal["box"] = Field(description="every coordinate between two bounds")
    lower: Bound | None = Field(
        default=None, description="a number, or one for each coordinate; none if absent"
    )
    upper: Bound | None = Field(
        default=None, description="a number, or one for each coordinate; none if absent"
    )

    @model_validator(mode="after")
    def _is_bounded(self) -> "Box":
        if self.lower is None and self.upper is None:
            raise misuse("must have at least one of the keys lower, upper")
        return self


class Simplex(StrictModel):
    """x >= 0, sum_k x_k = total."""

    kind: Literal["simplex"] = Field(description="nonnegative coordinates with a fixed sum")
    total: Positive = Field(default=1.0, description="the sum")


class L2Ball(StrictModel):
    """||x||_2 <= radius."""

    kind: Literal["l2_ball"] = Field(description="a Euclidean ball around 0")
    radius: Positive = Field(description="its radius")


class L0(StrictModel):
    """strength times the number of nonzeros; not convex."""

    kind: Literal["l0"] = Field(description="the number of nonzeros")
    strength: Strength


class KSparse(StrictModel):
    """At most k nonzeros; not convex."""

    kind: Literal["k_sparse"] = Field(description="at most k coordinates are nonzero")
    k: Count = Field(description="coordinates that may be nonzero, at most d")


class Scad(StrictModel):
    """Smoothly clipped absolute deviation (Fan and Li); not convex."""

    kind: Literal["scad"] = Field(description="an l1 norm that flattens off, in two bends")
    strength: Strength
    a: Annotated[float, Field(gt=2)] = Field(
        default=3.7, description="it is flat beyond a strength"
    )


class Mcp(StrictModel):
    """Minimax concave penalty (Zhang); not convex."""

    kind: Literal["mcp"] = Field(description="an l1 norm that flattens off")
    strength: Strength
    gamma: Annotated[float, Field(gt=1)] = Field(
        default=3.0, description="it is flat beyond gamma strength"
    )


class Rank(StrictModel):
    """Rank at most k; not convex."""

    kind: Literal["rank"] = Field(description="matrices of rank at most k")
    k: Count = Field(description="the rank")
    shape: Shape = Field(description="rows and columns of the matrix; their product is d")


PROX_MODELS = (
    *(L1, SquaredL2, ElasticNet, Huber, GroupL2, Wgsef, TotalVariation1D, TotalVariation2D),
    *(Nuclear, Box, Simplex, L2Ball, L0, KSparse, Scad, Mcp, Rank),
)


def _file_or_shipped(network: str, info: ValidationInfo) -> str:
    if re.fullmatch(r"\w+", network):
        return network
    return TypeAdapter(FilePath).validate_python(network, context=info.context)


class LearnedSpec(StrictModel):
    """A proximal operator learned from data."""

    network: Annotated[Text, AfterValidator(_file_or_shipped)] = Field(
        description="name of a shipped network, or an .npz file, relative to the scenario file"
    )
    strength: Positive = Field(default=1.0, description="factor of the term that it was trained as")


def _network_alone(learned: Any) -> Any:
    if isinstance(learned, str):
        return {"network": learned}
    if isinstance(learned, Mapping | LearnedSpec):
        return learned
    raise misuse(f"must be the name of a network or a mapping, got {shown(learned)}")


class LocalStepSpec(StrictModel):
    """The term r that all nodes share: minimise F(x) + r(x)."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["prox"]}, {"required": ["learned"]}]}
    )

    prox: (
        Annotated[
            L1
            | SquaredL2
            | ElasticNet
            | Huber
            | GroupL2
            | Wgsef
            | TotalVariation1D
            | TotalVariation2D
            | Nuclear
            | Box
            | Simplex
            | L2Ball
            | L0
            | KSparse
            | Scad
            | Mcp
            | Rank,
            Field(discriminator="kind"),
            one_by_kind(*PROX_MODELS),
        ]
        | None
    ) = Field(default=None, description="r by its formula")
    learned: (
        Annotated[
            LearnedSpec,
            BeforeValidator(_network_alone, json_schema_input_type=Text | LearnedSpec),
        ]
        | None
    ) = Field(default=None, description="r by a network that learned its proximal operator")

    @model_validator(mode="after")
    def _one_of_both(self) -> "LocalStepSpec":
        if (self.prox is None) == (self.learned is None):
            found = "" if self.prox is None else ", got prox and learned"
            raise misuse(f"must have exactly one of the keys prox, learned{found}")
        return self
