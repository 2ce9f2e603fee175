"""The ``local_step`` section of a scenario: the term r that all nodes share, by its proximal
operator or by a learned one, or what leads to quantised models.

What depends on the dimension of the problem (do the groups fill it?) is checked when it is built.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from dadao_sim.local_steps.quantise import QUANTISERS, Quantiser
from dadao_sim.local_steps.terms import TERMS, Term
from dadao_sim.strict import ByKind, FileOrShipped, Positive, StrictModel, Text, misuse
from dadao_sim.text.lines import shown


class LearnedSpec(StrictModel):
    """A proximal operator learned from data."""

    network: FileOrShipped = Field(
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
    """The term r that all nodes share: minimise F(x) + r(x); or levels that x shall come to."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [key]} for key in ("prox", "learned", "quantise")]
        }
    )

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

    quantise: Annotated[Quantiser, ByKind(QUANTISERS)] | None = Field(
        default=None, description="no r, but levels that every coordinate shall come to"
    )

    @field_validator("prox")
    @classmethod
    def _is_finite(cls, prox: Term | None) -> Term | None:
        # Some terms take infinities from Python; a file of ours never holds one.
        for name, value in prox or ():
            if isinstance(value, float | tuple) and not np.isfinite(value).all():
                raise misuse("must be finite", name)
        return prox

    @model_validator(mode="after")
    def _one_of_them(self) -> "LocalStepSpec":
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            found = f", got {' and '.join(given)}" if given else ""
            raise misuse(f"must have exactly one of the keys prox, learned, quantise{found}")
        return self
