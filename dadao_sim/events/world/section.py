"""Parts of a world in a scenario: keys of their own, and those of the faults that there are."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Self

from pydantic import (
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    create_model,
    model_validator,
)
from pydantic_core import core_schema

from dadao_sim.events.world.fault import FAULTS, Fault, Place
from dadao_sim.strict import StrictModel, misuse, require_beside
from dadao_sim.text.lines import shown


class Section(StrictModel):
    """A part of the world, such as its nodes. What holds one is annotated by ``WithFaults()``.

    ``needs`` names, for a key that has no effect alone, those of which one must be beside it.
    """

    place: ClassVar[Place]
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        require_beside(self, self.needs)
        for fault in FAULTS.values():
            if fault.place == self.place and set(fault.needs) <= set(type(self).model_fields):
                require_beside(self, fault.needs)
                _refuse_beside(self, fault)
        return self

    def __reduce__(self) -> tuple[Callable[..., "Section"], tuple[Any, ...]]:
        # The class with the faults' keys has no name in a module by which pickle could find it.
        own = next(model for model in type(self).__mro__ if Section in model.__bases__)
        return _restored, (own, self.model_dump())


def _refuse_beside(section: Section, fault: type[Fault]) -> None:
    """Raise the error of a validator where a fault acts beside one that it excludes."""
    for other in fault.excludes:
        if fault.at(section).acts and FAULTS[other].at(section).acts:
            name = fault.names()[0]
            raise misuse(f"cannot act beside {name}; say {other}: null", other)


class WithFaults:
    """A field that holds a section with, beside its own keys, one for each key of the faults of its
    place.

    The faults are asked for when a value is checked and when the schema is made, so that those that
    join later count. It is always written in full, null included: what is null may stand against a
    preset. ::

        nodes: Annotated[WorldNodes, WithFaults()]
    """

    def __get_pydantic_core_schema__(
        self, source: type[Section], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check a value against the section's keys and those of the faults."""
        self.section = source

        def validate(data: Any, info: ValidationInfo) -> Section:
            if isinstance(data, source):
                return data
            if not isinstance(data, Mapping | None):
                raise misuse(f"must be a mapping, got {shown(data)}")
            return with_all_keys(source).model_validate(dict(data or {}), context=info.context)

        return core_schema.with_info_plain_validator_function(
            validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda section, info: section.model_dump(mode=info.mode),
                info_arg=True,
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The section's keys and those of the faults."""
        return handler(with_all_keys(self.section).__pydantic_core_schema__)


def with_all_keys(section: type[Section]) -> type[Section]:
    """The section with the keys of all faults of its place that there are."""
    return _with_keys(section, tuple(f for f in FAULTS.values() if f.place == section.place))


@lru_cache
def _with_keys(section: type[Section], faults: tuple[type[Fault], ...]) -> type[Section]:
    keys: dict[str, Any] = {
        name: (field.annotation, field)
        for fault in faults
        for name, field in fault.model_fields.items()
    }
    return create_model(section.__name__, __base__=section, __doc__=section.__doc__, **keys)


def _restored(section: type[Section], keys: Mapping[str, Any]) -> Section:
    return with_all_keys(section).model_validate(keys)
