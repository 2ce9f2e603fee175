"""The gossip rates that a scenario asks for, of its network or for one algorithm."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from dadao_sim.networks.rates.methods import CLOSED_FORMS, RATE_METHODS
from dadao_sim.strict import Positive, StrictModel, Text, misuse, one_by_key
from dadao_sim.text.lines import shown

if TYPE_CHECKING:
    RateMethod: TypeAlias = str
else:
    RateMethod = Literal[("optimal", *RATE_METHODS)]


class EdgeAttribute(StrictModel):
    """Gossip rates from the network file."""

    attribute: Text = Field(description="edge attribute that holds the relative gossip rates (> 0)")


class ComputedRates(StrictModel):
    """Gossip rates computed from the graph."""

    method: RateMethod = Field(description="how; optimal, or auto, is the certified optimum")
    solver: Text | None = Field(default=None, description="exact: an installed solver by name")
    time_limit: Positive | None = Field(
        default=None, description="seconds; the best rates found by then are taken"
    )
    cost: Text | None = Field(
        default=None,
        description="edge attribute that holds what an exchange costs (> 0): least cost per unit "
        "of time instead of fewest exchanges",
    )
    prune: bool = Field(default=False, description="drop edges of negligible rate, solve again")
    shared: bool = Field(
        default=True, description="sequences: one rate per edge for all graphs, or one per graph"
    )

    @model_validator(mode="after")
    def _no_cost_for_nothing(self) -> Self:
        if self.cost is not None and self.method in CLOSED_FORMS:
            raise misuse(f"{self.method} looks at no costs; use method optimal", "cost")
        return self


_rates_by_key: Any = one_by_key(method=ComputedRates, attribute=EdgeAttribute).func


def _rates_of_some_kind(rates: Any, info: ValidationInfo) -> Any:
    if isinstance(rates, Mapping):
        return _rates_by_key(rates, info)
    if rates in ("uniform", "optimal") or isinstance(rates, EdgeAttribute | ComputedRates):
        return rates
    known = "uniform, optimal, {method: NAME} or {attribute: NAME}"
    raise misuse(f"must be {known}, got {shown(rates)}")


Rates = Annotated[
    Literal["uniform", "optimal"] | ComputedRates | EdgeAttribute,
    BeforeValidator(_rates_of_some_kind),
]
