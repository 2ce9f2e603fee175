"""How a scenario names a node, by its id, a number or text; and numbers that nodes have."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema, WrapValidator

from dadao_sim.errors import InputError
from dadao_sim.strict import Bounded, Positive, misuse
from dadao_sim.text.lines import shown

if TYPE_CHECKING:
    from dadao_sim.networks import Digraph, Network


def _checked(name: Any) -> int | str:
    # Not a union: pydantic puts the member's name into the location of an error.
    if (type(name) is int and name >= 0) or (isinstance(name, str) and name):
        return name
    raise misuse(f"must be the id of a node, a number or text, got {shown(name)}")


_ONE_OF = [{"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1}]
NodeId = Annotated[int | str, PlainValidator(_checked), WithJsonSchema({"anyOf": _ONE_OF})]

_ALL = Annotated[tuple[Positive, ...], Field(min_length=1)]
_NAMED = Annotated[dict[str, Positive], Field(min_length=1)]
_CONFIG = ConfigDict(strict=True, allow_inf_nan=False)
_OF_ALL = TypeAdapter(Annotated[_ALL, Bounded()], config=_CONFIG)
_OF_SOME = TypeAdapter(Annotated[_NAMED, Bounded()], config=_CONFIG)


def _numbers(given: Any, _: Any) -> Any:
    if isinstance(given, Mapping):
        return _OF_SOME.validate_python({str(_checked(k)): value for k, value in given.items()})
    return None if given is None else _OF_ALL.validate_python(_as_tuple(given))


def _as_tuple(given: Any) -> Any:
    return tuple(given) if isinstance(given, list) else given


NumbersOfNodes = Annotated[_ALL | _NAMED | None, WrapValidator(_numbers)]
"""Positive numbers: one for each node, or a mapping of nodes' ids, the others of which have 1."""


def numbers_of_nodes(
    given: tuple[float, ...] | Mapping[str, float] | None, network: "Network | Digraph"
) -> np.ndarray:
    """One number per node (n,). InputError, without a place, for nodes that are not there."""
    numbers = np.ones(network.nodes)
    if isinstance(given, Mapping):
        for name, number in given.items():
            numbers[network.node(name)] = number
    elif given is not None:
        if len(given) != network.nodes:
            raise InputError(f"{len(given)} given for {network.nodes} nodes; give one per node")
        numbers[:] = given
    return numbers
