"""The gossip rates that a scenario asks for, of its network or for one algorithm."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo

from dadao_sim.networks.rates.methods import RATE_METHODS
from dadao_sim.strict import Positive, StrictModel, Text, misuse, one_by_key
from dadao_sim.text.lines import shown

if TYPE_CHECKING:
    RateMethod: TypeAlias = str
else:
    RateMethod = Literal[tuple(RATE_METHODS)]


class EdgeAttribute(StrictModel):
    """Gossip rates from the network file."""

    attribute: Text = Field(description="edge attribute that holds the relative gossip rates (> 0)")


class ComputedRates(StrictModel):
    """Gossip rates computed from the graph."""

    method: RateMethod = Field(description="how; auto is the certified optimum")
    solver: Text | None = Field(default=None, description="exact: an installed solver by name")
    time_limit: Positive | None = Field(
        default=None, description="seconds; the best rates found by then are taken"
    )
    prune: bool = Field(default=False, description="drop edges of negligible rate, solve again")
    shared: bool = Field(
        default=True, description="sequences: one rate per edge for all graphs, or one per graph"
    )


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
