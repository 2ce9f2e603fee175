"""What the declaration of a term is: a name, options, and the local step they make."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    TypeAdapter,
)
from pydantic_core import core_schema

from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.strict import Bounded, Count, Positive, StrictModel, misuse
from dadao_sim.text.lines import shown


class Term(StrictModel):
    """A term r of minimise F(x) + r(x), by its formula.

    One below this declares ``kind: Literal[...]``, its name, and its options as described fields;
    scenarios and ``make`` find it by them. Beside it stand the operator that the engine compiles, a
    NamedTuple, and the kernels of its prox and its value, registered with ``engine.operators``, and
    where r is the indicator of a set, which ``is_set`` says, that of its lmo. ``reference`` is the
    paper to cite, as that of a method.
    """

    is_set: ClassVar[bool] = False
    reference: ClassVar[str] = ""

    kind: str = Field(description="name of the term")

    def local_step(self, dimension: int) -> LocalStep:
        """The local step in ``dimension`` coordinates.

        Raises InputError, of the option at fault, for what there is not in this dimension.
        """
        raise NotImplementedError


class _OneOrList:
    """Choose by whether it is a list: pydantic's unions would report the errors of both."""

    def __init__(self, one: Any, many: Any):
        strict = ConfigDict(strict=True)
        self.one = TypeAdapter(Annotated[one, Bounded()], config=strict)
        self.many = TypeAdapter(Annotated[many, Bounded()], config=strict)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check by the one that was chosen alone; a JSON schema names both."""
        return core_schema.no_info_plain_validator_function(
            self._checked, json_schema_input_schema=handler(source)
        )

    def _checked(self, value: Any) -> Any:
        chosen = self.many if isinstance(value, list | tuple) else self.one
        return chosen.validate_python(value)


def _sides(*sides: str) -> Callable[[Any], Any]:
    """A check that a shape has so many."""

    def checked(shape: Any) -> Any:
        if isinstance(shape, list | tuple) and len(shape) == len(sides):
            return shape
        found = f"a list of {len(shape)}" if isinstance(shape, list | tuple) else shown(shape)
        raise misuse(f"must be [{', '.join(sides)}], got {found}")

    return checked


# What several terms take.
Strength = Annotated[Positive, Field(description="factor of the term, in units of F")]
Sizes = Annotated[tuple[Count, ...], Strict(False), Field(min_length=1)]
Groups = Annotated[
    Count | Sizes,
    _OneOrList(Count, Sizes),
    Field(description="size of every group, or list of the sizes; they sum to d"),
]
Radius = Annotated[Positive, Field(description="its radius, a length in x")]
Weights = Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=True)]  # a bound may be none; no file has it
Numbers = Annotated[tuple[Number, ...], Strict(False), Field(min_length=1)]
Bound = Annotated[Number | Numbers, _OneOrList(Number, Numbers)]
MatrixShape = Annotated[
    tuple[Count, Count],
    Strict(False),
    BeforeValidator(_sides("rows", "columns")),
    Field(description="rows and columns of the matrix; their product is d"),
]
CubeShape = Annotated[
    tuple[Count, Count, Count],
    Strict(False),
    BeforeValidator(_sides("bands", "rows", "columns")),
    Field(description="bands, rows and columns of the cube; their product is d"),
]
