"""The ``local_step`` section of a scenario: the term r that all nodes share, by its proximal
operator or by a learned one, or what leads to quantised models.

What depends on the dimension of the problem (do the groups fill it?) is checked when it is built.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    field_validator,
    model_validator,
)

from dadao_sim.local_steps.learned.networks import is_of_torch, reference_of
from dadao_sim.local_steps.quantise import QUANTISERS, Quantiser
from dadao_sim.local_steps.terms import TERMS, Term
from dadao_sim.local_steps.terms.term import MatrixShape
from dadao_sim.strict import ByKind, Count, FileOrShipped, Positive, StrictModel, Text, misuse
from dadao_sim.text.lines import shown


class LearnedSpec(StrictModel):
    """A proximal operator learned from data."""

    network: FileOrShipped = Field(
        description="name of a shipped network, or an .npz file, relative to the scenario file"
    )
    strength: Positive = Field(default=1.0, description="factor of the term that it was trained as")
    shape: MatrixShape | None = Field(
        default=None,
        description="of filters and denoisers, rows and columns of the picture; square if absent",
    )
    settles: bool = Field(
        default=True,
        description="whether iterations with it come to rest; if not, no x* is looked for and runs "
        "are measured by stationarity",
    )

    @property
    def reference(self) -> str:
        """What is cited for it."""
        return reference_of(self.network)


def _network_alone(learned: Any) -> Any:
    if isinstance(learned, str):
        return {"network": learned}
    if isinstance(learned, Mapping | LearnedSpec):
        return learned
    raise misuse(f"must be the name of a network or a mapping, got {shown(learned)}")


def _given(model: StrictModel, keys: tuple[str, ...]) -> None:
    """One of the keys, or the error of a validator."""
    given = [name for name in keys if getattr(model, name) is not None]
    if len(given) != 1:
        found = f", got {' and '.join(given)}" if given else ""
        raise misuse(f"must have exactly one of the keys {', '.join(keys)}{found}")


def _one_of(*keys: str) -> ConfigDict:
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


class TermSpec(StrictModel):
    """A term r, by its formula or by a network."""

    prox: Annotated[Term, ByKind(TERMS)] | None = Field(
        default=None, description="r by its formula"
    )
    learned: (
        Annotated[
            LearnedSpec,
            BeforeValidator(_network_alone, json_schema_input_type=Text | LearnedSpec),
        ]
        | None
    ) = Field(default=None, description="r by a network that learned its proximal operator")

    @field_validator("prox")
    @classmethod
    def _is_finite(cls, prox: Term | None) -> Term | None:
        # Some terms take infinities from Python; a file of ours never holds one.
        for name, value in prox or ():
            if isinstance(value, float | tuple) and not np.isfinite(value).all():
                raise misuse("must be finite", name)
        return prox


class BlockSpec(TermSpec):
    """The term of a slice of x."""

    model_config = _one_of("prox", "learned")

    size: Count | None = Field(
        default=None,
        description="coordinates of the slice; what its shape says, or an even share of what is "
        "left, if absent",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "BlockSpec":
        _given(self, ("prox", "learned"))
        return self

    @property
    def own_size(self) -> int | None:
        """The coordinates, where they are known without the problem."""
        if self.size is not None:
            return self.size
        shape = getattr(self.prox if self.prox is not None else self.learned, "shape", None)
        return None if shape is None else math.prod(shape)


class LocalStepSpec(TermSpec):
    """The term r that all nodes share: minimise F(x) + r(x); or levels that x shall come to."""

    model_config = _one_of("prox", "learned", "blocks", "quantise")

    blocks: Annotated[tuple[BlockSpec, ...], Strict(False), Field(min_length=2)] | None = Field(
        default=None,
        description="r by terms of consecutive slices of x, the first of which may see all of x",
    )
    quantise: Annotated[Quantiser, ByKind(QUANTISERS)] | None = Field(
        default=None, description="no r, but levels that every coordinate shall come to"
    )

    @property
    def needs_torch(self) -> bool:
        """Whether a part of it runs on torch."""
        return any(
            step.learned is not None and is_of_torch(step.learned.network)
            for step in (self, *(self.blocks or ()))
        )

    @model_validator(mode="after")
    def _one_of_them(self) -> "LocalStepSpec":
        _given(self, ("prox", "learned", "blocks", "quantise"))
        return self
