"""What all parts of a scenario share: strict types, no unknown keys, errors in plain English."""

import difflib
import math
import os.path
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializationInfo,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from dadao_sim.errors import InputError
from dadao_sim.text.lines import listed, shown


class FileName(str):
    """The name of a file that a scenario reads, to be told from other text; see ``files_named``."""

    __slots__ = ()


def from_the_scenario_folder(path: str, info: ValidationInfo) -> FileName:
    """``path`` as seen from the folder of the scenario, where it has one."""
    folder = (info.context or {}).get("folder")
    return FileName(path if folder is None else os.path.abspath(os.path.join(folder, path)))


def files_named(value: Any) -> Iterator[str]:
    """Every ``FilePath`` in a model and what it holds, in the order of the fields."""
    match value:
        case FileName():
            yield value
        case BaseModel():
            for _, part in value:
                yield from files_named(part)
        case Mapping():
            for part in value.values():
                yield from files_named(part)
        case list() | tuple():
            for part in value:
                yield from files_named(part)


def references_of(value: Any) -> Iterator[str]:
    """The ``reference`` of every model that has one, in a model and what it holds: a key of
    references.bib, or what is cited in its place.
    """
    match value:
        case BaseModel():
            said = "reference" not in type(value).model_fields
            if said and isinstance(found := getattr(value, "reference", ""), str) and found:
                yield found
            for _, part in value:
                yield from references_of(part)
        case Mapping():
            for part in value.values():
                yield from references_of(part)
        case list() | tuple():
            for part in value:
                yield from references_of(part)


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
FilePath = Annotated[str, Field(min_length=1), AfterValidator(from_the_scenario_folder)]


def _file_unless_a_word(name: str, info: ValidationInfo) -> str:
    return name if re.fullmatch(r"\w+", name) else from_the_scenario_folder(name, info)


FileOrShipped = Annotated[str, Field(min_length=1), AfterValidator(_file_unless_a_word)]
"""A bare word is the name of what comes with the package, anything else a file."""


def null_is(value: Any, kind: Any = None) -> BeforeValidator:
    """Let null stand for ``value``: what is switched off in so many words. Where the ``kind`` of
    the field is given its schema says so too::

        latency: Annotated[NotNegative, null_is(0.0, NotNegative)]
    """
    schema = {} if kind is None else {"json_schema_input_type": kind | None}
    return BeforeValidator(lambda given: value if given is None else given, **schema)


def hides(value: Any) -> bool:
    """Whether numbers of ``value`` are masked: an array's, or those of one within lists, whose mask
    NumPy drops without a word.
    """
    if isinstance(value, list | tuple):
        return any(map(hides, value))
    mask: Any = getattr(value, "mask", None)  # of a frame of pandas it is a method
    return getattr(getattr(mask, "dtype", None), "kind", "") == "b" and bool(mask.any())


LARGEST_INTEGER = 2**63 - 1
"""Of a field that has no upper bound of its own: what NumPy's integers can hold."""
SMALLEST, LARGEST = 1e-100, 1e100
"""Sizes of a number that is not 0: what two of them multiply to is neither 0 nor infinite."""


def _as_python_has_it(value: Any) -> Any:
    """A number of NumPy as one of Python; all else as it is."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def _integer_of_64_bits(value: Any) -> Any:
    value = _as_python_has_it(value)
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        bound = f"at most {LARGEST_INTEGER}" if value > 0 else f"at least {-LARGEST_INTEGER}"
        raise misuse(f"must be {bound}, got {shown(value)}")
    return value


def _not_out_of_size(value: Any) -> Any:
    value = _as_python_has_it(value)
    if not isinstance(value, int | float) or not value or not abs(value) < math.inf:
        return value  # of another kind, 0 or not finite, which others judge
    if not SMALLEST <= abs(value) <= LARGEST:
        sizes = f"of a size from {SMALLEST:g} to {LARGEST:g}"
        raise misuse(f"must be 0 or {sizes}, got {shown(value)}")
    return value


_BOUNDS: dict[Any, Callable[[Any], Any]] = {"int": _integer_of_64_bits, "float": _not_out_of_size}


def _bound_numbers(part: Any) -> None:
    """Check the size of every number of a model's schema, in place; models in it have done so."""
    if isinstance(part, list | tuple):
        for one in part:
            _bound_numbers(one)
    elif isinstance(part, dict) and part.get("type") != "model" and not _is_bounded(part):
        bound = _BOUNDS.get(part.get("type"))
        if bound is None:
            for one in list(part.values()):
                _bound_numbers(one)
        else:
            if part["type"] == "int" and {"le", "lt"} & part.keys():
                bound = _as_python_has_it
            inner: Any = dict(part)
            part.clear()
            part.update(core_schema.no_info_before_validator_function(bound, inner))


def _is_bounded(part: dict[str, Any]) -> bool:
    """Whether it is one of the checks: of a model that is asked again pydantic has kept them."""
    kept = part.get("function")
    return isinstance(kept, dict) and kept.get("function") in (*_BOUNDS.values(), _as_python_has_it)


class Bounded:
    """Marks a type that is checked beside a model: its numbers are bounded as those of models."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """That of pydantic, every number in it bounded by its type."""
        schema = handler(source)
        _bound_numbers(schema)
        return schema


if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # whose name is pydantic's own affair


class _Refusing(ModelMetaclass):
    """Of models that are made by name, in Python, and refuse in one line what they cannot hold."""

    def __call__(cls, *args: Any, **keys: Any) -> Any:
        """A model; InputError names it and the key at fault."""
        try:
            return super().__call__(*args, **keys)
        except ValidationError as error:
            raise _first_of(error, cls.__name__) from None


class StrictModel(BaseModel, metaclass=_Refusing):
    """Frozen; no unknown keys, no strings taken for numbers, no infinities, and no numbers that
    arithmetic would make infinite.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """That of pydantic, every number in it bounded by its type."""
        schema = handler(source)
        model: Any = handler.resolve_ref_schema(schema)
        while model["type"] != "model":  # within the validators of the whole
            model = model["schema"]
        _bound_numbers(model["schema"])
        return schema

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        # Before the fields: a misspelt key is the cause, "is missing" only its consequence.
        if isinstance(data, Mapping):
            _check_keys(data, cls.model_fields)
        return data


def require_beside(model: BaseModel, needs: Mapping[str, tuple[str, ...]]) -> None:
    """Raise the error of a validator where a key is given that has no effect without another, and
    none of the others that ``needs`` names for it is there, not even as null or 0.
    """
    for key, others in needs.items():
        says = getattr(model, key) != type(model).model_fields[key].default
        if says and not model.model_fields_set.intersection(others):
            raise misuse(f"has no effect without {' or '.join(others)}; give both", key)


def checked(what: Any, data: Any) -> Any:
    """``data`` as a ``what``, a model or an annotated type; InputError names the key at fault.

    For a function whose keywords are the keys of a model: what it raises names its own arguments.
    """
    try:
        return TypeAdapter(Annotated[what, Bounded()]).validate_python(data)
    except ValidationError as error:
        raise _first_of(error) from None


def _first_of(error: ValidationError, *above: str) -> InputError:
    """The first of pydantic's errors as ours, of a key that is in what is named ``above``."""
    first = error.errors(include_url=False)[0]
    where = ".".join([*above, *map(str, first["loc"])])
    return InputError(where, sentence(first)) if where else InputError(sentence(first))


def kinds_of(base: type[StrictModel], key: str = "kind") -> Callable[[Any], tuple[str, ...]]:
    """For a registry of models below ``base``: the values of ``key`` that a thing answers to."""

    def names(thing: Any) -> tuple[str, ...]:
        if not (isinstance(thing, type) and issubclass(thing, base)):
            return ()
        field = thing.model_fields.get(key)
        return get_args(field.annotation) if field is not None else ()

    return names


class ByKind:
    """A field that holds one of the models of a registry, chosen by its ``key``.

    The registry is asked when a value is checked and when the schema is made, so that models that
    join it later count::

        prox: Annotated[Term, ByKind(TERMS)]

    Of a registry that fields of several sorts share, those ``below`` a class are meant.
    """

    def __init__(
        self,
        registry: Mapping[str, type[StrictModel]],
        key: str = "kind",
        below: type[StrictModel] = StrictModel,
    ):
        self.registry, self.key, self.below = registry, key, below

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check a value against the model that its key names."""
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_dumped, info_arg=True),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """One of all models there are."""
        return {"oneOf": [handler(_defined(model)) for model in self.models()]}

    def models(self) -> tuple[type[StrictModel], ...]:
        """Those of the registry, each once."""
        return tuple(dict.fromkeys(self._of_here().values()))

    def chosen(self, data: Mapping[str, Any]) -> type[StrictModel]:
        """The model that ``data`` names by its key."""
        return _by_kind(data, self._of_here(), self.key)

    def _of_here(self) -> dict[str, type[StrictModel]]:
        return {name: one for name, one in self.registry.items() if issubclass(one, self.below)}

    def _validate(self, data: Any, info: ValidationInfo) -> Any:
        return _validated_as_one(data, info, self.models, [self.key], self.chosen)


class NameIn:
    """A field that holds a name of a registry, which is asked as late as with :class:`ByKind`::

    name: Annotated[str, NameIn(METHODS)]
    """

    def __init__(self, registry: Mapping[str, Any]):
        self.registry = registry

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Check that the registry has it."""
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Text; the names that there are come as examples, for others may join."""
        return {**handler(schema), "examples": list(self.registry)}

    def _known(self, name: str) -> str:
        if name not in self.registry:
            titles = getattr(self.registry, "titles", None)
            raise misuse(f"unknown value {shown(name)}{suggestion(name, self.registry, titles)}")
        return name


def _defined(model: type[StrictModel]) -> core_schema.CoreSchema:
    """The schema of a model that is written once, however many fields can hold it."""
    schema: Any = model.__pydantic_core_schema__
    if schema["type"] == "definitions":  # it holds another model twice, and has a name already
        return schema
    ref = f"{model.__module__}.{model.__qualname__}"
    named = {**schema, "ref": ref}
    return core_schema.definitions_schema(core_schema.definition_reference_schema(ref), [named])


def _dumped(model: StrictModel, info: SerializationInfo) -> dict[str, Any]:
    return model.model_dump(mode=info.mode, exclude_none=info.exclude_none)


def _by_kind(
    data: Mapping[str, Any], models: Mapping[str, type[StrictModel]], key: str
) -> type[StrictModel]:
    if key not in data:
        raise misuse(f"is missing (known: {listed(models)})", key)
    kind = data[key]
    if not isinstance(kind, str):
        raise misuse(f"must be text, got {shown(kind)}", key)
    if kind not in models:
        raise misuse(f"unknown value {kind!r}{suggestion(kind, models)}", key)
    return models[kind]


def one_by_key(**by_key: type[StrictModel] | ByKind) -> BeforeValidator:
    """Choose among models, or kinds of models, by which one of the keys is there."""

    def models() -> tuple[type[StrictModel], ...]:
        nested = (one.models() if isinstance(one, ByKind) else (one,) for one in by_key.values())
        return tuple(model for models in nested for model in models)

    def choose(data: Mapping[str, Any]) -> type[StrictModel]:
        present = [key for key in by_key if key in data]
        if len(present) != 1:
            found = f", got {' and '.join(present)}" if present else ""
            raise misuse(f"must have exactly one of the keys {', '.join(by_key)}{found}")
        one = by_key[present[0]]
        return one.chosen(data) if isinstance(one, ByKind) else one

    # Pydantic's own unions put the member's name into the location of an error, or try them all.
    def validate(data: Any, info: ValidationInfo) -> Any:
        return _validated_as_one(data, info, models, list(by_key), choose)

    return BeforeValidator(validate)


def _validated_as_one(
    data: Any,
    info: ValidationInfo,
    models: Callable[[], tuple[type[StrictModel], ...]],
    deciding: list[str],
    choose: Callable[[Mapping[str, Any]], type[StrictModel]],
) -> Any:
    if not isinstance(data, Mapping):
        if isinstance(data, models()):
            return data
        raise misuse(f"must be a mapping, got {shown(data)}")
    try:
        model = choose(data)
    except ValidationError:
        # "knd: file" is a misspelling before it is a lack of kind.
        if not any(key in data for key in deciding):
            fields = [field for model in models() for field in model.model_fields]
            _check_keys(data, dict.fromkeys([*deciding, *fields]))
        raise
    return model.model_validate(dict(data), context=info.context)


def _check_keys(data: Mapping[Any, Any], known: Iterable[str]) -> None:
    unknown = [str(key) for key in data if key not in known]
    if unknown:
        raise _refused({(key,): f"unknown key{suggestion(key, known)}" for key in unknown})


def misuse(reason: str, *location: str | int) -> ValidationError:
    """The error for a validator to raise; ``location`` is relative to what it validates."""
    return _refused({location: reason})


def _refused(reasons: Mapping[tuple[str | int, ...], str]) -> ValidationError:
    return ValidationError.from_exception_data(
        "scenario",
        [
            InitErrorDetails(type=PydanticCustomError("misuse", reason), loc=location, input=None)
            for location, reason in reasons.items()
        ],
    )


def plain(word: str) -> str:
    """A word without what people write differently: "AD-PSGD" and "ad_psgd" are one."""
    return re.sub(r"[^a-z0-9]", "", word.casefold().replace("+", "plus"))


NEAR, SHORT = 0.6, 3
"""Likeness from which a word may be meant, and letters up to which a word may have less."""


def suggestion(word: str, known: Iterable[str], titles: Mapping[str, str] | None = None) -> str:
    """``; did you mean 'dim'? (known: dim, ...)``, without the question where nothing is near.

    ``titles`` says how else each of the known words may be called.
    """
    known = list(known)

    def likeness(candidate: str) -> float:
        pairs = [(candidate, word), (plain(candidate), plain(word))]
        if titles is not None:
            pairs.append((plain(titles[candidate]), plain(word)))
        begun = bool(plain(word)) and plain(candidate).startswith(plain(word))  # "p", "prob"
        ratios = (difflib.SequenceMatcher(a=a, b=b).ratio() if a else 0.0 for a, b in pairs)
        return max(NEAR * begun, *ratios)

    if not known:
        return " (there is none)"
    nearest = max(known, key=likeness)  # the first of equals
    # Lower for short ones, so that one wrong letter in "mu" still counts.
    enough = NEAR if len(plain(word)) > SHORT else 0.5
    hint = f"; did you mean {shown(nearest)}?" if likeness(nearest) >= enough else ""
    return f"{hint} (known: {listed(known)})"


# What pydantic's errors say should be there; their context holds the bounds.
MUST_BE = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_unicode": "text of whole characters",
    "string_too_long": "of at most {max_length} characters",
    "string_pattern_mismatch": "made of letters, digits and . _ - only, a letter or digit first",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
}


def sentence(error: ErrorDetails) -> str:
    """What is wrong, in plain English, of one of pydantic's errors."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    if kind == "missing":
        return "is missing"
    if kind == "too_long":
        return f"must have at most {context['max_length']} entries, has {context['actual_length']}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind == "literal_error" and isinstance(value, str):
        choices = re.findall(r"'([^']+)'", context["expected"])
        return f"unknown value {shown(value)}{suggestion(value, choices)}"
    if kind in MUST_BE:
        return f"must be {MUST_BE[kind].format(**context)}, got {shown(value)}"
    return error["msg"]
