"""How a scenario names a node: by its id, a number or text."""

from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dadao_sim.strict import misuse
from dadao_sim.text.lines import shown


def _checked(name: Any) -> int | str:
    # Not a union: pydantic puts the member's name into the location of an error.
    if (type(name) is int and name >= 0) or (isinstance(name, str) and name):
        return name
    raise misuse(f"must be the id of a node, a number or text, got {shown(name)}")


_ONE_OF = [{"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1}]
NodeId = Annotated[int | str, PlainValidator(_checked), WithJsonSchema({"anyOf": _ONE_OF})]
