"""Numbers of the links of a world: one for all, or one for each, by an attribute of the edges."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, WrapValidator

from dadao_sim.errors import InputError
from dadao_sim.networks import Network
from dadao_sim.strict import Bounded, NotNegative, Positive, StrictModel, Text
from dadao_sim.text.lines import listed, written


class PerLink(StrictModel):
    """A number for each link, which an attribute of the edges has."""

    attribute: Text = Field(description="edge attribute, from the network's file or edge_table")
    times: Positive = Field(
        default=1.0, description="factor that makes the unit asked for of it, such as 0.001 of ms"
    )
    unknown: NotNegative | None = Field(
        default=None, description="number, in the unit asked for, of the edges that have none"
    )

    def numbers(self, network: Network) -> np.ndarray:
        """One for each edge (|E|,). InputError where an edge has none, or an infinite one."""
        attributes = {**network.edge_attributes}
        if network.lengths_km is not None:
            attributes["length_km"] = network.lengths_km
        if self.attribute not in attributes:
            there = f"they have {listed(attributes, 100)}" if attributes else "they have none"
            wrong = f"the edges of the network have no {written(self.attribute)}"
            raise InputError("attribute", wrong, f"{there}; network.edge_table can give it")
        numbers = attributes[self.attribute] * self.times
        if self.unknown is not None:
            numbers = np.where(np.isnan(numbers), self.unknown, numbers)
        self._refuse(~np.isfinite(numbers), network, "has no finite {}", "say unknown: NUMBER")
        return numbers

    def between(self, network: Network, least: float, below: float, what: str) -> np.ndarray:
        """The same, of at least ``least`` and below ``below``: InputError says ``what`` that is."""
        numbers = self.numbers(network)
        wrong = (numbers < least) | (numbers >= below)
        self._refuse(wrong, network, "has a {} that is not " + what, "")
        return numbers

    def _refuse(self, those: np.ndarray, network: Network, wrong: str, right: str) -> None:
        if those.any():
            edge = network.edge_called(*network.edges[int(those.argmax())])
            raise InputError(
                "attribute", f"edge {edge} {wrong.format(written(self.attribute))}", right
            )


def or_per_link(kind: Any) -> WrapValidator:
    """Let a mapping be a ``PerLink``, and anything else a number of the type ``kind``::

    bandwidth: Annotated[Positive | PerLink | None, or_per_link(Positive | None)]
    """
    number = TypeAdapter(
        Annotated[kind, Bounded()], config=ConfigDict(strict=True, allow_inf_nan=False)
    )

    def validate(given: Any, _: Any) -> Any:
        if isinstance(given, PerLink):
            return given
        if isinstance(given, Mapping):
            return PerLink.model_validate(dict(given))
        return number.validate_python(given)

    return WrapValidator(validate)


def of_each(given: Any, network: Network, least: float, below: float, what: str) -> np.ndarray:
    """The number of each link (|E|,), from one for all or a ``PerLink``."""
    if isinstance(given, PerLink):
        return given.between(network, least, below, what)
    return np.full(len(network.edges), given, dtype=np.float64)
