"""Where the gradients of a problem come from, if there is a choice: a class with a ``kind``."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from dadao_sim.registration import Registry
from dadao_sim.strict import ByKind, StrictModel, kinds_of


class Oracle(StrictModel):
    """What answers a method's gradients, with its options; what is measured is never measured by
    it. ``reference``: the paper to cite, as that of a method.
    """

    reference: ClassVar[str] = ""

    kind: str


ORACLES: Registry[type[Oracle]] = Registry("oracle", "dadao_sim.problems.kinds", kinds_of(Oracle))


def _spelt_out(oracle: Any) -> Any:
    """``exact`` and ``{surrogate: FILE}`` with their kinds."""
    if isinstance(oracle, str):
        return {"kind": oracle}
    if isinstance(oracle, Mapping) and "kind" not in oracle and "surrogate" in oracle:
        return {"kind": "surrogate", **oracle}
    return oracle


class SpeltOut:
    """Lets an oracle be written shorter than by its kind."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Write it out first."""
        return core_schema.no_info_before_validator_function(_spelt_out, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The word, or one of all oracles, whose kind need not be there where it is the default."""
        return {"anyOf": [{"const": "exact"}, handler(schema)]}


OneOracle = Annotated[Oracle, ByKind(ORACLES), SpeltOut()]
"""Of any kind of problem; one that has no such gradients refuses it."""
